"""The pages, and what keeps them live."""

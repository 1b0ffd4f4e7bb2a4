"""One module a page; they do not know each other."""

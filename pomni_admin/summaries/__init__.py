"""Summary jobs: what people talked about, one row and one vector a person and period (G9)."""

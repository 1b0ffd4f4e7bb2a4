"""How what the site depends on does: one module a part, asked by the page Health, `/readyz` and `/metrics`."""

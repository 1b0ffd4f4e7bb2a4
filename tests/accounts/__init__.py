"""Who may use the site."""

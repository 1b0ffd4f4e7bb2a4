"""Who may use the site: users, roles, sign-in."""

"""What people do with the site, in a real browser."""

"""What a browser asks of accounts: signing in and out, one's own account, links."""

"""The HTTP API for cron jobs: the bot's own addresses, and what steers a job besides (SPEC 3)."""

"""The HTTP API for cron jobs."""

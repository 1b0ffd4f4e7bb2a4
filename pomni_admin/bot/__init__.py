"""The bot's own tables, seen from here, and the reads that are the truth behind the caches."""

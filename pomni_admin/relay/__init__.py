"""How a committed change reaches the caches: triggers, an outbox, and the process that makes invalidations of it."""

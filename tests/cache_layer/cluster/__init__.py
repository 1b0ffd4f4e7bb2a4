"""The layer on a Redis Cluster: what holds on one server holds there, and what only a cluster can do to it."""

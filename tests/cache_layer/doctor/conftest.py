"""The cluster of `tests.harness`."""

from tests.harness.cluster import cluster, cluster_servers

__all__ = ["cluster", "cluster_servers"]

"""The doctor on a Redis Cluster."""

from __future__ import annotations

from datetime import timedelta

from cache_layer import Settings
from cache_layer.doctor import examine
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.doctor.reports import of
from tests.harness.cluster import Cluster


async def test_on_a_cluster_all_is_well_and_nothing_stays(cluster: Cluster) -> None:
    report = await examine(
        Settings(redis_url=cluster.url, cluster=True, timeout=timedelta(seconds=1), **SECRETS), "production"
    )
    assert [finding for finding in report.findings if finding.verdict != "ok"] == []
    assert of(report, "cluster").says.startswith("yes, of 3 masters")
    assert cluster.keys() == []


async def test_a_cluster_that_is_not_said_to_be_one(cluster: Cluster) -> None:
    report = await examine(Settings(redis_url=cluster.url, **SECRETS), "production")
    assert of(report, "cluster").says.endswith("REDIS_CLUSTER is off: set it on")
    assert report.exit_code == 1

"""Fixtures for every test. What they do is told in `tests/harness`, one module a subject.

Importing this file points the environment at servers of this worker's own, before anything reads Django's settings.
"""

from __future__ import annotations

import os
import shutil
import sys

import django
import pytest

from tests.harness import environment

if "pomni_admin.settings" in sys.modules:
    raise pytest.UsageError("Django's settings are read already, of another environment: unset DJANGO_SETTINGS_MODULE")

PLACE = environment.settle()
django.setup()

from tests.harness.browser import browser, browser_page, new_page, page_errors  # noqa: E402
from tests.harness.cast import cast  # noqa: E402
from tests.harness.cluster import cluster, cluster_servers, own_cluster  # noqa: E402
from tests.harness.processes import own_site, project, shared_site, site, spawn, worker  # noqa: E402
from tests.harness.servers import (  # noqa: E402
    database,
    django_db_setup,
    migrated,
    own_postgres,
    own_valkey,
    own_vectors,
    postgres_server,
    qdrant,
    valkey,
    valkey_server,
    vectors_server,
)
from tests.harness.staff import staff  # noqa: E402
from tests.harness.static_files import look_for_them_once  # noqa: E402

look_for_them_once()

__all__ = [
    "browser",
    "browser_page",
    "cast",
    "cluster",
    "cluster_servers",
    "database",
    "django_db_setup",
    "migrated",
    "new_page",
    "own_cluster",
    "own_postgres",
    "own_site",
    "own_valkey",
    "own_vectors",
    "page_errors",
    "postgres_server",
    "project",
    "qdrant",
    "shared_site",
    "site",
    "spawn",
    "staff",
    "valkey",
    "valkey_server",
    "vectors_server",
    "worker",
]


@pytest.fixture(scope="session")
def place() -> environment.Place:
    """This worker's folder and servers; the fixtures of each server start it when it is first needed."""
    return PLACE


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Before the workers of pytest-xdist start, which inherit this process's environment.

    With this variable in it pytest-django would read the settings at once, before a worker has named its own servers.
    """
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)


def pytest_unconfigure() -> None:
    shutil.rmtree(PLACE.folder, ignore_errors=True)

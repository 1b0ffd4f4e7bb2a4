"""Rows and vectors compared: what is missing is brought, what belongs to nobody goes, the rest is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError
from qdrant_client import QdrantClient
from qdrant_client.models import PointStruct

from pomni_admin.summaries import pending, tasks, vector_check
from pomni_admin.summaries.models import PendingVector
from pomni_admin.summaries.vectors import VectorsUnavailable
from tests.harness.servers import Database
from tests.summaries.conftest import Jobs, People, points
from tests.summaries.test_commands import said

COLLECTION = "dialog_summaries_v1"


@pytest.fixture
def users(daily: Jobs, people: People) -> list[int]:
    """Five people with a row and a vector each."""
    users = people.crowd(5)
    assert daily.run().state == "ok"
    return users


def ids(daily: Jobs) -> list[int]:
    return [row["id"] for row in daily.summaries()]


def put(qdrant: QdrantClient, point: int | str, **payload: Any) -> None:
    qdrant.upsert(COLLECTION, [PointStruct(id=point, vector=[0.5] * 64, payload=payload)])


def test_where_nothing_differs_nothing_is_done(users: list[int]) -> None:
    found = vector_check.verify(repair=True)
    assert (found.rows, found.points, found.differs, found.mended) == (5, 5, False, 0)
    assert not PendingVector.objects.exists()


def test_what_is_missing_outdated_or_nobody_s_is_told_and_mended(
    users: list[int], daily: Jobs, qdrant: QdrantClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pages of two, so that more than one is read on both sides."""
    monkeypatch.setattr(vector_check, "PAGE", 2)
    rows = ids(daily)
    qdrant.delete(COLLECTION, [rows[0]])
    database.rows("UPDATE dialog_summaries SET text = 'другое', updated_at = now() WHERE id = %s", rows[1])
    (row,) = database.rows("SELECT updated_at FROM dialog_summaries WHERE id = %s", rows[2])
    put(qdrant, rows[2], user_id=users[2], updated_at=row["updated_at"].isoformat(), text="что бот туда писал")
    put(qdrant, 900, user_id=users[3])
    put(qdrant, "5c56c793-69f3-4fbf-87e6-c4bf54c28c26", anything=1)
    told = vector_check.verify()
    assert (told.missing, told.outdated, told.orphans, told.foreign, told.mended) == (1, 2, 1, 1, 0)
    assert not PendingVector.objects.exists()
    mended = vector_check.verify(repair=True)
    assert (mended.missing, mended.outdated, mended.orphans, mended.mended) == (1, 2, 1, 4)
    assert pending.deliver_due() == 3
    again = vector_check.verify()
    assert (again.differs, again.foreign) == (False, 1)
    assert points(qdrant) == {*rows, "5c56c793-69f3-4fbf-87e6-c4bf54c28c26"}
    (kept,) = qdrant.retrieve(COLLECTION, [rows[2]])
    assert "text" not in (kept.payload or {})


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM users WHERE id = %s", "UPDATE users SET privacy_level = 'none' WHERE id = %s"],
    ids=["who left", "who may not be stored any more"],
)
def test_vectors_of_people_are_deleted(
    users: list[int], daily: Jobs, qdrant: QdrantClient, database: Database, statement: str
) -> None:
    rows = ids(daily)
    database.rows(statement, users[0])
    tasks.repair_people([users[0]])
    assert points(qdrant) == set(rows[1:])


def test_a_vector_that_is_on_its_way_is_not_missing(users: list[int], daily: Jobs, qdrant: QdrantClient) -> None:
    row = ids(daily)[0]
    qdrant.delete(COLLECTION, [row])
    pending.add_all(users[0])
    found = vector_check.verify()
    assert (found.pending, found.missing) == (1, 0)


def test_qdrant_away_says_so_and_mends_nothing(users: list[int], configure: Callable[..., None]) -> None:
    configure(qdrant_url="http://127.0.0.1:1")
    with pytest.raises(VectorsUnavailable):
        vector_check.verify(repair=True)
    tasks.repair_vectors()  # logs, and comes again tomorrow
    assert not PendingVector.objects.exists()


def test_from_a_shell_it_exits_with_1_where_something_differs(
    users: list[int], daily: Jobs, qdrant: QdrantClient
) -> None:
    assert "missing" in said("verify")
    qdrant.delete(COLLECTION, [ids(daily)[0]])
    with pytest.raises(CommandError, match="--repair mends it"):
        said("verify")
    said("verify", "--repair", "--reason", "wrong_data")
    pending.deliver_due()
    said("verify", "--user-id", str(users[0]))

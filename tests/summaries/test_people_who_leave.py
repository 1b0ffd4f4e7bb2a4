"""What summaries owe to privacy: who may not be stored is not sent, what has gone does not come back (SPEC 3)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from qdrant_client import QdrantClient

from pomni_admin.summaries import engine, pending, rows
from pomni_admin.summaries.models import Failure, PendingVector
from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.summaries.conftest import Jobs, People, points
from tests.summaries.llm import EMBEDDINGS, Llm


@pytest.mark.parametrize("level", ["none", "off", "NONE", "", "secret"])
def test_whoever_may_not_be_stored_is_skipped_and_nothing_of_theirs_is_sent(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, level: str
) -> None:
    people.say(cast.alisa, "Алиса")
    people.say(cast.gleb, "тайна Глеба")
    database.rows("UPDATE users SET privacy_level = %s WHERE id = %s", level, cast.gleb)
    ended = daily.run()
    assert (ended.state, ended.processed_users, ended.skipped, ended.checked_users) == ("ok", 1, 1, 2)
    assert [row["user_id"] for row in daily.summaries()] == [cast.alisa]
    assert not any("тайна" in text for text in llm.asked + llm.embedded)


MEANWHILE: dict[str, str] = {
    "switch privacy to none": "UPDATE users SET privacy_level = 'none' WHERE id = %s",
    "are deleted": "DELETE FROM users WHERE id = %s",
    "purge their messages": "DELETE FROM bot_messages WHERE user_id = %s",
}


@pytest.mark.parametrize("statement", MEANWHILE.values(), ids=MEANWHILE.keys())
def test_nothing_is_written_for_people_who_meanwhile(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, qdrant: QdrantClient, statement: str
) -> None:
    """Negative control: without the second look in `rows.WRITE` the summary is there in all three cases, but for the
    deleted, whom the foreign key keeps out by failing the person."""
    people.say(cast.boris, "привет")
    people.say(cast.vera, "привет")
    job = daily.start()
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        database.rows(statement, cast.boris)
        llm.release()
    ended = daily.read(job.pk)
    assert (ended.state, ended.skipped, ended.processed_users, ended.errors) == ("ok", 1, 1, 0)
    assert [row["user_id"] for row in daily.summaries()] == [cast.vera]
    assert len(points(qdrant)) == 1


def test_what_was_purged_in_part_is_read_again_without_it(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database
) -> None:
    people.say(cast.boris, "лишнее", "остаётся")
    job = daily.start()
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        database.rows("DELETE FROM bot_messages WHERE text = 'лишнее'")
        llm.release()
    assert llm.asked[1:] == ["Человек: остаётся"]
    (row,) = daily.summaries()
    assert (row["text"], row["source_count"]) == ("Итог дня: Человек: остаётся", 1)


def test_a_message_that_comes_meanwhile_changes_nothing(daily: Jobs, people: People, cast: Cast, llm: Llm) -> None:
    people.say(cast.boris, "привет")
    job = daily.start()
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        people.say(cast.boris, "ещё одно")
        llm.release()
    assert len(llm.asked) == 1
    assert daily.summaries()[0]["source_count"] == 1


def test_a_person_who_is_deleted_while_the_job_is_elsewhere_is_skipped(
    daily: Jobs, people: People, llm: Llm, database: Database, qdrant: QdrantClient
) -> None:
    first, second = people.crowd(2)
    job = daily.start()
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        database.rows("DELETE FROM users WHERE id = %s", second)
        llm.release()
    ended = daily.read(job.pk)
    assert (ended.state, ended.total, ended.processed_users, ended.skipped) == ("ok", 2, 1, 1)
    assert [row["user_id"] for row in daily.summaries()] == [first]


def test_a_row_that_goes_before_its_vector_takes_the_point_with_it(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, qdrant: QdrantClient
) -> None:
    people.say(cast.boris, "привет")
    job = daily.start()
    llm.hold(EMBEDDINGS)
    with daily.looked_at(job.pk):
        llm.wait_until_embedding()
        database.rows("DELETE FROM dialog_summaries")
        llm.release()
    ended = daily.read(job.pk)
    assert (ended.state, ended.embedding_ok, ended.vectors_pending) == ("ok", 0, 0)
    assert points(qdrant) == set()


def test_a_vector_that_is_still_pending_is_not_made_for_someone_who_has_switched_to_none(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, qdrant: QdrantClient
) -> None:
    """Negative control: without `privacy_level` in `pending.READ` the text is sent to be embedded."""
    people.say(cast.boris, "привет")
    llm.on("", path=EMBEDDINGS, status=400, times=1)
    assert daily.run().vectors_pending == 1
    database.rows("UPDATE users SET privacy_level = 'none' WHERE id = %s", cast.boris)
    llm.embedded.clear()
    assert pending.deliver_due() == 0
    assert (llm.embedded, points(qdrant), PendingVector.objects.exists()) == ([], set(), False)


def test_a_person_whose_row_stays_locked_is_counted_as_failed_and_the_other_transaction_is_not_harmed(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "WAIT_FOR_PERSON", "SET LOCAL lock_timeout = '50ms'")
    monkeypatch.setattr(engine, "MOST_WRITINGS", 2)
    people.say(cast.boris, "привет")
    with database.connect() as connection, connection.transaction():
        connection.execute("UPDATE users SET style_profile = 'other' WHERE id = %s", (cast.boris,))
        ended = daily.run()
    assert (ended.state, ended.errors, len(llm.asked)) == ("failed", 1, 1)
    assert Failure.objects.get().code == "rows_locked"


def test_a_row_that_is_rewritten_before_its_vector_gets_the_vector_of_the_newer_text(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, qdrant: QdrantClient
) -> None:
    """Negative control: without comparing `updated_at` in `pending.deliver` the newer text is never embedded."""
    people.say(cast.boris, "привет")
    job = daily.start()
    llm.hold(EMBEDDINGS)
    with daily.looked_at(job.pk):
        llm.wait_until_embedding()
        database.rows("UPDATE dialog_summaries SET text = 'новее', updated_at = now()")
        llm.release()
    assert daily.read(job.pk).vectors_pending == 1
    PendingVector.objects.update(not_before="2020-01-01T00:00:00Z")
    assert pending.deliver_due() == 1
    assert llm.embedded[-1] == "новее"
    ended = daily.read(job.pk)
    assert (ended.embedding_ok, ended.vectors_pending) == (1, 0)
    assert len(points(qdrant)) == 1


def purge(connection: psycopg.Connection[Any], user_id: int) -> None:
    """Messages first, then summaries, as the bot does it."""
    connection.execute("DELETE FROM bot_messages WHERE user_id = %s", (user_id,))
    connection.execute("DELETE FROM dialog_summaries WHERE user_id = %s", (user_id,))


def test_a_purge_waits_for_a_summary_that_is_being_written_and_then_sees_it(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database, configure: Callable[..., None]
) -> None:
    """Whichever of the two is first, no summary survives."""
    people.say(cast.boris, "привет")
    job = daily.start()
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        llm.release()
        with database.connect() as connection:
            purge(connection, cast.boris)
    assert daily.summaries() == []


WAITS = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%bot_messages%%'"


def test_a_purge_that_has_not_ended_yet_is_waited_for(
    daily: Jobs, people: People, cast: Cast, llm: Llm, database: Database
) -> None:
    """Negative control: without `source.hold` a summary is written in the midst of the purge, which does not see it."""
    people.say(cast.boris, "привет")
    job = daily.start()
    llm.hold()
    with daily.looked_at(job.pk):
        llm.wait_until_asked(1)
        with database.connect() as connection, connection.transaction():
            purge(connection, cast.boris)
            llm.release()
            ends = time.monotonic() + 10
            while not daily.summaries() and not database.rows(WAITS) and time.monotonic() < ends:
                time.sleep(0.01)
    assert daily.summaries() == []

"""Recording acts (G11)."""

from __future__ import annotations

import logging
import re
import threading
from datetime import timedelta

import psycopg
import pytest
import redis
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db import Error, connection, transaction
from django.test.utils import CaptureQueriesContext

from pomni_admin.audit import acts
from pomni_admin.audit.acts import Actor, InsideTransaction, NotInVocabulary
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.cache import handle_of
from pomni_admin.demo.servers import Valkey
from tests.harness.cast import Cast
from tests.harness.servers import Database

OLGA = Actor("olga", "support")
JOB = "5f0c3a52-3a8e-4a3e-9a61-0c6f3f2b7a10"


def test_an_intent_is_committed_before_the_body_runs_and_an_outcome_after(database: Database, cast: Cast) -> None:
    handle = handle_of(cast.alisa)
    with acts.act(actor=OLGA, act=Act.INVALIDATE_ACCESS, handle=handle, reason=Reason.PAID_STILL_LOCKED_OUT) as a:
        (intent,) = database.rows("SELECT * FROM audit_auditrow")
        assert (intent["phase"], intent["result"]) == ("intent", "")
        a.result = "ok"
    rows = database.rows("SELECT * FROM audit_auditrow ORDER BY id")
    assert [row["phase"] for row in rows] == ["intent", "outcome"]
    assert {row["act_id"] for row in rows} == {a.act_id}
    (entry,) = acts.recent(10)
    assert (entry.actor, entry.role, entry.act) == ("olga", "support", "cache.access_state.invalidate")
    assert (entry.handle, entry.reason, entry.result) == (handle, "paid_still_locked_out", "ok")
    assert entry.receipt == a.receipt
    assert entry.finished_at is not None
    assert timedelta(0) <= entry.finished_at - entry.at < timedelta(seconds=10)


def test_an_exception_goes_on_and_is_recorded_by_its_class(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), acts.act(actor=OLGA, act=Act.LOOK_UP):
        _ = 1 / 0
    assert [entry.result for entry in acts.recent(10)] == ["error:ZeroDivisionError"]


def test_an_act_whose_process_died_shows_as_unknown(database: Database) -> None:
    with acts.act(actor=OLGA, act=Act.RUN_SUMMARIES):
        (entry,) = acts.recent(10)
        assert (entry.result, entry.finished_at) == ("unknown", None)


def test_a_body_that_says_nothing_is_not_recorded_as_a_success(database: Database) -> None:
    with acts.act(actor=OLGA, act=Act.RUN_SUMMARIES):
        pass
    assert [entry.result for entry in acts.recent(10)] == ["unstated"]


def test_without_an_intent_the_body_does_not_run(database: Database) -> None:
    ran = False
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE audit_auditrow IN ACCESS EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        try:
            with pytest.raises(Error), acts.act(actor=OLGA, act=Act.LOOK_UP):
                ran = True
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")
    assert not ran
    assert acts.recent(10) == []


def test_an_act_does_not_begin_inside_a_transaction_whose_rollback_would_erase_it(database: Database) -> None:
    """Without the refusal the intent is gone after the rollback: nothing in the table though the body has run."""
    ran = False

    def in_a_view_with_atomic_requests() -> None:
        nonlocal ran
        with transaction.atomic(), acts.act(actor=OLGA, act=Act.INVALIDATE_ACCESS):
            ran = True

    with pytest.raises(InsideTransaction, match=r"leave transaction\.atomic first"):
        in_a_view_with_atomic_requests()
    with pytest.raises(InsideTransaction), transaction.atomic():
        acts.refused(OLGA, Act.RUN_SUMMARIES)
    assert not ran


def test_a_body_may_open_its_own_transaction_and_roll_it_back(database: Database, cast: Cast) -> None:
    with pytest.raises(PermissionDenied), acts.act(actor=OLGA, act=Act.LOOK_UP), transaction.atomic():
        raise PermissionDenied
    assert [entry.result for entry in acts.recent(10)] == ["error:PermissionDenied"]


def test_an_outcome_is_written_though_the_connection_broke_in_the_body(database: Database) -> None:
    with acts.act(actor=OLGA, act=Act.LOOK_UP) as a:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        database.rows("SELECT pg_terminate_backend(%s, 5000)", pid)
        a.result = "ok"
    assert [entry.result for entry in acts.recent(10)] == ["ok"]


def test_an_outcome_that_cannot_be_written_is_logged_without_the_row(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """What the body did is done: raising now would only hide that."""
    with database.connect() as other:
        try:
            with acts.act(actor=OLGA, act=Act.LOOK_UP) as a:
                other.execute(
                    "ALTER TABLE audit_auditrow ADD CONSTRAINT none_any_more CHECK (phase = 'intent') NOT VALID"
                )
                a.result = "ok"
        finally:
            other.execute("ALTER TABLE audit_auditrow DROP CONSTRAINT IF EXISTS none_any_more")
    assert [entry.result for entry in acts.recent(10)] == ["unknown"]
    (record,) = [record for record in caplog.records if record.name == "pomni_admin.audit.acts"]
    assert (record.levelno, record.__dict__["receipt"]) == (logging.ERROR, a.receipt)
    assert "olga" not in caplog.text


def test_the_subject_may_become_known_in_the_body(database: Database) -> None:
    with acts.act(actor=OLGA, act=Act.RUN_SUMMARIES) as a:
        a.subject = JOB
        a.result = "ok"
    assert [(entry.subject, entry.result) for entry in acts.recent(10)] == [(JOB, "ok")]


def test_a_refused_attempt_is_on_record_with_a_receipt(database: Database) -> None:
    receipt = acts.refused(AnonymousUser(), Act.RUN_SUMMARIES)
    (entry,) = acts.recent(10)
    assert (entry.actor, entry.role, entry.result, entry.receipt) == ("", "", "refused", receipt)


@pytest.mark.parametrize(
    "words",
    [
        {"act": "users.drop"},
        {"reason": "Алиса заплатила картой 4242"},
        {"reason": Reason.MISSED_RUN},
        {"handle": "700000001"},
        {"handle": "U-700000001"},
        {"subject": "700000001"},
        {"subject": "тёмной ночью"},
    ],
)
def test_words_that_could_be_personal_data_do_not_get_into_a_row(database: Database, words: dict[str, str]) -> None:
    with pytest.raises(NotInVocabulary) as raised, acts.act(**{"actor": OLGA, "act": Act.LOOK_UP, **words}):  # type: ignore[arg-type]
        pytest.fail("the body ran")
    assert not any(word in str(raised.value) for word in words.values())
    assert database.rows("SELECT * FROM audit_auditrow") == []


def test_a_result_or_subject_set_in_the_body_is_checked_too(database: Database) -> None:
    with acts.act(actor=OLGA, act=Act.RUN_SUMMARIES) as a:
        a.result = "ok for +7 900 000-00-00"
        a.subject = "700000001"
    assert [(entry.result, entry.subject) for entry in acts.recent(10)] == [("unstated", "")]


@pytest.mark.parametrize("column", ["handle", "subject", "reason", "result"])
def test_the_database_refuses_such_words_as_well(database: Database, column: str) -> None:
    values = {"handle": "", "subject": "", "reason": "", "result": "ok"} | {column: "777 Алиса"}
    with pytest.raises(psycopg.errors.CheckViolation):
        database.rows(
            "INSERT INTO audit_auditrow (act_id, phase, actor, role, act, handle, subject, reason, result, receipt) "
            "VALUES (gen_random_uuid(), 'outcome', 'olga', '', 'x', %s, %s, %s, %s, '')",
            *(values[name] for name in ("handle", "subject", "reason", "result")),
        )


def test_every_reason_belongs_to_an_act_and_every_act_has_reasons() -> None:
    assert set(REASONS) == set(Act)
    assert {reason for reasons in REASONS.values() for reason in reasons} == set(Reason)


def test_a_receipt_can_be_read_out_on_the_phone(database: Database) -> None:
    receipts = {acts.refused(OLGA, Act.LOOK_UP) for _ in range(20)}
    assert len(receipts) == 20
    assert all(re.fullmatch(r"R-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", receipt) for receipt in receipts)


def test_pages_of_entries_neither_repeat_nor_skip_while_acts_go_on(database: Database) -> None:
    written = [acts.refused(OLGA, Act.LOOK_UP) for _ in range(5)]
    first = acts.recent(2)
    acts.refused(OLGA, Act.LOOK_UP)
    second = acts.recent(10, before_id=first[-1].id)
    assert [entry.receipt for entry in (*first, *second)] == written[::-1]


def test_a_page_of_entries_is_two_queries(database: Database) -> None:
    for _ in range(3):
        acts.refused(OLGA, Act.LOOK_UP)
    with CaptureQueriesContext(connection) as queries:
        acts.recent(50)
    assert len(queries) == 2


def test_an_outcome_is_announced_after_its_commit(database: Database, valkey: Valkey) -> None:
    """The listener reads the table when it hears of the act, and has to find the outcome there."""
    heard: list[tuple[bytes, int]] = []
    with redis.Redis.from_url(valkey.url) as client, client.pubsub() as pubsub:
        pubsub.subscribe("changed")
        assert pubsub.get_message(timeout=5) is not None  # the subscription itself

        def listen() -> None:
            message = pubsub.get_message(timeout=10)
            if message is not None:
                heard.append((message["data"], len(database.rows("SELECT * FROM audit_auditrow"))))

        listener = threading.Thread(target=listen)
        listener.start()
        with acts.act(actor=OLGA, act=Act.LOOK_UP) as a:
            a.result = "ok"
        listener.join(timeout=15)
    assert heard == [(b"audit", 2)]

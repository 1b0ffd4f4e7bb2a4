"""How often somebody may do something, counted by the record itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from django.db import connection

from pomni_admin.audit import acts
from pomni_admin.audit.acts import Actor
from pomni_admin.audit.rate import TOO_MANY, seconds_to_wait
from pomni_admin.audit.vocabulary import Act
from tests.harness.servers import Database

OLGA, IGOR = Actor("olga", "support"), Actor("igor", "support")
COUNTED = (Act.LOOK_UP, Act.LOOK_UP_BY_HANDLE)


def look_up(who: Actor = OLGA, act: Act = Act.LOOK_UP, at_most: int = 3) -> float | None:
    with acts.act(actor=who, act=act) as recorded:
        wait_s = seconds_to_wait(who.name, COUNTED, this=recorded.act_id, at_most=at_most)
        recorded.result = "ok" if wait_s is None else TOO_MANY
        return wait_s


def test_so_many_in_a_minute_and_then_a_wait_that_is_told(database: Database) -> None:
    assert [look_up(), look_up(act=Act.LOOK_UP_BY_HANDLE), look_up()] == [None] * 3
    wait_s = look_up()
    assert wait_s is not None
    assert 50 < wait_s <= 60
    assert look_up(IGOR) is None, "each agent has their own"
    with acts.act(actor=OLGA, act=Act.INVALIDATE_ACCESS):
        pass
    assert [entry.result for entry in acts.recent(9) if entry.result == TOO_MANY] == [TOO_MANY]


def test_what_was_refused_does_not_put_off_the_next(database: Database) -> None:
    """Without the exclusion of refused ones, whoever goes on trying would never be let in again."""
    look_up(at_most=1)
    first = database.rows("SELECT max(id) FROM audit_auditrow")[0]["max"]
    for _ in range(5):
        assert look_up(at_most=1) is not None
    _a_minute_passes(database, up_to=first)
    assert look_up(at_most=1) is None


def test_a_minute_later_it_goes_on(database: Database) -> None:
    for _ in range(3):
        look_up()
    _a_minute_passes(database)
    assert look_up() is None


def test_any_number_at_once_let_no_more_pass_than_are_allowed(database: Database) -> None:
    """Counted before the intent is on record, in place of after, the ten that come together all pass."""
    gate = Barrier(10)

    def at_once(_: int) -> float | None:
        try:
            gate.wait()
            return look_up(at_most=5)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        passed = [wait_s for wait_s in pool.map(at_once, range(30)) if wait_s is None]
    assert len(passed) <= 5
    assert len(acts.recent(100)) == 30, "each attempt is on record"


def _a_minute_passes(database: Database, up_to: int = 2**62) -> None:
    """For what is on record up to that row; the table itself refuses to be changed."""
    with database.connect() as other:
        other.execute("SET session_replication_role = replica")
        other.execute("UPDATE audit_auditrow SET at = at - interval '61 seconds' WHERE id <= %s", (up_to,))

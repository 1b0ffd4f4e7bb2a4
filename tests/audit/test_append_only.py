"""The database itself refuses to change the record (G11). Without the trigger each of these statements succeeds."""

from __future__ import annotations

import psycopg
import pytest
from django.db import ProgrammingError

from pomni_admin.audit import acts
from pomni_admin.audit.acts import Actor
from pomni_admin.audit.models import AuditRow
from pomni_admin.audit.vocabulary import Act
from tests.harness.servers import Database

STATEMENTS = {
    "UPDATE": "UPDATE audit_auditrow SET result = 'ok'",
    "DELETE": "DELETE FROM audit_auditrow",
    "TRUNCATE": "TRUNCATE audit_auditrow",
}


@pytest.mark.parametrize("operation", STATEMENTS)
@pytest.mark.parametrize("rows", [0, 1])
def test_a_change_is_refused_in_words_that_say_why(database: Database, operation: str, rows: int) -> None:
    for _ in range(rows):
        acts.refused(Actor("olga"), Act.LOOK_UP)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"append-only: {operation} is refused"):
        database.rows(STATEMENTS[operation])
    assert len(acts.recent(10)) == rows


def test_an_upsert_cannot_change_a_row_either(database: Database) -> None:
    acts.refused(Actor("olga"), Act.LOOK_UP)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.rows(
            "INSERT INTO audit_auditrow SELECT * FROM audit_auditrow ON CONFLICT (id) DO UPDATE SET actor = 'igor'"
        )
    assert [entry.actor for entry in acts.recent(10)] == ["olga"]


def test_neither_can_djangos_models(database: Database) -> None:
    acts.refused(Actor("olga"), Act.LOOK_UP)
    row = AuditRow.objects.first()
    assert row is not None
    row.actor = "igor"
    for change in (row.save, row.delete, AuditRow.objects.all().delete):
        with pytest.raises(ProgrammingError, match="append-only"):
            change()


def test_an_act_has_one_intent_and_one_outcome_at_the_most(database: Database) -> None:
    acts.refused(Actor("olga"), Act.LOOK_UP)
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.rows(
            "INSERT INTO audit_auditrow (act_id, phase, actor, role, act, handle, subject, reason, result, receipt) "
            "SELECT act_id, phase, 'igor', role, act, handle, subject, reason, result, receipt FROM audit_auditrow"
        )

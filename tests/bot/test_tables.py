"""The models over the bot's tables, against the tables themselves."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from django.apps import apps
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from pomni_admin.bot.models import BotUser, DialogSummary, Payment
from pomni_admin.bot.tables import create_tables
from pomni_admin.demo.servers import Postgres
from tests.harness.cast import Cast
from tests.harness.servers import Database

TYPES = {
    "BigAutoField": {"bigint"},
    "BigIntegerField": {"bigint"},
    "ForeignKey": {"bigint"},
    "OneToOneField": {"bigint"},
    "IntegerField": {"integer"},
    "BooleanField": {"boolean"},
    "TextField": {"text"},
    "CharField": {"character varying"},
    "DateTimeField": {"timestamp with time zone"},
    "PlainJSONField": {"json"},
}


@pytest.mark.parametrize("name", ["BotUser", "Subscription", "Payment", "BotMessage", "DialogSummary"])
def test_a_model_has_the_columns_of_its_table_with_their_types(database: Database, name: str) -> None:
    model = apps.get_model("bot", name)
    columns = database.rows(
        "SELECT column_name, data_type, is_nullable = 'YES' AS nullable, character_maximum_length AS length "
        "FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
        model._meta.db_table,
    )
    fields = {field.column: field for field in model._meta.concrete_fields}
    assert set(fields) == {column["column_name"] for column in columns}
    for column in columns:
        field = fields[column["column_name"]]
        assert column["data_type"] in TYPES[type(field).__name__], field
        assert column["nullable"] == field.null, field
        assert column["length"] == (field.max_length if column["data_type"] == "character varying" else None), field


def test_django_may_not_create_or_change_the_bots_tables() -> None:
    config = apps.get_app_config("bot")
    assert not any(model._meta.managed for model in config.get_models())
    assert "bot" in MigrationLoader(None).unmigrated_apps


def test_tables_that_are_there_are_left_alone(database: Database, cast: Cast) -> None:
    assert create_tables(connection) is False
    assert BotUser.objects.filter(id=cast.alisa).exists()


def test_an_empty_database_gets_all_tables_at_once(own_postgres: Postgres) -> None:
    with psycopg.connect(own_postgres.url, autocommit=True) as empty:
        assert create_tables(empty) is True
        assert create_tables(empty) is False
    tables = {
        row["tablename"]
        for row in Database(own_postgres.url).rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    }
    assert tables == {"users", "subscriptions", "payments", "bot_messages", "dialog_summaries"}


def test_a_payments_callback_stays_in_the_database_unless_asked_for(database: Database, cast: Cast) -> None:
    """`raw` is personal data: an ordinary query must not carry it about (G6)."""
    database.rows(
        "INSERT INTO payments (user_id, amount, status, raw) VALUES (%s, 59900, 'succeeded', %s)",
        cast.alisa,
        '{"card": "4242"}',
    )
    payment = Payment.objects.get()
    assert "raw" in payment.get_deferred_fields()
    assert payment.raw == {"card": "4242"}


def test_a_summary_is_unique_a_person_kind_and_period(database: Database, cast: Cast) -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    span = {"user_id": cast.alisa, "kind": "daily", "period_start": day, "period_end": day.replace(day=2)}
    row = DialogSummary(**span, text="одно", created_at=day, updated_at=day)
    again = DialogSummary(**span, text="другое", created_at=day, updated_at=day)
    for summary in (row, again):
        DialogSummary.objects.bulk_create(
            [summary],
            update_conflicts=True,
            unique_fields=["user", "kind", "period_start", "period_end"],
            update_fields=["text"],
        )
    assert [summary.text for summary in DialogSummary.objects.all()] == ["другое"]

"""The invented people of the demo."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, connections
from pytest_django.plugin import DjangoDbBlocker

from pomni_admin.bot.access import read_access
from pomni_admin.demo.seed import AlreadySeededError, Seeded, seed
from pomni_admin.demo.seeding.grammar import Gender, TemplateError, Voice, parse
from pomni_admin.demo.seeding.people import FIRST_TG_ID
from pomni_admin.demo.seeding.topics import Topic, phrases, topics
from pomni_admin.demo.servers import Valkey
from tests.harness.cast import Cast
from tests.harness.servers import Database

TABLES = ("users", "subscriptions", "payments", "bot_messages")
STORABLE = "('ask', 'auto', 'insights')"


def fingerprint(database: Database) -> str:
    """One hash over all rows of all tables, ids included."""
    parts = " || ".join(f"(SELECT md5(string_agg(t::text, '' ORDER BY id)) FROM {table} t)" for table in TABLES)
    return str(database.rows(f"SELECT {parts} AS hash")[0]["hash"])


def count(database: Database, condition: str, table: str = "users") -> int:
    return int(database.rows(f"SELECT count(*) AS n FROM {table} WHERE {condition}")[0]["n"])


@pytest.fixture(scope="module")
def kept() -> list[Seeded]:
    """What was seeded last, if anything was."""
    return []


@pytest.fixture
def town(
    migrated: Database, valkey: Valkey, kept: list[Seeded], django_db_blocker: DjangoDbBlocker
) -> Iterator[Database]:
    """All of the demo's rows, as of today. The tests that only look at them find those of the test before."""
    with django_db_blocker.unblock():
        if not kept or count(migrated, f"tg_id >= {FIRST_TG_ID}") != kept[0].people:
            migrated.truncate()
            kept[:] = [seed(connection)]
        yield migrated
        connections.close_all()


@pytest.fixture
def seeded(town: Database, kept: list[Seeded]) -> Seeded:
    """What of all that there is in the town."""
    return kept[0]


def test_the_same_number_and_day_give_the_same_rows(database: Database) -> None:
    day = date(2026, 11, 24)
    hashes = []
    for number, today in ((7, day), (7, day), (8, day), (7, day - timedelta(days=1))):
        database.truncate()
        seed(connection, number, people=60, messages=1_000, today=today)
        hashes.append(fingerprint(database))
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


def test_everything_that_the_site_has_to_show_is_there(town: Database, seeded: Seeded) -> None:
    assert seeded.people == count(town, "true") >= 300
    assert seeded.messages == count(town, "true", "bot_messages") >= 20_000
    assert seeded.subscriptions == count(town, "true", "subscriptions")
    assert seeded.payments == count(town, "true", "payments")
    levels = {row["privacy_level"] for row in town.rows("SELECT DISTINCT privacy_level FROM users")}
    assert {"ask", "auto", "insights", "none", "off"} < levels
    assert len(levels) == 6
    assert count(town, f"privacy_level NOT IN {STORABLE} AND privacy_level NOT IN ('none', 'off')") == 1
    assert count(town, "tg_is_blocked AND tg_blocked_at IS NOT NULL") >= 5
    assert count(town, "policy_accepted_at IS NULL") >= 5
    assert count(town, "trial_started_at IS NOT NULL AND trial_expires_at IS NULL") >= 5
    statuses = {row["status"] for row in town.rows("SELECT DISTINCT status FROM subscriptions")}
    assert statuses == {"active", "expired", "canceled"}
    paid = {(row["provider"], row["status"]) for row in town.rows("SELECT DISTINCT provider, status FROM payments")}
    assert {status for _, status in paid} == {"succeeded", "canceled", "refunded", "pending"}
    assert {provider for provider, _ in paid} == {"yookassa", "telegram_stars"}


def test_access_agrees_with_the_stories(town: Database) -> None:
    reasons: list[str] = [read_access(row["id"]).reason for row in town.rows("SELECT id FROM users")]
    for reason, share in (("subscription", 0.35), ("trial", 0.15), ("none", 0.25)):
        assert reasons.count(reason) >= share * len(reasons), reason


def test_yesterday_and_the_day_before_are_dense_and_the_other_days_not_empty(town: Database) -> None:
    by_day = {
        row["day"]: row["people"]
        for row in town.rows(
            "SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(DISTINCT user_id) AS people "
            "FROM bot_messages GROUP BY 1"
        )
    }
    today = datetime.now(UTC).date()
    assert by_day[today - timedelta(days=1)] >= 120
    assert by_day[today - timedelta(days=2)] >= 90
    assert max(by_day) == today - timedelta(days=1)
    assert min(by_day) >= today - timedelta(days=61)
    assert len(by_day) >= 58


def test_people_whose_text_may_not_be_stored_have_only_old_messages(town: Database, seeded: Seeded) -> None:
    (row,) = town.rows(
        f"SELECT count(*) AS n, max(m.created_at) AS last FROM bot_messages m JOIN users u ON u.id = m.user_id "
        f"WHERE u.privacy_level NOT IN {STORABLE}"
    )
    assert 0 < row["n"] < seeded.messages * 0.03
    assert row["last"] < datetime.now(UTC) - timedelta(days=14)


def test_nobody_talks_before_they_came_or_after_they_blocked_the_bot(town: Database) -> None:
    joined = "bot_messages m JOIN users u ON u.id = m.user_id"
    assert count(town, "m.created_at < u.policy_accepted_at OR u.policy_accepted_at IS NULL", joined) == 0
    assert count(town, "m.created_at > u.tg_blocked_at", joined) == 0
    assert count(town, "p.created_at < u.created_at", "payments p JOIN users u ON u.id = p.user_id") == 0
    assert count(town, "created_at > now() OR updated_at > now()", "payments") == 0


def test_texts_are_varied_and_of_the_length_that_people_write(town: Database) -> None:
    (row,) = town.rows(
        "SELECT count(DISTINCT text)::float / count(*) AS different, "
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY length(text)) AS middle FROM bot_messages WHERE role = 'user'"
    )
    assert row["different"] > 0.8
    assert 30 <= row["middle"] <= 200


def test_ids_of_messages_rise_with_their_times(town: Database) -> None:
    ordered = "SELECT created_at < lag(created_at) OVER (ORDER BY id) AS back FROM bot_messages"
    assert count(town, "back", f"({ordered}) AS pairs") == 0


def test_hard_cases_were_written_yesterday_by_people_whose_day_is_summarised(town: Database) -> None:
    hard = {
        "100 kB": "octet_length(text) >= 100000",
        "right to left": "text ~ '[\u0590-\u05ff]' AND text ~ '[\u0600-\u06ff]'",
        "control characters": "text LIKE '%\u0007%'",
        "joined emoji": "text LIKE '%\u200d%\u20e3%'",
        "one long word": "text LIKE repeat('а', 2000) || '%'",
        "nothing but white space": "text !~ '[^[:space:]\u200b]'",
    }
    today = datetime.now(UTC).date()
    for name, condition in hard.items():
        rows = town.rows(
            f"SELECT m.created_at, privacy_level FROM bot_messages m JOIN users u ON u.id = user_id WHERE {condition}"
        )
        assert len(rows) == 1, name
        assert rows[0]["created_at"].date() == today - timedelta(days=1)
        assert rows[0]["privacy_level"] in STORABLE


def test_telegram_ids_are_ones_that_nobody_has(town: Database, seeded: Seeded) -> None:
    assert count(town, f"tg_id NOT BETWEEN {FIRST_TG_ID} AND {FIRST_TG_ID} + {seeded.people}") == 0
    assert count(town, "provider_payment_id NOT LIKE 'demo-%%' OR NOT (raw->>'invented')::boolean", "payments") == 0


def test_new_rows_can_be_added_afterwards(database: Database) -> None:
    seed(connection, people=40, messages=300)
    database.rows("INSERT INTO users (tg_id) VALUES (1)")
    assert count(database, "tg_id = 1") == 1


def test_a_small_town_has_everybody_too(database: Database) -> None:
    seed(connection, people=40, messages=300)
    assert count(database, "true") == 40
    assert len(database.rows("SELECT DISTINCT privacy_level FROM users")) == 6
    assert count(database, "true", "bot_messages") >= 300
    for people in (0, 1, 5):
        database.truncate()
        assert seed(connection, people=people, messages=50).people == people


def test_a_second_seed_changes_nothing_and_says_so(
    database: Database, cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("seed_demo", people=40, messages=200)
    assert "seeded 40 people" in capsys.readouterr().out
    before = fingerprint(database)
    call_command("seed_demo", people=40, messages=200)
    assert "already" in capsys.readouterr().out
    assert fingerprint(database) == before
    with pytest.raises(AlreadySeededError):
        seed(connection)
    assert read_access(cast.alisa).has_access  # who was there before still is


def test_a_seed_that_fails_leaves_nothing_behind(database: Database) -> None:
    database.rows("ALTER TABLE bot_messages ADD CONSTRAINT refuses CHECK (length(text) < 1000)")
    try:
        with pytest.raises(Exception, match="refuses"):
            seed(connection, people=40, messages=200)
    finally:
        database.rows("ALTER TABLE bot_messages DROP CONSTRAINT refuses")
    assert count(database, "true") == 0
    assert seed(connection, people=40, messages=200).people == 40


def templates(topic: Topic) -> Iterator[str]:
    for step in topic.steps:
        yield from (*step.user, *step.bot)
    for said in (phrases().user, phrases().bot):
        for some in said.values():
            yield from some


@pytest.mark.parametrize("topic", topics(), ids=lambda topic: topic.name)
@pytest.mark.parametrize("gender", ["m", "f"])
def test_every_template_can_be_said_with_any_word(topic: Topic, gender: Gender) -> None:
    for template in templates(topic):
        for number in range(25):
            text = Voice(random.Random(number), gender, topic.vocabulary).say(template)
            assert text
            assert not re.search(r"[\[\]{}<>|]|  | [.,!?]|([.,!?])\1(?<!\.\.\.)$", text), text


@pytest.mark.parametrize(
    "template", ["[один|два", "{слово", "раз]", "<да|нет", "{nobody}", "{drink.gen}", "<drink:да|нет>", "<a|b|c>"]
)
def test_a_wrong_template_is_refused(template: str) -> None:
    with pytest.raises(TemplateError):
        Voice(random.Random(1), "f", {"drink": ["чай"]}).say(template)


def test_a_word_stays_for_the_conversation_and_agreement_follows_it() -> None:
    words = {"who": [{"nom": "мама", "ins": "мамой", "g": "f"}, {"nom": "папа", "ins": "папой", "g": "m"}]}
    for number in range(20):
        voice = Voice(random.Random(number), "m", words)
        said = voice.say("{who} <who:сказал|сказала>, и я <ушёл|ушла>. с {who.ins}")
        assert said in {"Мама сказала, и я ушёл. С мамой", "Папа сказал, и я ушёл. С папой"}
        assert voice.has_said("{who.ins}")
        assert not voice.has_said("{thing}")
    assert parse("[a|[b|c]]") is parse("[a|[b|c]]")

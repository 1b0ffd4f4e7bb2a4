"""Finding a person by what support has been told."""

from __future__ import annotations

import logging

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pomni_admin.bot.people import find, tg_id_of
from tests.harness.cast import Cast
from tests.harness.servers import Database

PAYMENT = "2d9f6a4b-000f-5000-8000-1b7c0aa11223"


@pytest.fixture
def alisa_paid(database: Database, cast: Cast) -> Cast:
    database.rows(
        "INSERT INTO payments (user_id, provider_payment_id, amount, status) VALUES (%s, %s, 59900, 'succeeded')",
        cast.alisa,
        PAYMENT,
    )
    return cast


def named(text: str) -> dict[int, tuple[str, ...]]:
    return {found.user_id: found.kinds for found in find(text)}


def test_a_person_is_found_by_each_kind_of_number(alisa_paid: Cast) -> None:
    for text, kind in (
        (str(alisa_paid.tg_id("alisa")), "tg_id"),
        (f"  {alisa_paid.alisa}\n", "user_id"),
        (f"\u00a0{PAYMENT} ", "payment_id"),
    ):
        (found,) = find(text)
        assert (found.user_id, found.kinds) == (alisa_paid.alisa, (kind,))
        assert found.tg_id == tg_id_of(found.user_id) == alisa_paid.tg_id("alisa")


def test_whatever_is_typed_costs_one_statement(alisa_paid: Cast) -> None:
    for text, statements in ((str(alisa_paid.tg_id("alisa")), 1), (PAYMENT, 1), ("\x00", 0)):
        with CaptureQueriesContext(connection) as queries:
            find(text)
        assert len(queries) == statements


def test_only_the_whole_of_it_matches(alisa_paid: Cast) -> None:
    tg_id = str(alisa_paid.tg_id("alisa"))
    for text in (tg_id[:-1], tg_id + "0", PAYMENT[:-1], PAYMENT.upper(), PAYMENT.replace("-", "_"), "%"):
        assert find(text) == ()


STRANGE = (
    *("", " ", "Алиса", "12a", "-1", "+7", "1.0", "1e3", "0x1F", "١٢٣", "²", "1 2", "1\n2", "0", "99999"),
    *(str(2**63 - 1), str(2**63), "9" * 19, "9" * 20, "9" * 5_000),
    *("\x00", "1\x00", "\ud800", "'; DROP TABLE users; --"),
)


def test_anything_else_names_nobody_and_raises_nothing(alisa_paid: Cast) -> None:
    for text in STRANGE:
        assert find(text) == (), text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(), max_size=40))
def test_any_text_at_all_is_allowed(alisa_paid: Cast, text: str) -> None:
    assert find(text) == () or text.strip().isdigit()


def test_a_number_that_is_one_persons_telegram_id_and_anothers_user_id_names_both(
    database: Database, cast: Cast
) -> None:
    database.rows("UPDATE users SET tg_id = %s WHERE id = %s", cast.vera, cast.boris)
    assert named(str(cast.vera)) == {cast.boris: ("tg_id",), cast.vera: ("user_id",)}


def test_a_number_that_means_the_same_person_twice_names_one(database: Database, cast: Cast) -> None:
    database.rows("UPDATE users SET tg_id = id WHERE id = %s", cast.vera)
    assert named(str(cast.vera)) == {cast.vera: ("tg_id", "user_id")}


def test_what_was_typed_is_not_logged(alisa_paid: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        find(str(alisa_paid.tg_id("alisa")))
        find(PAYMENT)
    assert str(alisa_paid.tg_id("alisa")) not in caplog.text
    assert PAYMENT not in caplog.text

"""Finding a person by what support has been told."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pomni_admin.bot.people import KINDS, Ambiguous, Kind, find, find_any
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


def test_a_person_is_found_by_each_kind_of_number(alisa_paid: Cast) -> None:
    assert find("tg_id", str(alisa_paid.tg_id("alisa"))) == alisa_paid.alisa
    assert find("user_id", f"  {alisa_paid.alisa}\n") == alisa_paid.alisa
    assert find("payment_id", f"\u00a0{PAYMENT} ") == alisa_paid.alisa


def test_only_the_whole_of_it_matches(alisa_paid: Cast) -> None:
    tg_id = str(alisa_paid.tg_id("alisa"))
    for kind, text in (
        ("tg_id", tg_id[:-1]),
        ("tg_id", tg_id + "0"),
        ("tg_id", str(alisa_paid.alisa)),
        ("payment_id", PAYMENT[:-1]),
        ("payment_id", PAYMENT.upper()),
        ("payment_id", PAYMENT.replace("-", "_")),
        ("payment_id", "%"),
    ):
        assert find(kind, text) is None  # type: ignore[arg-type]


STRANGE = (
    *("", " ", "Алиса", "12a", "-1", "+7", "1.0", "1e3", "0x1F", "١٢٣", "²", "1 2", "1\n2", "0", "99999"),
    *(str(2**63 - 1), str(2**63), "9" * 19, "9" * 20, "9" * 5_000),
    *("\x00", "1\x00", "\ud800", "'; DROP TABLE users; --"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_anything_else_names_nobody_and_raises_nothing(alisa_paid: Cast, kind: Kind) -> None:
    for text in STRANGE:
        assert find(kind, text) is None, text
        assert find_any(text) is None, text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(), max_size=40))
def test_any_text_at_all_is_allowed(alisa_paid: Cast, text: str) -> None:
    assert find_any(text) is None or text.strip().isdigit()


def test_a_number_that_is_one_persons_telegram_id_and_anothers_user_id_is_ambiguous(
    database: Database, cast: Cast
) -> None:
    database.rows("UPDATE users SET tg_id = %s WHERE id = %s", cast.vera, cast.boris)
    assert find_any(str(cast.vera)) == Ambiguous(("tg_id", "user_id"))
    assert find("tg_id", str(cast.vera)) == cast.boris
    assert find("user_id", str(cast.vera)) == cast.vera


def test_a_number_that_means_the_same_person_twice_is_not_ambiguous(database: Database, cast: Cast) -> None:
    database.rows("UPDATE users SET tg_id = id WHERE id = %s", cast.vera)
    assert find_any(str(cast.vera)) == cast.vera


def test_what_was_typed_is_not_logged(alisa_paid: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for kind in KINDS:
            find(kind, str(alisa_paid.tg_id("alisa")))
        find("payment_id", PAYMENT)
    assert str(alisa_paid.tg_id("alisa")) not in caplog.text
    assert PAYMENT not in caplog.text

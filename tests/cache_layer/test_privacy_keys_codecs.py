"""Names of keys and of people, who may be stored, and what an entry must be to be believed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_layer import AccessState
from cache_layer.codecs import Codec, Entry
from cache_layer.errors import EntryRejected
from cache_layer.keys import Keys
from cache_layer.privacy import ALPHABET, handle, may_store, read_code, read_handle, whose_handle
from tests.cache_layer.source import denied, granted

SECRET = b"s" * 32
CODEC = Codec(Entry[AccessState], version=1)
MOMENTS = st.datetimes(timezones=st.just(UTC), max_value=datetime(9990, 1, 1)).map(  # noqa: DTZ001  hypothesis adds the zone
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


def test_keys_are_literal_braces_included() -> None:
    assert Keys("").of("access_state", 42) == "access_state:{42}"
    assert Keys("").of("locks", "summaries_daily") == "locks:{summaries_daily}"
    assert Keys("p:").of("access_state", 42) == "p:access_state:{42}"
    assert Keys("p:").plain("changed") == "p:changed"


@pytest.mark.parametrize(
    ("level", "stored"),
    [("ask", True), ("auto", True), ("insights", True)]
    + [(level, False) for level in ("none", "off", "", "ASK", "all", " ask", None)],
)
def test_who_may_be_stored(level: str | None, stored: bool) -> None:
    """G5: an unknown level, and one that could not be read, count as "must not"."""
    assert may_store(level) is stored


@given(st.integers(0, 2**63 - 1))
def test_a_handle_is_ten_letters_that_can_be_read_out(user_id: int) -> None:
    name = handle(SECRET, user_id)
    assert name.startswith("U-")
    assert len(name) == 12
    assert set(name[2:]) <= set(ALPHABET)
    assert not set("ILOU") & set(ALPHABET)
    assert name == handle(SECRET, user_id)
    assert name != handle(b"another secret of thirty-two byte", user_id)


def test_a_handle_stays_what_it_was() -> None:
    """Audit rows are read years later: the way from id to handle must not change."""
    assert handle(SECRET, 42) == "U-DJJR41DTTW"


@pytest.mark.parametrize(
    "said",
    [
        "U-DJJR41DTTW",
        "u-djjr41dttw",
        " U DJJR 41DT TW ",
        "udjjr41dttw",
        "U-DJJR4IDTTW",
        "U-djjr4lDTTW",
        "U-DJJR-41DTTW",
    ],
)
def test_a_handle_that_was_read_out_on_the_phone_is_understood(said: str) -> None:
    """Case, spaces and hyphens do not matter, and what sounds or looks alike is the same letter."""
    assert read_handle(said) == "U-DJJR41DTTW"


def test_o_is_zero() -> None:
    assert read_code("R-oO0o", "R", 4) == "0000"


@pytest.mark.parametrize(
    "said", ["", "U", "U-", "DJJR41DTTW", "U-DJJR41DTT", "U-DJJR41DTTWW", "U-DJJR41DTTU", "U-ДЖЖР41ДТТВ", "700000001"]
)
def test_what_is_no_handle_is_not_taken_for_one(said: str) -> None:
    assert read_handle(said) is None


@given(st.integers(0, 2**63 - 1))
def test_whose_handle_it_is_can_be_found_among_those_who_may_have_it(user_id: int) -> None:
    others = [user_id + other for other in range(1, 50)]
    assert whose_handle(SECRET, handle(SECRET, user_id), [*others, user_id]) == [user_id]
    assert whose_handle(b"another secret of thirty-two byte", handle(SECRET, user_id), [*others, user_id]) == []


def test_people_do_not_share_a_handle() -> None:
    assert len({handle(SECRET, user_id) for user_id in range(20_000)}) == 20_000


@pytest.mark.parametrize("state", [granted("месяц"), denied(), AccessState.decide(now=datetime.now(UTC))])
def test_an_access_state_comes_back_as_it_went(state: AccessState) -> None:
    raw = CODEC.encode("k", 42, state, stored_ms=1, deadline_ms=2)
    assert CODEC.decode("k", 42, raw) == Entry(1, 42, 1, 2, state)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_entry_or_rejected(raw: bytes) -> None:
    with pytest.raises(EntryRejected):
        CODEC.decode("k", 42, raw)


@given(st.data())
def test_a_damaged_entry_is_an_entry_or_rejected_and_raises_nothing_else(data: st.DataObject) -> None:
    raw = bytearray(CODEC.encode("k", 42, granted(), stored_ms=1, deadline_ms=2))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(EntryRejected):
        CODEC.decode("k", 42, bytes(raw))


@given(
    now=MOMENTS,
    status=st.sampled_from([None, "active", "canceled", "expired"]),
    until=st.none() | MOMENTS,
    started=st.none() | MOMENTS,
    expires=st.none() | MOMENTS,
)
def test_a_grant_is_true_until_its_own_end_and_not_after(
    now: datetime, status: str | None, until: datetime | None, started: datetime | None, expires: datetime | None
) -> None:
    """What is decided at `now` is decided again, from the same rows, at the end of the grant: the state differs."""

    def decide(at: datetime) -> AccessState:
        return AccessState.decide(
            now=at,
            subscription_status=status,
            subscription_until=until,
            trial_started_at=started,
            trial_expires_at=expires,
        )

    state = decide(now)
    if not state.has_access:
        assert state.granted_until is None
        return
    assert state.granted_until is not None
    assert state.granted_until > now
    assert decide(state.granted_until - timedelta(milliseconds=1)).has_access
    assert decide(state.granted_until) != state


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"subscription_status": "active", "subscription_until": 20}, "subscription"),
        ({"subscription_status": "canceled", "subscription_until": 20}, "none"),
        ({"subscription_status": "active", "subscription_until": -1}, "none"),
        ({"subscription_status": "active"}, "none"),
        ({"trial_started_at": -4}, "trial"),
        ({"trial_started_at": -6}, "none"),
        ({"trial_started_at": -6, "trial_expires_at": 1}, "trial"),
        ({"trial_started_at": -1, "trial_expires_at": -0.5}, "none"),
        ({"subscription_status": "active", "subscription_until": 1, "trial_started_at": -1}, "subscription"),
        ({}, "none"),
    ],
)
def test_the_rule_of_access(facts: dict[str, str | float], reason: str) -> None:
    now = datetime.now(UTC)
    moments = {name: now + timedelta(days=days) for name, days in facts.items() if not isinstance(days, str)}
    words = {name: word for name, word in facts.items() if isinstance(word, str)}
    state = AccessState.decide(now=now, **moments, **words)  # type: ignore[arg-type]
    assert state.reason == reason
    assert state.has_access == (reason != "none")

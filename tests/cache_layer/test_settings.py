"""Settings: every range, every misspelling that can be told, and no secret ever repeated."""

from __future__ import annotations

import base64
import contextlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cache_layer import Settings, SettingsError
from cache_layer.settings import TTL_SECONDS

RANGES = {
    "REDIS_TTL_ACCESS_STATE": (30, 60, 45),
    "REDIS_TTL_RECENT_HISTORY": (600, 1800, 1200),
    "REDIS_TTL_TALKBUF": (20, 30, 30),
    "REDIS_TTL_RAG": (120, 600, 300),
    "REDIS_TTL_SUMMARIES_JOB": (3600, 7200, 7200),
    "REDIS_TTL_LOCK": (900, 1800, 900),
    "REDIS_TTL_IDENTITY": (30, 60, 45),
}
"""As SPEC 1 gives them, written out again on purpose."""


def ttl(settings: Settings, variable: str) -> int:
    return int(settings.ttls[variable.removeprefix("REDIS_TTL_").lower()].total_seconds())


@pytest.mark.parametrize("variable", RANGES)
def test_each_ttl_takes_its_range_and_nothing_else(variable: str) -> None:
    least, most, default = RANGES[variable]
    assert ttl(Settings.from_env({}), variable) == default
    assert ttl(Settings.from_env({variable: ""}), variable) == default
    for good in (least, most):
        assert ttl(Settings.from_env({variable: str(good)}), variable) == good
    for bad in (least - 1, most + 1):
        with pytest.raises(SettingsError) as caught:
            Settings.from_env({variable: str(bad)})
        assert str(caught.value) == f"{variable} is '{bad}'; allowed: a whole number from {least} to {most} seconds"


def test_every_cache_has_its_range_tested() -> None:
    assert {f"REDIS_TTL_{name.upper()}" for name in TTL_SECONDS} == set(RANGES)


@pytest.mark.parametrize("value", ["0", "3", "5"])
def test_a_deny_is_kept_five_seconds_at_most(value: str) -> None:
    assert Settings.from_env({"REDIS_TTL_ACCESS_DENY": value}).deny_ttl == timedelta(seconds=int(value))


@pytest.mark.parametrize("value", ["-1", "6", "60"])
def test_a_deny_kept_longer_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsError, match="from 0 to 5 seconds"):
        Settings.from_env({"REDIS_TTL_ACCESS_DENY": value})


@pytest.mark.parametrize(
    "value", ["45s", "4.5", "forty", "--45", "+-45", "٤٥", "４５", "4 5", "4_5", "1e2", "9" * 5000]
)
def test_what_is_no_whole_number_stops_the_start(value: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_TTL_ACCESS_STATE"):
        Settings.from_env({"REDIS_TTL_ACCESS_STATE": value})


@given(st.text(alphabet=st.characters(exclude_characters="\x00")))
def test_no_value_raises_anything_but_a_settings_error(value: str) -> None:
    for variable in ("REDIS_TTL_LOCK", "REDIS_URL", "REDIS_CACHE", "REDIS_KEY_PREFIX", "POMNI_HASH_SECRET"):
        with contextlib.suppress(SettingsError):
            Settings.from_env({variable: value})


@pytest.mark.parametrize(
    "name", ["REDIS_TTL_ACCES_STATE", "REDIS_TTL_HISTORY", "REDIS_CACHE_ACCESSSTATE", "REDIS_CACHE_RAGS"]
)
def test_a_misspelt_variable_stops_the_start_and_the_right_ones_are_named(name: str) -> None:
    with pytest.raises(SettingsError, match=name) as caught:
        Settings.from_env({name: "on"})
    assert "ACCESS_STATE" in str(caught.value)


@pytest.mark.parametrize("value", ["yes", "1", "true", "of", "0"])
def test_a_switch_is_on_or_off(value: str) -> None:
    with pytest.raises(SettingsError, match="allowed: on, off"):
        Settings.from_env({"REDIS_CACHE_ACCESS_STATE": value})


def test_switches() -> None:
    url = {"REDIS_URL": "redis://h"}
    assert Settings.from_env(url).is_on("access_state")
    alone = Settings.from_env({**url, "REDIS_CACHE_ACCESS_STATE": "Off"})
    assert not alone.is_on("access_state")
    assert alone.is_on("summaries_job")
    everything = Settings.from_env({**url, "REDIS_CACHE": "off", "REDIS_CACHE_LOCK": "on"})
    assert not any(everything.is_on(name) for name in TTL_SECONDS)


def test_no_url_means_all_off() -> None:
    assert not any(Settings.from_env({}).is_on(name) for name in TTL_SECONDS)


@pytest.mark.parametrize("url", ["redis://h:6379/0", "rediss://u:p@h/1", "unix:///run/redis.sock?db=2", " redis://h "])
def test_urls_of_redis_are_taken(url: str) -> None:
    assert Settings.from_env({"REDIS_URL": url}).redis_url == url.strip()


@pytest.mark.parametrize(
    "url",
    ["http://u:hunter2@h", "localhost:6379", "redis//u:hunter2@h", "redis://u:hunter2@h:port", "redis://[hunter2"],
)
def test_what_is_no_url_of_redis_stops_the_start_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match=r"REDIS_URL is '\(not shown\)'") as caught:
        Settings.from_env({"REDIS_URL": url})
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("prefix", ["{a}", "a b", "a\tb", "a" * 33, "a}"])
def test_a_prefix_that_would_break_keys_stops_the_start(prefix: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_KEY_PREFIX"):
        Settings.from_env({"REDIS_KEY_PREFIX": prefix})


@pytest.mark.parametrize("ms", ["9", "1001"])
def test_the_timeout_has_a_range(ms: str) -> None:
    assert Settings.from_env({}).timeout == timedelta(milliseconds=100)
    with pytest.raises(SettingsError, match="REDIS_TIMEOUT_MS"):
        Settings.from_env({"REDIS_TIMEOUT_MS": ms})


@pytest.mark.parametrize("secret", ["short", "aHVudGVyMg==", "hunter2" * 10 + "!"])
def test_a_bad_hash_secret_stops_the_start_and_is_not_shown(secret: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({"POMNI_HASH_SECRET": secret})
    assert secret not in str(caught.value)


def test_settings_when_printed_show_no_secret() -> None:
    """They end up in tracebacks and logs; a URL holds the password of Redis."""
    secret = base64.b64encode(b"s" * 32).decode()
    settings = Settings.from_env({"REDIS_URL": "redis://u:hunter2@h", "POMNI_HASH_SECRET": secret})
    assert settings.hash_secret == b"s" * 32
    assert "hunter2" not in repr(settings)
    assert "ssss" not in repr(settings)

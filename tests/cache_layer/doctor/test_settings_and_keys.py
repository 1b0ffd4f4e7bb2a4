"""`python -m cache_layer` from a shell: wrong settings, secrets that are never shown, fresh ones."""

from __future__ import annotations

import base64
import json
import os

import pytest

from cache_layer import Settings
from cache_layer.__main__ import main
from cache_layer.fresh_secrets import fresh_secrets
from cache_layer.settings import CACHES, SECRETS
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.asked import Asked
from tests.harness.processes import Spawn


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("REDIS_TTL_RAG", "9", "REDIS_TTL_RAG is '9'; allowed: a whole number from 120 to 600 seconds"),
        ("REDIS_CACHE_LOCK", "yes", "REDIS_CACHE_LOCK is 'yes'; allowed: on, off"),
        ("REDIS_URL", "http://u:hunter2@h", "REDIS_URL is '(not shown)'; allowed: redis://… or rediss://… or unix://…"),
        (
            "CACHE_ENCRYPTION_KEYS",
            "k1:hunter2",
            f"CACHE_ENCRYPTION_KEYS is '(not shown)'; allowed: {SECRETS['CACHE_ENCRYPTION_KEYS']}",
        ),
    ],
)
@pytest.mark.parametrize("command", ["doctor", "keys"])
def test_a_wrong_setting_is_one_clear_line_and_code_2(
    spawn: Spawn, command: str, variable: str, value: str, said: str
) -> None:
    asked = spawn(["-m", "cache_layer", command], {variable: value})
    assert asked.wait() == 2
    assert asked.output == said


def test_a_missing_secret_in_production(spawn: Spawn) -> None:
    asked = spawn(["-m", "cache_layer", "doctor"], {"POMNI_ENV": "production", "POMNI_HASH_SECRET": ""})
    assert asked.wait() == 2
    assert asked.output.startswith("POMNI_HASH_SECRET is not set; allowed: ")


def test_a_wrong_setting_for_programs(spawn: Spawn) -> None:
    asked = spawn(["-m", "cache_layer", "doctor", "--json"], {"REDIS_TTL_RAG": "9"})
    assert asked.wait() == 2
    said = json.loads(asked.output)
    assert said["exit_code"] == 2
    assert said["wrong"]["variable"] == "REDIS_TTL_RAG"


@pytest.mark.parametrize("form", [["doctor"], ["doctor", "--json"]])
def test_no_secret_is_shown(valkey: Valkey, spawn: Spawn, form: list[str]) -> None:
    secrets = {
        "POMNI_HASH_SECRET": base64.b64encode(b"hush" * 8).decode(),
        "CACHE_ENCRYPTION_KEYS": "k2:"
        + base64.b64encode(b"seal" * 8).decode()
        + ",k1:"
        + base64.b64encode(b"open" * 8).decode(),
    }
    asked = spawn(["-m", "cache_layer", *form], secrets)
    assert asked.wait() == 0
    assert "k2 seals, k1 only open; not shown" in asked.output
    for secret in (value.partition(":")[2] or value for entry in secrets.values() for value in entry.split(",")):
        assert secret not in asked.output
        assert secret[:12] not in asked.output


def test_every_variable_is_in_the_report_or_of_a_cache_that_is(valkey: Valkey, spawn: Spawn) -> None:
    asked = spawn(["-m", "cache_layer", "doctor"])
    assert asked.wait() == 0
    shown = {line.split()[1] for line in asked.lines if line.startswith("  ")}
    of_a_cache = {f"REDIS_{kind}_{cache.upper()}" for kind in ("CACHE", "TTL") for cache in CACHES}
    missing = known_variables() - shown - of_a_cache - {"REDIS_CACHE"}
    assert {name for name in missing if not name.startswith("TALK_DEBOUNCE_")} == set()


def known_variables() -> set[str]:
    asked = Asked()
    Settings.from_env(asked)
    from_files = {f"{name}_FILE" for name in asked.names}  # each has one
    return asked.names - from_files - {"RENDER_GIT_COMMIT"}


def test_fresh_secrets_are_what_the_settings_take() -> None:
    lines = [line for line in fresh_secrets({}).splitlines() if not line.startswith("#")]
    environ = dict(line.split("=", 1) for line in lines)
    settings = Settings.from_env({**environ, "REDIS_URL": "redis://h", "POMNI_ENV": "production"})
    assert len(settings.hash_secret) == 32
    assert settings.is_on("recent_history")
    assert settings.is_on("identity")


def test_fresh_secrets_are_fresh() -> None:
    assert fresh_secrets({}) != fresh_secrets({})


def test_a_new_encryption_key_goes_beside_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rotating is: put what `keys` prints before what is there."""
    environ = {"CACHE_ENCRYPTION_KEYS": ""}
    for count in range(1, 6):
        new = dict(line.split("=", 1) for line in fresh_secrets(environ).splitlines() if not line.startswith("#"))
        entries = [new["CACHE_ENCRYPTION_KEYS"], environ["CACHE_ENCRYPTION_KEYS"]]
        environ["CACHE_ENCRYPTION_KEYS"] = ",".join(entry for entry in entries if entry)
        assert len(Settings.from_env(environ).encryption_keys) == count


def test_keys_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys"]) == 0
    assert "POMNI_HASH_SECRET=" in capsys.readouterr().out
    assert os.environ["POMNI_HASH_SECRET"] not in capsys.readouterr().out

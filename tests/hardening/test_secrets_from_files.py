"""Secrets may come from files; a mistake is told in one line that does not hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cache_layer.errors import SettingsError
from cache_layer.settings import Settings
from pomni_admin import env
from tests.test_settings import PRODUCTION

SECRET = {
    "POMNI_SECRET_KEY",
    "POMNI_HASH_SECRET",
    "CACHE_ENCRYPTION_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "QDRANT_URL",
    "OPENROUTER_API_KEY",
}


def in_files(folder: Path) -> dict[str, str]:
    given = {name: value for name, value in PRODUCTION.items() if name not in SECRET}
    for name in SECRET:
        (folder / name).write_text(PRODUCTION[name] + "\n")
        given[f"{name}_FILE"] = str(folder / name)
    return given


def test_all_of_them_may_come_from_files(tmp_path: Path) -> None:
    assert env.load(in_files(tmp_path)) == env.load(PRODUCTION)
    assert Settings.from_env(in_files(tmp_path)) == Settings.from_env(PRODUCTION)


def test_both_is_an_error_that_names_both(tmp_path: Path) -> None:
    given = {**in_files(tmp_path), "POMNI_SECRET_KEY": "k" * 50}
    with pytest.raises(SettingsError, match="POMNI_SECRET_KEY or POMNI_SECRET_KEY_FILE, not both"):
        env.load(given)


@pytest.mark.parametrize("fault", ["missing", "a folder", "empty", "no text", "too long"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, fault: str) -> None:
    given = in_files(tmp_path)
    path = Path(given["DATABASE_URL_FILE"])
    path.unlink()
    if fault == "a folder":
        path.mkdir()
    elif fault != "missing":
        path.write_bytes({"empty": b"\n", "no text": b"\xff\xfe", "too long": b"x" * 70_000}[fault])
    with pytest.raises(SettingsError, match=r"^DATABASE_URL_FILE is '.*'; allowed: the path of a file") as caught:
        env.load(given)
    assert "xxx" not in str(caught.value)


def test_what_is_wrong_in_a_file_is_not_repeated(tmp_path: Path) -> None:
    given = in_files(tmp_path)
    Path(given["POMNI_HASH_SECRET_FILE"]).write_text("topsecret")
    with pytest.raises(SettingsError) as caught:
        env.load(given)
    assert "topsecret" not in str(caught.value)

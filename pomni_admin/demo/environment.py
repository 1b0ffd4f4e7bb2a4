"""What the demo's processes find in their environment, and the folder that remembers it between starts."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from cache_layer.errors import SettingsError
from pomni_admin import env

SIGN_INS = ("admin", "support", "viewer", "superuser")
OFFLINE_DELAY_MS = "250"
"""An LLM takes its time; so does the stand-in, or nobody could watch a job at work."""
BATCH_SIZE = "20"
"""Small, so that a night of 150 people keeps all workers busy to the end."""


class StartRefusedError(Exception):
    """The demo cannot start, for a reason that the message tells a person."""


@dataclass(frozen=True)
class Secrets:
    """Made at the first start, kept in the folder, readable by its owner only."""

    secret_key: str
    hash_secret: str
    encryption_keys: str
    api_secret: str
    metrics_secret: str
    passwords: Mapping[str, str]


class Folder:
    """The demo's folder, locked for this process for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: IO[str] | None = None

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def take(self) -> None:
        """Lock it.

        Raises:
            StartRefusedError: another demo has it, or it cannot be written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("a+")
        except OSError as error:
            raise StartRefusedError(f"{self.path} cannot be written to: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            who = self._lock.read().strip() or "it is just starting"
            raise StartRefusedError(f"a demo is running already in {self.path} ({who}); end it first") from None
        self.note(f"process {os.getpid()}")

    def note(self, text: str) -> None:
        """Leave word for whoever finds the folder locked."""
        assert self._lock is not None
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(text)
        self._lock.flush()

    def leave(self) -> None:
        """Unlock it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def wipe(self) -> None:
        """Forget everything but the lock."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != "lock":
                entry.unlink()

    def secrets(self) -> Secrets:
        """Those of earlier starts, or new ones."""
        file = self.path / "secrets.json"
        made = asdict(
            Secrets(
                secret_key=secrets.token_urlsafe(64),
                hash_secret=base64.b64encode(secrets.token_bytes(32)).decode(),
                encryption_keys="k1:" + base64.b64encode(secrets.token_bytes(32)).decode(),
                api_secret=secrets.token_hex(32),
                metrics_secret=secrets.token_hex(32),
                passwords={name: readable_password() for name in SIGN_INS},
            )
        )
        kept = json.loads(file.read_text()) if file.exists() else {}
        whole = made | kept | {"passwords": made["passwords"] | kept.get("passwords", {})}
        if whole != kept:  # none yet, or those of an older release, which had fewer
            unfinished = file.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            unfinished.touch(mode=0o600)
            unfinished.write_text(json.dumps(whole, indent=1))
            unfinished.replace(file)
        return Secrets(**whole)


def is_set(base: Mapping[str, str], name: str) -> bool:
    """Whether the caller has said it, or in which file it is."""
    return bool(base.get(name, "").strip() or base.get(f"{name}_FILE", "").strip())


def readable_password() -> str:
    """Four made-up words, 49 bits: easy to type from one window into another."""
    pick = secrets.SystemRandom().choice
    return "-".join("".join(pick("bdfgklmnprstvz") + pick("aeiou") for _ in range(2)) for _ in range(4))


def environment(base: Mapping[str, str], kept: Secrets, urls: Mapping[str, str]) -> dict[str, str]:
    """The environment of the demo's processes; what the user has set wins.

    Args:
        base: the caller's environment.
        urls: addresses of embedded servers, by variable.

    Raises:
        StartRefusedError: a variable that the user has set is wrong, or asks for something else than a demo.
    """
    mode = base.get("POMNI_ENV", "").strip() or "demo"
    if mode != "demo":
        raise StartRefusedError(f"POMNI_ENV is {mode!r}; the demo runs only with POMNI_ENV=demo or without it")
    defaults = {
        "POMNI_SECRET_KEY": kept.secret_key,
        "POMNI_HASH_SECRET": kept.hash_secret,
        "CACHE_ENCRYPTION_KEYS": kept.encryption_keys,
        "POMNI_API_SECRET": kept.api_secret,
        "POMNI_METRICS_SECRET": kept.metrics_secret,
        "OFFLINE_LLM_DELAY_MS": OFFLINE_DELAY_MS,
        "DAILY_SUMMARIES_BATCH_SIZE": BATCH_SIZE,
        "PYTHONUNBUFFERED": "1",
        **urls,
    }
    result = dict(base) | {"POMNI_ENV": "demo", "DJANGO_SETTINGS_MODULE": "pomni_admin.settings"}
    result |= {name: value for name, value in defaults.items() if not is_set(base, name)}
    if "DATABASE_URL" in urls:
        result["DATABASE_DIRECT_URL"] = ""  # what the user has set is about another server than the embedded one
    try:
        env.load(result)
    except SettingsError as error:
        raise StartRefusedError(str(error)) from None
    return result

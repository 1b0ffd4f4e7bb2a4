"""What the document of operations and the Blueprint name is there."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Mapping

import pytest
from django.urls import reverse

from pomni_admin import env
from pomni_admin.demo.servers import PROJECT

DOCUMENT = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
BLUEPRINT = (PROJECT / "render.yaml").read_text(encoding="utf-8")
README = (PROJECT / "README.md").read_text(encoding="utf-8")
METRICS = PROJECT / "pomni_admin" / "dashboard" / "metrics" / "families.py"

VALUES: Mapping[str, str] = {
    "REDIS_URL": "redis://pomni-redis:6379",
    "POMNI_ALLOWED_HOSTS": "admin.example",
    "POMNI_TRUSTED_ORIGINS": "https://admin.example",
    "POMNI_SECRET_KEY": secrets.token_hex(32),
    "POMNI_HASH_SECRET": b64encode(bytes(32)).decode(),
    "CACHE_ENCRYPTION_KEYS": f"k1:{b64encode(bytes(32)).decode()}",
    "POMNI_API_SECRET": secrets.token_hex(32),
    "POMNI_METRICS_SECRET": secrets.token_hex(32),
    "DATABASE_URL": "postgresql://u:p@ep-x-pooler.neon.example/pomni?sslmode=require",
    "DATABASE_DIRECT_URL": "postgresql://u:p@ep-x.neon.example/pomni?sslmode=require",
    "QDRANT_URL": "https://x.qdrant.example:6333",
    "QDRANT_API_KEY": "key",
    "OPENROUTER_API_KEY": "key",
}
"""What whoever deploys it would type in."""


def services() -> Mapping[str, str]:
    """The text of each service by its name."""
    parts = BLUEPRINT.split("\n  - type: ")[1:]
    return {found[1]: part for part in parts if (found := re.search(r"^    name: (\S+)$", part, re.MULTILINE))}


def plain() -> Mapping[str, str]:
    return dict(re.findall(r"- key: (\S+)\n        value: \"?([^\"\n]+)\"?", BLUEPRINT.split("\nservices:")[0]))


@pytest.mark.parametrize("name", [name for name in services() if name != "pomni-redis"])
def test_each_process_of_the_blueprint_has_the_variables_that_it_starts_with(name: str) -> None:
    """`env.load` stops at the first that is missing in production."""
    asked = re.findall(r"key: ([A-Z_]+)", services()[name])
    assert env.load({**plain(), **{key: VALUES[key] for key in asked}}).is_production


def test_what_one_service_takes_over_the_other_asks_for() -> None:
    asked = set(re.findall(r"key: (\w+), sync: false", services()["pomni-admin"]))
    taken = {key for text in services().values() for key in re.findall(r"envVarKey: (\w+)", text)}
    assert taken <= asked
    assert set(VALUES) - {"REDIS_URL"} == asked


def test_processes_are_started_as_the_readme_says() -> None:
    commands = re.findall(
        r"^(celery|python manage\.py summaries_reaper|python manage\.py relay run)", README, re.MULTILINE
    )
    assert commands
    for command in ("celery -A pomni_admin worker --concurrency 2", "celery -A pomni_admin beat"):
        assert command in README
        assert command in BLUEPRINT
    for command in {*commands} - {"celery"}:
        assert command in BLUEPRINT
    (served,) = re.findall(r"^(uvicorn .*\\\n.*)$", README, re.MULTILINE)
    assert set(served.replace("\\\n", "").split()) <= set(services()["pomni-admin"].split())


def test_its_probes_and_metrics_are_there() -> None:
    for name in ("healthz", "readyz", "metrics"):
        assert f"`{reverse(f'dashboard:{name}')}`" in DOCUMENT
    assert f"healthCheckPath: {reverse('dashboard:readyz')}" in BLUEPRINT
    source = METRICS.read_text(encoding="utf-8")
    for metric in set(re.findall(r"\bpomni_([a-z_]+)\{|\bpomni_([a-z_]+) [>=]", DOCUMENT)):
        name = "".join(metric)
        assert f'"pomni_{name}"' in source or f'"{name}"' in source, name


def test_every_variable_that_it_names_is_one() -> None:
    known = README + (PROJECT / "docs" / "bot.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"`([A-Z][A-Z_]{6,})(?:=[^`]*)?`", DOCUMENT)) - {"NAME_FILE", "CHANGELOG"}:
        assert name in known, name

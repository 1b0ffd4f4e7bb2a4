"""The description that the API gives of itself, and whether it is true: schemathesis against the running site."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from pomni_admin.accounts.models import Attempts
from pomni_admin.api.cron import api
from pomni_admin.summaries import jobs, periods
from pomni_admin.summaries.models import Job
from tests.api.conftest import on_record
from tests.harness.cast import Cast
from tests.harness.environment import API_SECRET
from tests.harness.processes import Site
from tests.harness.servers import Database

ADDRESS = "/api/admin/openapi.json"
FUZZ = ("--phases", "examples,coverage,fuzzing", "--max-time", "15", "--seed", "20260203")
KEEP_NOTHING = ("--generation-database", "none", "--no-color", "--warnings", "off", "--continue-on-failure")

CONFIGURATION = """
# Wrong secrets have their own tests; so many of them would have the rest of the run refused.
[generation]
with-security-parameters = false

[parameters]
user_id = {user_id}
job_id = "{job_id}"

# A schema cannot say that a day is over, that one parameter has one value in query and body, or that a job may be
# paused now: of what it allows, 400, 409 and 422 are right answers too. What is right has its own tests.
[phases.coverage]
unexpected-methods = ["PUT", "DELETE"]

[checks]
positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 409, 422]
"""

Schema = dict[str, Any]


@pytest.fixture
def schema(database: Database) -> Schema:
    found: Schema = Client().get(ADDRESS).json()
    return found


def operations(schema: Schema) -> dict[str, Schema]:
    return {f"{method} {path}": one for path, methods in schema["paths"].items() for method, one in methods.items()}


def test_it_is_public_and_names_every_call_with_the_secret_and_its_refusals(schema: Schema) -> None:
    assert schema["openapi"].startswith("3.1")
    assert schema["components"]["securitySchemes"]["AdminSecret"]["name"] == "X-Admin-Secret"
    assert schema["components"]["securitySchemes"]["Bearer"]["scheme"] == "bearer"
    for name, one in operations(schema).items():
        assert one["summary"], name
        assert len(one["description"]) > 20, name
        assert one["security"] == [{"AdminSecret": []}, {"Bearer": []}], name
        wanted = {"200", "400", "401", "422", "429", "500", "503"} | ({"413", "415"} if "post" in name else set())
        assert wanted <= set(one["responses"]), name
        assert "Retry-After" in one["responses"]["429"]["headers"]
        for status, answer in one["responses"].items():
            reference = answer["content"]["application/json"]["schema"]["$ref"]
            assert reference.endswith("/ErrorAnswer") == (status != "200"), (name, status)


def test_every_call_of_the_specification_is_in_it(schema: Schema) -> None:
    below = "/api/admin/summaries"
    assert {f"post {below}/{kind}" for kind in ("daily", "weekly", "monthly", "rebuild")} | {
        f"get {below}/status",
        "post /api/admin/cache/invalidate",
    } <= set(operations(schema))


def test_a_person_s_telegram_id_has_no_place_in_an_address(schema: Schema) -> None:
    for name, one in operations(schema).items():
        assert "tg_id" not in {parameter["name"] for parameter in one["parameters"]}, name
        if name.endswith("/invalidate"):
            assert not one["parameters"]


def test_each_call_has_a_name_of_its_own() -> None:
    names = [one["operationId"] for one in operations(api.get_openapi_schema()).values()]
    assert len(names) == len(set(names))


def test_schemathesis_finds_nothing_that_is_not_as_described(
    own_site: Callable[..., Site], cast: Cast, no_vectors: None, tmp_path: Path
) -> None:
    """Half a minute of calls from one seed: values inside and outside of the schema, missing, twice, other methods.

    Negative control: with 422 left out of `refusals.ALWAYS` it fails. That parameters are strict it does not notice;
    that is what `test_bad_input` is for.
    """
    site = own_site()
    job = jobs.start("weekly", periods.weekly(), started_by="test")
    configuration = CONFIGURATION.format(user_id=cast.alisa, job_id=job.pk)
    (tmp_path / "schemathesis.toml").write_text(configuration)
    header = ("--header", f"X-Admin-Secret: {API_SECRET}", "--exclude-checks", "ignored_auth")
    ran = subprocess.run(
        [Path(sys.executable).with_name("st"), "run", site.url + ADDRESS, *header, *FUZZ, *KEEP_NOTHING],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
    assert not Attempts.objects.exists(), "it was shut out"
    started = [row[3] for row in on_record() if row[1:3] == ("summaries.run", "ok")]
    assert {str(one.pk) for one in Job.objects.filter(started_by="cron")} >= set(started)
    assert json.dumps(on_record()).count("error:") == 0

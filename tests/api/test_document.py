"""`docs/api.md` against what it is about: its lines are run, its codes are those that there are."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from pomni_admin.accounts import throttle
from pomni_admin.api.cron import api
from pomni_admin.summaries import jobs, lifecycle, periods
from pomni_admin.summaries.models import Job
from tests.harness.cast import Cast
from tests.harness.environment import API_SECRET
from tests.harness.processes import Site

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs" / "api.md").read_text("utf-8")
LINES = [
    line
    for block in re.findall(r"^```sh curl\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
    for line in re.findall(r"^curl (?:[^\n]*\\\n)*[^\n]*", block, flags=re.MULTILINE)
]


def test_its_lines_do_what_it_says(own_site: Callable[..., Site], cast: Cast, no_vectors: None) -> None:
    """In the order of the document; those that steer, on a daily job at work."""
    site = own_site()  # the shared one may remember a collection that is not there any more
    values = {
        "POMNI_URL": site.url,
        "POMNI_API_SECRET": API_SECRET,
        "DAY": str(periods.daily().start),
        "MONDAY": str(periods.weekly().start),
        "MONTH": f"{periods.monthly().start:%Y-%m}",
        "USER_ID": str(cast.alisa),
        "TG_ID": str(cast.tg_id("alisa")),
    }
    for line in LINES:
        if "JOB_ID" in line and "JOB_ID" not in values:
            Job.objects.filter(kind="daily").update(state="ok")
            job = jobs.start("daily", periods.daily(), started_by="test")
            lifecycle.begin(job.pk)
            values["JOB_ID"] = str(job.pk)
        if "/retry" in line:
            Job.objects.filter(kind="daily").update(state="canceled")
        ran = subprocess.run(
            ["sh", "-c", line], env={**os.environ, **values}, capture_output=True, text=True, timeout=60, check=True
        )
        said = json.loads(ran.stdout)
        if "/retry" in line:
            assert said["error"]["code"] == "not_now", "nobody has failed"
        else:
            assert "error" not in said, (line, said)
        assert str(cast.tg_id("alisa")) not in ran.stdout


def test_every_call_has_a_line() -> None:
    """An address in a line may have a variable, or a kind, where the description has a place."""
    called = {("POST" if "-X POST" in line else "GET", re.findall(r"\$POMNI_URL(/[^\"?]*)", line)[0]) for line in LINES}
    for path, methods in api.get_openapi_schema()["paths"].items():
        pattern = re.sub(r"\{\w+\}", r"[^/]+", path)
        for method in methods:
            found = [one for one in called if one[0] == method.upper() and re.fullmatch(pattern, one[1])]
            assert found, (method, path)


def test_its_codes_are_those_of_the_code() -> None:
    source = "".join(path.read_text("utf-8") for path in (PROJECT / "pomni_admin" / "api").glob("*.py"))
    raised = set(re.findall(r'Refused\(\s*\d{3}, "([a-z_]+)"', source))
    raised |= set(re.findall(r'\d{3}: \("([a-z_]+)"', source)) - {"forbidden"}
    raised |= set(re.findall(r'_unauthorized\("([a-z_]+)"', source))
    raised |= {jobs.NotNow.code, jobs.AlreadyRunning.code, jobs.NoSuchJob.code, jobs.UnknownPerson.code}
    raised |= {periods.InvalidPeriod.code, "too_many_failures"}
    table = TEXT.split("| status | codes |", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`([a-z_]+)`", table)) == raised


def test_its_figures_are_those_of_the_code() -> None:
    (limit,) = throttle.wrong_secret("address")
    assert f"**{limit.most} wrong ones" in TEXT
    assert f"within {int(limit.window_s // 60)} minutes" in TEXT
    assert f"1 to {periods.MOST_DAYS}" in TEXT
    assert f"{periods.REBUILD_DAYS} days" in TEXT


def test_the_table_of_differences_names_every_call_of_the_bot() -> None:
    text = (PROJECT / "docs" / "bot.md").read_text("utf-8")
    section = text.split("\n## Cron jobs\n", 1)[1].split("\n## ", 1)[0]
    for call in ("daily", "weekly", "monthly", "rebuild", "status", "invalidate", "?secret="):
        assert call in section

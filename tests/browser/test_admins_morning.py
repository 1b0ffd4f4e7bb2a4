"""An admin comes in, and last night did not go well."""

from __future__ import annotations

import sys
import time
from datetime import timedelta

from django.utils import timezone
from playwright.sync_api import Page

from pomni_admin.summaries.models import Batch, BatchState, Failure, Job, JobState
from tests.browser.aside import aside
from tests.browser.signed_in import submit
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.staff import PASSWORD, Staff


def last_night(cast: Cast) -> Job:
    """Two of three had no summary."""
    today = timezone.now().date()
    at = timezone.now() - timedelta(hours=5)
    job = Job.objects.create(
        kind="daily", period_start=today - timedelta(days=1), period_end=today, state=JobState.PARTIAL,
        note="some_failed", started_by="schedule", total=3, planned=True, created_at=at, started_at=at,
        finished_at=at + timedelta(minutes=2),
    )  # fmt: skip
    people = [cast.alisa, cast.boris, cast.vera]
    batch = Batch.objects.create(
        job=job, number=1, units=people, state=BatchState.DONE, processed=1, written=1, errors=2
    )
    for person in people[:2]:
        Failure.objects.create(job=job, batch=batch, unit=person, code="llm_unavailable")
    return job


def test_from_sign_in_to_last_nights_failures_retried_in_five_actions(
    site: Site, staff: Staff, cast: Cast, browser_page: Page
) -> None:
    job = aside(lambda: last_night(cast))
    page, actions = browser_page, 0
    page.goto(f"{site.url}/account/sign-in")
    started = time.monotonic()
    page.locator("#id_username").fill(staff.admin)
    page.locator("#id_password").fill(PASSWORD)
    submit(page, "form.sign-in button")
    actions += 1
    submit(page, f'.matters a[href$="{job.pk}"]')
    actions += 1
    page.locator("#act-retry summary").click()
    actions += 1
    submit(page, "#act-retry button")
    actions += 1
    took = time.monotonic() - started
    sys.stdout.write(f"from sign-in to the retry: {actions} actions, {took:.2f} s\n")
    assert actions <= 5
    assert "what failed" in page.locator("#said, .says").first.inner_text().lower()
    again = aside(lambda: Job.objects.exclude(pk=job.pk).get())
    assert page.url.endswith(str(again.pk))
    assert took < 20

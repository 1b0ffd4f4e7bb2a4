"""An act whose audit row cannot be written does not happen (G11): each act of the site, tried without a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from cache_layer import AccessState, Holder
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act
from pomni_admin.cache import handle_of, layer
from pomni_admin.dashboard import one_time, person_token
from pomni_admin.summaries import schedules
from pomni_admin.summaries.models import Batch, Failure, Job, JobState
from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.harness.staff import sign_in

DENIED = AccessState(has_access=False, reason="none")


@dataclass(frozen=True)
class Scene:
    cast: Cast
    token: str
    bearer: str
    job: Job
    jobs: Mapping[str, Job]
    fence: int

    @property
    def run(self) -> Mapping[str, str]:
        """A form that starts a rebuild of Alisa's summaries."""
        once = one_time.issue(bearer=self.bearer)
        return {"once": once, "kind": "rebuild", "days": "3", "person": str(self.cast.alisa), "reason": "person_asked"}


Form = Callable[[Scene], tuple[str, Mapping[str, str]]]

ACTS: Mapping[Act, Form] = {
    Act.LOOK_UP: lambda scene: ("/users/find", {"text": str(scene.cast.alisa)}),
    Act.LOOK_UP_BY_HANDLE: lambda scene: ("/users/find-by-handle", {"handle": handle_of(scene.cast.alisa)}),
    Act.INVALIDATE_ACCESS: lambda scene: ("/users/refresh-access", {"token": scene.token}),
    Act.FORGET_PERSON: lambda scene: ("/users/forget", {"token": scene.token, "reason": "privacy"}),
    Act.EXPORT_AUDIT: lambda scene: ("/audit/export", {}),
    Act.RUN_SUMMARIES: lambda scene: ("/jobs/run", scene.run),
    Act.PAUSE_SUMMARIES: lambda scene: (f"/jobs/{scene.jobs['running'].pk}/pause", {"reason": "maintenance"}),
    Act.RESUME_SUMMARIES: lambda scene: (f"/jobs/{scene.jobs['paused'].pk}/resume", {"reason": "repaired"}),
    Act.CANCEL_SUMMARIES: lambda scene: (f"/jobs/{scene.job.pk}/cancel", {"reason": "stuck"}),
    Act.RETRY_SUMMARIES: lambda scene: (f"/jobs/{scene.jobs['partial'].pk}/retry", {"reason": "failed_before"}),
    Act.RUN_SUMMARIES_AGAIN: lambda scene: (f"/jobs/{scene.jobs['partial'].pk}/again", {"reason": "run_again"}),
    Act.SWITCH_SCHEDULE_OFF: lambda scene: ("/jobs/schedules/weekly/off", {"reason": "maintenance"}),
    Act.SWITCH_SCHEDULE_ON: lambda scene: ("/jobs/schedules/weekly/on", {"reason": "repaired"}),
    Act.SWITCH_CACHE_OFF: lambda scene: ("/caches/rag/switch-off", {"reason": "incident"}),
    Act.DROP_CACHE: lambda scene: ("/caches/access_state/drop", {"reason": "wrong_data", "typed": "access_state"}),
    Act.BUMP_RAG: lambda scene: (
        "/caches/rag/begin-anew",
        {"reason": "corpus_changed", "collection": settings.ENV.qdrant_collection},
    ),
    Act.SWITCH_CACHE_ON: lambda scene: ("/caches/rag/switch-on", {"reason": "repaired"}),
    Act.RELEASE_LOCK: lambda scene: (
        "/locks/release",
        {"lock": "nightly", "fence": str(scene.fence), "reason": "holder_gone"},
    ),
}


@pytest.fixture
def admin(database: Database) -> Client:
    user = User.objects.create(username="admin")
    user.groups.add(Group.objects.get(name="Admin"))
    client = Client(headers={"accept-language": "en"}, raise_request_exception=False)
    sign_in(client, user)
    return client


@pytest.fixture
def scene(admin: Client, cast: Cast) -> Scene:
    """Somebody of whom a wrong state is cached, and a job that could be cancelled."""
    session = admin.session
    session[person_token.SALT] = "salt"
    session.save()
    bearer = f"{User.objects.get().pk}:salt"
    token = person_token.seal(cast.alisa, bearer=bearer)
    layer().access_state.get(cast.alisa, load=lambda _id: DENIED)
    jobs = {
        str(state): Job.objects.create(
            kind=kind, state=state, period_start="2026-11-01", period_end="2026-11-02", started_by="x", paused_at=at
        )
        for kind, state, at in (
            ("daily", JobState.QUEUED, None),
            ("weekly", JobState.RUNNING, None),
            ("monthly", JobState.PAUSED, timezone.now()),
            ("daily", JobState.PARTIAL, None),
        )
    }
    batch = Batch.objects.create(job=jobs["partial"], number=1, units=[cast.alisa])
    Failure.objects.create(job=jobs["partial"], batch=batch, unit=cast.alisa, code="llm_timeout")
    held = layer().locks.acquire("nightly", token="t", holder=Holder("bot", "host-1", 41))
    return Scene(cast, token, bearer, jobs["queued"], jobs, held.fence)


@pytest.fixture
def no_record(database: Database, scene: Scene) -> Iterator[None]:
    """From here on the table takes nothing."""
    with database.connect() as other:
        other.execute("ALTER TABLE audit_auditrow ADD CONSTRAINT closed CHECK (false) NOT VALID")
        yield
        other.execute("ALTER TABLE audit_auditrow DROP CONSTRAINT closed")


def test_every_act_is_among_them() -> None:
    """Those about accounts are in `tests/accounts/test_acts_on_record.py`, those of the API alone in `tests/api`."""
    of_the_api = {Act.REPAIR_VECTORS, Act.INVALIDATE_TEXTS, Act.CALL_API}
    assert set(ACTS) | of_the_api == {act for act in Act if not act.startswith("accounts.")}


@pytest.mark.usefixtures("no_record")
def test_without_a_record_nothing_is_done_and_that_is_said(admin: Client, scene: Scene, cast: Cast) -> None:
    """With the intent written after the act in place of before, each of these is done all the same."""
    for act, form in ACTS.items():
        path, fields = form(scene)
        response = admin.post(path, fields)
        html = response.content.decode()
        assert response.status_code == 503, act
        assert "could not be put on record" in html, act
        assert "closed" not in html, "what PostgreSQL said is not repeated"
        assert handle_of(cast.alisa) not in html, act
    assert layer().access_state.peek(cast.alisa).value == DENIED
    assert layer().holdings(cast.alisa).things, "nothing was forgotten"
    assert layer().switches.is_on("rag")
    assert [lock.fence for lock in layer().locks.held()] == [scene.fence]
    assert all(standing.on for standing in schedules.standings())
    assert {(job.pk, job.state) for job in Job.objects.all()} == {(job.pk, s) for s, job in scene.jobs.items()}


@pytest.mark.usefixtures("no_record")
def test_neither_is_a_refusal_without_a_record_taken_for_one_that_has_it(database: Database, scene: Scene) -> None:
    viewer = Client(raise_request_exception=False)
    viewer.force_login(User.objects.create(username="viewer"))
    assert viewer.post("/users/find", {"text": "1"}).status_code == 503


def test_the_same_acts_with_a_record_are_done(admin: Client, scene: Scene, database: Database) -> None:
    """The control: what is tried above is not refused for another reason."""
    for form in ACTS.values():
        path, fields = form(scene)
        assert admin.post(path, fields).status_code in {200, 302}, path
    assert {entry.act for entry in acts.recent(50)} == {act.value for act in ACTS}

"""Audit: who did what to which handle, newest first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from pomni_admin.accounts.roles import VIEW_SITE, Role
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer

SHOWN = 50
BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act. `subject` is a job's id or a lock's name, `result` a fixed word."""

    at: datetime
    actor: str
    role: str
    act: str
    handle: str
    subject: str
    is_job: bool
    reason: str
    result: str
    receipt: str

    @classmethod
    def of(cls, entry: acts.Entry) -> AuditEntry:
        return cls(
            at=entry.at,
            actor=entry.actor,
            role=entry.role,
            act=entry.act,
            handle=entry.handle,
            subject=entry.subject,
            is_job=bool(entry.subject) and entry.act.startswith("summaries."),
            reason=entry.reason,
            result=entry.result,
            receipt=entry.receipt,
        )

    @property
    def act_word(self) -> str:
        return str(Act(self.act).label) if self.act in Act.values else self.act

    @property
    def role_word(self) -> str:
        return str(Role(self.role).label) if self.role in Role.values else self.role

    @property
    def reason_word(self) -> str:
        return str(Reason(self.reason).label) if self.reason in Reason.values else self.reason

    @property
    def tone(self) -> str:
        """How the result is marked: `good`, `bad`, `doubtful` or `plain`."""
        if self.result == "ok":
            return "good"
        if self.result in {"unknown", "unreachable", "unstated"}:
            return "doubtful"
        return "bad" if self.result == "refused" or self.result.startswith("error") else "plain"


@dataclass(frozen=True, slots=True)
class AuditView:
    """`older` is the cursor of the page after this one; None on the last."""

    entries: tuple[AuditEntry, ...]
    older: int | None
    is_newest: bool


class AuditPage(Page[AuditView]):
    """Its subject is the cursor: the entries before that id. Only the newest page is live."""

    name = "audit"
    title = gettext_lazy("Audit")
    permission = VIEW_SITE
    fragments = ("table",)

    def topics(self, subject: str) -> Collection[str]:
        return () if subject else ("audit",)

    def view(self, subject: str) -> AuditView:
        found = acts.recent(limit=SHOWN + 1, before_id=int(subject) if subject else None)
        entries = found[:SHOWN]
        return AuditView(
            entries=tuple(AuditEntry.of(entry) for entry in entries),
            older=entries[-1].id if len(found) > SHOWN else None,
            is_newest=not subject,
        )


@require_safe
@requires(VIEW_SITE)
def audit(request: HttpRequest) -> HttpResponse:
    """The newest entries, or those before `?before=`."""
    before = request.GET.get("before", "")
    if before and not (before.isascii() and before.isdigit() and len(before) <= 19 and int(before) <= BIGINT_MAX):
        raise Http404
    return answer(request, AUDIT, before, AUDIT.view(before))


AUDIT = AuditPage()
urlpatterns = [path("audit", audit, name="audit")]

"""An act on record as the pages show it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from pomni_admin.accounts.roles import Role
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.dashboard.audit_filters import JOB_ID


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
    request_id: str

    @classmethod
    def of(cls, entry: acts.Entry) -> AuditEntry:
        return cls(
            at=entry.at,
            actor=entry.actor,
            role=entry.role,
            act=entry.act,
            handle=entry.handle,
            subject=entry.subject,
            is_job=entry.act.startswith("summaries.") and re.fullmatch(JOB_ID, entry.subject) is not None,
            reason=entry.reason,
            result=entry.result,
            receipt=entry.receipt,
            request_id=entry.request_id,
        )

    @property
    def act_word(self) -> str:
        return str(Act(self.act).label) if self.act in Act.values else self.act

    @property
    def role_word(self) -> str:
        if self.role == "system":
            return gettext("system")
        return str(Role(self.role).label) if self.role in Role.values else self.role

    @property
    def reason_word(self) -> str:
        return str(Reason(self.reason).label) if self.reason in Reason.values else self.reason

    @property
    def tone(self) -> str:
        """How the result is marked: `good`, `bad`, `doubtful` or `plain`."""
        if self.result == "ok":
            return "good"
        if self.result in {"unknown", "unreachable", "unstated", "interrupted", "timed_out"}:
            return "doubtful"
        return "bad" if self.result in {"refused", "too_many"} or self.result.startswith("error") else "plain"

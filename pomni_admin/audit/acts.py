"""Records acts: an intent before, the outcome after, under one act id (G11).

::

    with acts.act(actor=request.user, act=Act.INVALIDATE_ACCESS, handle=handle, reason=Reason.REFUNDED) as a:
        a.result = "ok" if layer().access_state.invalidate(user_id).reached else "unreachable"
    show(a.receipt)

Each half is committed by itself. Inside a transaction that cannot be had: a rollback would take the intent with it, and
an outcome would be on record before what it tells of. So an act refuses to begin inside one; its body may open its own.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from django.db import Error, IntegrityError, InterfaceError, OperationalError, connection
from structlog.contextvars import get_contextvars

from pomni_admin import cache
from pomni_admin.audit.entries import Entry, recent
from pomni_admin.audit.models import AuditRow, Phase
from pomni_admin.audit.receipts import new_receipt
from pomni_admin.audit.vocabulary import HANDLE, REASONS, REQUEST_ID, RESULT, SUBJECT, Act, Reason

__all__ = [
    "Actor",
    "Entry",
    "InsideTransaction",
    "NotInVocabulary",
    "NotOnRecord",
    "Recorded",
    "act",
    "begin",
    "recent",
    "refused",
]

TOPIC: Final = "audit"
"""Announced of every act; and `audit:<subject>` of one that has a subject, for whoever shows that alone."""

log = logging.getLogger(__name__)


class InsideTransaction(RuntimeError):
    """An act was begun inside a transaction, whose rollback would take the record with it."""

    def __init__(self) -> None:
        super().__init__("an act cannot begin inside a transaction: leave transaction.atomic first")


class NotOnRecord(Error):
    """The intent could not be written, so the act was not done. What PostgreSQL said is not repeated: it may quote."""

    def __init__(self, error: Error) -> None:
        super().__init__(f"an act was not done, since it could not be put on record: {type(error).__name__}")


class NotInVocabulary(ValueError):
    """A word that an audit row may not hold. The word is not repeated here: it may be personal data."""

    def __init__(self, field: str) -> None:
        self.field = field
        super().__init__(f"this {field} may not stand in an audit row; see pomni_admin.audit.vocabulary")


class SignedIn(Protocol):
    """What a Django user has, an anonymous one too (its name is empty). `role` is read where there is one."""

    def get_username(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: somebody signed in, or a process such as `Actor("beat", "system")`."""

    name: str
    role: str = ""

    @classmethod
    def of(cls, who: Actor | SignedIn) -> Actor:
        if isinstance(who, Actor):
            return who
        return cls(who.get_username(), str(getattr(who, "role", None) or ""))


class Recorded:
    """The act under way, as its body sees it.

    Attributes:
        act_id: what the two rows have in common.
        receipt: the code to read out.
        subject, handle: may be set by the body, when they are only known then (the job that was started, the person who
            was found).
        request_id: of the request in which it happens; empty outside of any.
        result: to be set by the body: `ok`, or a word for what happened instead; `unstated` if it is not.
    """

    def __init__(self, actor: Actor, act: Act, handle: str, subject: str, reason: str) -> None:
        self.act_id = uuid.uuid4()
        self.receipt = new_receipt()
        self.actor, self.act, self.handle, self.subject, self.reason = actor, act, handle, subject, reason
        self.result = "unstated"
        self._begun_with = subject
        said = str(get_contextvars().get("request_id", ""))
        self.request_id = said if re.fullmatch(REQUEST_ID, said) else ""

    def row(self, phase: Phase) -> AuditRow:
        return AuditRow(
            act_id=self.act_id,
            phase=phase,
            actor=self.actor.name,
            role=self.actor.role,
            act=self.act.value,
            handle=self.handle,
            subject=self.subject,
            reason=self.reason,
            result=self.result if phase is Phase.OUTCOME else "",
            receipt=self.receipt,
            request_id=self.request_id,
        )

    def finish(self) -> None:
        """Write the outcome, and announce it. Never raises for want of a database: what was done is done."""
        # A result, subject or handle of a wrong shape is a fault of the caller: it is not let into the row.
        if not re.fullmatch(RESULT, self.result):
            self.result = "unstated"
        if self.subject and not re.fullmatch(SUBJECT, self.subject):
            self.subject = ""
        if self.handle and not re.fullmatch(HANDLE, self.handle):
            self.handle = ""
        try:
            _write_outcome(self)
        except Error as error:
            # Without the traceback: PostgreSQL's message may quote the row.
            log.error(
                "the outcome of an act is not on record", extra={"receipt": self.receipt, "error": type(error).__name__}
            )
        self.announce()

    def announce(self) -> None:
        """Tell those who watch that there is something new on record."""
        cache.layer().announce(TOPIC)
        for subject in {self.subject, self._begun_with} - {""}:
            cache.layer().announce(f"{TOPIC}:{subject}")


def begin(
    *, actor: Actor | SignedIn, act: Act | str, handle: str = "", subject: str = "", reason: Reason | str = ""
) -> Recorded:
    """Commit an intent, for an act that goes on after this call returns; whoever does it calls `finish` at the end.

    Raises:
        InsideTransaction, NotInVocabulary, NotOnRecord: as for `act`.
    """
    a = _begin(actor, act, handle, subject, reason)
    _write(a.row(Phase.INTENT))
    return a


@contextmanager
def act(
    *, actor: Actor | SignedIn, act: Act | str, handle: str = "", subject: str = "", reason: Reason | str = ""
) -> Iterator[Recorded]:
    """Record an act around its body.

    The body runs only once the intent is committed. Afterwards the outcome is: the result that the body set, or
    `error:<ClassName>` for an exception, which goes on to the caller. Should the outcome not be writable, the entry
    says `unknown`; what the body did is done, so that is logged and not raised.

    Raises:
        InsideTransaction: see above.
        NotInVocabulary: the act, reason, handle or subject may not stand in a row.
        NotOnRecord: the intent could not be written; the body has not run.
    """
    a = begin(actor=actor, act=act, handle=handle, subject=subject, reason=reason)
    try:
        yield a
    except BaseException as error:
        a.result = f"error:{type(error).__name__}"
        a.finish()
        raise
    a.finish()


def refused(
    actor: Actor | SignedIn, act: Act | str, *, handle: str = "", subject: str = "", reason: Reason | str = ""
) -> str:
    """Record an attempt that was not allowed, and return its receipt.

    Raises:
        InsideTransaction, NotInVocabulary, NotOnRecord: as for `act`.
    """
    a = _begin(actor, act, handle, subject, reason)
    a.result = "refused"
    _write(a.row(Phase.INTENT), a.row(Phase.OUTCOME))
    a.announce()
    return a.receipt


def _begin(actor: Actor | SignedIn, act: Act | str, handle: str, subject: str, reason: Reason | str) -> Recorded:
    if connection.in_atomic_block or not connection.get_autocommit():
        raise InsideTransaction
    if act not in Act.values:
        raise NotInVocabulary("act")
    known = Act(act)
    if reason and reason not in REASONS[known]:
        raise NotInVocabulary("reason")
    if handle and not re.fullmatch(HANDLE, handle):
        raise NotInVocabulary("handle")
    if subject and not re.fullmatch(SUBJECT, subject):
        raise NotInVocabulary("subject")
    return Recorded(Actor.of(actor), known, handle, subject, str(reason))


def _write(*rows: AuditRow) -> None:
    try:
        if len(rows) == 1:
            rows[0].save(force_insert=True)  # one statement; `bulk_create` would put a transaction around it
        else:
            AuditRow.objects.bulk_create(rows)
    except Error as error:
        raise NotOnRecord(error) from None


def _write_outcome(a: Recorded) -> None:
    """Insert the outcome, on a fresh connection if the body has outlived the old one."""
    try:
        a.row(Phase.OUTCOME).save(force_insert=True)
    except (OperationalError, InterfaceError):
        connection.close()
        try:
            a.row(Phase.OUTCOME).save(force_insert=True)
        except IntegrityError:
            log.info("the outcome had been written before the connection broke", extra={"receipt": a.receipt})

"""Release a lock: first what that will do, then the deed, to the very hold that was shown and to no later one.

The fence says which hold it was. Pressed twice, or after the lock has changed hands, it does nothing and says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from cache_layer import LockUnavailable
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import RELEASE_LOCKS
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, SUBJECT, Act, Reason
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.locks import LockRow
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer

FENCE: Final = re.compile(r"[1-9][0-9]{0,18}")
MOST_LETTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """The hold that somebody saw: the lock's name and the fence under which it was held."""

    name: str
    fence: int

    @property
    def subject(self) -> str:
        """How an audit row names the lock: as it is called, with a line in place of whatever is no small letter.

        A row holds no text of anybody's choosing, and no number that could be somebody's.
        """
        letters = re.sub(r"[^a-z_]", "_", self.name.lower())[:60]
        return letters if re.fullmatch(SUBJECT, letters) else f"lock_{letters}"[:60]


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """What is about to be done.

    Attributes:
        state: `held` as it was shown; `other` when somebody else has it by now, who is `lock`; `free`; `unreachable`.
    """

    name: str
    state: str
    lock: LockRow | None = None
    reasons: tuple[Reason, ...] = REASONS[Act.RELEASE_LOCK]


class ReleaseLockPage(Page[ReleaseView]):
    name = "release_lock"
    title = gettext_lazy("Release a lock")
    permission = RELEASE_LOCKS
    under = "locks"

    def view(self, subject: str) -> ReleaseView:
        return ReleaseView(subject, "free")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(RELEASE_LOCKS, act=Act.RELEASE_LOCK, fresh=True)
def release(request: HttpRequest) -> HttpResponse:
    """Say what releasing the lock will do, or do it."""
    if request.method != "POST":
        return answer(request, RELEASE_LOCK, "", _view(_asked(request.GET.dict())))
    asked = _asked(request.POST.dict())
    reason = request.POST.get("reason", "")
    if reason not in REASONS[Act.RELEASE_LOCK]:
        raise BadRequest("a reason from the list is wanted")
    by = cast(User, request.user)
    with acts.act(actor=by, act=Act.RELEASE_LOCK, subject=asked.subject, reason=reason) as recorded:
        try:
            released = cache.layer().locks.force_release(asked.name, asked.fence)
        except LockUnavailable:
            recorded.result = "unreachable"
        else:
            recorded.result = "ok" if released else "not_held"
    _tell(request, asked.name, recorded.result)
    return redirect("dashboard:locks")


def _asked(fields: Mapping[str, str]) -> Asked:
    name, fence = fields.get("lock", ""), fields.get("fence", "")
    if not 0 < len(name) <= MOST_LETTERS or not FENCE.fullmatch(fence):
        raise BadRequest("a lock as the page shows it is wanted: its name and its fence")
    return Asked(name, int(fence))


def _view(asked: Asked) -> ReleaseView:
    try:
        held = {lock.name: lock for lock in cache.layer().locks.held()}
    except LockUnavailable:
        return ReleaseView(asked.name, "unreachable")
    lock = held.get(asked.name)
    if lock is None:
        return ReleaseView(asked.name, "free")
    return ReleaseView(asked.name, "held" if lock.fence == asked.fence else "other", LockRow.of(lock))


def _tell(request: HttpRequest, name: str, result: str) -> None:
    """What came of it, at the head of the page."""
    if result == "ok":
        messages.success(request, _("%(lock)s was released: whoever asks next gets it.") % {"lock": name})
    elif result == "not_held":
        words = _("%(lock)s was not held like that any more: nothing was done to whoever has it now.")
        messages.info(request, words % {"lock": name})
    else:
        words = _(
            "Redis did not answer: nobody knows whether %(lock)s was released. If it is still there with the same"
            " fence, release it once more; that does no harm."
        )
        messages.error(request, words % {"lock": name})


RELEASE_LOCK = ReleaseLockPage()
urlpatterns = [path("locks/release", release, name="release_lock")]

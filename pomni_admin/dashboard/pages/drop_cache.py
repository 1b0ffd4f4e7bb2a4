"""Dropping a whole cache: what it will do is said before, and the cache's name has to be typed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from cache_layer import DROPPABLE, Unavailable
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import SWITCH_CACHES
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Gone, Page
from pomni_admin.dashboard.show import answer

TOPIC = "caches"
TYPED_MOST = 40
"""As long as the field takes."""


@dataclass(frozen=True, slots=True)
class DropView:
    """The form. `is_wrong`: what was `typed` is not the cache's name."""

    cache: str
    reasons: tuple[Reason, ...] = REASONS[Act.DROP_CACHE]
    reason: str = ""
    typed: str = ""
    is_wrong: bool = False


class DropCachePage(Page[DropView]):
    """Its subject is the cache."""

    name = "drop_cache"
    title = gettext_lazy("Drop a whole cache")
    permission = SWITCH_CACHES
    under = "caches"

    @property
    def address(self) -> str:
        raise AssertionError("this page is always about one cache")

    def address_of(self, subject: str) -> str:
        return reverse("dashboard:drop_cache", args=[subject])

    def view(self, subject: str) -> DropView:
        if subject not in DROPPABLE:
            raise Gone
        return DropView(subject)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(SWITCH_CACHES, act=Act.DROP_CACHE, fresh=True)
def drop(request: HttpRequest, name: str) -> HttpResponse:
    """Ask, or do it."""
    try:
        view = DROP_CACHE.view(name)
    except Gone:
        raise Http404 from None
    if request.method != "POST":
        return answer(request, DROP_CACHE, name, view)
    reason = request.POST.get("reason", "")
    if reason not in view.reasons:
        raise BadRequest("a reason from the list is wanted")
    typed = request.POST.get("typed", "").strip()
    if typed != name:
        wrong = replace(view, reason=reason, typed=typed[:TYPED_MOST], is_wrong=True)
        response = answer(request, DROP_CACHE, name, wrong)
        response.status_code = 400
        return response
    _drop(request, name, reason)
    return redirect("dashboard:caches")


def _drop(request: HttpRequest, name: str, reason: str) -> None:
    words = {"cache": name}
    with acts.act(actor=cast(User, request.user), act=Act.DROP_CACHE, subject=name, reason=reason) as recorded:
        try:
            dropped = cache.layer().drop_all(name)
        except Unavailable:
            recorded.result = "unreachable"
            said = _("Redis is unreachable: of %(cache)s part may have been dropped. Drop it again when Redis is back.")
            messages.error(request, said % words)
            return
        recorded.result = "ok" if dropped.complete else "not_finished"
    cache.layer().announce(TOPIC)
    count = ngettext("%(n)s key was dropped.", "%(n)s keys were dropped.", dropped.keys) % {"n": dropped.keys}
    if dropped.complete:
        messages.success(request, f"{_('%(cache)s is empty now, and fills as it is read.') % words} {count}")
    else:
        said = _("%(cache)s is so large that not all of it was looked at. Drop it once more.")
        messages.warning(request, f"{said % words} {count}")


DROP_CACHE = DropCachePage()
urlpatterns = [path("caches/<slug:name>/drop", drop, name="drop_cache")]

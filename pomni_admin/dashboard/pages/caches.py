"""Caches: what each has done in the last quarter of an hour, whether it may, and who uses them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cache_layer import Instance, MinuteStats, Turned, Unavailable
from cache_layer.settings import CACHES as NAMES
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import SWITCH_CACHES, VIEW_SITE
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, Act
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.caches import ORDER, CacheCard, InstanceRow, card
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import shown

MINUTES = 15


@dataclass(frozen=True, slots=True)
class CachesView:
    """`unreachable` is the fixed word for why Redis could not be asked; empty when it answered."""

    minutes: int
    is_configured: bool
    unreachable: str
    circuit: str
    cards: tuple[CacheCard, ...]
    instances: tuple[InstanceRow, ...]
    reasons_off: tuple[str, ...] = REASONS[Act.SWITCH_CACHE_OFF]
    reasons_on: tuple[str, ...] = REASONS[Act.SWITCH_CACHE_ON]


class CachesPage(Page[CachesView]):
    name = "caches"
    title = gettext_lazy("Caches")
    permission = VIEW_SITE
    fragments = ("redis", "cards", "instances")
    refresh_s = 10.0  # who falls silent announces nothing

    def topics(self, subject: str) -> Collection[str]:
        return ("caches",)

    def view(self, subject: str) -> CachesView:
        layer = cache.layer()
        stats: Sequence[MinuteStats] = ()
        instances: Sequence[Instance] = ()
        unreachable = ""
        switches = {switch.cache: switch for switch in layer.switches.list()}
        try:
            stats, instances = layer.stats.read(MINUTES), layer.stats.instances()
        except Unavailable as error:
            unreachable = error.reason
        return CachesView(
            minutes=MINUTES,
            is_configured=bool(layer.settings.redis_url),
            unreachable=unreachable,
            circuit=layer.circuit,
            cards=tuple(card(switches[name], stats, layer.settings) for name in ORDER),
            instances=tuple(InstanceRow.of(instance) for instance in instances),
        )


def _turning(act: Act, *, on: bool) -> View:
    """The view function that switches a cache for all processes."""

    @require_POST
    @requires(SWITCH_CACHES, act=act, fresh=True)
    def turn(request: HttpRequest, name: str) -> HttpResponse:
        if name not in NAMES:
            raise Http404
        reason = request.POST.get("reason", "")
        if reason not in REASONS[act]:
            raise BadRequest("a reason from the list is wanted")
        user = cast(User, request.user)
        turned: Turned | None = None
        with acts.act(actor=user, act=act, subject=name, reason=reason) as recorded:
            try:
                turned = cache.layer().switches.turn(name, on, by=user.get_username(), reason=reason)
            except Unavailable:
                recorded.result = "unreachable"
            else:
                recorded.result = "ok" if turned.changed else "already_on" if on else "already_off"
        _tell(request, name, turned, on=on)
        return redirect("dashboard:caches")

    return turn


def _tell(request: HttpRequest, name: str, turned: Turned | None, *, on: bool) -> None:
    """What came of it, at the head of the page."""
    if turned is None:
        messages.error(
            request, _("Redis is unreachable: nobody knows whether %(cache)s was switched.") % {"cache": name}
        )
    elif not turned.changed:
        already = _("%(cache)s was on already.") if on else _("%(cache)s was off already.")
        messages.info(request, already % {"cache": name})
    elif on and turned.switch.why_off:
        words = _("%(cache)s is switched on, but here it stays off: %(why)s.")
        messages.warning(request, words % {"cache": name, "why": turned.switch.why_off})
    elif on:
        messages.success(request, _("%(cache)s is switched on in all processes.") % {"cache": name})
    else:
        messages.success(request, _("%(cache)s is switched off in all processes.") % {"cache": name})


CACHES = CachesPage()
urlpatterns = [
    path("caches", shown(CACHES), name="caches"),
    path("caches/<slug:name>/switch-off", _turning(Act.SWITCH_CACHE_OFF, on=False), name="switch_cache_off"),
    path("caches/<slug:name>/switch-on", _turning(Act.SWITCH_CACHE_ON, on=True), name="switch_cache_on"),
]

"""Caches: what each has done lately, in all processes together or in one, whether it may, and who uses them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from cache_layer import Instance, Turned, Unavailable
from cache_layer.settings import CACHES as NAMES
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import SWITCH_CACHES, VIEW_SITE
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, Act
from pomni_admin.dashboard import charts, extents, history
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.caches import ORDER, CacheCard, InstanceRow, card
from pomni_admin.dashboard.extents import MeasuredView
from pomni_admin.dashboard.history import History
from pomni_admin.dashboard.page import Gone, Page
from pomni_admin.dashboard.show import answer
from pomni_admin.dashboard.spans import QUARTER, SPANS

INSTANCE = re.compile(r"[0-9a-z]{1,32}")
"""`Presence.id`, which is random."""


@dataclass(frozen=True, slots=True)
class CachesView:
    """`unreachable` is the fixed word for why Redis could not be asked; empty when it answered.

    Attributes:
        span: what figures and charts look back over.
        instance: whose figures they are; None for those of all processes together.
    """

    span: str
    spans: tuple[str, ...]
    is_configured: bool
    unreachable: str
    circuit: str
    instance: InstanceRow | None
    measured: MeasuredView | None
    cards: tuple[CacheCard, ...]
    instances: tuple[InstanceRow, ...]
    reasons_off: tuple[str, ...] = REASONS[Act.SWITCH_CACHE_OFF]
    reasons_on: tuple[str, ...] = REASONS[Act.SWITCH_CACHE_ON]


class CachesPage(Page[CachesView]):
    """Its subject is a span by name, and after a hyphen the id of an instance, for the figures of that one alone."""

    name = "caches"
    title = gettext_lazy("Caches")
    permission = VIEW_SITE
    fragments = ("redis", "cards", "instances")
    refresh_s = 10.0  # who falls silent announces nothing
    period_s = 1.0  # whoever counts says so every second, each at another moment

    def topics(self, subject: str) -> Collection[str]:
        return ("caches",)

    def view(self, subject: str) -> CachesView:
        name, _hyphen, chosen = subject.partition("-")
        span = SPANS.get(name or QUARTER.name)
        if span is None or (chosen and not INSTANCE.fullmatch(chosen)):
            raise Gone
        layer = cache.layer()
        past: History | None = None
        instances: Sequence[Instance] = ()
        unreachable = ""
        switches = {switch.cache: switch for switch in layer.switches.list()}
        try:
            past, instances = history.read(span, chosen), layer.stats.instances()
        except Unavailable as error:
            unreachable = error.reason
        marks = charts.deploys(instances, span.starts(datetime.now(UTC)), span)
        measured = extents.last()
        rows = tuple(InstanceRow.of(instance) for instance in instances)
        if chosen and not unreachable and chosen not in {row.id for row in rows}:
            raise Gone
        return CachesView(
            span=span.name,
            spans=tuple(SPANS),
            is_configured=bool(layer.settings.redis_url),
            unreachable=unreachable,
            circuit=layer.circuit,
            instance=next((row for row in rows if row.id == chosen), None),
            measured=measured,
            cards=tuple(card(switches[name], span, past, measured, marks, layer.settings, rows) for name in ORDER),
            instances=rows,
        )


@require_safe
@requires(VIEW_SITE)
def show(request: HttpRequest) -> HttpResponse:
    """The page over the span, and of the instance, that the address names."""
    span, instance = request.GET.get("span", QUARTER.name), request.GET.get("instance", "")
    if span not in SPANS:
        raise BadRequest("the span is one of: " + ", ".join(SPANS))
    subject = f"{span}-{instance}" if instance else span
    try:
        return answer(request, CACHES, subject, CACHES.view(subject))
    except Gone:
        messages.info(request, _("That instance is not heard of any more: these are the figures of all together."))
        return redirect(f"{CACHES.address}?span={span}")


@require_POST
@requires(VIEW_SITE)
def measure(request: HttpRequest) -> HttpResponse:
    """Have entries and memory measured; it changes nothing, so that whoever looks may ask for it."""
    try:
        extents.measure()
    except Unavailable:
        messages.error(request, _("Redis is unreachable: nothing was measured."))
    return redirect("dashboard:caches")


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
    elif on and (elsewhere := _off_for_another_reason(name)):
        words = ngettext(
            "%(cache)s is switched on, but in %(n)s process it stays off for another reason: see Instances.",
            "%(cache)s is switched on, but in %(n)s processes it stays off for another reason: see Instances.",
            elsewhere,
        )
        messages.warning(request, words % {"cache": name, "n": elsewhere})
    elif on:
        messages.success(request, _("%(cache)s is switched on in all processes.") % {"cache": name})
    else:
        messages.success(request, _("%(cache)s is switched off in all processes.") % {"cache": name})


def _off_for_another_reason(name: str) -> int:
    """In how many processes that are heard of something else than the switch keeps the cache off."""
    try:
        rows = [InstanceRow.of(instance) for instance in cache.layer().stats.instances()]
    except Unavailable:
        return 0
    other = [off for row in rows if not row.is_silent for off in row.off if off.because != "switch"]
    return sum(off.cache == name for off in other)


CACHES = CachesPage()
urlpatterns = [
    path("caches", show, name="caches"),
    path("caches/measure", measure, name="measure_caches"),
    path("caches/<slug:name>/switch-off", _turning(Act.SWITCH_CACHE_OFF, on=False), name="switch_cache_off"),
    path("caches/<slug:name>/switch-on", _turning(Act.SWITCH_CACHE_ON, on=True), name="switch_cache_on"),
]

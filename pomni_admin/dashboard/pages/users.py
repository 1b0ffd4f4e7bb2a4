"""Users: support finds the person on the line, sees what the bot believes about them, and puts it right.

What is typed goes by POST and is never shown again; a person appears as a handle, and travels between forms as an
encrypted token. Nothing of this may be kept by the browser. The page is not live: it changes when the agent acts.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from math import ceil
from typing import cast

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from cache_layer.privacy import read_handle
from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import FORGET_PEOPLE, INVALIDATE_ACCESS, LOOK_UP_HANDLES, LOOK_UP_PEOPLE
from pomni_admin.audit import acts
from pomni_admin.audit.rate import LOOK_UPS, TOO_MANY, seconds_to_wait
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.bot import people
from pomni_admin.bot.access import read_access
from pomni_admin.bot.handles import whose
from pomni_admin.dashboard import person_token
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.person import PersonView, look_at
from pomni_admin.dashboard.receipts import Forgotten, Refreshed
from pomni_admin.dashboard.show import answer, shown
from pomni_admin.dashboard.typed import nobody, problem_of


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the people that an ambiguous number may mean."""

    found_by: str
    handle: str
    token: str


@dataclass(frozen=True, slots=True)
class UsersView:
    """`problem`: why there is no answer, a key of `words.PROBLEMS`; empty when there is one, or nothing was asked.

    Attributes:
        wait_s: with the problem `too_many`, after how many seconds the next look-up is allowed.
        compared: with the problem `handle_timeout`, how many people were compared.
        reasons: while forgetting is to be confirmed, the reasons to choose from.
    """

    problem: str = ""
    wait_s: int = 0
    compared: int = 0
    choices: tuple[Choice, ...] = ()
    person: PersonView | None = None
    token: str = ""
    refreshed: Refreshed | None = None
    forgotten: Forgotten | None = None
    reasons: tuple[Reason, ...] = ()


class UsersPage(Page[UsersView]):
    name = "users"
    title = gettext_lazy("Users")
    permission = LOOK_UP_PEOPLE

    def view(self, subject: str) -> UsersView:
        return UsersView()


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(LOOK_UP_PEOPLE, act=Act.LOOK_UP)
def find(request: HttpRequest) -> HttpResponse:
    """Find the person whom the text names, or the one who was chosen among several."""
    if request.method != "POST":
        return redirect("dashboard:users")
    if "token" in request.POST:
        return _told(request, _chosen(request, request.POST["token"], request.POST.get("found_by", "")))
    text = request.POST.get("text", "").strip()
    handle = read_handle(text)
    if handle is not None and request.user.has_perm(LOOK_UP_HANDLES):
        return _told(request, _by_handle(request, handle))
    return _told(request, _found(request, text))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(LOOK_UP_HANDLES, act=Act.LOOK_UP_BY_HANDLE)
def find_by_handle(request: HttpRequest) -> HttpResponse:
    """Find the person whose handle stands in a row of the audit."""
    if request.method != "POST":
        return redirect("dashboard:users")
    handle = read_handle(request.POST.get("handle", ""))
    return _told(request, UsersView(problem="no_handle") if handle is None else _by_handle(request, handle))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(INVALIDATE_ACCESS, act=Act.INVALIDATE_ACCESS)
def refresh_access(request: HttpRequest) -> HttpResponse:
    """Drop what may lock the person out, and read both sides anew.

    That is `access_state`, and `identity`, whose flags the bot's gate reads as well: what the relay drops when a
    subscription changes.
    """
    if request.method != "POST":
        return redirect("dashboard:users")
    try:
        user_id = person_token.unseal(request.POST.get("token", ""), bearer=person_token.bearer_of(request))
    except person_token.TokenRejected:
        return _told(request, UsersView(problem="expired"))
    started = time.perf_counter()
    with acts.act(
        actor=cast(User, request.user),
        act=Act.INVALIDATE_ACCESS,
        handle=cache.handle_of(user_id),
        reason=Reason.PAID_STILL_LOCKED_OUT,
    ) as act:
        layer = cache.layer()
        tg_id = people.tg_id_of(user_id)
        access = layer.access_state.invalidate(user_id)
        identity = None if tg_id is None else layer.identity.invalidate(tg_id)
        # So that the next reader, and this page, find the truth there.
        layer.access_state.get(user_id, load=read_access)
        is_on = layer.switches.is_on("access_state")
        reached = access.reached and (identity is None or identity.reached)
        act.result = "ok" if reached or not is_on else "unreachable"
    dropped = {
        "access": access.value,
        "identity": identity is not None and identity.value,
        "load": access.lease or (identity is not None and identity.lease),
    }
    person = look_at(user_id, tg_id)
    receipt = Refreshed(
        number=act.receipt,
        result=act.result if is_on else "off",
        dropped=tuple(what for what, was_there in dropped.items() if was_there),
        has_access=person.has_access,
        took_ms=(time.perf_counter() - started) * 1000,
        wrong_at_most_s=max(layer.settings.ttls[name].total_seconds() for name in ("access_state", "identity")),
    )
    return _told(request, replace(_about(request, user_id, person), refreshed=receipt))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(FORGET_PEOPLE, act=Act.FORGET_PERSON, fresh=True)
def forget(request: HttpRequest) -> HttpResponse:
    """Have Redis forget everything about the person: without a reason it is asked what is to go, and why."""
    if request.method != "POST":
        return redirect("dashboard:users")
    try:
        user_id = person_token.unseal(request.POST.get("token", ""), bearer=person_token.bearer_of(request))
    except person_token.TokenRejected:
        return _told(request, UsersView(problem="expired"))
    reason = request.POST.get("reason", "")
    if not reason:
        person = look_at(user_id, people.tg_id_of(user_id))
        return _told(request, replace(_about(request, user_id, person), reasons=REASONS[Act.FORGET_PERSON]))
    if reason not in REASONS[Act.FORGET_PERSON]:
        raise BadRequest("a reason from the list is wanted")
    started = time.perf_counter()
    layer = cache.layer()
    with acts.act(
        actor=cast(User, request.user), act=Act.FORGET_PERSON, handle=cache.handle_of(user_id), reason=reason
    ) as act:
        tg_id = people.tg_id_of(user_id)
        done = layer.forget(user_id, tg_id)
        act.result = "ok" if done.reached else "unreachable"
    person = look_at(user_id, tg_id)
    receipt = Forgotten(
        number=act.receipt,
        result=act.result,
        keys=done.keys,
        took_ms=(time.perf_counter() - started) * 1000,
        ends_at_most_s=layer.settings.ttls["recent_history"].total_seconds(),
    )
    return _told(request, replace(_about(request, user_id, person), forgotten=receipt))


def _found(request: HttpRequest, text: str) -> UsersView:
    problem = problem_of(text)
    if problem:
        return UsersView(problem=problem)
    with acts.act(actor=cast(User, request.user), act=Act.LOOK_UP) as act:
        if early := _too_many(act):
            return early
        found = people.find(text)
        if not found:
            act.result = "not_found"
            return UsersView(problem=nobody(text))
        if len(found) > 1:
            act.result = "ambiguous"
            choices = tuple(_choice(request, one.user_id, one.kinds[0]) for one in found)
            return UsersView(problem="ambiguous", choices=choices)
        (one,) = found
        act.handle = cache.handle_of(one.user_id)
        act.result = "ok"
    return _about(request, one.user_id, look_at(one.user_id, one.tg_id, one.kinds[0]))


def _by_handle(request: HttpRequest, handle: str) -> UsersView:
    with acts.act(actor=cast(User, request.user), act=Act.LOOK_UP_BY_HANDLE, handle=handle) as act:
        if early := _too_many(act):
            return early
        search = whose(handle)
        if not search.user_ids:
            act.result = "not_found" if search.is_complete else "timed_out"
            return UsersView(
                problem="nobody_handle" if search.is_complete else "handle_timeout", compared=search.compared
            )
        if len(search.user_ids) > 1:
            act.result = "ambiguous"
            choices = tuple(_choice(request, user_id, "handle") for user_id in search.user_ids)
            return UsersView(problem="ambiguous_handle", choices=choices)
        act.result = "ok"
    (user_id,) = search.user_ids
    return _about(request, user_id, look_at(user_id, people.tg_id_of(user_id), "handle"))


def _chosen(request: HttpRequest, token: str, found_by: str) -> UsersView:
    try:
        user_id = person_token.unseal(token, bearer=person_token.bearer_of(request))
    except person_token.TokenRejected:
        return UsersView(problem="expired")
    with acts.act(actor=cast(User, request.user), act=Act.LOOK_UP, handle=cache.handle_of(user_id)) as act:
        if early := _too_many(act):
            return early
        act.result = "ok"
    known = found_by if found_by in people.KINDS else ""
    return _about(request, user_id, look_at(user_id, people.tg_id_of(user_id), known))


def _too_many(act: acts.Recorded) -> UsersView | None:
    """The answer to a look-up that comes too early; its intent is on record by now."""
    allowed: int = settings.ENV.lookups_per_minute
    wait_s = seconds_to_wait(act.actor.name, LOOK_UPS, this=act.act_id, at_most=allowed)
    if wait_s is None:
        return None
    act.result = TOO_MANY
    return UsersView(problem="too_many", wait_s=max(ceil(wait_s), 1))


def _about(request: HttpRequest, user_id: int, person: PersonView) -> UsersView:
    return UsersView(person=person, token=person_token.seal(user_id, bearer=person_token.bearer_of(request)))


def _choice(request: HttpRequest, user_id: int, found_by: people.Kind) -> Choice:
    token = person_token.seal(user_id, bearer=person_token.bearer_of(request))
    return Choice(found_by, cache.handle_of(user_id), token)


def _told(request: HttpRequest, view: UsersView) -> HttpResponse:
    response = answer(request, USERS, "", view)
    if view.problem == "too_many":
        response.status_code = 429
        response["Retry-After"] = str(view.wait_s)
    return response


USERS = UsersPage()
urlpatterns = [
    path("users", never_cache(shown(USERS)), name="users"),
    path("users/find", find, name="find_person"),
    path("users/find-by-handle", find_by_handle, name="find_person_by_handle"),
    path("users/refresh-access", refresh_access, name="refresh_access"),
    path("users/forget", forget, name="forget_person"),
]

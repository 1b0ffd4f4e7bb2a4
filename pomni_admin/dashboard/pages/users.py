"""Users: support finds the person on the line, sees what the bot believes about them, and puts it right.

What is typed goes by POST and is never shown again; a person appears as a handle, and travels between forms as an
encrypted token. Nothing of this may be kept by the browser. The page is not live: it changes when the agent acts.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Final, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import INVALIDATE_ACCESS, LOOK_UP_PEOPLE
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act, Reason
from pomni_admin.bot import people
from pomni_admin.bot.access import read_access
from pomni_admin.dashboard import person_token
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.person import PersonView, look_at
from pomni_admin.dashboard.show import answer, shown

LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the people that an ambiguous number may mean."""

    found_by: str
    handle: str
    token: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What "Refresh access after payment" did.

    Attributes:
        result: `ok`, `unreachable` or `off`.
        dropped_value, dropped_load: whether there was an entry, and a load under way whose result is now refused.
        took_ms: from the press to the state that is shown below it.
    """

    number: str
    result: str
    dropped_value: bool
    dropped_load: bool
    has_access: bool
    took_ms: float


@dataclass(frozen=True, slots=True)
class UsersView:
    """`problem`: why there is no answer: `empty`, `name`, `phone`, `several`, `malformed`, `range`, `long`, `nobody`,
    `ambiguous`, `expired`; empty when there is one, or nothing was asked."""

    problem: str = ""
    choices: tuple[Choice, ...] = ()
    person: PersonView | None = None
    token: str = ""
    receipt: Receipt | None = None


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
    agent = cast(User, request.user)
    if "token" in request.POST:
        view = _chosen(agent, request.POST["token"], request.POST.get("found_by", ""))
    else:
        view = _found(agent, request.POST.get("text", "").strip())
    return answer(request, USERS, "", view)


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@requires(INVALIDATE_ACCESS, act=Act.INVALIDATE_ACCESS)
def refresh_access(request: HttpRequest) -> HttpResponse:
    """Drop what Redis holds about the person's access, and read both sides anew."""
    if request.method != "POST":
        return redirect("dashboard:users")
    agent = cast(User, request.user)
    try:
        user_id = person_token.unseal(request.POST.get("token", ""), agent_id=agent.pk)
    except person_token.TokenRejected:
        return answer(request, USERS, "", UsersView(problem="expired"))
    started = time.perf_counter()
    with acts.act(
        actor=agent,
        act=Act.INVALIDATE_ACCESS,
        handle=cache.handle_of(user_id),
        reason=Reason.PAID_STILL_LOCKED_OUT,
    ) as act:
        access = cache.layer().access_state
        done = access.invalidate(user_id)
        access.get(user_id, load=read_access)  # so that the next reader, and this page, find the truth there
        is_on = cache.layer().switches.is_on("access_state")
        act.result = "ok" if done.reached or not is_on else "unreachable"
    person = look_at(user_id)
    receipt = Receipt(
        number=act.receipt,
        result=act.result if is_on else "off",
        dropped_value=done.value,
        dropped_load=done.lease,
        has_access=person.has_access,
        took_ms=(time.perf_counter() - started) * 1000,
    )
    return answer(request, USERS, "", replace(_about(agent, user_id, person), receipt=receipt))


def _found(agent: User, text: str) -> UsersView:
    problem = _problem(text)
    if problem:
        return UsersView(problem=problem)
    found = people.find_any(text)
    with acts.act(actor=agent, act=Act.LOOK_UP, handle=cache.handle_of(found) if isinstance(found, int) else "") as act:
        if found is None:
            act.result = "not_found"
            return UsersView(problem=_nobody(text))
        if isinstance(found, people.Ambiguous):
            act.result = "ambiguous"
            return UsersView(problem="ambiguous", choices=tuple(_choice(agent, kind, text) for kind in found.kinds))
        act.result = "ok"
    return _about(agent, found, look_at(found, _kind(found, text)))


def _chosen(agent: User, token: str, found_by: str) -> UsersView:
    try:
        user_id = person_token.unseal(token, agent_id=agent.pk)
    except person_token.TokenRejected:
        return UsersView(problem="expired")
    with acts.act(actor=agent, act=Act.LOOK_UP, handle=cache.handle_of(user_id)) as act:
        act.result = "ok"
    return _about(agent, user_id, look_at(user_id, found_by if found_by in people.KINDS else ""))


def _about(agent: User, user_id: int, person: PersonView) -> UsersView:
    return UsersView(person=person, token=person_token.seal(user_id, agent_id=agent.pk))


def _choice(agent: User, kind: people.Kind, text: str) -> Choice:
    user_id = people.find(kind, text)
    assert user_id is not None, "found a moment ago"
    return Choice(kind, cache.handle_of(user_id), person_token.seal(user_id, agent_id=agent.pk))


def _kind(user_id: int, text: str) -> str:
    return next((kind for kind in people.KINDS if people.find(kind, text) == user_id), "")


def _problem(text: str) -> str:
    """What is wrong with the text before anybody is looked for; its content is not repeated anywhere."""
    if not text:
        return "empty"
    if len(text) > LONGEST:
        return "long"
    if re.fullmatch(r"\+[0-9 ()-]+", text, re.ASCII):
        return "phone"
    if text.startswith("@") or "t.me/" in text:
        return "name"
    if re.fullmatch(r"[0-9]+([\s,;]+[0-9]+)+", text, re.ASCII):
        return "several"
    if not text.isprintable() or re.search(r"\s", text):
        return "malformed"
    return ""


def _nobody(text: str) -> str:
    if text.isascii() and text.lstrip("-").isdigit():
        return "nobody" if text.isdigit() and int(text) <= people.BIGINT_MAX else "range"
    return "nobody" if re.search(r"[0-9]", text) else "malformed"


USERS = UsersPage()
urlpatterns = [
    path("users", never_cache(shown(USERS)), name="users"),
    path("users/find", find, name="find_person"),
    path("users/refresh-access", refresh_access, name="refresh_access"),
]

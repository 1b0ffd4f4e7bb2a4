"""Staff: who works with the site, in which role; a superuser invites, changes roles, deactivates, and makes links.

A link is shown once, in the answer to the press that made it: there is no mail server, and the database knows only a
hash of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from pomni_admin.accounts import links, people, second_factor
from pomni_admin.accounts.models import Purpose, User
from pomni_admin.accounts.people import Refused
from pomni_admin.accounts.roles import MANAGE_PEOPLE, Role
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, Act
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer, shown
from pomni_admin.dashboard.words import PEOPLE_REFUSED

OFFERS: Final = {
    Act.INVITE: Purpose.INVITATION,
    Act.OFFER_PASSWORD: Purpose.PASSWORD,
    Act.OFFER_SECOND_FACTOR: Purpose.SECOND_FACTOR,
}


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One account. `state`: `active`, `invited`, `lapsed` (invited, too long ago), `inactive`."""

    id: int
    name: str
    role: Role | None
    has_second_factor: bool
    needs_second_factor: bool
    last_sign_in: datetime | None
    state: str
    invited_until: datetime | None

    @classmethod
    def of(cls, person: people.Person) -> PersonRow:
        return cls(
            id=person.id,
            name=person.name,
            role=person.role,
            has_second_factor=person.has_second_factor,
            needs_second_factor=second_factor.required_of(person.role),
            last_sign_in=person.last_sign_in,
            state=person.state,
            invited_until=person.invited_until,
        )


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that was just made: for whom, what for, and its whole address."""

    name: str
    purpose: str
    address: str
    valid_h: int


@dataclass(frozen=True, slots=True)
class PeopleView:
    """`problem`: why nobody was invited (a word of `PEOPLE_REFUSED`); `typed` is the name that was asked for."""

    rows: tuple[PersonRow, ...]
    me: int = 0
    link: NewLink | None = None
    problem: str = ""
    typed: str = ""
    roles: tuple[Role, ...] = tuple(Role)
    reasons_invite: tuple[str, ...] = REASONS[Act.INVITE]
    reasons_role: tuple[str, ...] = REASONS[Act.CHANGE_ROLE]
    reasons_deactivate: tuple[str, ...] = REASONS[Act.DEACTIVATE]
    reasons_reactivate: tuple[str, ...] = REASONS[Act.REACTIVATE]
    reasons_password: tuple[str, ...] = REASONS[Act.OFFER_PASSWORD]
    reasons_second_factor: tuple[str, ...] = REASONS[Act.OFFER_SECOND_FACTOR]


class PeoplePage(Page[PeopleView]):
    name = "people"
    title = pgettext_lazy("staff", "Staff")
    permission = MANAGE_PEOPLE

    def view(self, subject: str) -> PeopleView:
        return PeopleView(tuple(PersonRow.of(person) for person in people.listed()))


@never_cache
@require_POST
@requires(MANAGE_PEOPLE, act=Act.INVITE, fresh=True)
def invite(request: HttpRequest) -> HttpResponse:
    """Make an account and show the link by which its owner takes it over."""
    by = _by(request)
    name, role, reason = request.POST.get("name", "").strip(), _role(request), _reason(request, Act.INVITE)
    with acts.act(actor=by, act=Act.INVITE, reason=reason) as act:
        try:
            user, secret = people.invite(name, role, by=by)
        except Refused as refused:
            act.result = refused.word
            return _page(request, problem=refused.word, typed=name[:32])
        act.subject, act.result = f"{user.subject}:{role.value}", "ok"
    return _page(request, link=_link(request, user, Purpose.INVITATION, secret))


def _offering(act: Act) -> View:
    """The view function that makes a link for somebody who has an account."""

    @never_cache
    @require_POST
    @requires(MANAGE_PEOPLE, act=act, fresh=True)
    def offer(request: HttpRequest, user_id: int) -> HttpResponse:
        by, user = _by(request), get_object_or_404(User, pk=user_id)
        with acts.act(actor=by, act=act, subject=user.subject, reason=_reason(request, act)) as recorded:
            try:
                secret = people.link_for(user, OFFERS[act], by=by)
            except Refused as refused:
                recorded.result = refused.word
                return _refused(request, refused)
            recorded.result = "ok"
        return _page(request, link=_link(request, user, OFFERS[act], secret))

    return offer


@require_POST
@requires(MANAGE_PEOPLE, act=Act.CHANGE_ROLE, fresh=True)
def change_role(request: HttpRequest, user_id: int) -> HttpResponse:
    """Give somebody else another role."""
    user, role = get_object_or_404(User, pk=user_id), _role(request)
    return _done(
        request,
        Act.CHANGE_ROLE,
        f"{user.subject}:{role.value}",
        lambda by: people.change_role(user, role, by=by),
        _("%(name)s is %(role)s now.") % {"name": user.get_username(), "role": role.label},
    )


@require_POST
@requires(MANAGE_PEOPLE, act=Act.DEACTIVATE, fresh=True)
def deactivate(request: HttpRequest, user_id: int) -> HttpResponse:
    """Nobody signs in to the account any more."""
    user = get_object_or_404(User, pk=user_id)
    return _done(
        request,
        Act.DEACTIVATE,
        user.subject,
        lambda by: people.deactivate(user, by=by),
        _("%(name)s cannot sign in any more; every session of theirs has ended.") % {"name": user.get_username()},
    )


@require_POST
@requires(MANAGE_PEOPLE, act=Act.REACTIVATE, fresh=True)
def reactivate(request: HttpRequest, user_id: int) -> HttpResponse:
    """Somebody may sign in again, with the password and the role of before."""
    user = get_object_or_404(User, pk=user_id)
    return _done(
        request,
        Act.REACTIVATE,
        user.subject,
        lambda _by: people.reactivate(user),
        _("%(name)s can sign in again.") % {"name": user.get_username()},
    )


@require_POST
@requires(MANAGE_PEOPLE, act=Act.REVOKE_INVITATION, fresh=True)
def revoke_invitation(request: HttpRequest, user_id: int) -> HttpResponse:
    """The link that somebody may still have leads nowhere any more."""
    user = get_object_or_404(User, pk=user_id)

    def revoke(_by: User) -> None:
        if not links.revoke(user, Purpose.INVITATION):
            raise Refused("already")

    said = _("The invitation of %(name)s is revoked.") % {"name": user.get_username()}
    return _done(request, Act.REVOKE_INVITATION, user.subject, revoke, said)


def _done(request: HttpRequest, act: Act, subject: str, do: Callable[[User], None], said: str) -> HttpResponse:
    by = _by(request)
    with acts.act(actor=by, act=act, subject=subject, reason=_reason(request, act)) as recorded:
        try:
            do(by)
        except Refused as refused:
            recorded.result = refused.word
            return _refused(request, refused)
        recorded.result = "ok"
    messages.success(request, said)
    return redirect("dashboard:people")


def _refused(request: HttpRequest, refused: Refused) -> HttpResponse:
    messages.error(request, str(PEOPLE_REFUSED[refused.word]))
    return redirect("dashboard:people")


def _page(request: HttpRequest, *, link: NewLink | None = None, problem: str = "", typed: str = "") -> HttpResponse:
    view = replace(PEOPLE.view(""), link=link, problem=problem, typed=typed)
    return answer(request, PEOPLE, "", view)


def _link(request: HttpRequest, user: User, purpose: Purpose, secret: str) -> NewLink:
    address = request.build_absolute_uri(reverse("accounts:link", args=[secret]))
    return NewLink(user.get_username(), purpose.value, address, int(links.VALID.total_seconds() // 3600))


def _role(request: HttpRequest) -> Role:
    role = request.POST.get("role", "")
    if role not in Role.values:
        raise BadRequest("a role from the list is wanted")
    return Role(role)


def _reason(request: HttpRequest, act: Act) -> str:
    reason = request.POST.get("reason", "")
    if REASONS[act] and reason not in REASONS[act]:
        raise BadRequest("a reason from the list is wanted")
    return reason if REASONS[act] else ""


def _by(request: HttpRequest) -> User:
    return cast(User, request.user)


PEOPLE = PeoplePage()
urlpatterns = [
    path("people", never_cache(shown(PEOPLE)), name="people"),
    path("people/invite", invite, name="invite"),
    path("people/<int:user_id>/invite", _offering(Act.INVITE), name="invite_again"),
    path("people/<int:user_id>/revoke-invitation", revoke_invitation, name="revoke_invitation"),
    path("people/<int:user_id>/role", change_role, name="change_role"),
    path("people/<int:user_id>/deactivate", deactivate, name="deactivate"),
    path("people/<int:user_id>/activate", reactivate, name="reactivate"),
    path("people/<int:user_id>/password-link", _offering(Act.OFFER_PASSWORD), name="offer_password"),
    path("people/<int:user_id>/second-factor-link", _offering(Act.OFFER_SECOND_FACTOR), name="offer_second_factor"),
]

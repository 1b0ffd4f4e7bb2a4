"""A fresh sign-in before sensitive acts: "it is still you", asked where the last proof is older than ten minutes.

Nothing is stored and nothing is repeated: the page that asks carries the fields of the form that was sent, and sends
them to the same address together with the proof. So what was asked for is done once, when the proof is right, and not
at all otherwise; it works without JavaScript.

The proof is a code of the second factor for those who have one (a browser may fill in a password by itself), else the
password.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import render, resolve_url
from django.utils.cache import add_never_cache_headers
from django.utils.http import url_has_allowed_host_and_scheme

from pomni_admin.accounts import second_factor
from pomni_admin.accounts.forms import CODE, CodeForm, KnownPasswordForm
from pomni_admin.accounts.models import User

if TYPE_CHECKING:
    from django.http.request import _ImmutableQueryDict as Fields

FRESH_S: Final = 600
ASKED: Final = "confirming"
"""The field by which the page's answer is known; it says which method the first request had."""
PROOF: Final = "proof"
BACK: Final = "confirming_back"
NOT_CARRIED: Final = {ASKED, PROOF, BACK, "csrfmiddlewaretoken"}


def is_fresh(request: HttpRequest) -> bool:
    """Whether this session's user has given a password or a code within the last ten minutes."""
    records = get_authentication_records(request, cast(User, request.user))
    return bool(records) and 0 <= time.time() - float(records[-1]["at"]) < FRESH_S


def interrupt(request: HttpRequest) -> HttpResponseBase | None:
    """None when the request may go on, with the proof taken out of its fields; else what is answered instead."""
    asked = request.POST.get(ASKED, "") if request.method == "POST" else ""
    problem = ""
    if asked and not is_fresh(request):
        problem = _judge(request, request.POST.get(PROOF, ""))
    if not problem and (asked or is_fresh(request)):
        if asked == "GET":
            return HttpResponseRedirect(request.get_full_path())
        if asked:
            request.POST = _carried(request)
        if is_fresh(request):
            return None
    return _ask(request, asked, problem)


def fresh(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view for which somebody has to have signed in lately; nobody at all is left to the view."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and (instead := interrupt(request)) is not None:
            return instead
        return view(request, *args, **kwargs)

    return guarded


def confirmed(request: HttpRequest, method: str, **facts: object) -> None:
    """Note that this session's user has just proved who they are."""
    record_authentication(request, cast(User, request.user), method, reauthenticated=True, **facts)


def _judge(request: HttpRequest, proof: str) -> str:
    """What is wrong with the proof; empty, and noted in the session, when it is right."""
    user = cast(User, request.user)
    try:
        if second_factor.has(user):
            form = CodeForm(user=user, data={"code": proof})
            if form.is_valid():
                confirmed(request, "mfa", id=form.authenticator.pk, type=form.authenticator.type)
                form.authenticator.record_usage()
                return ""
            return str(form.errors["code"][0])
        known = KnownPasswordForm(user, {"password": proof})
        if known.is_valid():
            confirmed(request, "password")
            return ""
        return str(known.errors["password"][0])
    except ValidationError as error:
        return str(error.messages[0])


def _ask(request: HttpRequest, asked: str, problem: str) -> HttpResponse:
    context = {
        "problem": problem,
        "by_code": second_factor.has(cast(User, request.user)),
        "code_attributes": CODE,
        "method": asked or request.method,
        "carried": [(name, value) for name, values in _carried(request).lists() for value in values],
        "address": request.get_full_path(),
        "back": _back(request),
    }
    response = render(request, "accounts/confirm.html", context)
    add_never_cache_headers(response)
    return response


def _back(request: HttpRequest) -> str:
    """Where "Cancel" leads: to the page with the form, as far as it is one of ours."""
    page = request.POST.get(BACK) or request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if is_ours else resolve_url(settings.LOGIN_REDIRECT_URL)


def _carried(request: HttpRequest) -> Fields:
    """The fields of the form that was sent first."""
    fields = [(name, value) for name, values in request.POST.lists() for value in values if name not in NOT_CARRIED]
    return QueryDict(urlencode(fields))

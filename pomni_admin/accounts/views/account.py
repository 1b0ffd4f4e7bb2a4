"""One's own account: password, second factor, sessions."""

from __future__ import annotations

from allauth.mfa.recovery_codes.views import generate_recovery_codes
from allauth.mfa.totp.views import activate_totp, deactivate_totp
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template.response import SimpleTemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from pomni_admin.accounts import second_factor, sessions
from pomni_admin.accounts.confirm import fresh
from pomni_admin.accounts.forms import PasswordForm
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act


@never_cache
@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Everything about the own account on one page."""
    return _page(request, PasswordForm(_user(request)))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["POST"])
@login_required
def change_password(request: HttpRequest) -> HttpResponse:
    """Set a new password for who knows the old one; every other session of theirs ends."""
    user = _user(request)
    form = PasswordForm(user, request.POST)
    if not form.is_valid():
        return _page(request, form)
    with acts.act(actor=user, act=Act.CHANGE_PASSWORD, subject=user.subject) as act:
        form.save()
        update_session_auth_hash(request, user)
        request.session.save()
        sessions.end_all(user, but=request.session.session_key)
        act.result = "ok"
    messages.success(request, _("The password is changed. Your other sessions have ended."))
    return redirect("accounts:account")


@require_POST
@login_required
@fresh
def end_session(request: HttpRequest) -> HttpResponse:
    """End one of the own sessions, or all but this one."""
    user = _user(request)
    this = request.session.session_key
    with acts.act(actor=user, act=Act.END_SESSIONS, subject=user.subject) as act:
        if "others" in request.POST:
            ended = sessions.end_all(user, but=this)
        else:
            ended = int(sessions.end(user, request.POST.get("session", "")))
        act.result = "ok" if ended else "not_found"
    if ended:
        said = ngettext("%(count)s session has ended.", "%(count)s sessions have ended.", ended) % {"count": ended}
        messages.success(request, said)
    else:
        messages.info(request, _("There was nothing to end: it had ended already."))
    return redirect("accounts:account")


@never_cache
@login_required
@fresh
def set_up(request: HttpRequest) -> HttpResponseBase:
    """Set up an authenticator; every other session, which did not need it, ends."""
    user = _user(request)
    needs = second_factor.required_of(user.role)
    if request.method != "POST" or second_factor.has(user):
        return _rendered(activate_totp(request), needs_second_factor=needs)
    with acts.act(actor=user, act=Act.SET_UP_SECOND_FACTOR, subject=user.subject) as act:
        response = _rendered(activate_totp(request), needs_second_factor=needs)
        act.result = "ok" if second_factor.has(user) else "wrong_code"
        if act.result == "ok":
            sessions.end_all(user, but=request.session.session_key)
    return response


@never_cache
@login_required
@fresh
def remove(request: HttpRequest) -> HttpResponseBase:
    """Remove the own second factor; who needs one to work is led to set up another."""
    user = _user(request)
    if request.method != "POST" or not second_factor.has(user):
        return redirect("accounts:account")
    with acts.act(actor=user, act=Act.REMOVE_SECOND_FACTOR, subject=user.subject) as act:
        response = deactivate_totp(request)
        act.result = "ok" if not second_factor.has(user) else "unstated"
    return _rendered(response)


@never_cache
@login_required
@fresh
def new_codes(request: HttpRequest) -> HttpResponseBase:
    """Make new recovery codes; those of before are void."""
    user = _user(request)
    if request.method != "POST" or not second_factor.has(user):
        return redirect("accounts:account")
    with acts.act(actor=user, act=Act.MAKE_RECOVERY_CODES, subject=user.subject) as act:
        response = generate_recovery_codes(request)
        act.result = "ok"
    return _rendered(response)


def _page(request: HttpRequest, form: PasswordForm) -> HttpResponse:
    user = _user(request)
    context = {
        "form": form,
        "has_second_factor": second_factor.has(user),
        "needs_second_factor": second_factor.required_of(user.role),
        "codes_left": second_factor.codes_left(user),
        "sessions": sessions.of(user, request.session.session_key),
    }
    return render(request, "accounts/account.html", context)


def _rendered(response: HttpResponseBase, **context: object) -> HttpResponseBase:
    """Render now what a library's view has left to render, with more in its context."""
    if not isinstance(response, SimpleTemplateResponse):
        return response
    response.context_data = {**(response.context_data or {}), **context}
    return response.render()


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user

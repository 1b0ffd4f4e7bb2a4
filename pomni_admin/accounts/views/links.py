"""What opens behind a link: choosing a password, or giving up a second factor that was lost."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from pomni_admin.accounts import links, people, throttle
from pomni_admin.accounts.address import address_of, neighbourhood
from pomni_admin.accounts.forms import KnownPasswordForm, NewPasswordForm
from pomni_admin.accounts.models import Link, Purpose
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act

ACTS = {
    Purpose.INVITATION: Act.ACCEPT_INVITATION,
    Purpose.PASSWORD: Act.RESET_PASSWORD,
    Purpose.SECOND_FACTOR: Act.RESET_SECOND_FACTOR,
}


@never_cache
@sensitive_post_parameters()
@sensitive_variables("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def follow(request: HttpRequest, secret: str) -> HttpResponse:
    """Show what the link is for, and do it. Opening it spends nothing: messengers open links to preview them."""
    try:
        return _opened(request, links.find(secret))
    except links.Spent:
        wait_s = throttle.take(throttle.link(neighbourhood(address_of(request))))
    if not wait_s:
        return render(request, "accounts/link_spent.html", status=404)
    response = render(request, "accounts/link_spent.html", {"wait": throttle.told(wait_s)}, status=429)
    response["Retry-After"] = str(wait_s)
    return response


def _opened(request: HttpRequest, link: Link) -> HttpResponse:
    purpose = Purpose(link.purpose)
    known = purpose is Purpose.SECOND_FACTOR
    kind = KnownPasswordForm if known else NewPasswordForm
    form = kind(link.user, request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/link.html", {"form": form, "link": link, "purpose": purpose.value})
    with acts.act(actor=link.user, act=ACTS[purpose], subject=link.user.subject) as act:
        if known:
            people.lose_second_factor(link)
        else:
            people.accept(link, form.cleaned_data["new_password1"])
        act.result = "ok"
    logout(request)  # whoever was signed in here
    messages.success(
        request,
        _("The second factor is gone. Sign in, and set up another.") if known else _("The password is set. Sign in."),
    )
    return redirect("accounts:sign_in")

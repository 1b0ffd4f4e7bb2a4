"""What every request of somebody signed in passes: it counts as activity, and nothing opens without the second factor
that the role requires, but setting one up and leaving."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.deprecation import MiddlewareMixin
from django.utils.translation import gettext as _

from pomni_admin.accounts import second_factor
from pomni_admin.accounts.models import User
from pomni_admin.accounts.session_store import SessionStore

OPEN: Final = frozenset(
    {"mfa_activate_totp", "accounts:sign_in", "accounts:sign_out", "accounts:link"}
    | {"set_language", "dashboard:theme", "dashboard:healthz"}
)
"""The names of the addresses that somebody without the second factor may use."""

WITHOUT_SESSION: Final = "api"
"""The namespace of the addresses that know nobody who is signed in."""


class AccountGate(MiddlewareMixin):
    """Django's mixin, so that a request under ASGI is not handed to another thread for this alone."""

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is not None and (match.view_name in OPEN or WITHOUT_SESSION in match.namespaces):
            return None  # without a look at the user: the probe asks no database
        user = request.user
        if not isinstance(user, User):
            if request.session.session_key is None and request.COOKIES.get(settings.SESSION_COOKIE_NAME):
                # The cookie is taken back with the answer, so this is said once.
                messages.info(request, _("Your session has expired or was ended. Sign in again."))
            return None
        if isinstance(request.session, SessionStore):
            request.session.touch()
        if second_factor.is_lacking(user):
            return HttpResponseRedirect(reverse("mfa_activate_totp"))
        return None

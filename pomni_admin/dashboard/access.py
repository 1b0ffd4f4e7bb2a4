"""Who may open what: one decorator on every view of the site."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse

from pomni_admin.accounts import confirm
from pomni_admin.audit import acts

View: TypeAlias = Callable[..., HttpResponseBase]


def requires(permission: str, *, act: str = "", fresh: bool = False) -> Callable[[View], View]:
    """Let through only signed-in users with `permission`; others go to sign-in, or get 403.

    With `act` the view changes something: an attempt without the permission is put on record (G11). With `fresh` it is
    sensitive: who has not proved lately who they are is asked first, and the view is called once they have.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                back = request.get_full_path() if request.method == "GET" else reverse("dashboard:overview")
                return redirect_to_login(back)
            user = request.user
            if not user.has_perm(permission):
                if act and request.method == "POST":
                    subject = kwargs.get("subject")  # of the address: the job that the view is about
                    acts.refused(user, act, subject=str(subject) if isinstance(subject, UUID) else "")
                raise PermissionDenied
            if fresh and (instead := confirm.interrupt(request)) is not None:
                return instead
            return view(request, *args, **kwargs)

        return guarded

    return decorate

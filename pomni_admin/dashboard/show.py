"""The HTTP side of a page: the same fragments that live updates bring, inside the whole page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import Role
from pomni_admin.dashboard.access import View, requires
from pomni_admin.dashboard.page import Audience, Gone, Page


def audience_of(request: HttpRequest) -> Audience:
    """The audience that the signed-in user of this request belongs to."""
    return Audience(cast(Role, cast(User, request.user).role), get_language() or "en")


def shown(page: Page[Any]) -> View:
    """The view function that answers GET for a page."""

    @require_safe
    @requires(page.permission)
    def show(request: HttpRequest, subject: object = "") -> HttpResponse:
        try:
            view = page.view(str(subject))
        except Gone as gone:
            if page.gone:
                return render(request, page.gone, status=404)
            raise Http404 from gone
        return answer(request, page, str(subject), view)

    return show


def answer(
    request: HttpRequest, page: Page[Any], subject: str, view: object, extra: Mapping[str, object] | None = None
) -> HttpResponse:
    """Render the whole page around its fragments."""
    audience = audience_of(request)
    context = {
        "page": page,
        "subject": subject,
        "view": view,
        "fragments": page.paint(view, audience),
        "here": request.get_full_path() if request.method == "GET" else page.address_of(subject),
        "live": page.live_address(subject, audience.language),
        **(extra or {}),
    }
    return render(request, page.template, context)

"""What every page of the site shows around its content."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import get_language, get_language_info
from django.utils.translation import gettext as _

from pomni_admin.accounts.models import User
from pomni_admin.dashboard.page import Audience
from pomni_admin.dashboard.registry import PAGES
from pomni_admin.dashboard.theme import theme_of


def site(request: HttpRequest) -> Mapping[str, Any]:
    """The context processor: environment, navigation, permissions, language and theme."""
    user = getattr(request, "user", None)
    role = user.role if isinstance(user, User) else None
    audience = Audience(role, get_language() or "en") if role else None
    return {
        "environment": settings.ENV.mode,
        "is_stand_in": _is_stand_in(settings.ENV.provider),
        "role": role,
        "can": audience.can if audience else {},
        "navigation": [page for page in PAGES if audience and not page.under and audience.may(page.permission)],
        "languages": [get_language_info(code) for code, _name in settings.LANGUAGES],
        "theme": theme_of(request),
        "here": request.get_full_path() if request.method == "GET" else reverse("dashboard:jobs"),
        "words": live_words(),
        "now": datetime.now(UTC),
    }


@cache
def _is_stand_in(path: str) -> bool:
    return bool(import_string(path).is_stand_in)


def live_words() -> Mapping[str, str]:
    """The words that the page's script needs, in the page's language."""
    return {
        "live": _("Live"),
        "live_paused": _("Paused"),
        "lost": _("Connection lost, reconnecting"),
        "connecting": _("Connecting…"),
        "reconnecting": _("Reconnecting in {seconds} s"),
        "stale": _("Stale since {time}"),
        "signed_out": _("Signed out: live updates have ended"),
        "forbidden": _("Not allowed: live updates have ended"),
        "gone": _("This page no longer exists"),
        "redis_away": _("Live updates paused: Redis is away. Showing what PostgreSQL knows, every few seconds"),
        "source_away": _("Live updates paused: the data cannot be read. Showing what was last known"),
        "ago": _("{time} ago"),
        "in": _("in {time}"),
        "over": _("over"),
        "here": _("{time} your time"),
        "d": _("d"),
        "h": _("h"),
        "min": _("min"),
        "s": _("s"),
    }

"""What every page of the site shows around its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
from pomni_admin.cache import layer
from pomni_admin.dashboard.page import Audience, Page
from pomni_admin.dashboard.registry import PAGES
from pomni_admin.dashboard.theme import theme_of

KEYS: Mapping[str, str] = {
    "overview": "o",
    "jobs": "j",
    "caches": "c",
    "locks": "l",
    "users": "u",
    "health": "h",
    "audit": "a",
    "people": "p",
}
"""The letter that leads to a page, after g."""
RATES_S = (1, 2, 5)
"""How often a live page may change, for who does not want it at once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation; `key` is empty for one that no shortcut leads to."""

    name: str
    title: str
    address: str
    key: str

    @classmethod
    def of(cls, page: Page[Any]) -> Entry:
        return cls(page.name, str(page.title), page.address, KEYS.get(page.name, ""))


@dataclass(frozen=True, slots=True)
class EnvironmentLabel:
    """What this site calls itself at the head of each page, and the colour of that."""

    label: str
    tone: str


def site(request: HttpRequest) -> Mapping[str, Any]:
    """The context processor: environment, navigation, permissions, language and theme."""
    user = getattr(request, "user", None)
    role = user.role if isinstance(user, User) else None
    audience = Audience(role, get_language() or "en") if role else None
    return {
        "environment": EnvironmentLabel(settings.ENV.label, settings.ENV.mode),
        "caches_off": _off_here(),
        "rates": RATES_S,
        "is_stand_in": _is_stand_in(settings.ENV.provider),
        "role": role,
        "can": audience.can if audience else {},
        "navigation": [
            Entry.of(page) for page in PAGES if audience and not page.under and audience.may(page.permission)
        ],
        "languages": [get_language_info(code) for code, _name in settings.LANGUAGES],
        "theme": theme_of(request),
        "here": request.get_full_path() if request.method == "GET" else reverse("dashboard:overview"),
        "words": live_words(),
        "now": datetime.now(UTC),
    }


def _off_here() -> Mapping[str, str]:
    """The caches that do not use Redis in this process, and why, by what it knows already: asks nobody."""
    return layer().switches.off()


@cache
def _is_stand_in(path: str) -> bool:
    return bool(import_string(path).is_stand_in)


def live_words() -> Mapping[str, str]:
    """The words that the page's script needs, in the page's language."""
    return {
        "live": _("Live"),
        "live_paused": _("Updates paused"),
        "lost": _("Connection lost, reconnecting"),
        "connecting": _("Connecting…"),
        "reconnecting": _("Reconnecting in {seconds} s"),
        "stale": _("Stale since {time}"),
        "freeze": _("Freeze view"),
        "go_on": _("Go on"),
        "frozen": _("Frozen by you"),
        "frozen_more": _("Frozen by you: something has changed since"),
        "signed_out": _("Signed out: live updates have ended"),
        "forbidden": _("Not allowed: live updates have ended"),
        "gone": _("This page no longer exists"),
        "redis_away": _("Live updates paused: Redis is away. Showing what PostgreSQL knows, every few seconds"),
        "source_away": _("Live updates paused: the data cannot be read. Showing what was last known"),
        "ago": _("{time} ago"),
        "in": _("in {time}"),
        "over": _("over"),
        "d": _("d"),
        "h": _("h"),
        "min": _("min"),
        "s": _("s"),
    }

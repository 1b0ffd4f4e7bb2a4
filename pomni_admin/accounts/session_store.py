"""Sessions in PostgreSQL that know whose they are and when they end: Django's store with columns of its own.

A session ends after a time without requests, and at the latest so long after the sign-in. Both are one date, so that
whatever reads sessions (requests, WebSockets, `clear_expired`) keeps to both. A live page sends no requests: watching
is not activity.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import F
from django.db.models.functions import Least
from django.http import HttpRequest
from django.utils import timezone

from pomni_admin.accounts.address import address_of, browser_of
from pomni_admin.accounts.models import Session

SIGNED_IN_AT: Final = "signed_in_at"
ADDRESS: Final = "address"
BROWSER: Final = "browser"
TOUCH_S: Final = 60.0
"""A session is marked as seen at most so often, so that most requests write nothing."""


class SessionStore(DatabaseStore):
    """The store that `SESSION_ENGINE` names."""

    seen_at: datetime | None = None
    """When the row that was loaded had been seen; None for a session without one."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        now = timezone.now()
        user_id = data.get(SESSION_KEY)
        signed_in_at = datetime.fromisoformat(data.setdefault(SIGNED_IN_AT, now.isoformat())) if user_id else None
        return Session(
            session_key=self._get_or_create_session_key(),  # type: ignore[attr-defined]
            session_data=self.encode(data),
            expire_date=end_of(now, signed_in_at),
            user_id=int(user_id) if user_id else None,
            signed_in_at=signed_in_at,
            seen_at=now,
            address=data.get(ADDRESS) or None,
            browser=data.get(BROWSER, ""),
        )

    def load(self) -> dict[str, Any]:
        row = self._get_session_from_db()  # type: ignore[attr-defined]
        if row is None:
            return {}
        self.seen_at = row.seen_at
        return dict(self.decode(row.session_data))

    async def aload(self) -> dict[str, Any]:
        row = await self._aget_session_from_db()  # type: ignore[attr-defined]
        if row is None:
            return {}
        self.seen_at = row.seen_at
        return dict(self.decode(row.session_data))

    def touch(self) -> None:
        """Somebody signed in has asked for something: the idle time begins anew, the absolute limit stays."""
        now = timezone.now()
        if self.session_key is None or self.seen_at is None or (now - self.seen_at).total_seconds() < TOUCH_S:
            return
        limit = timedelta(seconds=settings.ENV.session_max_s)
        idle_end = now + timedelta(seconds=settings.ENV.session_idle_s)
        Session.objects.filter(session_key=self.session_key, signed_in_at__isnull=False).update(
            seen_at=now, expire_date=Least(idle_end, F("signed_in_at") + limit)
        )
        self.seen_at = now


def signed_in(request: HttpRequest) -> None:
    """The absolute limit begins; where from and with what is kept for the list of one's own sessions."""
    request.session[SIGNED_IN_AT] = timezone.now().isoformat()
    request.session[ADDRESS] = address_of(request)
    request.session[BROWSER] = browser_of(request)
    SessionStore.clear_expired()


def end_of(now: datetime, signed_in_at: datetime | None) -> datetime:
    """When a session ends that is used now."""
    idle_end = now + timedelta(seconds=settings.ENV.session_idle_s)
    return min(idle_end, (signed_in_at or now) + timedelta(seconds=settings.ENV.session_max_s))

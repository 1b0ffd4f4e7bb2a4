"""Who may open a WebSocket: a page of this site. Browsers send its origin, and keep other pages from forging it.

A WebSocket takes cookies along and has no token against forgery; without this check any page that a signed-in person
opens could watch with their eyes. Another port of the same host is another site.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host


class SameOrigin:
    """Around an ASGI application: refuses (403, before the handshake) what does not come from a page of ours."""

    def __init__(self, application: Any) -> None:
        self._application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if is_ours(origin, host):
            return await self._application(scope, receive, send)
        return await WebsocketDenier()(scope, receive, send)


def is_ours(origin: str, host: str) -> bool:
    """Whether the page is one of the host that was asked, which must be one that the site knows, or a trusted one."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    domain, _port = split_domain_port(host.lower())
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    if parts.scheme not in ({"https"} if settings.SESSION_COOKIE_SECURE else {"http", "https"}):
        return False
    default = ":443" if parts.scheme == "https" else ":80"
    return parts.netloc.lower().removesuffix(default) == host.lower().removesuffix(default)

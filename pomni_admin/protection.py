"""Headers and refusals that hold for every answer, whatever made it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pomni_admin.limits import ADDRESS_BYTES, BODY_BYTES, TOO_LARGE

UNUSED: Final = (
    *("accelerometer", "autoplay", "browsing-topics", "camera", "display-capture", "encrypted-media", "fullscreen"),
    *("geolocation", "gyroscope", "idle-detection", "magnetometer", "microphone", "midi", "payment"),
    *("picture-in-picture", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
"""What browsers offer to pages and this site has no use for. `publickey-credentials-get` is left, for security keys."""

HEADERS: Final = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED),
    "X-Permitted-Cross-Domain-Policies": "none",
}


class Protection:
    """Middleware before everything that answers, static files included."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        return response


class Limits:
    """Middleware after the one that knows the language: answers in the design, before a session is read."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if self._is_too_large(request):
            response = render(request, "413.html", status=413)
            response["Connection"] = "close"  # what is still coming is not read
            return response
        if len(request.get_full_path()) > ADDRESS_BYTES:
            return render(request, "400.html", status=414)
        return self._get_response(request)

    @staticmethod
    def _is_too_large(request: HttpRequest) -> bool:
        length = request.META.get("CONTENT_LENGTH") or "0"
        told = getattr(request, "scope", {}).get(TOO_LARGE, False)
        return bool(told) or (length.isascii() and length.isdigit() and int(length[:18]) > BODY_BYTES)

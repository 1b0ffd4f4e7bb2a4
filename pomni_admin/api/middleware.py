"""Around everything: below `/api/` each answer is JSON, whoever made it, and no page, redirect or cookie of the site.

A redirect to TLS, for one, would turn a POST into a GET that starts nothing, and repeat the address with whom it was
about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

from pomni_admin.api import refusals
from pomni_admin.api.refusals import Refused

BELOW: Final = "/api/"


class AlwaysJson:
    """Middleware, next to the outermost."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if not request.path_info.startswith(BELOW):
            return response
        if response.status_code >= 300 and not response.get("Content-Type", "").startswith("application/json"):
            _put_in_shape(response)
        response.cookies.clear()
        response["Cache-Control"] = "no-store"
        response["Content-Language"] = "en"
        return response


def _put_in_shape(response: HttpResponse) -> None:
    """In place, so that the headers stay that protect the site's answers."""
    refused = refusals.plain(response.status_code)
    if response.status_code < 400:
        said = "the API is to be called over TLS: a redirect would lose what is sent"
        refused = Refused(400, "tls_only", said, allowed="an address that begins with https://")
        response.status_code = refused.status
        del response["Location"]
    answer = refusals.answer(refused)
    response.content = answer.content
    response["Content-Type"] = answer["Content-Type"]
    del response["Content-Length"]

"""What somebody is told whose act was not done because it could not be put on record (G11)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pomni_admin.audit.acts import NotOnRecord

log = logging.getLogger(__name__)


class Unrecorded:
    """Middleware: a page that says so, and that nothing was changed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, NotOnRecord):
            return None
        log.error("%s", exception)
        return render(request, "unrecorded.html", status=503)

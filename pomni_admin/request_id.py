"""Each request has an id, by which its answer, its log lines and what it put on record are found together."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.core.signals import request_finished
from django.http import HttpRequest, HttpResponse
from structlog.contextvars import bind_contextvars, unbind_contextvars

from pomni_admin.audit.vocabulary import REQUEST_ID

HEADER: Final = "X-Request-ID"


class RequestId:
    """Middleware, the outermost: takes the id that a proxy gave, or makes one, and puts it on the answer.

    Taken is hexadecimal only, with hyphens: what else somebody may send would come to stand in the log (G6).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "").lower()
        request_id = given if re.fullmatch(REQUEST_ID, given) else uuid.uuid4().hex
        bind_contextvars(request_id=request_id)  # to the end: Django logs a 4xx when all middleware is done
        response = self._get_response(request)
        response[HEADER] = request_id
        return response


def _finished(**_: Any) -> None:
    unbind_contextvars("request_id")


request_finished.connect(_finished)

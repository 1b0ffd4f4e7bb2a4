"""How the API says no: one shape, whatever the reason, and nothing in it of what was sent (G6).

::

    Refused     what all of them are; the message says what was wrong, `allowed` what would be right

What the rest of the product raises (`jobs.JobError`, `InvalidPeriod`, `NotOnRecord`, …) is turned into it by the
handlers at the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from pydantic import BaseModel, Field

from pomni_admin.api.parameters import ALLOWED
from pomni_admin.audit.acts import NotOnRecord
from pomni_admin.summaries import jobs
from pomni_admin.summaries.vectors import VectorsError

log = logging.getLogger(__name__)

Turn: TypeAlias = Callable[[Any], "Refused"]


class Error(BaseModel):
    """What was wrong. All four are always there."""

    code: str = Field(description="A fixed word for programs.", examples=["not_allowed"])
    message: str = Field(description="A sentence for people. It never repeats what was sent.")
    field: str | None = Field(description="The parameter that it is about.", examples=["day"])
    allowed: str | None = Field(description="What would be right.", examples=["a day written YYYY-MM-DD"])


class ErrorAnswer(BaseModel):
    """Every answer that is not 200."""

    error: Error


class Refused(Exception):
    """A call that is not done; `code` is a fixed word, and `headers` go with the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        allowed: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status, self.code, self.message, self.field, self.allowed = status, code, message, field, allowed
        self.headers = headers or {}
        super().__init__(f"{status} {code}")


PLAIN: Final[Mapping[int, tuple[str, str, str | None]]] = {
    400: ("bad_request", "the request cannot be understood", None),
    403: ("forbidden", "this is not allowed", None),
    404: ("not_found", "there is nothing at this address", "an address of /api/admin/openapi.json"),
    405: ("method_not_allowed", "this address does not take this method", "a method of the header Allow"),
    413: ("too_large", "the body is too large", "at most 64 KiB"),
    414: ("address_too_long", "the address is too long", "at most 4 KiB"),
    500: ("internal", "something went wrong here; the log says what, under this answer's X-Request-ID", None),
    503: ("unavailable", "this cannot be done now; nothing was started", "the same call, later"),
}
"""What Django and the server answer by status, in the API's shape."""

DESCRIPTIONS: Final[Mapping[int, str]] = {
    400: "The request is not one: JSON that is none, a parameter that there is not, twice or with two values, a secret"
    " where it does not belong.",
    401: "The secret is missing or wrong.",
    404: "No job, or nobody, has this id.",
    409: "The job is not in a state for this.",
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON in UTF-8.",
    422: "A parameter is missing, or its value is not allowed.",
    429: "Too many wrong secrets from this address; Retry-After says for how many seconds.",
    500: "A fault of the site.",
    503: "The API is switched off, or something that it needs is away.",
}
ALWAYS: Final = (400, 401, 422, 429, 500, 503)
WITH_BODY: Final = (413, 415)


def answers(answer: type[BaseModel], *others: int) -> dict[Any, Any]:
    """The `response` of an operation: its answer, and all that it may answer instead."""
    return {200: answer, **dict.fromkeys(sorted({*ALWAYS, *others}), ErrorAnswer)}


def described(*others: int) -> dict[str, Any]:
    """The `openapi_extra` that goes with `answers`."""
    found: dict[int, dict[str, Any]] = {
        status: {"description": DESCRIPTIONS[status]} for status in sorted({*ALWAYS, *others})
    }
    whole_seconds = {"type": "integer", "minimum": 1}
    found[429]["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": whole_seconds}}
    return {"responses": found}


def answer(refused: Refused) -> HttpResponse:
    """The refusal as it is sent."""
    error = Error(code=refused.code, message=refused.message, field=refused.field, allowed=refused.allowed)
    response = JsonResponse({"error": error.model_dump()}, status=refused.status)
    for name, value in refused.headers.items():
        response[name] = value
    return response


def plain(status: int) -> Refused:
    """The refusal for a bare status."""
    code, message, allowed = PLAIN.get(status) or PLAIN[400 if status < 500 else 500]
    return Refused(status, code, message, allowed=allowed)


def handle_in(api: NinjaAPI) -> None:
    """Have `api` answer everything that is raised in it in this shape."""
    api.add_exception_handler(Exception, _fault)
    for kind, turn in TURNED.items():
        api.add_exception_handler(kind, _answering(turn))


def _answering(turn: Turn) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda _request, error: answer(turn(error))


def _of_job(status: int, error: jobs.JobError, field: str) -> Refused:
    return Refused(status, error.code, str(error), field=field, allowed=ALLOWED[field])


def _invalid(errors: list[dict[str, Any]]) -> Refused:
    """For the first value that does not fit. Of what pydantic says only place and type are used: the rest may quote."""
    first = errors[0]
    names = [part for part in first["loc"] if part in ALLOWED]
    if not names:
        if first["type"] == "extra_forbidden":
            near = next(iter(get_close_matches(str(first["loc"][-1]), ALLOWED, 1)), None)
            said = "the body has a parameter that this call does not take"
            return Refused(400, "unknown_parameter", said + (f"; is {near} meant?" if near else ""), field=near)
        return Refused(400, "invalid_body", "the body is not what this call takes", allowed="a JSON object, or no body")
    name = str(names[-1])
    if first["type"] == "missing":
        return missing(name)
    allowed = first["ctx"]["expected"] if first["type"] == "literal_error" else ALLOWED[name]
    return Refused(422, "not_allowed", f"the value of {name} is not allowed", field=name, allowed=allowed)


def missing(name: str) -> Refused:
    return Refused(422, "missing", f"{name} is missing", field=name, allowed=ALLOWED[name])


def _of_ninja(error: HttpError) -> Refused:
    """Ninja puts what reading a body raises into an error of its own."""
    return error.__cause__ if isinstance(error.__cause__, Refused) else plain(error.status_code)


def _not_on_record(error: NotOnRecord) -> Refused:
    log.error("%s", error)
    said = "this was not done, because it could not be put on record"
    return Refused(503, "not_on_record", said, allowed="the same call, later")


def _without_database(error: DatabaseError) -> Refused:
    log.error("PostgreSQL did not do what the API asked of it", exc_info=error)
    return plain(503)


def _without_vectors(error: VectorsError) -> Refused:
    return Refused(503, error.code, "Qdrant could not be asked", allowed="the same call, later")


def _fault(_request: HttpRequest, error: Any) -> HttpResponse:
    raise error  # Django logs it; the middleware gives the answer its shape


TURNED: Final[Mapping[type[Exception], Turn]] = {
    Refused: lambda error: error,
    HttpError: _of_ninja,
    ValidationError: lambda error: _invalid(error.errors),
    jobs.NoSuchJob: lambda error: _of_job(404, error, "job_id"),
    jobs.UnknownPerson: lambda error: _of_job(404, error, "user_id"),
    jobs.NotNow: lambda error: _of_job(409, error, "job_id"),
    jobs.AlreadyRunning: lambda error: _of_job(409, error, "job_id"),
    NotOnRecord: _not_on_record,
    VectorsError: _without_vectors,
    DatabaseError: _without_database,
}
"""What is raised, and what it comes to for a caller."""

"""Who may call: whoever has the secret of `POMNI_API_SECRET`, in a header and nowhere else.

A secret in an address ends up in the logs of proxies and in histories, so that one is refused whatever it is, right
ones too: otherwise the answer would tell a guess from another. Failures are counted by address, in PostgreSQL. From an
address with too many nothing is taken for a while, be it right; what others do elsewhere does not matter.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, NoReturn

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyHeader, HttpBearer

from pomni_admin.accounts import throttle
from pomni_admin.accounts.address import address_of, neighbourhood
from pomni_admin.accounts.shared_secret import is_right
from pomni_admin.accounts.throttle import Limit
from pomni_admin.api.json_body import read_json
from pomni_admin.api.refusals import Refused
from pomni_admin.audit import acts
from pomni_admin.audit.acts import Actor
from pomni_admin.audit.vocabulary import Act
from pomni_admin.summaries import control

log = logging.getLogger(__name__)

HEADERS: Final = "the header X-Admin-Secret, or Authorization: Bearer …"
MISPLACED: Final = frozenset({"secret", "admin_secret", "x_admin_secret", "api_secret", "pomni_api_secret"})
"""Parameters in which the bot takes a secret, or somebody may believe that we do."""

UNPROVEN: Final = Actor("", "unproven")
"""Who calls with a wrong secret."""

ON_RECORD: Final = Limit("refused calls on record", "", 60)
"""At most so many refused calls are put on record in a window, however many addresses somebody has."""


class AdminSecret(APIKeyHeader):
    """`X-Admin-Secret`. Which header is looked at is decided here for both, so that a failure counts once."""

    param_name = "X-Admin-Secret"
    openapi_description = "The secret of POMNI_API_SECRET."

    def __call__(self, request: HttpRequest) -> Actor:
        return self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> Actor:
        return check(request)


class Bearer(HttpBearer):
    """`Authorization: Bearer`. Ninja asks it after the other, which has answered or raised by then."""

    openapi_description = "The same secret."

    def __call__(self, request: HttpRequest) -> Actor:
        return self.authenticate(request, "")

    def authenticate(self, request: HttpRequest, token: str) -> Actor:
        return check(request)


def check(request: HttpRequest) -> Actor:
    """As whom the call is made.

    Raises:
        Refused: it is not to be.
    """
    _refuse_in_address(request)
    secrets: Sequence[str] = settings.ENV.api_secrets
    if not secrets:
        said = "the HTTP API is off: POMNI_API_SECRET is not set on the site"
        raise Refused(503, "api_off", said, allowed="calls once it is set")
    offered = _offered(request)
    if offered is None:
        _look_for_it_in_the_body(request)
        raise _unauthorized("unauthorized", "the secret is missing")
    if not is_right(offered, secrets):
        _wrong(request)
    if wait_s := throttle.seconds_shut(_limits(request)):
        raise _too_many(wait_s)
    return control.CRON


def refuse_in_body(body: Any) -> None:
    """Raises:
    Refused: there is a secret in it.
    """
    if isinstance(body, dict) and any(_is_misplaced(name) for name in body):
        said = "a secret does not belong into the body"
        raise Refused(400, "secret_in_body", said, field="secret", allowed=HEADERS)


def _offered(request: HttpRequest) -> str | None:
    own = request.headers.get("X-Admin-Secret")
    if own is not None:
        return own.strip()
    scheme, _space, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _refuse_in_address(request: HttpRequest) -> None:
    if any(_is_misplaced(name) for name in request.GET):
        said = "a secret does not belong into the address, where logs keep it: change it, and send it in a header"
        raise Refused(400, "secret_in_address", said, field="secret", allowed=HEADERS)


def _look_for_it_in_the_body(request: HttpRequest) -> None:
    """So that whoever sends it there as to the bot is told where it belongs, and not only that it is missing."""
    if request.content_type == "application/x-www-form-urlencoded":
        refuse_in_body(request.POST.dict())
    if request.content_type != "application/json" or not request.body:
        return
    try:
        body = read_json(request.body)
    except Refused:
        return  # the secret is missing all the same
    refuse_in_body(body)


def _is_misplaced(name: object) -> bool:
    return isinstance(name, str) and name.casefold().replace("-", "_") in MISPLACED


def _limits(request: HttpRequest) -> tuple[Limit]:
    return throttle.wrong_secret(neighbourhood(address_of(request)))


def _wrong(request: HttpRequest) -> NoReturn:
    """Count it, and put the first from an address on record, and the one after which it is shut."""
    (limit,) = _limits(request)
    number, left_s = throttle.count(limit)
    if number in {1, limit.most} and throttle.count(ON_RECORD)[0] <= ON_RECORD.most:
        acts.refused(UNPROVEN, Act.CALL_API)
    log.warning("a call with a wrong secret was refused", extra={"number": number})
    if number > limit.most:
        raise _too_many(left_s)
    raise _unauthorized("wrong_secret", "the secret is wrong")


def _unauthorized(code: str, said: str) -> Refused:
    return Refused(401, code, said, allowed=HEADERS, headers={"WWW-Authenticate": "Bearer"})


def _too_many(wait_s: int) -> Refused:
    return Refused(
        429,
        "too_many_failures",
        "there were too many calls with a wrong secret from this address",
        allowed=f"a call in {wait_s} s",
        headers={"Retry-After": str(wait_s)},
    )

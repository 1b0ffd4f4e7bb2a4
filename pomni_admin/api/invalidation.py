"""Dropping what a cache holds of one person: the third way to what a payment and the button of support come to as well.

Whom it is about is taken from the body only, never from the address, and put on record as a handle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from django.http import HttpRequest
from ninja import Body, Router
from pydantic import BaseModel, Field

from cache_layer import Invalidated
from pomni_admin import cache
from pomni_admin.api.parameters import ACCESS, ALLOWED, CACHES, TEXTS, Invalidate
from pomni_admin.api.reading import only
from pomni_admin.api.refusals import WITH_BODY, Refused, answers, described, missing
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.bot.models import BotUser
from pomni_admin.summaries import control

DROPPED_WITH: Final[Mapping[str, tuple[str, ...]]] = {
    "access_state": ACCESS,
    **{name: (name,) for name in CACHES if name != "access_state"},
}

DROP: Final[Mapping[str, Callable[[int, int], Invalidated]]] = {
    "access_state": lambda user_id, _tg_id: cache.layer().access_state.invalidate(user_id),
    "identity": lambda _user_id, tg_id: cache.layer().identity.invalidate(tg_id),
    "recent_history": lambda user_id, _tg_id: cache.layer().history.invalidate(user_id),
    "rag": lambda user_id, _tg_id: cache.layer().rag.forget(user_id),
}


class Dropped(BaseModel):
    """What was dropped. The next reader asks the source."""

    status: str = Field(
        description="`ok`, or `off` where the cache is switched off, and nothing was in it.",
        json_schema_extra={"enum": ["ok", "off"]},
    )
    cache: str = Field(json_schema_extra={"enum": list(CACHES)})
    dropped: list[str] = Field(
        description="The caches that held something of this person.", examples=[["access_state"]]
    )
    load_stopped: bool = Field(description="Whether somebody was loading, whose answer will not be stored.")
    receipt: str = Field(description="The number of the audit's entry.", examples=["R-7KQ2-M9XD"])


router = Router(tags=["caches"])


@router.post("/invalidate", response=answers(Dropped, 404, *WITH_BODY), openapi_extra=described(404, *WITH_BODY))
def invalidate(request: HttpRequest, body: Body[Invalidate]) -> Dropped:
    """Drop what one cache holds of one person. By `user_id` or `tg_id`, in the JSON body."""
    only(request)
    act = Act.INVALIDATE_TEXTS if body.cache in TEXTS else Act.INVALIDATE_ACCESS
    reason = _reason(act, body)
    user_id, tg_id = _person(body)
    layer = cache.layer()
    found: dict[str, Invalidated] = {}
    with acts.act(
        actor=control.CRON, act=act, subject=body.cache, handle=cache.handle_of(user_id), reason=reason
    ) as recorded:
        for name in DROPPED_WITH[body.cache]:
            found[name] = DROP[name](user_id, tg_id)
        is_on = any(layer.switches.is_on(name) for name in found)
        reached = all(one.reached or not layer.switches.is_on(name) for name, one in found.items())
        recorded.result = ("ok" if reached else "unreachable") if is_on else "off"
    if not reached:
        ends_s = max(int(layer.settings.ttls[name].total_seconds()) for name in found)
        said = f"Redis could not be asked; what it holds ends by itself within {ends_s} s"
        raise Refused(503, "unreachable", said, allowed="the same call, later")
    return Dropped(
        status=recorded.result,
        cache=body.cache,
        dropped=[name for name, one in found.items() if one.value],
        load_stopped=any(one.lease for one in found.values()),
        receipt=recorded.receipt,
    )


def _reason(act: Act, body: Invalidate) -> Reason:
    reason = Reason(body.reason) if "reason" in body.model_fields_set else Reason.OTHER
    if reason not in REASONS[act]:
        said = "the value of reason is not allowed for this cache"
        raise Refused(422, "not_allowed", said, field="reason", allowed=", ".join(REASONS[act]))
    return reason


def _person(body: Invalidate) -> tuple[int, int]:
    """`users.id` and Telegram id of whom it is about."""
    named = body.model_fields_set & {"user_id", "tg_id"}
    if not named:
        raise missing("user_id")
    if len(named) == 2:
        said = "user_id and tg_id are both given"
        raise Refused(400, "different_values", said, field="user_id", allowed="one of user_id and tg_id")
    (field,) = named
    one = {"id": body.user_id} if field == "user_id" else {"tg_id": body.tg_id}
    person = BotUser.objects.filter(**one).values_list("id", "tg_id").first()
    if person is None:
        raise Refused(404, "unknown_person", f"nobody has this {field}", field=field, allowed=ALLOWED[field])
    return person

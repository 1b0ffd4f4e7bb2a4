"""One person's summaries compared with their vectors. Everybody's takes too long for a call: see the shell."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Body, Query, Router
from pydantic import BaseModel, ConfigDict, Field

from pomni_admin.api.parameters import LEFT_OUT, Repair, UserId
from pomni_admin.api.reading import given, only
from pomni_admin.api.refusals import WITH_BODY, answers, described, missing
from pomni_admin.audit.vocabulary import Reason
from pomni_admin.bot import people
from pomni_admin.summaries import control, vector_check
from pomni_admin.summaries.jobs import UnknownPerson


class Compared(BaseModel):
    """Counts."""

    model_config = ConfigDict(from_attributes=True)

    rows: int = Field(description="Summaries.")
    points: int = Field(description="Vectors.")
    pending: int = Field(description="Summaries whose vector is on its way.")
    missing: int = Field(description="Summaries without a vector.")
    outdated: int = Field(description="Vectors of an older text.")
    orphans: int = Field(description="Vectors without a summary.")
    foreign: int = Field(description="Vectors of somebody else's make, left alone.")
    mended: int = Field(description="Put right, or on the way there.")
    differs: bool


router = Router(tags=["vectors"])


@router.get("/vectors", response=answers(Compared, 404), openapi_extra=described(404))
def compare_vectors(request: HttpRequest, user_id: Query[UserId]) -> Compared:
    """Compare, and change nothing."""
    only(request, "user_id")
    _known(user_id)
    return Compared.model_validate(vector_check.verify(user_id))


@router.post("/vectors/repair", response=answers(Compared, 404, *WITH_BODY), openapi_extra=described(404, *WITH_BODY))
def repair_vectors(request: HttpRequest, query: Query[Repair], body: Body[Repair] = LEFT_OUT) -> Compared:
    """Mend what differs. `user_id` is needed."""
    asked = given(request, query, body)
    if "user_id" not in asked:
        raise missing("user_id")
    _known(asked["user_id"])
    reason = Reason(asked.get("reason", Reason.OTHER))
    found = control.repair_vectors(control.CRON, reason=reason, user_id=asked["user_id"])
    return Compared.model_validate(found)


def _known(user_id: int) -> None:
    if people.tg_id_of(user_id) is None:
        raise UnknownPerson

"""What the calls take, in a query and in a JSON body alike. One definition, for reading and for the description.

Values are strict: `"5"` in JSON is no number, and `true` none either. Defaults are never read: who reads a call gets
what was given (`reading.given`), so that a parameter that was left out is told from one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.bot.people import BIGINT_MAX
from pomni_admin.summaries.periods import DAY_WRITTEN, MONTH_WRITTEN, MOST_DAYS, REBUILD_DAYS
from pomni_admin.summaries.schedules import KINDS

ACCESS, TEXTS = ("access_state", "identity"), ("recent_history", "rag")
CACHES: Final = (*ACCESS, *TEXTS)
"""The caches that hold something of one person. Not `talkbuf`: what waits there nobody has answered yet."""

JOB_ID: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"

ALLOWED: Final[Mapping[str, str]] = {
    "user_id": f"a whole number from 1 to {BIGINT_MAX}: the id in the table users, of somebody who is there",
    "tg_id": f"a whole number from 1 to {BIGINT_MAX}: the Telegram id of somebody who is there",
    "day": f"{DAY_WRITTEN}; a UTC day that is over",
    "monday": f"{DAY_WRITTEN}; a Monday whose week is over in UTC",
    "month": f"{MONTH_WRITTEN}; a month that is over in UTC",
    "days": f"a whole number from 1 to {MOST_DAYS}",
    "job_id": "the id of a job, as the call that started it answered it; finished ones are kept for 90 days",
    "kind": ", ".join(KINDS),
    "cache": ", ".join(CACHES),
    "reason": "a word of the list in docs/api.md, or none",
}
"""Every parameter that there is, and what may be given for it."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these words, spelt so."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


def reasons(*acts: Act) -> OneOf:
    return OneOf(tuple(dict.fromkeys(reason.value for act in acts for reason in REASONS[act])))


def example(value: object, **more: Any) -> dict[str, Any]:
    """Not `examples`, which means one thing in a schema and another in a parameter, and would be copied."""
    return {"example": value, **more}


LEFT_OUT: Any = None
"""A default that is no value of its type, and so cannot be taken for one."""

UserId = Annotated[
    int,
    Field(ge=1, le=BIGINT_MAX, description="users.id: only this person.", json_schema_extra=example(42)),
]
TgId = Annotated[int, Field(ge=1, le=BIGINT_MAX, description="The person's Telegram id.")]
JobId = Annotated[
    str,
    Field(
        pattern=JOB_ID,
        description="The job's id.",
        json_schema_extra=example("0d7c5a52-8f0e-4d0f-9d0a-3c1f3a1f5a10", format="uuid"),
    ),
]
WHY: Any = Field(default=LEFT_OUT, description="Why, for the audit.")


class Parameters(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class Start(Parameters):
    """What all calls have that start a job."""

    user_id: UserId = Field(default=LEFT_OUT)
    reason: Annotated[str, reasons(Act.RUN_SUMMARIES)] = Field(
        default=LEFT_OUT, description=f"Why, for the audit; `{Reason.SCHEDULE.value}` if it is left out."
    )


class Daily(Start):
    """Of `POST …/daily`."""

    day: str = Field(
        default=LEFT_OUT,
        description="The UTC day; yesterday if it is left out.",
        json_schema_extra=example("2026-02-28", format="date"),
    )


class Weekly(Start):
    """Of `POST …/weekly`."""

    monday: str = Field(
        default=LEFT_OUT,
        description="The Monday of the week; of the last one that is over if it is left out.",
        json_schema_extra=example("2026-02-23", format="date"),
    )


class Monthly(Start):
    """Of `POST …/monthly`."""

    month: str = Field(
        default=LEFT_OUT,
        pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$",
        description="The month; the last one that is over if it is left out.",
        json_schema_extra=example("2026-02"),
    )


class Rebuild(Start):
    """Of `POST …/rebuild`; `user_id` is needed, here or there."""

    days: int = Field(
        default=LEFT_OUT,
        ge=1,
        le=MOST_DAYS,
        description=f"So many days back; {REBUILD_DAYS} if it is left out.",
        json_schema_extra=example(30),
    )


class Cancel(Parameters):
    """Of `POST …/cancel`."""

    reason: Annotated[str, reasons(Act.CANCEL_SUMMARIES)] = WHY


class Pause(Parameters):
    """Of `POST …/pause`."""

    reason: Annotated[str, reasons(Act.PAUSE_SUMMARIES)] = WHY


class Resume(Parameters):
    """Of `POST …/resume`."""

    reason: Annotated[str, reasons(Act.RESUME_SUMMARIES)] = WHY


class Retry(Parameters):
    """Of `POST …/retry`."""

    reason: Annotated[str, reasons(Act.RETRY_SUMMARIES)] = WHY


class Again(Parameters):
    """Of `POST …/again`."""

    reason: Annotated[str, reasons(Act.RUN_SUMMARIES_AGAIN)] = WHY


class SwitchOn(Parameters):
    """Of `POST …/on`."""

    reason: Annotated[str, reasons(Act.SWITCH_SCHEDULE_ON)] = WHY


class SwitchOff(Parameters):
    """Of `POST …/off`."""

    reason: Annotated[str, reasons(Act.SWITCH_SCHEDULE_OFF)] = WHY


class Repair(Parameters):
    """Of `POST …/vectors/repair`; `user_id` is needed, here or there."""

    user_id: UserId = Field(default=LEFT_OUT)
    reason: Annotated[str, reasons(Act.REPAIR_VECTORS)] = WHY


class Invalidate(Parameters):
    """Of `POST /api/admin/cache/invalidate`: either `user_id` or `tg_id`."""

    cache: Annotated[str, OneOf(CACHES)] = Field(
        description="`access_state` drops the cached identity too, whose flags the bot's gate reads as well."
    )
    user_id: UserId = Field(default=LEFT_OUT)
    tg_id: TgId = Field(default=LEFT_OUT)
    reason: Annotated[str, reasons(Act.INVALIDATE_ACCESS, Act.INVALIDATE_TEXTS)] = WHY

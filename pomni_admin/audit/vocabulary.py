"""The words that an audit row may use. All of them are fixed, so that no personal data can get into a row (G6).

A row has no free text: an act and its reason come from the tables below, a person appears as a handle, a subject is the
id of a job or the name of a lock. The database checks the same shapes once more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Reason(TextChoices):
    """Why somebody did it: chosen from a list, not typed."""

    PAID_STILL_LOCKED_OUT = "paid_still_locked_out", _("Has paid and is still locked out")
    REFUNDED = "refunded", _("Was refunded and still has access")
    PLAN_CHANGED = "plan_changed", _("Changed the plan")
    TRIAL_CHANGED = "trial_changed", _("The trial was changed")
    STATES_DIFFER = "states_differ", _("Cached and true state differ")
    MISSED_RUN = "missed_run", _("The scheduled run is missing")
    RUN_AGAIN = "run_again", _("The run has to be repeated")
    STUCK = "stuck", _("It does not move")
    WRONG_PERIOD = "wrong_period", _("It was started for the wrong period")
    SCHEDULE = "schedule", _("The schedule")
    WRONG_DATA = "wrong_data", _("It shows something wrong")
    INCIDENT = "incident", _("Redis is in trouble")
    MAINTENANCE = "maintenance", _("Work on Redis")
    REPAIRED = "repaired", _("It has been put right")
    PERSON_ASKED = "person_asked", _("The person asked for it")
    PRIVACY = "privacy", _("Something may be kept that must not be")
    OTHER = "other", _("Another reason")


class Act(TextChoices):
    """What somebody did."""

    LOOK_UP = "people.look_up", _("Looked a person up")
    LOOK_UP_BY_HANDLE = "people.look_up_by_handle", _("Looked a person up by handle")
    INVALIDATE_ACCESS = "cache.access_state.invalidate", _("Invalidated cached access")
    FORGET_PERSON = "cache.forget_person", _("Had Redis forget a person")
    EXPORT_AUDIT = "audit.export", _("Exported the audit")
    RUN_SUMMARIES = "summaries.run", _("Started summaries")
    CANCEL_SUMMARIES = "summaries.cancel", _("Cancelled summaries")
    SWITCH_CACHE_OFF = "cache.switch_off", _("Switched a cache off")
    SWITCH_CACHE_ON = "cache.switch_on", _("Switched a cache on")


REASONS: Final[Mapping[Act, tuple[Reason, ...]]] = {
    Act.LOOK_UP: (Reason.PAID_STILL_LOCKED_OUT, Reason.REFUNDED, Reason.OTHER),
    Act.LOOK_UP_BY_HANDLE: (Reason.OTHER,),
    Act.INVALIDATE_ACCESS: (
        Reason.PAID_STILL_LOCKED_OUT,
        Reason.REFUNDED,
        Reason.PLAN_CHANGED,
        Reason.TRIAL_CHANGED,
        Reason.STATES_DIFFER,
        Reason.OTHER,
    ),
    Act.FORGET_PERSON: (Reason.PERSON_ASKED, Reason.PRIVACY, Reason.WRONG_DATA, Reason.OTHER),
    Act.EXPORT_AUDIT: (Reason.OTHER,),
    Act.RUN_SUMMARIES: (Reason.MISSED_RUN, Reason.RUN_AGAIN, Reason.SCHEDULE, Reason.OTHER),
    Act.CANCEL_SUMMARIES: (Reason.STUCK, Reason.WRONG_PERIOD, Reason.OTHER),
    Act.SWITCH_CACHE_OFF: (Reason.WRONG_DATA, Reason.INCIDENT, Reason.MAINTENANCE, Reason.OTHER),
    Act.SWITCH_CACHE_ON: (Reason.REPAIRED, Reason.OTHER),
}
"""The reasons that may be given for each act, in the order in which a form offers them."""

HANDLE: Final = r"U-[0-9A-HJKMNP-TV-Z]{10}"
RECEIPT: Final = r"R-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
REQUEST_ID: Final = r"[0-9a-f][0-9a-f-]{15,63}"
"""Hexadecimal, so that no name and no id of Telegram's passes for one."""
SUBJECT: Final = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z][a-z_]{0,62}"
RESULT: Final = r"[a-z][a-z_]{0,31}(:[A-Za-z_][A-Za-z0-9_]{0,79})?"

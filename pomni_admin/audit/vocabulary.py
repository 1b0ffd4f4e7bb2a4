"""The words that an audit row may use. All of them are fixed, so that no personal data can get into a row (G6).

A row has no free text: an act and its reason come from the tables below, a person appears as a handle, a subject is the
id of a job, the name of a lock, or the number of one of the staff's accounts. The database checks the same shapes once
more.
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
    STATES_DIFFER = "states_differ", _("Cached and actual state differ")
    MISSED_RUN = "missed_run", _("The scheduled run is missing")
    RUN_AGAIN = "run_again", _("The run has to be repeated")
    STUCK = "stuck", _("It does not move")
    WRONG_PERIOD = "wrong_period", _("It was started for the wrong period")
    SCHEDULE = "schedule", _("The schedule")
    WRONG_DATA = "wrong_data", _("It shows something wrong")
    INCIDENT = "incident", _("Redis is in trouble")
    MAINTENANCE = "maintenance", _("Work on Redis")
    CORPUS_CHANGED = "corpus_changed", _("The corpus has changed")
    PROVIDER_TROUBLE = "provider_trouble", _("The provider is in trouble")
    FAILED_BEFORE = "failed_before", _("It failed or stopped early")
    REPAIRED = "repaired", _("It has been put right")
    NEW_COLLEAGUE = "new_colleague", _("Is new here")
    NEW_DUTIES = "new_duties", _("Has other duties now")
    HAS_LEFT = "has_left", _("Has left")
    CAME_BACK = "came_back", _("Has come back")
    SUSPICION = "suspicion", _("Somebody else may have the account")
    FORGOT_PASSWORD = "forgot_password", _("Has forgotten the password")
    LOST_DEVICE = "lost_device", _("Has lost the device with the codes")
    PERSON_ASKED = "person_asked", _("The person asked for it")
    PRIVACY = "privacy", _("Something may be kept that must not be")
    HOLDER_GONE = "holder_gone", _("Its holder is gone")
    OTHER = "other", _("Another reason")


class Act(TextChoices):
    """What somebody did."""

    LOOK_UP = "people.look_up", _("Look-up of a person")
    LOOK_UP_BY_HANDLE = "people.look_up_by_handle", _("Look-up of a person by handle")
    INVALIDATE_ACCESS = "cache.access_state.invalidate", _("Invalidation of cached access")
    INVALIDATE_TEXTS = "cache.texts.invalidate", _("Invalidation of cached texts")
    FORGET_PERSON = "cache.forget_person", _("Removal of a person from Redis")
    EXPORT_AUDIT = "audit.export", _("Export of the audit")
    RUN_SUMMARIES = "summaries.run", _("Start of summaries")
    CANCEL_SUMMARIES = "summaries.cancel", _("Cancellation of summaries")
    PAUSE_SUMMARIES = "summaries.pause", _("Pause of summaries")
    RESUME_SUMMARIES = "summaries.resume", _("Resumption of summaries")
    RETRY_SUMMARIES = "summaries.retry", _("Retry of what failed")
    RUN_SUMMARIES_AGAIN = "summaries.run_again", _("Repeat of summaries")
    SWITCH_SCHEDULE_OFF = "summaries.schedule_off", _("Switching a schedule off")
    SWITCH_SCHEDULE_ON = "summaries.schedule_on", _("Switching a schedule on")
    REPAIR_VECTORS = "summaries.repair_vectors", _("Repair of vectors")
    SWITCH_CACHE_OFF = "cache.switch_off", _("Switching a cache off")
    SWITCH_CACHE_ON = "cache.switch_on", _("Switching a cache on")
    RELEASE_LOCK = "locks.release", _("Release of a lock")
    DROP_CACHE = "cache.drop", _("Drop of a whole cache")
    BUMP_RAG = "cache.rag.bump", _("Reset of search results")
    CREATE_SUPERUSER = "accounts.create_superuser", _("Creation of a superuser")
    INVITE = "accounts.invite", _("Invitation")
    REVOKE_INVITATION = "accounts.revoke_invitation", _("Revocation of an invitation")
    ACCEPT_INVITATION = "accounts.accept_invitation", _("Acceptance of an invitation")
    CHANGE_ROLE = "accounts.change_role", _("Change of a role")
    DEACTIVATE = "accounts.deactivate", _("Deactivation of an account")
    REACTIVATE = "accounts.reactivate", _("Reactivation of an account")
    OFFER_PASSWORD = "accounts.offer_password", _("Link for a new password")
    OFFER_SECOND_FACTOR = "accounts.offer_second_factor", _("Link for a new second factor")
    RESET_PASSWORD = "accounts.reset_password", _("Password set by a link")
    RESET_SECOND_FACTOR = "accounts.reset_second_factor", _("Second factor given up by a link")
    CHANGE_PASSWORD = "accounts.change_password", _("Change of the own password")
    SET_UP_SECOND_FACTOR = "accounts.set_up_second_factor", _("Set-up of a second factor")
    REMOVE_SECOND_FACTOR = "accounts.remove_second_factor", _("Removal of a second factor")
    MAKE_RECOVERY_CODES = "accounts.make_recovery_codes", _("New recovery codes")
    END_SESSIONS = "accounts.end_sessions", _("End of own sessions")
    CALL_API = "api.call", _("Call of the HTTP API")


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
    Act.INVALIDATE_TEXTS: (Reason.PERSON_ASKED, Reason.PRIVACY, Reason.WRONG_DATA, Reason.OTHER),
    Act.FORGET_PERSON: (Reason.PERSON_ASKED, Reason.PRIVACY, Reason.WRONG_DATA, Reason.OTHER),
    Act.EXPORT_AUDIT: (Reason.OTHER,),
    Act.RUN_SUMMARIES: (Reason.MISSED_RUN, Reason.PERSON_ASKED, Reason.RUN_AGAIN, Reason.SCHEDULE, Reason.OTHER),
    Act.CANCEL_SUMMARIES: (Reason.STUCK, Reason.WRONG_PERIOD, Reason.OTHER),
    Act.PAUSE_SUMMARIES: (Reason.PROVIDER_TROUBLE, Reason.MAINTENANCE, Reason.OTHER),
    Act.RESUME_SUMMARIES: (Reason.REPAIRED, Reason.FAILED_BEFORE, Reason.OTHER),
    Act.RETRY_SUMMARIES: (Reason.FAILED_BEFORE, Reason.OTHER),
    Act.RUN_SUMMARIES_AGAIN: (Reason.RUN_AGAIN, Reason.WRONG_DATA, Reason.OTHER),
    Act.SWITCH_SCHEDULE_OFF: (Reason.PROVIDER_TROUBLE, Reason.MAINTENANCE, Reason.OTHER),
    Act.SWITCH_SCHEDULE_ON: (Reason.REPAIRED, Reason.OTHER),
    Act.REPAIR_VECTORS: (Reason.WRONG_DATA, Reason.MAINTENANCE, Reason.OTHER),
    Act.SWITCH_CACHE_OFF: (Reason.WRONG_DATA, Reason.INCIDENT, Reason.MAINTENANCE, Reason.OTHER),
    Act.SWITCH_CACHE_ON: (Reason.REPAIRED, Reason.OTHER),
    Act.RELEASE_LOCK: (Reason.STUCK, Reason.HOLDER_GONE, Reason.MAINTENANCE, Reason.OTHER),
    Act.DROP_CACHE: (Reason.WRONG_DATA, Reason.PRIVACY, Reason.MAINTENANCE, Reason.OTHER),
    Act.BUMP_RAG: (Reason.CORPUS_CHANGED, Reason.WRONG_DATA, Reason.OTHER),
    Act.CREATE_SUPERUSER: (),
    Act.INVITE: (Reason.NEW_COLLEAGUE, Reason.CAME_BACK, Reason.OTHER),
    Act.REVOKE_INVITATION: (),
    Act.ACCEPT_INVITATION: (),
    Act.CHANGE_ROLE: (Reason.NEW_DUTIES, Reason.OTHER),
    Act.DEACTIVATE: (Reason.HAS_LEFT, Reason.SUSPICION, Reason.OTHER),
    Act.REACTIVATE: (Reason.CAME_BACK, Reason.OTHER),
    Act.OFFER_PASSWORD: (Reason.FORGOT_PASSWORD, Reason.SUSPICION, Reason.OTHER),
    Act.OFFER_SECOND_FACTOR: (Reason.LOST_DEVICE, Reason.SUSPICION, Reason.OTHER),
    Act.RESET_PASSWORD: (),
    Act.RESET_SECOND_FACTOR: (),
    Act.CHANGE_PASSWORD: (),
    Act.SET_UP_SECOND_FACTOR: (),
    Act.REMOVE_SECOND_FACTOR: (),
    Act.MAKE_RECOVERY_CODES: (),
    Act.END_SESSIONS: (),
    Act.CALL_API: (),
}
"""The reasons that may be given for each act, in the order in which a form offers them."""

HANDLE: Final = r"U-[0-9A-HJKMNP-TV-Z]{10}"
ACCOUNT: Final = r"account:[1-9][0-9]{0,8}(:(viewer|support|admin|superuser))?"
"""One of the staff, by the account's number, and the role that it is about. Too short for a Telegram id of today."""
SUBJECT: Final = rf"[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}|[a-z][a-z_]{{0,62}}|{ACCOUNT}"
RECEIPT: Final = r"R-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}"
REQUEST_ID: Final = r"[0-9a-f][0-9a-f-]{15,63}"
"""Hexadecimal, so that no name and no id of Telegram's passes for one."""
RESULT: Final = r"[a-z][a-z_]{0,31}(:[A-Za-z_][A-Za-z0-9_]{0,79})?"

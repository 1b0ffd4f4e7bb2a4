"""Words for the codes that other parts use, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

Words = Mapping[str, str | Promise]

JOB_STATES: Final[Words] = {
    "queued": pgettext_lazy("job", "queued"),
    "running": pgettext_lazy("job", "running"),
    "paused": pgettext_lazy("job", "paused"),
    "ok": pgettext_lazy("job", "ok"),
    "partial": pgettext_lazy("job", "partial"),
    "failed": pgettext_lazy("job", "failed"),
    "canceling": pgettext_lazy("job", "canceling"),
    "canceled": pgettext_lazy("job", "canceled"),
}
JOB_KINDS: Final[Words] = {
    "daily": _("Daily summaries"),
    "weekly": _("Weekly summaries"),
    "monthly": _("Monthly summaries"),
    "rebuild": _("Rebuilt summaries"),
}
CACHES: Final[Words] = {
    "access_state": _("May this person use the bot now?"),
    "recent_history": _("What was said lately, sealed"),
    "talkbuf": _("Messages being merged into one turn, sealed"),
    "rag": _("What was retrieved for a question, and its vector"),
    "summaries_job": _("How far a summary job is"),
    "lock": _("Who may do what only one may do at a time"),
    "identity": _("Who writes, and what may be stored of them"),
}
SPANS: Final[Words] = {
    "15m": _("15 min"),
    "1h": _("1 hour"),
    "24h": _("24 hours"),
}
LAST_SPANS: Final[Words] = {
    "15m": _("Last 15 minutes"),
    "1h": _("Last hour"),
    "24h": _("Last 24 hours"),
}
"""What figures are of."""
SERIES: Final[Words] = {
    "hits": _("Hits"),
    "others": _("Other reads"),
    "people": _("People"),
}
"""Of charts; the name of a cache and a quantile are the same in every language."""
AWAY: Final[Words] = {
    "redis": _("Not known: Redis does not answer."),
    "postgres": _("Not known: PostgreSQL does not answer."),
}
MATTERS: Final[Words] = {
    "redis_away": _("Redis does not answer: the bot works on PostgreSQL, and what only Redis knows is not shown"),
    "postgres_away": _("PostgreSQL does not answer"),
    "job_failed": _("%(about)s: the job failed"),
    "job_partial": _("%(about)s: the job is only partly done"),
    "job_stalled": _("%(about)s: the job does not move"),
    "job_paused": _("%(about)s: the job is paused"),
    "no_worker": _("No worker has been heard of: jobs wait"),
    "circuit": _("%(about)s leaves Redis alone: its circuit is open"),
    "lock_orphaned": _("The lock %(about)s is held by somebody who is not heard of any more"),
    "relay_stopped": _("The relay does not run: caches refresh only when entries expire"),
    "relay_no_postgres": _("The relay is not connected to PostgreSQL"),
    "relay_no_redis": _("The relay is not heard of in Redis"),
    "hit_rate": _("%(about)s: the hit rate has fallen from %(before)s to %(share)s"),
    "cache_off": _("%(about)s is switched off"),
    "provider_llm": _("The model's provider has asked to be left alone"),
    "provider_embeddings": _("The embeddings' provider has asked to be left alone"),
}
"""What needs attention. Those with a number are in `matter`."""
PLACES: Final[Words] = {
    "job": _("Open the job"),
    "jobs": _("Open Jobs"),
    "caches": _("Open Caches"),
    "locks": _("Open Locks"),
    "health": _("Open Health"),
}


def matter(code: str, count: int | None) -> str:
    """The sentence for what needs attention, to be filled in; with `count` it agrees where it has a number."""
    n = count or 0
    if code == "missed":
        return ngettext("%(about)s: %(n)s scheduled run was missed", "%(about)s: %(n)s scheduled runs were missed", n)
    if code == "relay_late":
        return ngettext(
            "The relay is late: %(n)s change waits in the outbox",
            "The relay is late: %(n)s changes wait in the outbox",
            n,
        )
    if code == "triggers":
        return ngettext("%(n)s trigger is not as it should be", "%(n)s triggers are not as they should be", n)
    if code in {"job_failed", "job_partial"} and n:
        return f"{MATTERS[code]}, " + ngettext("%(n)s person failed", "%(n)s people failed", n)
    return str(MATTERS.get(code, code))


OFF_BY: Final[Words] = {
    "variable": _("by a variable"),
    "secret": _("a secret is missing"),
    "switch": _("by hand"),
}
"""What keeps a cache from using Redis in a process."""
CIRCUIT: Final[Words] = {
    "closed": pgettext_lazy("circuit", "closed"),
    "open": _("open: Redis is left alone for now"),
    "half-open": _("half-open: trying Redis again"),
}
RELAY: Final[Words] = {
    "running": pgettext_lazy("relay", "running"),
    "no_postgres": _("running, but not connected to PostgreSQL"),
    "no_redis": _("connected to PostgreSQL, but not heard of in Redis"),
    "stopped": _("not running"),
    "unknown": _("not known"),
}
TRIGGER_STATES: Final[Words] = {
    "missing": pgettext_lazy("trigger", "missing"),
    "disabled": pgettext_lazy("trigger", "disabled"),
    "outdated": pgettext_lazy("trigger", "of another release"),
}
ACCESS_REASONS: Final[Words] = {
    "subscription": _("subscription"),
    "trial": _("trial"),
    "none": pgettext_lazy("access", "none"),
}
SUBSCRIPTION_STATES: Final[Words] = {
    "active": pgettext_lazy("subscription", "active"),
    "canceled": pgettext_lazy("subscription", "canceled"),
    "expired": pgettext_lazy("subscription", "expired"),
}
PLANS: Final[Words] = {
    "month": pgettext_lazy("plan", "a month"),
    "quarter": pgettext_lazy("plan", "a quarter"),
    "year": pgettext_lazy("plan", "a year"),
}
VERDICTS: Final[Words] = {
    "equal": _("cached and actual state: equal"),
    "differs": _("cached state differs"),
    "absent": _("nothing cached"),
    "off": _("cache is off: the bot reads PostgreSQL"),
    "unreachable": _("Redis is unreachable: the bot reads PostgreSQL"),
}
FINDINGS: Final[Words] = {
    "let_in": _("Has access, and the bot lets them in."),
    "let_in_next": _("Has access. The bot reads that from PostgreSQL at their next message."),
    "locked_out": _("Has access, but the bot still believes the opposite. Press the button."),
    "still_in": _("Has no access any more; the bot has not noticed yet."),
    "paid_no_access": _(
        "Has no access, though a payment has succeeded: the subscription was not activated. The button cannot mend"
        " that; pass the handle on to an admin."
    ),
    "payment_pending": _("Has no access: the last payment has not come through yet."),
    "no_access": _("Has no access, and no payment has succeeded in the last 24 hours."),
    "unknown": _("Is in the database no longer: the person has been deleted."),
}
"""What an agent can tell the person on the line."""
DROPPED: Final[Words] = {
    "access": _("the cached entry"),
    "identity": _("the cached identity"),
    "load": _("a load under way"),
}
"""What refreshing somebody's access may find to drop."""
HELD: Final[Words] = {
    "access_state": _("The record of their access"),
    "identity": _("Who they are to the bot: privacy and flags"),
    "recent_history": _("What was said lately, sealed"),
    "history_added": _("Messages said while the history is loaded, sealed"),
    "history_purged": _("A mark that messages were deleted"),
    "talk_waiting": _("Messages being merged into one turn, sealed"),
    "talk_in_flight": _("A turn that is being answered, sealed"),
    "talk_done": _("Numbers of messages that have been answered"),
    "retrieval": _("What was retrieved for their questions, sealed"),
    "nostore": _("A mark that none of their text may be stored"),
    "loading": _("A load under way"),
}
"""The kinds of things that Redis holds on one person."""
PAYMENTS: Final[Words] = {
    "succeeded": pgettext_lazy("payment", "succeeded"),
    "pending": pgettext_lazy("payment", "pending"),
    "waiting_for_capture": pgettext_lazy("payment", "waiting for capture"),
    "canceled": pgettext_lazy("payment", "canceled"),
    "refunded": pgettext_lazy("payment", "refunded"),
    "failed": pgettext_lazy("payment", "failed"),
    "other": pgettext_lazy("payment", "in a state not known here"),
}
PROBLEMS: Final[Words] = {
    "empty": _("Type an id first: the box was empty."),
    "name": _(
        "A @name or a link cannot be looked up here. Ask for the Telegram id (digits) or the payment id from the"
        " receipt."
    ),
    "phone": _(
        "That looks like a phone number, which the bot does not know. Ask for the Telegram id (digits) or the payment"
        " id from the receipt."
    ),
    "mail": _(
        "That looks like an e-mail address, which the bot does not know. Ask for the Telegram id (digits) or the"
        " payment id from the receipt."
    ),
    "handle": _(
        "That is a handle, by which only an Admin can find a person. Ask for the Telegram id (digits) or the payment id"
        " from the receipt."
    ),
    "no_handle": _("That is no handle. A handle is U- and ten letters or digits."),
    "nobody_handle": _(
        "Nobody in the database has this handle. The person may have been deleted, a letter may have been misheard, or"
        " the handle was made with an earlier secret that is not known here."
    ),
    "handle_timeout": _("Searching took too long and was stopped. Ask for the Telegram id or the payment id."),
    "ambiguous_handle": _("Two people share this handle by chance. Compare what is shown of each:"),
    "too_many": _("Too many look-ups in one minute. This one was not made."),
    "several": _("That is more than one number. Look up one at a time."),
    "long": _("That is longer than any id. Paste only the id."),
    "range": _("No id can be that number: ids are positive and have at most 19 digits. Check the digits."),
    "malformed": _(
        "That is not an id. A Telegram id and a user id are digits only; a payment id is one word of letters, digits"
        " and hyphens."
    ),
    "nobody": _(
        "Nobody has this Telegram id, user id or payment id. Check the digits; a person who never wrote to the bot is"
        " not known."
    ),
    "ambiguous": _("This number means different people. Ask which it is, and choose:"),
    "expired": _("More than ten minutes have passed, or the page was not of this sign-in. Find the person again."),
}
"""Why a look-up has no answer; the text that was typed is not repeated."""
RESULTS: Final[Words] = {
    "ok": pgettext_lazy("result", "ok"),
    "unreachable": pgettext_lazy("result", "could not: Redis unreachable"),
    "refused": pgettext_lazy("result", "refused"),
    "unknown": pgettext_lazy("result", "unknown"),
    "not_found": pgettext_lazy("result", "not found"),
    "ambiguous": pgettext_lazy("result", "ambiguous"),
    "too_many": pgettext_lazy("result", "refused: too many a minute"),
    "timed_out": pgettext_lazy("result", "stopped: took too long"),
    "interrupted": pgettext_lazy("result", "interrupted"),
    "already_running": pgettext_lazy("result", "already running"),
    "already_finished": pgettext_lazy("result", "had already finished"),
    "already_off": pgettext_lazy("result", "was already off"),
    "already_on": pgettext_lazy("result", "was already on"),
    "name": pgettext_lazy("result", "not a user name"),
    "taken": pgettext_lazy("result", "the name is taken"),
    "last_superuser": pgettext_lazy("result", "the last superuser stays"),
    "yourself": pgettext_lazy("result", "not with the own account"),
    "already": pgettext_lazy("result", "it was so already"),
    "no_password": pgettext_lazy("result", "has no password yet"),
    "inactive": pgettext_lazy("result", "is deactivated"),
    "wrong_code": pgettext_lazy("result", "wrong code"),
    "already_started": pgettext_lazy("result", "had been started before"),
    "in_line": pgettext_lazy("result", "waits in line"),
    "already_in_line": pgettext_lazy("result", "waited in line already"),
    "not_now": pgettext_lazy("result", "not in this state"),
    "no_such_job": pgettext_lazy("result", "no such job"),
    "not_held": pgettext_lazy("result", "was not held like that any more"),
    "no_change": pgettext_lazy("result", "no change"),
    "unknown_person": pgettext_lazy("result", "no such person"),
    "not_finished": pgettext_lazy("result", "not finished"),
    "invalid_period": pgettext_lazy("result", "no such period"),
}
PEOPLE_REFUSED: Final[Words] = {
    "name": _(
        "That is not a user name: 2 to 32 small Latin letters, digits, dots, hyphens and underscores; the first is a"
        " letter."
    ),
    "taken": _("Somebody has this name already, in small letters or capitals. Choose another."),
    "last_superuser": _("This is the last superuser: make somebody else one first."),
    "yourself": _("Your own account is for another superuser to change."),
    "already": _("It was so already; nothing has changed."),
    "no_password": _("This account has no password yet: a new invitation is what it needs."),
    "inactive": _("This account is deactivated: activate it first."),
}
"""Why an act on the Staff page was not done."""
WRONG_FILTERS: Final[Words] = {
    "who": _("Nobody of this name is on record. Choose a name from the list."),
    "act": _("There is no such act. Choose one from the list."),
    "result": _("There is no such result. Choose one from the list."),
    "handle": _("That is no handle. A handle is U- and ten letters or digits, as this site shows them."),
    "job": _(
        "No job on record has an id that begins so. Type the id, or its first eight characters as this site shows them."
    ),
    "receipt": _("That is no receipt. A receipt is R- and eight letters or digits."),
    "from": _("That is no day. A day is written like 2026-11-25."),
    "to": _("That is no day, or one before the first. A day is written like 2026-11-25."),
    "before": _("The address names no entry to begin before. Begin with the newest."),
}
"""Why a filter of the audit is not taken; its value is not repeated."""
STARTERS: Final[Words] = {
    "schedule": _("the schedule"),
    "command": _("a command line"),
    "cron": _("a cron job"),
    "demo": _("the demo"),
}
"""What starts jobs besides people, who go by their sign-in names."""
FOUND_BY: Final[Words] = {
    "tg_id": _("Telegram id"),
    "user_id": _("user id"),
    "payment_id": _("payment id"),
    "handle": pgettext_lazy("found by", "handle"),
}

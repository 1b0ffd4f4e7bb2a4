"""Words for the codes that other parts use, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Words = Mapping[str, str | Promise]

JOB_STATES: Final[Words] = {
    "queued": pgettext_lazy("job", "queued"),
    "running": pgettext_lazy("job", "running"),
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
OFF_BY: Final[Words] = {
    "variable": _("by a variable"),
    "secret": _("a secret is missing"),
    "switch": _("by hand"),
}
"""What keeps a cache from using Redis in a process."""
CIRCUIT: Final[Words] = {
    "closed": _("closed: Redis is used"),
    "open": _("open: Redis is left alone for now"),
    "half-open": _("half-open: trying Redis again"),
}
ACCESS_REASONS: Final[Words] = {
    "subscription": _("subscription"),
    "trial": _("trial"),
    "none": pgettext_lazy("access", "none"),
}
VERDICTS: Final[Words] = {
    "equal": _("cached and true state: equal"),
    "differs": _("cached state differs"),
    "absent": _("nothing cached: the bot reads PostgreSQL next"),
    "off": _("cache is off: the bot reads PostgreSQL"),
    "unreachable": _("Redis is unreachable: the bot reads PostgreSQL"),
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
    "expired": _("More than ten minutes have passed, or the page was not yours. Find the person again."),
}
"""Why a look-up has no answer; the text that was typed is not repeated."""
RESULTS: Final[Words] = {
    "ok": pgettext_lazy("result", "ok"),
    "unreachable": pgettext_lazy("result", "could not: Redis unreachable"),
    "refused": pgettext_lazy("result", "refused"),
    "unknown": pgettext_lazy("result", "unknown"),
    "not_found": pgettext_lazy("result", "not found"),
    "ambiguous": pgettext_lazy("result", "ambiguous"),
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
"""Why an act on the People page was not done."""
STARTERS: Final[Words] = {
    "schedule": _("the schedule"),
    "command": _("a command line"),
    "demo": _("the demo"),
}
"""What starts jobs besides people, who go by their sign-in names."""
FOUND_BY: Final[Words] = {
    "tg_id": _("Telegram id"),
    "user_id": _("user id"),
    "payment_id": _("payment id"),
}

"""The one person whom an admin names to start a job: by handle or user id. What was typed is not repeated (G6)."""

from __future__ import annotations

import re
from math import ceil
from typing import Final

from django.conf import settings

from cache_layer.privacy import read_handle
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import LOOK_UP_HANDLES
from pomni_admin.audit import acts
from pomni_admin.audit.rate import LOOK_UPS, TOO_MANY, seconds_to_wait
from pomni_admin.audit.vocabulary import Act
from pomni_admin.bot.handles import Search, whose
from pomni_admin.bot.people import BIGINT_MAX
from pomni_admin.dashboard.run_form import Wrong

FIELD: Final = "person"
PROBLEMS: Final = {"ambiguous": "ambiguous_handle", "not_found": "nobody_handle", "timed_out": "handle_timeout"}
"""What the form says to each result of a search."""


def user_id_of(text: str, *, by: User) -> int:
    """The users.id; whether somebody has it is not asked here. A search by handle is put on record, and limited.

    Raises:
        Wrong: it names nobody.
    """
    if not text:
        raise Wrong(FIELD, "no_person")
    handle = read_handle(text)
    if handle is not None:
        return _by_handle(handle, by)
    if not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII):
        raise Wrong(FIELD, "not_a_person")
    if not 0 < int(text) <= BIGINT_MAX:
        raise Wrong(FIELD, "nobody")
    return int(text)


def _by_handle(handle: str, by: User) -> int:
    if not by.has_perm(LOOK_UP_HANDLES):
        raise Wrong(FIELD, "no_handles")
    wait_s: float | None = None
    with acts.act(actor=by, act=Act.LOOK_UP_BY_HANDLE, handle=handle) as act:
        allowed: int = settings.ENV.lookups_per_minute
        wait_s = seconds_to_wait(act.actor.name, LOOK_UPS, this=act.act_id, at_most=allowed)
        if wait_s is None:
            search = whose(handle)
            act.result = _result(search)
        else:
            act.result = TOO_MANY
    if wait_s is not None:
        raise Wrong(FIELD, "too_many", str(max(ceil(wait_s), 1)))
    if act.result != "ok":
        raise Wrong(FIELD, PROBLEMS[act.result])
    return search.user_ids[0]


def _result(search: Search) -> str:
    if len(search.user_ids) == 1:
        return "ok"
    if search.user_ids:
        return "ambiguous"
    return "not_found" if search.is_complete else "timed_out"

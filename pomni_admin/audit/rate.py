"""How often somebody does something, by the record itself: the same count in every process, and without Redis."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef
from django.db.models.functions import Now

from pomni_admin.audit.models import AuditRow, Phase
from pomni_admin.audit.vocabulary import Act

WINDOW: Final = timedelta(minutes=1)
LOOK_UPS: Final = (Act.LOOK_UP, Act.LOOK_UP_BY_HANDLE)
"""What counts towards an agent's look-ups a minute."""
TOO_MANY: Final = "too_many"
"""The result of an act that was refused for this reason; such a one does not count."""


def seconds_to_wait(actor: str, acts: Collection[Act], *, this: uuid.UUID, at_most: int) -> float | None:
    """Until when the act `this` comes too early; None when it does not.

    Its intent is on record before the others are counted. So of any number of acts at once the one that counts last
    sees all of them, and no more than `at_most` pass in a window, without a lock.

    Args:
        acts: what is counted together.
        at_most: how many are allowed in a window.
    """
    refused = AuditRow.objects.filter(act_id=OuterRef("act_id"), phase=Phase.OUTCOME, result=TOO_MANY)
    earlier = (
        AuditRow.objects.filter(phase=Phase.INTENT, actor=actor, act__in=[act.value for act in acts])
        .filter(at__gt=Now() - WINDOW)
        .exclude(act_id=this)
        .exclude(Exists(refused))
        .order_by("-at")
        .annotate(ago=ExpressionWrapper(Now() - F("at"), output_field=DurationField()))
        .values_list("ago", flat=True)
    )
    # The one that has to leave the window before another may enter it.
    ago: timedelta | None = earlier[at_most - 1 : at_most].first()
    return None if ago is None else max((WINDOW - ago).total_seconds(), 0.0)

"""Words for what locks and servers say of themselves by fixed words."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from pomni_admin.dashboard.words import Words

HOLDERS: Final[Words] = {
    "well": pgettext_lazy("lock holder", "lives"),
    "overdue": _("heartbeat overdue"),
    "silent": _("its process is silent"),
    "orphaned": _("orphaned"),
}
"""How the holder of a lock does."""
GRANT_ENDS: Final[Words] = {
    "held": _("still held"),
    "released": pgettext_lazy("lock", "given back"),
    "displaced": _("displaced after its silence"),
    "taken": _("released here by hand"),
    "ran_out": _("ran out, or Redis was flushed"),
}
"""How one time that a lock was held has ended."""

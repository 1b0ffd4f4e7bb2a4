"""Words for what locks and servers say of themselves by fixed words."""

from __future__ import annotations

from collections.abc import Mapping
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
PART_STATES: Final[Words] = {
    "answers": pgettext_lazy("server", "answers"),
    "slow": _("no answer in time"),
    "away": _("does not answer"),
    "off": _("not configured"),
}
ADVICE: Final[Words] = {
    "redis_away": _(
        "Redis: the site and the bot go on with PostgreSQL, and locks cannot be had. Look at the provider's page, then"
        " at REDIS_URL."
    ),
    "redis_circuit": _(
        "Redis: this process leaves it alone for now; it closes the circuit by itself within 5 seconds."
    ),
    "redis_evicts": _(
        "Redis: it throws keys away when it is full, and so may lose locks and messages being merged. Set"
        " maxmemory-policy to noeviction."
    ),
    "redis_full": _("Redis: more than nine tenths of its memory are used. Give it more before it refuses writes."),
    "redis_cannot_write": _("Redis: it could not save its data to disk. Look at its log and at the disk."),
    "postgres_away": _(
        "PostgreSQL: nobody can sign in and no job goes on; the bot has what is cached. Look at the provider's page."
    ),
    "postgres_full": _("PostgreSQL: nearly all connections are taken. Look at who has them, or use the pooled host."),
    "postgres_held_up": _(
        "PostgreSQL: a transaction has been open for more than five minutes. It keeps old rows from being cleaned up:"
        " find it in pg_stat_activity."
    ),
    "qdrant_away": _("Qdrant: summaries are written all the same; their vectors wait and are written by themselves."),
    "qdrant_no_collection": _("Qdrant: the collection is not there yet. The first summary makes it."),
    "qdrant_collection": _("Qdrant: the collection is not well. Look at Qdrant's own page and log."),
    "broker_away": _("Broker: no worker is woken up; the reaper asks again as soon as it is back."),
    "broker_waits": _("Broker: the oldest message waits for more than a minute. There are too few workers, or none."),
    "provider_away": _(
        "Model: the provider refuses again and again, and one call at a time tries. Jobs wait and fail nobody; look at"
        " the key, the quota and the provider's page."
    ),
    "provider_waits": _(
        "Model: the provider has asked to slow down. All workers wait together; nothing is to be done."
    ),
    "hub_deaf": _("Live pages: this process hears nothing from Redis, and reads what is watched every five seconds."),
    "no_web": _("No web process says that it is there, though one has made this page: its Redis is another one."),
    "no_worker": _("No worker: summary jobs wait. Start one:"),
    "no_beat": _("No beat: the clock starts nothing. Start it:"),
    "no_reaper": _("No reaper: what a dead worker leaves behind stays there. Start one:"),
    "no_relay": _("No relay: changes reach the caches by their time to live only. Start one:"),
    "no_bot": _("No bot says that it is there: it is stopped, or does not use this Redis."),
    "relay_late": _("Relay: a change has been waiting for longer than a second."),
    "relay_triggers": _("Triggers: some are not as they should be. This mends them:"),
    "processes_away": _("Nobody can say which processes there are while Redis is away."),
}
"""What is wrong, what that means, and what to do."""
COMMANDS: Final[Mapping[str, str]] = {
    "no_worker": "celery -A pomni_admin worker",
    "no_beat": "celery -A pomni_admin beat",
    "no_reaper": "manage.py summaries_reaper",
    "no_relay": "manage.py relay run",
    "relay_triggers": "manage.py relay install",
}
"""What the advice ends with."""
ROLES: Final[Words] = {
    "web": _("Web"),
    "worker": _("Workers"),
    "beat": _("Beat"),
    "reaper": _("Reaper"),
    "relay": _("Relay"),
    "bot": _("Bot"),
    "command": _("Commands"),
}
"""What a process is."""

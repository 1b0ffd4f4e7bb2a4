"""All caches of one process, and what is done with them together; as steps."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cache_layer.catalogue.access_state import access_state
from cache_layer.catalogue.identity import identity
from cache_layer.catalogue.jobs import summaries_job
from cache_layer.catalogue.locks import locks
from cache_layer.catalogue.rag import Rag
from cache_layer.catalogue.recent_history import recent_history
from cache_layer.catalogue.talkbuf import TurnIds, talkbuf
from cache_layer.changes import Change
from cache_layer.errors import Unavailable
from cache_layer.exchange import Exchange
from cache_layer.holdings import Holdings, Place, measure
from cache_layer.keys import Keys
from cache_layer.metrics import CHANGED
from cache_layer.person import NOSTORE_FOR
from cache_layer.privacy import tg_hash
from cache_layer.scripts import FORGET
from cache_layer.sealing import Sealer
from cache_layer.settings import Settings
from cache_layer.shapes import Invalidated
from cache_layer.shapes.gate import Gate
from cache_layer.steps import Begun, Call, Command, Steps, ask, together
from cache_layer.switches import Switches

log = logging.getLogger("cache_layer")


class Ping(msgspec.Struct, frozen=True):
    """Whether Redis answers.

    Attributes:
        version: the server's name and version as it gives them.
        reason: why not, in a fixed word; empty when ok.
        cluster: whether the server is a node of a Redis Cluster; None when it does not tell.
    """

    ok: bool
    latency_ms: float | None = None
    version: str = ""
    reason: str = ""
    cluster: bool | None = None


class Forgotten(msgspec.Struct, frozen=True):
    """What was forgotten of a person.

    Attributes:
        reached: whether Redis carried it out; when not, the process does it as soon as Redis answers.
        keys: how many keys there were.
    """

    reached: bool
    keys: int = 0


def _known(tg_id: int | None) -> tuple[int, ...]:
    return () if tg_id is None else (tg_id,)


def _is_done(outcome: Invalidated | int | None) -> bool:
    """Of a drop, or of `Definitions._forget_text`."""
    return outcome.reached if isinstance(outcome, Invalidated) else outcome is not None


def _pong(reply: object) -> bool:
    if reply not in (True, b"PONG", "PONG"):
        raise ValueError
    return True


def _version(info: Mapping[str, object]) -> tuple[str, bool | None]:
    name = info.get("server_name", "redis")
    mode = info.get("redis_mode") or info.get("server_mode")
    return (
        f"{name} {info.get('valkey_version') or info.get('redis_version', '?')}",
        None if mode is None else mode == "cluster",
    )


def _told(info: Mapping[str, object]) -> Mapping[str, str]:
    return {field: str(value) for field, value in info.items()}


class Definitions:
    """All caches of one process, over its settings; no I/O."""

    def __init__(self, settings: Settings, role: str) -> None:
        self.settings = settings
        self.role = role
        self.keys = Keys(settings.key_prefix)
        self.switches = Switches(settings)
        self.exchange = Exchange(self.keys, settings, role, self.switches)
        self.counts = self.exchange.counts
        self.sealer = Sealer(settings.encryption_keys)
        self.access_state = access_state(self.keys, self.counts, settings, self.switches)
        self.identity = identity(self.keys, self.counts, settings, self.switches)
        self.history = recent_history(self.keys, self.counts, settings, self.switches, self.sealer)
        self.rag = Rag(self.keys, self.counts, settings, self.switches, self.sealer)
        self.jobs = summaries_job(self.keys, self.counts, settings, self.switches)
        self.locks = locks(self.keys, settings, self.switches)
        self.gate = Gate(self.keys)
        self.turn_ids = TurnIds(settings)
        self.talkbuf = talkbuf(self.keys, self.counts, settings, self.sealer, self.turn_ids)

    def ping(self) -> Steps[Ping]:
        try:
            started = time.perf_counter()
            yield from ask(Command(("PING",)), _pong)
            latency_ms = (time.perf_counter() - started) * 1000
        except Unavailable as error:
            return Ping(ok=False, reason=error.reason)
        try:
            version, cluster = yield from ask(Command(("INFO", "server")), _version)
        except Unavailable:
            version, cluster = "?", None  # a hosted Redis may refuse INFO
        return Ping(ok=True, latency_ms=latency_ms, version=version, cluster=cluster)

    def info(self) -> Steps[Mapping[str, str]]:
        """
        Raises:
            Unavailable: Redis is away, or does not tell.
        """
        return (yield from ask(Command(("INFO",)), _told))

    def changed(self, user_id: int, tg_id: int | None) -> Steps[bool]:
        """Drop what is cached of a person's rows in `users` and `subscriptions`; whether Redis has done it."""
        dropping = self._drop_rows(user_id, _known(tg_id))
        yield from together(dropping)
        return all(begun.value.reached for begun in dropping)

    def apply(self, changes: Sequence[Change]) -> Steps[list[bool]]:
        """Drop what is cached of all these, in one round trip; for each, whether Redis has done it."""
        each = [self._dropping(change) for change in changes]
        yield from together([begun for dropping in each for begun in dropping])
        return [all(_is_done(begun.value) for begun in dropping) for dropping in each]

    def purged(self, user_id: int) -> Steps[bool]:
        """Drop what came from a person's messages and summaries; whether Redis has done it."""
        dropping = self._drop_texts(user_id)
        yield from together(dropping)
        return all(begun.value.reached for begun in dropping)

    def forget(self, user_id: int, tg_id: int | None) -> Steps[Forgotten]:
        """Forget all text of a person and what is cached of their rows; store none of it for ten minutes (G5)."""
        text = Begun(self._forget_text(user_id))
        dropping = self._drop_rows(user_id, _known(tg_id))
        yield from together([text, *dropping])
        dropped = text.value
        return Forgotten(
            reached=dropped is not None and all(begun.value.reached for begun in dropping),
            keys=(dropped or 0) + sum(begun.value.value + begun.value.lease for begun in dropping),
        )

    def holdings(self, user_id: int, tg_id: int | None) -> Steps[Holdings]:
        """What is held on a person, in one round trip: their own slot, and that of their identity."""
        peeked = Begun(self.access_state.peek(user_id))
        measured = [Begun(measure(places)) for places in self._places(user_id, tg_id)]
        yield from together([peeked, *measured])
        access, parts = peeked.value, [begun.value for begun in measured]
        things = [thing for part in parts for thing in part or ()]
        if access.state == "hit":
            things = [
                msgspec.structs.replace(thing, age_s=access.age_s) if thing.kind == "access_state" else thing
                for thing in things
            ]
        return Holdings(
            reached=None not in parts and access.state != "unreachable", access_state=access, things=tuple(things)
        )

    def _places(self, user_id: int, tg_id: int | None) -> list[list[Place]]:
        """Where something may be held on a person, by slot."""
        ttls = {cache: ttl.total_seconds() for cache, ttl in self.settings.ttls.items()}
        state = self.access_state.key(user_id)
        history, history_lease, added = self.history.keys_of(user_id)
        (retrieved,) = self.rag.personal.keys_of(user_id)
        waiting, turn, done = self.talkbuf.keys_of(user_id)
        own = [
            Place("access_state", state),
            Place("recent_history", history, lives_s=ttls["recent_history"]),
            Place("history_added", added),
            Place("history_purged", f"{history}:purged", lives_s=ttls["recent_history"]),
            Place("talk_waiting", waiting, "buffer"),
            Place("talk_in_flight", turn, "buffer"),
            Place("talk_done", done),
            Place("retrieval", retrieved, "named", lives_s=ttls["rag"]),
            Place("nostore", self.keys.of("nostore", user_id), lives_s=NOSTORE_FOR.total_seconds()),
            Place("loading", f"{state}:lease"),
            Place("loading", history_lease),
        ]
        if tg_id is None or not self.settings.hash_secret:
            return [own]
        who = self.identity.key(tg_hash(self.settings.hash_secret, tg_id))
        return [own, [Place("identity", who, lives_s=ttls["identity"]), Place("loading", f"{who}:lease")]]

    def _forget_text(self, user_id: int) -> Steps[int | None]:
        keys = (
            self.keys.of("nostore", user_id),
            *self.history.keys_of(user_id),
            *self.rag.personal.keys_of(user_id),
            *self.talkbuf.keys_of(user_id),
        )
        try:
            return (yield from ask(Call(FORGET, keys, (int(NOSTORE_FOR.total_seconds() * 1000),)), int))
        except Unavailable:
            return None

    def _dropping(self, change: Change) -> list[Begun[Any]]:
        """Begun; what each ends in is for `_is_done`."""
        if change.touches == "texts":
            return [*self._drop_texts(change.user_id)]
        rows = self._drop_rows(change.user_id, change.tg_ids)
        return [*rows] if change.touches == "rows" else [Begun(self._forget_text(change.user_id)), *rows]

    def _drop_texts(self, user_id: int) -> list[Begun[Invalidated]]:
        return [Begun(self.history.forget(user_id)), Begun(self.rag.personal.invalidate((user_id, "")))]

    def _drop_rows(self, user_id: int, tg_ids: Sequence[int]) -> list[Begun[Invalidated]]:
        identities = (tg_hash(self.settings.hash_secret, tg_id) for tg_id in tg_ids)
        return [
            Begun(self.access_state.invalidate(user_id)),
            *(Begun(self.identity.invalidate(subject)) for subject in identities),
        ]

    def announce(self, topic: str) -> Steps[None]:
        try:
            yield Command(("PUBLISH", self.keys.plain(CHANGED), topic))
        except Unavailable:
            log.debug("not announced: redis is away")

    def log_start(self, ping: Ping) -> None:
        if ping.ok:
            log.info("redis ping ok role=%s latency_ms=%.1f server=%s", self.role, ping.latency_ms, ping.version)
        else:
            log.warning("redis ping failed role=%s reason=%s; caches go straight to the source", self.role, ping.reason)
        if ping.cluster is not None and ping.cluster != self.settings.cluster:
            is_cluster = "a node of a Redis Cluster" if ping.cluster else "no Redis Cluster"
            log.error("REDIS_URL names %s: set REDIS_CLUSTER=%s", is_cluster, "on" if ping.cluster else "off")
        if self.settings.off:
            log.info("caches switched off: %s", " ".join(sorted(self.settings.off)))

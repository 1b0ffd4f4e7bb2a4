"""Performing one step in a thread: the way to a server and back, failures, and what is done about them later."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias, cast

import redis
from redis.exceptions import AskError, NoScriptError, ResponseError

from cache_layer.errors import Unavailable
from cache_layer.runners.circuit import Circuit
from cache_layer.runners.clients import Client, routes_through, url_at
from cache_layer.runners.exchange import PROBE, SLOTS, are_final, asked_again, joined, words
from cache_layer.runners.heart import Heart
from cache_layer.runners.routes import Cluster, Node, Part
from cache_layer.settings import Settings
from cache_layer.steps import Batch, Call, Command

SyncClient: TypeAlias = redis.Redis

PARTS_AT_ONCE = 8
"""Threads for what one call asks of several nodes of a cluster, which only people who look do."""


class SyncPerformer(Circuit[Client]):
    """Of `SyncRunner`, what is about Redis.

    Args:
        client: its pool must block rather than refuse, and its timeouts be the layer's. None where there is no Redis,
            and where it is a cluster.
    """

    def __init__(self, client: redis.Redis | None, settings: Settings) -> None:
        super().__init__(routes_through(client, settings))
        self._url = settings.redis_url
        self._others = ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="cache_layer part")
        self.heart = Heart()

    @property
    def url(self) -> str:
        """REDIS_URL; of a cluster, for a node that may be asked: another each time, since one may be lost unnoticed."""
        nodes = [node for node in self._nodes() if node.breaker.allows]
        return url_at(self._url, random.choice(nodes).address) if nodes else self._url  # noqa: S311  no secret

    def close(self) -> None:
        """End what runs in the background. Later calls are still performed."""
        self.heart.stop()

    def disconnect(self) -> None:
        """Close the connections to a cluster's nodes; those of a client are its owner's."""
        self._others.shutdown()
        if isinstance(self._routes, Cluster):
            for node in self._routes.known:
                node.lines.close()

    def _perform(self, step: Command | Call | Batch, *, probing: bool = False, at: Node[Client] | None = None) -> Any:
        """
        Args:
            probing: although the circuit is not closed yet.
            at: the node that it is for, where that has been found out already.
        """
        if self._routes is None:
            raise Unavailable("no REDIS_URL")
        if at is not None:
            node = at
        elif isinstance(step, Batch):
            parts = self._routes.parts(step)
            if len(parts) != 1:
                return self._perform_parts(step, parts)
            node = parts[0][0]
        else:
            node = self._routes.node_of(step)
        if not (node.breaker.allows or probing):
            self._not_done(step)
            raise Unavailable("circuit open")
        if self._is_owed(step):
            raise Unavailable("owed")
        began = time.monotonic()
        asked = [node]
        try:
            reply = self._send(step, asked)
        except Exception as error:  # noqa: BLE001  whatever a confused client raises is Redis being away
            self._failed(step, error, began, asked[0])
        self.measures.redis(step, reply, time.monotonic() - began)
        self._done(step, reply, asked[0])
        return reply

    def _perform_parts(self, batch: Batch, parts: Sequence[Part[Client]]) -> list[Any]:
        """Each node its part of the batch, all at the same time."""
        each = [(Batch(tuple(batch.steps[number] for number in numbers)), node) for node, numbers in parts]
        try:
            performing = [self._others.submit(self._perform, one, at=node) for one, node in each]
        except RuntimeError:  # the layer is closed, or the interpreter about to end
            raise Unavailable("closed") from None
        return joined(parts, [future.exception() or future.result() for future in performing])

    def _send(self, step: Command | Call | Batch, asked: list[Node[Client]]) -> Any:
        """
        Args:
            asked: a node, for the one that was asked last: where redirections end, and whose fault a failure is.
        """
        if isinstance(step, Batch):
            replies: list[Any] = asked[0].lines.execute_many([words(one) for one in step.steps])
            if not are_final(replies):
                replies = self._ask_again(step.steps, replies, asked)
            return self._replies(step.steps, replies)
        try:
            return asked[0].lines.execute(*words(step))
        except (NoScriptError, AskError) as error:
            (reply,) = self._ask_again((step,), (error,), asked)
            if isinstance(reply, ResponseError):
                raise reply from None
            return reply

    def _ask_again(
        self, steps: Sequence[Command | Call], replies: Sequence[Any], asked: list[Node[Client]]
    ) -> list[Any]:
        assert self._routes is not None
        first = asked[0]
        asking = asked_again(steps, replies, first, self._routes)
        try:
            parcel = next(asking)
            while True:
                asked[0] = parcel.place.node
                if not (asked[0] is first or asked[0].breaker.allows):
                    raise Unavailable("circuit open")
                parcel = asking.send(asked[0].lines.execute_many(parcel.sent))
        except StopIteration as stop:
            return cast("list[Any]", stop.value)
        finally:
            self._refresh_if_stale()

    def _start_undoing(self) -> None:
        self.heart.after(0, self._undo)

    def _start_refreshing(self) -> None:
        self.heart.after(0, self._ask_for_slots)

    def _start_probing(self, node: Node[Client]) -> None:
        self.heart.after(node.breaker.next_pause(), lambda: self._probe(node))

    def _undo(self) -> None:
        try:
            self._make_up()
        finally:
            self._undoing = False

    def _make_up(self, node: Node[Client] | None = None) -> None:
        """Carry out what is owed and undo what is in doubt.

        Args:
            node: only what is owed to this one, which is being probed.
        """
        outstanding = self._outstanding(node)
        call = next(outstanding, None)
        while call is not None:
            done = True
            try:
                self._perform(call, probing=node is not None)
            except Unavailable:
                done = False
            try:
                call = outstanding.send(done)
            except StopIteration:
                return

    def _probe(self, node: Node[Client]) -> None:
        if isinstance(self._routes, Cluster):
            self._ask_for_slots()  # another may have its slots by now
            if node not in self._routes.nodes:
                node.breaker.close()  # for the day that it comes back
                return
        node.breaker.probing()
        ok = False
        with contextlib.suppress(Exception):
            ok = node.lines.execute(*PROBE) == 1
        if ok:
            self._make_up(node)
        if not self._probed(node, ok=ok):
            self._start_probing(node)

    def _ask_for_slots(self) -> None:
        assert isinstance(self._routes, Cluster)
        try:
            for teller in self._routes.tellers():
                try:
                    gone = self._routes.learn(teller.lines.execute(*SLOTS), teller)
                except ResponseError:
                    self._routes.is_stale = False  # no cluster, or not for us to know: redirections will do
                    return
                except Exception:  # noqa: BLE001, S112  the next one may know
                    continue
                for node in gone:
                    node.lines.close()
                self.settle()  # what is owed may have somewhere to go now
                return
        finally:
            self._refreshing = False

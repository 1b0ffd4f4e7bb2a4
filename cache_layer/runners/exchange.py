"""What is said to a server for a step, and said again when it answers "not here" or "I do not know that". No I/O."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import redis
from redis.exceptions import AskError, NoScriptError

from cache_layer.errors import Unavailable
from cache_layer.runners.routes import Node, Part, Place, Routes
from cache_layer.steps import Argument, Call, Command

L = TypeVar("L")

Words: TypeAlias = tuple[Argument, ...]

AGAIN_AT_MOST = 4
"""A node that points on, a node that is being given the slot, and a script that neither knows."""

ASKING: Words = ("ASKING",)
SLOTS: Words = ("CLUSTER", "SLOTS")
PROBE: Words = ("EVAL", "return 1", 0)
"""A script, as nearly all that is asked is one: a Redis whose writes are paused answers PING, and no script."""

UNDERSTAND: Mapping[str, Callable[[Any], Any]] = redis.Redis().response_callbacks
"""redis-py's: what it makes of the replies to commands, whatever the protocol. Making a client connects to nothing."""


class Parcel(NamedTuple, Generic[L]):
    """Commands that go to one node together."""

    place: Place[L]
    commands: Sequence[Words]

    @property
    def sent(self) -> Sequence[Words]:
        """A node that is just being given the slot wants to be told before each command that one was sent there."""
        if not self.place.asking:
            return self.commands
        return [words for command in self.commands for words in (ASKING, command)]

    def answers(self, replies: Sequence[Any]) -> Sequence[Any]:
        """The replies to the commands themselves."""
        return replies[1::2] if self.place.asking else replies


def words(step: Command | Call, *, whole: bool = False) -> Words:
    """What is sent for this step.

    Args:
        whole: send the script itself, for a Redis that does not know it by its name.
    """
    if isinstance(step, Command):
        return step.args
    script = step.script
    return (
        "EVAL" if whole else "EVALSHA",
        script.source if whole else script.sha,
        len(step.keys),
        *step.keys,
        *step.args,
    )


def asked_again(
    steps: Sequence[Command | Call], replies: Sequence[Any], node: Node[L], routes: Routes[L]
) -> Generator[Parcel[L], Sequence[Any], list[Any]]:
    """The replies, errors among them, once every redirection has been followed and every unknown script been sent.

    Args:
        replies: to the steps, from `node`, by whose redirections `routes` learns.
    """
    final = list(replies)
    places: list[Place[L]] = [Place(node)] * len(steps)
    whole = [False] * len(steps)
    for _ in range(AGAIN_AT_MOST):
        again: dict[Place[L], list[int]] = {}
        for number, reply in enumerate(final):
            if isinstance(reply, NoScriptError):
                whole[number] = True
            elif (
                isinstance(reply, AskError) and (place := routes.redirected(reply, places[number].node)) is not None
            ):  # MovedError is one
                places[number] = place
            else:
                continue
            again.setdefault(places[number], []).append(number)
        if not again:
            break
        for place, numbers in again.items():
            parcel = Parcel(place, [words(steps[number], whole=whole[number]) for number in numbers])
            answers = parcel.answers((yield parcel))
            for number, answer in zip(numbers, answers, strict=True):
                final[number] = answer
    return final


def are_final(replies: Sequence[Any]) -> bool:
    """Whether nothing has to be asked again."""
    return not any(isinstance(reply, NoScriptError | AskError) for reply in replies)


def joined(parts: Sequence[Part[L]], answers: Sequence[Sequence[Any] | BaseException]) -> list[Any]:
    """The replies to a batch whose parts were answered by several nodes, in the order of its steps.

    Where a node has not answered `Unavailable` stands in the places of its part.

    Raises:
        Unavailable: none has answered, all for the same reason.
    """
    reasons: set[str] = set()
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, Unavailable):
            raise answer
        reasons.add(answer.reason if isinstance(answer, Unavailable) else "")
    if len(reasons) == 1 and "" not in reasons:
        raise Unavailable(reasons.pop())
    replies: dict[int, Any] = {}
    for (_, numbers), answer in zip(parts, answers, strict=True):
        each = [answer] * len(numbers) if isinstance(answer, BaseException) else answer
        replies.update(zip(numbers, each, strict=True))
    return [replies[number] for number in range(len(replies))]


def understood(step: Command | Call, reply: Any) -> Any:
    """What redis-py would return for it; replies of scripts, and errors, as they are."""
    if isinstance(step, Call) or isinstance(reply, Exception):
        return reply
    understand = UNDERSTAND.get(str(step.args[0]))
    return reply if understand is None else understand(reply)

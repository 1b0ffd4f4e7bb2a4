"""Reading a value together with what decides whether it may be used: a version, or a marker in another slot.

Each of these stands for a `Value` where a runner takes one, and costs no round trip more: what it wants to know is
asked in the same one as the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from cache_layer.codecs import Subject
from cache_layer.errors import Unavailable
from cache_layer.scripts import LEASE_RELEASE, VALUE_FILL
from cache_layer.shapes.versions import Versions
from cache_layer.steps import Begun, Call, Command, Steps, ask, together

T = TypeVar("T")
R = TypeVar("R", covariant=True)

LAPS = 3


class Readable(Protocol[R]):
    """What a runner shares between callers: `Value` has it."""

    def flight(self, subject: Subject) -> str: ...

    def get(self, subject: Subject) -> Steps[R]: ...

    def straight(self) -> Steps[R]: ...

    def joined(self, *, loaded: bool) -> None: ...


class Unmarked(Generic[T]):
    """A value that is read and filled only while a marker is not set.

    The marker says that nothing of a person's text is stored. It sits in the person's slot and the value in another, so
    that no script can look at both: it is asked for with the read, and again right before the fill.
    """

    def __init__(self, value: Readable[T], marker: str) -> None:
        self._value = value
        self._marker = marker

    def flight(self, subject: Subject) -> str:
        return self._value.flight(subject)

    def straight(self) -> Steps[T]:
        return self._value.straight()

    def joined(self, *, loaded: bool) -> None:
        self._value.joined(loaded=loaded)

    def get(self, subject: Subject) -> Steps[T]:
        marked, begun = Begun(self._is_marked()), Begun(self._value.get(subject))
        yield from together([marked, begun])
        if marked.value:
            yield from begun.give_up()
            return (yield from self._value.straight())
        while begun.step is not None:
            step = begun.step
            if isinstance(step, Call) and step.script is VALUE_FILL and (yield from self._is_marked()):
                step = Call(LEASE_RELEASE, step.keys, step.args[:1], step.cache)  # 1, as a fill that was accepted
            yield from begun.perform(step)
        return begun.value

    def _is_marked(self) -> Steps[bool]:
        """Also where nobody can say."""
        try:
            return (yield from ask(Command(("EXISTS", self._marker)), int)) != 0
        except Unavailable:
            return True


class Versioned(Generic[T]):
    """A value whose key is made of the version of something else.

    Args:
        of: what has the version.
        subject_under: the value's subject under a version.
    """

    def __init__(
        self, value: Readable[T], versions: Versions, of: str, subject_under: Callable[[str], Subject]
    ) -> None:
        self._value = value
        self._versions = versions
        self._of = of
        self._subject_under = subject_under

    @property
    def subject(self) -> Subject:
        """Under the version that this process saw last."""
        return self._subject_under(self._versions.remembered(self._of))

    def flight(self, subject: Subject) -> str:
        return self._value.flight(subject)

    def straight(self) -> Steps[T]:
        return self._value.straight()

    def joined(self, *, loaded: bool) -> None:
        self._value.joined(loaded=loaded)

    def get(self, subject: Subject) -> Steps[T]:
        """Whatever the subject says, under the version that is true now."""
        for _ in range(LAPS):
            expected = self._versions.remembered(self._of)
            version, begun = Begun(self._versions.read(self._of)), Begun(self._value.get(self._subject_under(expected)))
            yield from together([version, begun])
            if version.value == expected:
                return (yield from begun.rest())
            yield from begun.give_up()
            if version.value is None:
                break
        return (yield from self._value.straight())

"""From material to a summary: in as many requests as it takes, each answer looked at before it is believed.

What does not fit into one request is retold in parts, and the notes about the parts are put together, by a fixed number
at a time, until one is left. So the number of requests is known from the parts alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from pomni_admin.summaries import answers, language, parts, prompt
from pomni_admin.summaries.language import Language

if TYPE_CHECKING:
    from pomni_admin.summaries.providers import Message

NOTE_TOKENS = 1_000
"""The most that a note about a part takes of the request that puts notes together; more is cut off."""
MOST_PARTS = 16
"""When a period has more, its newest are read."""
MOST_REFUSALS = 2
"""So often an answer that is no summary is asked for again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of one request; `flaw` is the code of an answer that cannot be used, empty for the others."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    flaw: str = ""


class Ask(Protocol):
    """Sends one request: what to do, and the material."""

    def __call__(self, system: str, material: str) -> Reply: ...


class Unusable(Exception):
    """No answer could be used; `code` is a short fixed word."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(slots=True)
class Writer:
    """Writes one summary, and adds up what it costs."""

    kind: str
    ask: Ask
    budget: int
    tokens_in: int = 0
    tokens_out: int = 0

    def write(self, messages: Sequence[Message]) -> str:
        """The summary's text, of material that is not empty.

        Raises:
            Unusable: the model did not answer with one.
        """
        spoken = [message.text for message in messages if message.role not in {"bot", "assistant"}]
        tongue = language.of(spoken or [message.text for message in messages])
        pieces = self.parts(messages)
        last = pieces[-1][-1]
        count = len(pieces)
        notes = [
            self._asked(prompt.system(self.kind, tongue, part=(at, count) if count > 1 else None), piece, tongue)
            for at, piece in enumerate(pieces, start=1)
        ]
        while len(notes) > 1:
            most = merged_at_once(self.budget)
            groups = [notes[at : at + most] for at in range(0, len(notes), most)]
            notes = [
                self._asked(
                    prompt.system(self.kind, tongue, merges=True), [_note(text, last) for text in group], tongue
                )
                if len(group) > 1
                else group[0]
                for group in groups
            ]
        return notes[0]

    def parts(self, messages: Sequence[Message]) -> list[list[Message]]:
        """What is sent, request by request."""
        return parts.split(prompt.prepared(messages), self.budget, prompt.line)[-MOST_PARTS:]

    def _asked(self, system: str, material: Sequence[Message], tongue: Language) -> str:
        """An answer that is a summary, in the right language if the model can be brought to it."""
        text = self._usable(system, material)
        if language.fits(text, tongue):
            return text
        return self._usable(prompt.insisting(system, tongue), material)

    def _usable(self, system: str, material: Sequence[Message]) -> str:
        flaw = ""
        for _ in range(MOST_REFUSALS + 1):
            reply = self.ask(system, prompt.transcript(material))
            self.tokens_in += reply.tokens_in
            self.tokens_out += reply.tokens_out
            text = prompt.summary(reply.text)
            flaw = reply.flaw or ("" if text else "empty_answer")
            if not flaw and answers.is_refusal(text):
                flaw = "refused_answer"
            if not flaw:
                return text
        raise Unusable(flaw)


def merged_at_once(budget: int) -> int:
    """How many notes one request puts together."""
    return max(2, budget // NOTE_TOKENS)


def requests(count: int, budget: int) -> int:
    """How many requests so many parts take, when each is answered well at once."""
    most, total = merged_at_once(budget), count
    while count > 1:
        total += count // most + (count % most > 1)
        count = -(-count // most)
    return total


def _note(text: str, like: Message) -> Message:
    return replace(like, role=prompt.PART, text=next(parts.cut(text, NOTE_TOKENS - 1)))


Each = Callable[[Callable[[], Reply]], Reply]
"""What each request goes through: the gate, and tries."""

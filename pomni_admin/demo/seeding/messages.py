"""When people talk: conversations spread over sixty days, most of them in the evening and at night."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from pomni_admin.demo.seeding.conversation import Conversation, Turn
from pomni_admin.demo.seeding.hard_cases import hard_cases
from pomni_admin.demo.seeding.people import DAYS, TALKING, Person
from pomni_admin.demo.seeding.topics import Topic, topics

HOURS: Final = {
    "night": ((19, 20, 21, 22, 23, 0, 1), (4, 6, 7, 5, 3, 1, 1)),
    "evening": ((14, 15, 16, 17, 18, 19, 20), (1, 3, 4, 5, 6, 5, 3)),
    "day": ((5, 6, 8, 10, 12, 14, 16, 17), (2, 2, 2, 2, 3, 3, 3, 2)),
}
"""Hours UTC and their weights; most people live three hours ahead."""
YESTERDAY_SHARE: Final = 0.47
DAY_BEFORE_SHARE: Final = 0.34
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Said:
    """A row of `bot_messages`; `person` is an index into the list of people."""

    person: int
    role: str
    text: str
    at: datetime


def talk(draw: random.Random, people: Sequence[Person], count: int, today: date) -> list[Said]:
    """At least `count` messages in the order of their times, the last of them before `today` begins (UTC).

    Nearly half of all people talked yesterday and a third the day before, whatever `count` is.
    """
    midnight = datetime.combine(today, time(), UTC)
    diary = _Diary(draw, people, midnight)
    yesterday, day_before = midnight - DAY, midnight - 2 * DAY
    talked = diary.dense_day(yesterday, round(len(people) * YESTERDAY_SHARE))
    diary.dense_day(day_before, round(len(people) * DAY_BEFORE_SHARE))
    diary.before_they_switched()
    for person, text in zip(talked, hard_cases(draw), strict=False):
        diary.interrupt(person, text, yesterday)
    diary.fill(count)
    return sorted(diary.said, key=lambda said: (said.at, said.person))


class _Diary:
    """What has been said so far, and who was talking at which hour."""

    def __init__(self, draw: random.Random, people: Sequence[Person], midnight: datetime) -> None:
        self.said: list[Said] = []
        self._draw = draw
        self._people = people
        self._midnight = midnight
        self._busy: set[tuple[int, datetime]] = set()
        self._topics = topics()
        self._weights = [topic.weight for topic in self._topics]

    def dense_day(self, day: datetime, count: int) -> list[int]:
        """Let up to `count` people with access talk on that day; return them."""
        open_that_day = [
            index
            for index, person in enumerate(self._people)
            if person.state in TALKING and person.storable and self._spans(person, day, day + DAY)
        ]
        chosen = self._draw.sample(open_that_day, min(count, len(open_that_day)))
        for index in chosen:
            self._converse(index, day)
            if self._draw.random() < 0.3:
                self._converse(index, day)
        return chosen

    def before_they_switched(self) -> None:
        """A few old conversations of people whose text may no longer be stored."""
        for index, person in enumerate(self._people):
            if not person.storable and (days := self._days(person)):
                self._converse(index, self._draw.choice(days))

    def interrupt(self, index: int, text: str, day: datetime) -> None:
        """One odd message just before the day ends, answered as any other."""
        at = day + DAY - timedelta(minutes=self._draw.randrange(5, 50))
        self.said.append(Said(index, "user", text, at))
        self.said.append(
            Said(index, "bot", "Вижу твоё сообщение. Что в нём сейчас самое важное?", at + timedelta(seconds=4))
        )

    def fill(self, count: int) -> None:
        """Conversations on any day until there are `count` messages."""
        open_days = {
            index: days for index, person in enumerate(self._people) if person.storable and (days := self._days(person))
        }
        if not open_days:
            return
        # Some talk every day, some once; those who have been here longer have talked more.
        eager = [len(days) * min(self._draw.paretovariate(1.5), 5) for days in open_days.values()]
        people = list(open_days)
        while len(self.said) < count:
            for index in self._draw.choices(people, eager, k=50):
                self._converse(index, self._draw.choice(open_days[index]))

    def _converse(self, index: int, day: datetime) -> None:
        person = self._people[index]
        topic = self._draw.choices(self._topics, self._weights)[0]
        start = self._start(index, topic, day)
        turns = list(_timed(self._draw, Conversation(self._draw, person.habits, topic)))
        length = turns[-1][0] + timedelta(seconds=1)
        start = min(start, day + DAY - length)
        assert person.talks_from is not None
        assert person.talks_until is not None
        start = max(min(start, person.talks_until - length), person.talks_from)
        self.said.extend(Said(index, turn.role, turn.text, start + offset) for offset, turn in turns)

    def _start(self, index: int, topic: Topic, day: datetime) -> datetime:
        hours, weights = HOURS[topic.hours]
        for _ in range(8):
            hour = day + timedelta(hours=self._draw.choices(hours, weights)[0])
            if not {(index, hour), (index, hour + timedelta(hours=1))} & self._busy:
                break
        self._busy |= {(index, hour), (index, hour + timedelta(hours=1))}
        return hour + timedelta(seconds=self._draw.uniform(0, 3000))

    def _days(self, person: Person) -> list[datetime]:
        """The UTC days that lie wholly within the time in which this person talks."""
        if person.talks_from is None or person.talks_until is None:
            return []
        day = max(datetime.combine(person.talks_from.date(), time(), UTC) + DAY, self._midnight - DAYS * DAY)
        days = []
        while day + DAY <= person.talks_until:
            days.append(day)
            day += DAY
        return days

    @staticmethod
    def _spans(person: Person, start: datetime, end: datetime) -> bool:
        """Whether this person talks at the end of that time, and began early enough to have something to say in it."""
        if person.talks_from is None or person.talks_until is None:
            return False
        return person.talks_from <= end - timedelta(hours=3) and person.talks_until >= end and start < end


def _timed(draw: random.Random, turns: Conversation) -> Iterator[tuple[timedelta, Turn]]:
    """Turns with their distance from the conversation's start: people think and type, the bot takes seconds."""
    at = 0.0
    before = ""
    for turn in turns:
        if turn.role == "bot":
            at += draw.uniform(2, 9)
        elif before == "user":
            at += draw.uniform(1.5, 12)
        elif before:
            at += draw.uniform(5, 90) + len(turn.text) * draw.uniform(0.1, 0.4)
        before = turn.role
        yield timedelta(seconds=round(at, 3)), turn

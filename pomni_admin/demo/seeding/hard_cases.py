"""Messages as nobody plans for them: very long, right to left, with control characters, of emoji that are many."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pomni_admin.demo.seeding.conversation import Conversation, Habits
from pomni_admin.demo.seeding.topics import topics

LONG_BYTES = 100_000

RIGHT_TO_LEFT = (
    "Бабушка говорила: \u202bשלום, הכול יהיה בסדר\u202c. А сосед пишет: \u2067كل شيء سيكون بخير\u2069 и я плачу."
)
CONTROLS = "Переслал\x07 из терминала: \x1b[31mне могу\x1b[0m\x01\x02 больше\x7f\u0085так\u2028жить\ufeff. \r\n\tВот."
EMOJI = "👩‍👩‍👧‍👦🏳️‍🌈👍🏽❤️‍🔥🇷🇺1️⃣ как-то так 😭😭😭 н̷е̷ ̷м̷о̷г̷у̷ 🫠"
ONE_WORD = "а" * 3_000 + "!"
BLANK = " \n\t\u00a0\u200b\n "


def hard_cases(draw: random.Random) -> list[str]:
    """One text of each kind. The longest is at least 100 kB in UTF-8."""
    return [_long(draw), RIGHT_TO_LEFT, CONTROLS, EMOJI, ONE_WORD, BLANK]


def _long(draw: random.Random) -> str:
    parts: list[str] = []
    size = 0
    for text in _endless(draw):
        parts.append(text)
        size += len(text.encode()) + 1
        if size > LONG_BYTES:
            break
    return "\n".join(parts)


def _endless(draw: random.Random) -> Iterator[str]:
    habits = Habits.of_somebody(draw)
    while True:
        for turn in Conversation(draw, habits, draw.choice(topics())):
            if turn.role == "user":
                yield turn.text

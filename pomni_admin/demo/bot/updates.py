"""Updates as Telegram would send them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import count

from aiogram.types import (
    CallbackQuery,
    Chat,
    ChatMemberBanned,
    ChatMemberMember,
    ChatMemberUpdated,
    Message,
    Update,
    User,
)

FIRST_NAMES = ("Саша", "Женя", "Валя", "Слава", "Никита")


class Updates:
    """Makes updates with numbers that grow; all of private chats, since group chats do not exist for this bot.

    They go on from the clock, since a message with a number that this person had before would pass for that one again.
    """

    def __init__(self, bot_id: int) -> None:
        self._me = User(id=bot_id, is_bot=True, first_name="Помни")
        self._numbers = count(time.time_ns() // 1_000_000)

    def text(self, tg_id: int, text: str) -> Update:
        return Update(update_id=next(self._numbers), message=self._message(tg_id, text))

    def press(self, tg_id: int, data: str) -> Update:
        """A press on an inline button."""
        number = next(self._numbers)
        return Update(
            update_id=number,
            callback_query=CallbackQuery(
                id=str(number),
                from_user=_user(tg_id),
                chat_instance=str(tg_id),
                data=data,
                message=self._message(tg_id, ""),
            ),
        )

    def blocked(self, tg_id: int) -> Update:
        """The person has blocked the bot."""
        return Update(
            update_id=next(self._numbers),
            my_chat_member=ChatMemberUpdated(
                chat=Chat(id=tg_id, type="private"),
                from_user=_user(tg_id),
                date=_now(),
                old_chat_member=ChatMemberMember(user=self._me),
                new_chat_member=ChatMemberBanned(user=self._me, until_date=datetime.fromtimestamp(0, UTC)),
            ),
        )

    def _message(self, tg_id: int, text: str) -> Message:
        return Message(
            message_id=next(self._numbers),
            date=_now(),
            chat=Chat(id=tg_id, type="private"),
            from_user=_user(tg_id),
            text=text,
        )


def _user(tg_id: int) -> User:
    return User(id=tg_id, is_bot=False, first_name=FIRST_NAMES[tg_id % len(FIRST_NAMES)], language_code="ru")


def _now() -> datetime:
    return datetime.now(UTC)

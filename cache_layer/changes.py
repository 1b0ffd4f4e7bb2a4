"""What has been committed about a person, as the relay hands it over: many of them are dropped in one round trip."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

import msgspec

from cache_layer.privacy import may_store

Touches: TypeAlias = Literal["rows", "texts", "everything"]


class Change(msgspec.Struct, frozen=True):
    """One change of one person. Its representation tells nothing, since it may end in a log line (G6).

    Attributes:
        touches: what of theirs is true no longer: what is cached of their rows, what came from their messages and
            summaries, or everything, so that nothing of theirs may be stored for a while.
        tg_ids: the Telegram ids by which their identity may be cached.
    """

    user_id: int
    touches: Touches
    tg_ids: tuple[int, ...] = ()

    @classmethod
    def of_rows(cls, user_id: int, tg_ids: tuple[int, ...] = ()) -> Self:
        """Their row in `users` or `subscriptions`."""
        return cls(user_id, "rows", tg_ids)

    @classmethod
    def of_privacy(cls, user_id: int, tg_ids: tuple[int, ...], level: str | None) -> Self:
        """`users.privacy_level` was set to `level`."""
        return cls(user_id, "rows" if may_store(level) else "everything", tg_ids)

    @classmethod
    def of_texts(cls, user_id: int) -> Self:
        """Messages or summaries of theirs were deleted."""
        return cls(user_id, "texts")

    @classmethod
    def of_everything(cls, user_id: int, tg_ids: tuple[int, ...] = ()) -> Self:
        """They were deleted."""
        return cls(user_id, "everything", tg_ids)

    def __repr__(self) -> str:
        return f"Change({self.touches}, …)"

"""The texts of a person's summaries, in `dialog_summaries`; where they are found by meaning is `vectors`' business."""

from __future__ import annotations

from collections.abc import Sequence

from pomni_admin.demo.bot.postgres import Session

TEXTS = "SELECT id, text FROM dialog_summaries WHERE user_id = %s AND id = ANY(%s)"
DELETE = "DELETE FROM dialog_summaries WHERE user_id = %s"


async def texts_of(session: Session, user_id: int, summary_ids: Sequence[int]) -> Sequence[str]:
    """The texts of those that are there, in the order asked for.

    Asked with the person as well, since an id alone could be another's: a vector may outlive its row.
    """
    rows = await session.execute(TEXTS, (user_id, list(summary_ids)))
    texts: dict[int, str] = {summary_id: text async for summary_id, text in rows}
    return [texts[summary_id] for summary_id in summary_ids if summary_id in texts]


async def delete_summaries(session: Session, user_id: int) -> None:
    await session.execute(DELETE, (user_id,))

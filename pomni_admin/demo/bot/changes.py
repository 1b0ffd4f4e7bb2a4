"""What people change about themselves: each change is committed, and then what was cached of before is forgotten.

In this order, since what is forgotten before the commit may be loaded and cached again. The triggers and the relay see
to the same for every change, whoever made it; said here as well it has happened when the person gets the answer.
"""

from __future__ import annotations

from cache_layer.privacy import may_store
from pomni_admin.demo.bot import message_log, store, summaries
from pomni_admin.demo.bot.services import Services


async def accept_policy(services: Services, tg_id: int, user_id: int) -> None:
    async with services.pool.connection() as session:
        await store.accept_policy(session, user_id)
    await _changed(services, tg_id, user_id)


async def begin_trial(services: Services, tg_id: int, user_id: int) -> bool:
    """Whether it began: nobody has two."""
    async with services.pool.connection() as session:
        began = await store.start_trial(session, user_id)
    await _changed(services, tg_id, user_id)
    return began


async def unmark_blocked(services: Services, tg_id: int, user_id: int) -> None:
    async with services.pool.connection() as session:
        await store.unmark_blocked(session, user_id)
    await _changed(services, tg_id, user_id)


async def mark_blocked(services: Services, tg_id: int) -> None:
    async with services.pool.connection() as session:
        user_id = await store.mark_blocked(session, tg_id)
    if user_id is not None:
        await _changed(services, tg_id, user_id)


async def set_privacy(services: Services, tg_id: int, user_id: int, level: str) -> None:
    """Where the new level keeps nothing, what was kept goes too: messages, summaries, and all that came from them."""
    async with services.pool.connection() as session, session.transaction():
        await store.set_privacy(session, user_id, level)
        if not may_store(level):
            await message_log.purge_history(session, user_id)
            await summaries.delete_summaries(session, user_id)
    if may_store(level):
        await _changed(services, tg_id, user_id)
        return
    await services.cache.forget(user_id, tg_id)
    await _forget_vectors(services, user_id)


async def purge(services: Services, user_id: int) -> None:
    """Delete what was said and what was retold of it; the person stays, and goes on being written down."""
    async with services.pool.connection() as session, session.transaction():
        await message_log.purge_history(session, user_id)
        await summaries.delete_summaries(session, user_id)
    await services.cache.purged(user_id)
    await _forget_vectors(services, user_id)


async def delete(services: Services, tg_id: int, user_id: int) -> None:
    """Delete the person and all that is theirs."""
    async with services.pool.connection() as session:
        await store.delete_user(session, user_id)
    await services.cache.forget(user_id, tg_id)
    await _forget_vectors(services, user_id)


async def _changed(services: Services, tg_id: int, user_id: int) -> None:
    """A row of `users` was changed."""
    await services.cache.changed(user_id=user_id, tg_id=tg_id)


async def _forget_vectors(services: Services, user_id: int) -> None:
    """Last, since Qdrant may take its time. What Redis had of it is gone by then, and goes again with the points."""
    if services.retrieval is not None:
        await services.retrieval.forget_summaries(user_id)

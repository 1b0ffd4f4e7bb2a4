"""A payment, from the provider's webhook to the person being let in."""

from __future__ import annotations

import logging
from uuid import UUID

from cache_layer import CacheLayer
from pomni_admin.demo.bot.postgres import Pool
from pomni_admin.demo.bot.store import ensure_user_id
from pomni_admin.demo.seeding.payments import KOPECKS
from pomni_admin.demo.seeding.people import PLANS

log = logging.getLogger("bot")

PAYMENT = """
INSERT INTO payments (user_id, provider, provider_payment_id, amount, status)
VALUES (%s, 'yookassa', %s, %s, 'succeeded')
ON CONFLICT (provider_payment_id) DO NOTHING
"""
SUBSCRIPTION = """
INSERT INTO subscriptions AS s
       (user_id, is_premium, tier, plan, status, is_auto_renew, subscription_until, expires_at, renewed_at)
SELECT %(user_id)s, true, 'premium', %(plan)s, 'active', true, until, until, now()
FROM (SELECT now() + %(length)s AS until) AS fresh
ON CONFLICT (user_id) DO UPDATE SET
    is_premium = true, tier = 'premium', plan = excluded.plan, status = 'active', is_auto_renew = true,
    subscription_until = greatest(s.subscription_until, now()) + %(length)s,
    expires_at = greatest(s.subscription_until, now()) + %(length)s,
    renewed_at = now(), updated_at = now()
"""
STATUS = "UPDATE users SET subscription_status = 'active' WHERE id = %s"


async def apply_success_payment(pool: Pool, cache: CacheLayer, tg_id: int, plan: str, payment_id: UUID) -> bool:
    """Commit the payment and the subscription, then forget what was cached about the person.

    The order matters: invalidated before the commit, the old state could be loaded and cached again. A webhook that
    comes twice changes nothing the second time. Whether this one was new.
    """
    async with pool.connection() as session:
        user_id, _ = await ensure_user_id(session, tg_id)
        async with session.transaction():
            written = await session.execute(PAYMENT, (user_id, f"demo-{payment_id}", KOPECKS[plan]))
            is_new = written.rowcount == 1
            if is_new:
                await session.execute(SUBSCRIPTION, {"user_id": user_id, "plan": plan, "length": PLANS[plan]})
                await session.execute(STATUS, (user_id,))
    if not (await cache.access_state.invalidate(user_id)).reached:
        log.warning("a payment could not reach the cache: redis away; it is believed after the TTL at the latest")
    return is_new

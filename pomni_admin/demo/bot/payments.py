"""A payment, from the provider's webhook to the person being let in."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from cache_layer import CacheLayer
from pomni_admin.demo.bot.postgres import Pool
from pomni_admin.demo.bot.store import ensure_user_id

log = logging.getLogger("bot")


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be bought; the price in kopecks."""

    days: int
    price: int
    title: str


PLANS: Mapping[str, Plan] = {
    "week": Plan(7, 29_900, "неделя"),
    "month": Plan(30, 79_000, "месяц"),
    "year": Plan(365, 499_000, "год"),
}

PAYMENT = """
INSERT INTO payments (user_id, provider, provider_payment_id, amount, status)
VALUES (%s, 'yookassa', %s, %s, 'succeeded')
ON CONFLICT (provider_payment_id) DO NOTHING
"""
SUBSCRIPTION = """
INSERT INTO subscriptions AS s
       (user_id, is_premium, tier, plan, status, is_auto_renew, subscription_until, expires_at, renewed_at)
SELECT %(user_id)s, true, 'premium', %(plan)s, 'active', true, until, until, now()
FROM (SELECT now() + make_interval(days => %(days)s) AS until) AS fresh
ON CONFLICT (user_id) DO UPDATE SET
    is_premium = true, tier = 'premium', plan = excluded.plan, status = 'active', is_auto_renew = true,
    subscription_until = greatest(s.subscription_until, now()) + make_interval(days => %(days)s),
    expires_at = greatest(s.subscription_until, now()) + make_interval(days => %(days)s),
    renewed_at = now(), updated_at = now()
"""
STATUS = "UPDATE users SET subscription_status = 'active' WHERE id = %s"


async def apply_success_payment(pool: Pool, cache: CacheLayer, tg_id: int, plan: str, payment_id: UUID) -> bool:
    """Commit the payment and the subscription, then forget what was cached about the person.

    The order matters: invalidated before the commit, the old state could be loaded and cached again. A webhook that
    comes twice changes nothing the second time. Whether this one was new.
    """
    bought = PLANS[plan]
    async with pool.connection() as session:
        user_id, _ = await ensure_user_id(session, tg_id)
        async with session.transaction():
            written = await session.execute(PAYMENT, (user_id, str(payment_id), bought.price))
            is_new = written.rowcount == 1
            if is_new:
                await session.execute(SUBSCRIPTION, {"user_id": user_id, "plan": plan, "days": bought.days})
                await session.execute(STATUS, (user_id,))
    if not (await cache.access_state.invalidate(user_id)).reached:
        log.warning("a payment could not reach the cache: redis away; it is believed after the TTL at the latest")
    return is_new

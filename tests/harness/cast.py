"""The standing cast: the four people that tests tell their stories with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.harness.servers import Database

PEOPLE = """
INSERT INTO users (tg_id, privacy_level, trial_started_at, trial_expires_at, policy_accepted_at) VALUES
    (700000001, 'insights', now() - interval '90 days', now() - interval '85 days', now() - interval '90 days'),
    (700000002, 'ask',      now() - interval '1 day',   now() + interval '4 days',  now() - interval '1 day'),
    (700000003, 'auto',     now() - interval '60 days', NULL,                       now() - interval '60 days'),
    (700000004, 'none',     now() - interval '2 days',  now() + interval '3 days',  now() - interval '2 days')
RETURNING id
"""
SUBSCRIPTIONS = """
INSERT INTO subscriptions (user_id, is_premium, tier, plan, status, is_auto_renew, subscription_until, renewed_at)
VALUES
    (%s, true,  'premium', 'month', 'active',  true,  now() + interval '20 days', now() - interval '10 days'),
    (%s, false, 'basic',   'month', 'expired', false, now() - interval '20 days', now() - interval '50 days')
"""


@dataclass(frozen=True)
class Cast:
    """`users.id` of Alisa (subscribed), Boris (on trial), Vera (expired), Gleb (on trial, privacy none)."""

    alisa: int
    boris: int
    vera: int
    gleb: int

    def tg_id(self, name: str) -> int:
        """The Telegram id of one of them, by first name in lower case."""
        return 700_000_001 + ["alisa", "boris", "vera", "gleb"].index(name)


@pytest.fixture
def cast(database: Database) -> Cast:
    with database.connect() as connection:
        alisa, boris, vera, gleb = (row["id"] for row in connection.execute(PEOPLE).fetchall())
        connection.execute(SUBSCRIPTIONS, (alisa, vera))
    return Cast(alisa, boris, vera, gleb)

-- The bot's PostgreSQL schema (hosted on Neon), as Pomni Admin meets it in production.
-- Pomni Admin does not own these tables: the bot's own migrations do. Pomni Admin reads all of
-- them and writes only dialog_summaries. The models over them are `managed = False`; tests and
-- the demo create the tables from this file.
-- Domain facts that the types do not show:
--   users.privacy_level   'ask' (default) | 'auto' | 'insights' may be stored; 'none' and the legacy
--                         'off' must not be; any other value counts as "must not".
--   bot_messages.role     'user' | 'bot' in the table; 'user' | 'assistant' in what an LLM is sent.
--   subscriptions         one row a user; has access while status = 'active' and
--                         subscription_until > now(). Other statuses seen: 'canceled', 'expired'.
--   trial                 ends at trial_expires_at, or, where that is NULL, at
--                         trial_started_at + 5 days.
--   dialog_summaries.kind 'daily' | 'weekly' | 'monthly'; old rows say 'topic' for monthly: they
--                         are read as monthly sources, and turned into 'monthly' when rewritten.
--   payments.amount       minor units (kopecks). payments.raw is the provider's whole callback: PII.

CREATE TABLE users (
    id                 bigserial PRIMARY KEY,
    tg_id              bigint NOT NULL UNIQUE,
    privacy_level      text NOT NULL DEFAULT 'ask',
    style_profile      text NOT NULL DEFAULT 'default',
    trial_until        timestamptz,
    trial_started_at   timestamptz,
    trial_expires_at   timestamptz,
    policy_accepted_at timestamptz,
    subscription_status varchar(16),
    tg_is_blocked      boolean NOT NULL DEFAULT false,
    tg_blocked_at      timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE subscriptions (
    id                   bigserial PRIMARY KEY,
    user_id              bigint NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    is_premium           boolean NOT NULL DEFAULT false,
    tier                 varchar(32) NOT NULL DEFAULT 'basic',
    renewed_at           timestamptz,
    expires_at           timestamptz,
    plan                 text,
    status               text,
    is_auto_renew        boolean,
    subscription_until   timestamptz,
    yk_payment_method_id text,
    yk_customer_id       text,
    created_at           timestamptz DEFAULT now(),
    updated_at           timestamptz DEFAULT now()
);

CREATE TABLE payments (
    id                  bigserial PRIMARY KEY,
    user_id             bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    provider            text NOT NULL DEFAULT 'yookassa',
    provider_payment_id text UNIQUE,
    amount              integer NOT NULL,
    currency            text NOT NULL DEFAULT 'RUB',
    status              text NOT NULL,
    is_recurring        boolean NOT NULL DEFAULT false,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    raw                 json NOT NULL DEFAULT '{}'
);
CREATE INDEX ix_payments_user_id ON payments (user_id);

CREATE TABLE bot_messages (
    id         bigserial PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       text NOT NULL,
    text       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_bot_messages_user_created ON bot_messages (user_id, created_at);

CREATE TABLE dialog_summaries (
    id           bigserial PRIMARY KEY,
    user_id      bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind         varchar(16) NOT NULL,
    period_start timestamptz NOT NULL,
    period_end   timestamptz NOT NULL,
    text         text NOT NULL,
    tokens       integer,
    source_count integer,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uq_dialog_summaries_span UNIQUE (user_id, kind, period_start, period_end)
);
CREATE INDEX ix_dialog_summaries_user_kind ON dialog_summaries (user_id, kind);
CREATE INDEX ix_dialog_summaries_period_start ON dialog_summaries (period_start);
CREATE INDEX ix_dialog_summaries_period_end ON dialog_summaries (period_end);

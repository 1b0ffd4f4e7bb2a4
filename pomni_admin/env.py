"""What the Django side reads from the environment, checked before anything starts.

`load` either returns a frozen `Environment` or raises `SettingsError` for the first variable that is wrong or, in
production, missing. `pomni_admin.settings` turns that into one line and a non-zero exit.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from cache_layer.errors import SettingsError
from cache_layer.settings import REDIS_SCHEMES, Reader, secret
from cache_layer.settings import Settings as CacheSettings
from pomni_admin import logs

MODES = ("demo", "test", "production")
POSTGRES_SCHEMES = (
    "postgresql",
    "postgres",
    "postgresql+asyncpg",
    "postgresql+psycopg",
    "postgresql+psycopg2",
    "postgresql+psycopg_async",
)
NOT_LIBPQ = {"prepared_statement_cache_size", "statement_cache_size", "prepared_statement_name_func", "async_fallback"}
"""Query parameters that SQLAlchemy's asyncpg dialect takes and libpq refuses."""

LONGEST_LABEL = 24
OPENAI_PROVIDER = "pomni_admin.summaries.openai_api.OpenAIProvider"
OFFLINE_PROVIDER = "pomni_admin.demo.offline.OfflineProvider"


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything below `POMNI_*`, the servers' addresses, and the jobs' limits; durations in seconds.

    Attributes:
        label: what the site calls itself at the head of each page, so that nobody takes staging for production.
        hsts_s: for how long browsers are to insist on TLS (HSTS); on this host's subdomains too, and from a list that
            browsers bring along, only where somebody says so, because neither can be taken back soon.
        direct: for libpq, past any pooler, for who listens.
        ordinary_redis_url: for what speaks to one server only; REDIS_URL, unless that is a cluster.
        trusted_proxies: how many stand before the site, each of which adds to X-Forwarded-For whom it heard.
        session_idle_s, session_max_s: a session ends that long after its last request, and after its sign-in.
        hash_secret_old: what POMNI_HASH_SECRET was before, by which handles in old audit rows are still understood.
        llm_max_concurrency: calls of the model and the embeddings in flight, over all workers.
        prompt_tokens: of one request's material, estimated.
        lookups_per_minute: how often an agent may look somebody up.
        api_secrets: what cron jobs prove themselves by: the one of now, and the one before it; without any the HTTP
            API is off.
        metrics_secrets: the same for whoever scrapes `/metrics`, which without any is not there.
    """

    mode: str
    label: str
    debug: bool
    log_level: str
    secret_key: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    trusted_origins: tuple[str, ...]
    hsts_s: int
    hsts_subdomains: bool
    hsts_preload: bool
    database: Mapping[str, Any] = field(repr=False)
    direct: str = field(repr=False)
    cache: CacheSettings
    ordinary_redis_url: str = field(repr=False)
    celery_broker_url: str = field(repr=False)
    qdrant_url: str
    qdrant_api_key: str = field(repr=False)
    qdrant_collection: str
    qdrant_vector_name: str
    embed_dim: int
    provider: str
    llm_base_url: str
    llm_api_key: str = field(repr=False)
    chat_model: str
    embed_model: str
    llm_timeout_s: int
    llm_max_concurrency: int
    prompt_tokens: int
    embed_retry_max: int
    embed_retry_base_s: int
    embed_retry_max_backoff_s: int
    batch_size: int
    max_runtime_s: int
    daily_at: time
    weekly_at: time
    monthly_at: time
    repair_at: time
    lease_s: int
    reaper_s: int
    offline_delay_ms: int
    require_second_factor: bool
    trusted_proxies: int
    session_idle_s: int
    session_max_s: int
    hash_secret_old: bytes = field(repr=False)
    lookups_per_minute: int
    api_secrets: tuple[str, ...] = field(repr=False)
    metrics_secrets: tuple[str, ...] = field(repr=False)

    @property
    def is_production(self) -> bool:
        return self.mode == "production"


def load(environ: Mapping[str, str]) -> Environment:
    """Read and check the whole environment.

    Raises:
        SettingsError: names the variable, its value (never a secret's) and what is allowed.
    """
    read = Reader(environ)
    mode = read.choice("POMNI_ENV", "demo", MODES)
    production = mode == "production"
    cache = CacheSettings.from_env(environ)

    def required(name: str, why: str) -> None:
        if production and not read.text(name):
            raise SettingsError(name, None, why)

    required("POMNI_SECRET_KEY", "at least 50 random characters; it signs sessions and forms")
    required("POMNI_ALLOWED_HOSTS", "the site's host names, separated by commas")
    required("DATABASE_URL", "postgresql://…; nothing embedded starts in production")
    required("REDIS_URL", "redis://… or rediss://…; nothing embedded starts in production")
    required("QDRANT_URL", "http://… or https://…; nothing embedded starts in production")
    required("POMNI_HASH_SECRET", "base64 of at least 32 random bytes; handles of people are made with it")

    provider = read.choice("POMNI_LLM", "openai" if production else "offline", ("openai", "offline"))
    if production and provider == "offline":
        raise SettingsError("POMNI_LLM", "offline", "openai; the offline stand-in is for demo and tests")
    if provider == "openai" and not read.text("OPENROUTER_API_KEY"):
        raise SettingsError("OPENROUTER_API_KEY", None, "the key of the OpenAI-compatible API")

    secret_key = read.text("POMNI_SECRET_KEY")
    if secret_key and len(secret_key) < 50:
        raise SettingsError("POMNI_SECRET_KEY", "(not shown)", "at least 50 random characters")

    return Environment(
        mode=mode,
        label=_label(read, mode),
        debug=read.switch("POMNI_DEBUG", default=False) and not production,
        log_level=logs.level(read),
        secret_key=secret_key or _default_secret(mode),
        allowed_hosts=_words(read.text("POMNI_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]")),
        trusted_origins=_words(read.text("POMNI_TRUSTED_ORIGINS")),
        **_hsts(read, production=production),
        database=database(read),
        direct=direct(read),
        cache=cache,
        ordinary_redis_url=read.text("CELERY_BROKER_URL") if cache.cluster else cache.redis_url,
        celery_broker_url=broker(read, cache),
        qdrant_url=read.url("QDRANT_URL", "", ("http", "https")),
        qdrant_api_key=read.text("QDRANT_API_KEY"),
        qdrant_collection=read.text("QDRANT_SUMMARIES_COLLECTION", "dialog_summaries_v1"),
        qdrant_vector_name=read.text("QDRANT_VECTOR_NAME"),
        embed_dim=read.integer("QDRANT_EMBED_DIM", 1536, least=1, most=65536),
        provider=OPENAI_PROVIDER if provider == "openai" else OFFLINE_PROVIDER,
        llm_base_url=read.url("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1", ("http", "https")),
        llm_api_key=read.text("OPENROUTER_API_KEY"),
        chat_model=read.text("CHAT_MODEL", "openai/gpt-4o-mini"),
        embed_model=read.text("EMBED_MODEL", "openai/text-embedding-3-small"),
        llm_timeout_s=read.integer("LLM_TIMEOUT", 30, least=1, most=600, unit="seconds"),
        llm_max_concurrency=read.integer("LLM_MAX_CONCURRENCY", 8, least=1, most=256, unit="calls"),
        prompt_tokens=read.integer("SUMMARIES_PROMPT_TOKENS", 12_000, least=2_000, most=200_000, unit="tokens"),
        embed_retry_max=read.integer("EMBED_RETRY_MAX", 5, least=0, most=20),
        embed_retry_base_s=read.integer("EMBED_RETRY_BASE_SEC", 1, least=0, most=60, unit="seconds"),
        embed_retry_max_backoff_s=read.integer("EMBED_RETRY_MAX_BACKOFF_SEC", 30, least=1, most=600, unit="seconds"),
        batch_size=read.integer("DAILY_SUMMARIES_BATCH_SIZE", 50, least=1, most=1000, unit="users"),
        max_runtime_s=read.integer("DAILY_SUMMARIES_MAX_RUNTIME_SEC", 900, least=10, most=86400, unit="seconds"),
        daily_at=_time(read, "DAILY_SUMMARIES_AT", "03:00"),
        weekly_at=_time(read, "WEEKLY_SUMMARIES_AT", "04:00"),
        monthly_at=_time(read, "MONTHLY_SUMMARIES_AT", "05:00"),
        repair_at=_time(read, "SUMMARIES_REPAIR_AT", "06:00"),
        lease_s=read.integer("SUMMARIES_LEASE_SEC", 20, least=2, most=20, unit="seconds"),
        reaper_s=read.integer("SUMMARIES_REAPER_SEC", 5, least=1, most=10, unit="seconds"),
        offline_delay_ms=read.integer("OFFLINE_LLM_DELAY_MS", 0, least=0, most=60000, unit="ms"),
        require_second_factor=read.switch("POMNI_REQUIRE_SECOND_FACTOR", default=production),
        trusted_proxies=read.integer("POMNI_TRUSTED_PROXIES", int(production), least=0, most=5, unit="proxies"),
        session_idle_s=60 * read.integer("POMNI_SESSION_IDLE_MIN", 60, least=5, most=720, unit="minutes"),
        session_max_s=3600 * read.integer("POMNI_SESSION_MAX_HOURS", 12, least=1, most=72, unit="hours"),
        hash_secret_old=secret(read, "POMNI_HASH_SECRET_OLD"),
        lookups_per_minute=read.integer("POMNI_LOOKUPS_PER_MINUTE", 20, least=1, most=1000, unit="look-ups"),
        api_secrets=_secrets(read, "POMNI_API_SECRET"),
        metrics_secrets=_secrets(read, "POMNI_METRICS_SECRET"),
    )


def _label(read: Reader, mode: str) -> str:
    """`POMNI_ENVIRONMENT`, or the mode."""
    label = read.text("POMNI_ENVIRONMENT", mode)
    if len(label) > LONGEST_LABEL or not label.isprintable():
        raise SettingsError("POMNI_ENVIRONMENT", label, f"1 to {LONGEST_LABEL} characters on one line")
    return label


def database(read: Reader, name: str = "DATABASE_URL") -> Mapping[str, Any]:
    """The `DATABASES` entry for a URL, also in SQLAlchemy's spellings.

    Behind a pooler in transaction mode (Neon's `-pooler` host, pgbouncer) a prepared statement or a server-side cursor
    belongs to a connection that the next statement may not get, so neither is used.
    """
    info = _libpq(read, name)
    if not info:
        return {"ENGINE": "django.db.backends.postgresql", "NAME": "", "HOST": "", "USER": ""}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": info.pop("dbname"),
        "USER": info.pop("user", ""),
        "PASSWORD": info.pop("password", ""),
        "HOST": info.pop("host", ""),
        "PORT": str(info.pop("port", "")),
        "CONN_MAX_AGE": 0,  # under ASGI each request has a thread of its own, and a connection kept there would be lost
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"connect_timeout": 5, "prepare_threshold": None, **info},
    }


def direct(read: Reader) -> str:
    """Where PostgreSQL can be listened to, for libpq: DATABASE_DIRECT_URL, or else DATABASE_URL; empty without either.

    A pooler in transaction mode takes LISTEN and then gives the connection to another, so that nobody hears anything.
    """
    info = _libpq(read, "DATABASE_DIRECT_URL" if read.text("DATABASE_DIRECT_URL") else "DATABASE_URL")
    return make_conninfo(**info) if info else ""


def _libpq(read: Reader, name: str) -> dict[str, Any]:
    """What libpq makes of a URL, also of one in SQLAlchemy's spelling; empty where there is none."""
    url = read.url(name, "", POSTGRES_SCHEMES)
    if not url:
        return {}
    parts = urlsplit(url)
    query = [
        ("sslmode" if key == "ssl" else key, value)
        for key, value in parse_qsl(parts.query, keep_blank_values=True)
        if key not in NOT_LIBPQ
    ]
    plain = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(query), ""))
    try:
        info: dict[str, Any] = dict(conninfo_to_dict(plain))
    except ProgrammingError:
        raise SettingsError(name, "(not shown)", "postgresql://user:password@host:port/database") from None
    if not info.get("dbname"):
        raise SettingsError(name, "(not shown)", "a URL that ends in /database")
    return info


def broker(read: Reader, cache: CacheSettings, name: str = "CELERY_BROKER_URL") -> str:
    """Where Celery's broker is, in kombu's spelling.

    kombu does not verify the certificate of a `rediss://` that says nothing of it, spells a Unix socket in its own way,
    and stumbles over redis-py's other options.
    """
    if cache.cluster and read.text(name) in {"", cache.redis_url}:
        value = "(the same as REDIS_URL)" if read.text(name) else None
        allowed = "redis://… of an ordinary Redis: Celery speaks to no cluster, and REDIS_CLUSTER is on"
        raise SettingsError(name, value, allowed)
    parts = urlsplit(read.url(name, cache.redis_url, REDIS_SCHEMES))
    options = dict(parse_qsl(parts.query))
    if parts.scheme == "unix":
        query = {"virtual_host": options.get("db", "0")}
        return f"redis+socket://{parts.netloc}{parts.path}?{urlencode(query)}"
    query = {option: value for option, value in options.items() if option.startswith("ssl_")}
    if parts.scheme == "rediss":
        query.setdefault("ssl_cert_reqs", "required")
    path = f"/{options['db']}" if "db" in options else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, urlencode(query), ""))


def _hsts(read: Reader, *, production: bool) -> dict[str, Any]:
    """A year in production. The list of browsers takes only hosts that include their subdomains and promise a year."""
    seconds = read.integer("POMNI_HSTS_SECONDS", 31_536_000 if production else 0, least=0, most=63_072_000, unit="s")
    subdomains = read.switch("POMNI_HSTS_SUBDOMAINS", default=False)
    preload = read.switch("POMNI_HSTS_PRELOAD", default=False)
    if preload and not (subdomains and seconds >= 31_536_000):
        raise SettingsError(
            "POMNI_HSTS_PRELOAD", "on", "on only with POMNI_HSTS_SUBDOMAINS=on and POMNI_HSTS_SECONDS of a year or more"
        )
    return {"hsts_s": seconds, "hsts_subdomains": subdomains, "hsts_preload": preload}


def _secrets(read: Reader, variable: str) -> tuple[str, ...]:
    """What callers prove themselves by, and after it what it takes the place of, from the same name with `_OLD`."""
    allowed = "32 to 512 printable ASCII characters without spaces, such as `openssl rand -hex 32` prints"
    found: list[str] = []
    for name in (variable, f"{variable}_OLD"):
        value = read.text(name)
        if not value:
            continue
        if re.fullmatch(r"[!-~]{32,512}", value) is None:
            raise SettingsError(name, "(not shown)", allowed)
        if name.endswith("_OLD") and not found:
            raise SettingsError(variable, None, f"{allowed}; {name} is only what it was before")
        found.append(value)
    return tuple(found)


def _words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def _time(read: Reader, name: str, default: str) -> time:
    value = read.text(name, default)
    try:
        return time.fromisoformat(value)
    except ValueError:
        raise SettingsError(name, value, "hh:mm, in UTC") from None


def _default_secret(mode: str) -> str:
    """A fixed key for demo and tests; `load` never lets it into production."""
    return base64.b64encode(hashlib.sha512(f"pomni {mode}: not a secret".encode()).digest()).decode()

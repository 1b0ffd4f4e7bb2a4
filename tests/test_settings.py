"""Settings from the environment: a wrong value stops every entry point with one line; production takes no default."""

from __future__ import annotations

import base64

import pytest
from psycopg.conninfo import conninfo_to_dict

from cache_layer.errors import SettingsError
from cache_layer.settings import Settings
from pomni_admin import env
from pomni_admin.demo.servers import Postgres
from tests.harness.processes import Spawn

SECRET = base64.b64encode(bytes(range(32))).decode()
PRODUCTION = {
    "POMNI_ENV": "production",
    "POMNI_SECRET_KEY": "k" * 50,
    "POMNI_ALLOWED_HOSTS": "admin.pomni.example",
    "POMNI_HASH_SECRET": SECRET,
    "CACHE_ENCRYPTION_KEYS": f"k1:{SECRET}",
    "DATABASE_URL": "postgresql://u:p@db.example/pomni",
    "REDIS_URL": "rediss://:p@redis.example:6380/0",
    "QDRANT_URL": "https://qdrant.example",
    "OPENROUTER_API_KEY": "sk-or-1",
}
NEON = "postgresql+asyncpg://u:p%40ss@ep-cool-1-pooler.eu-central-1.aws.neon.tech/pomni?ssl=require"


def test_production_requires_a_second_factor_and_believes_one_proxy() -> None:
    here, there = env.load({"POMNI_ENV": "demo"}), env.load(PRODUCTION)
    assert (here.require_second_factor, there.require_second_factor) == (False, True)
    assert (here.trusted_proxies, there.trusted_proxies) == (0, 1)
    assert (there.session_idle_s, there.session_max_s) == (3600, 12 * 3600)
    assert not env.load({**PRODUCTION, "POMNI_REQUIRE_SECOND_FACTOR": "off"}).require_second_factor


def refused(**variables: str) -> str:
    with pytest.raises(SettingsError) as caught:
        env.load({"POMNI_ENV": "test", **variables})
    return str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("POMNI_ENV", "staging", "demo, test, production"),
        ("POMNI_DEBUG", "yes", "on, off"),
        ("POMNI_LLM", "gpt", "openai, offline"),
        ("REDIS_TTL_ACCESS_STATE", "29", "from 30 to 60 seconds"),
        ("REDIS_TTL_ACCESS_STATE", "61", "from 30 to 60 seconds"),
        ("REDIS_TTL_ACCESS_STATE", "45s", "from 30 to 60 seconds"),
        ("REDIS_TTL_ACCESS_STATE", "4.5e1", "from 30 to 60 seconds"),
        ("REDIS_TTL_ACCESS_STATE", "٤٥", "from 30 to 60 seconds"),
        ("REDIS_TTL_RECENT_HISTORY", "599", "from 600 to 1800 seconds"),
        ("REDIS_TTL_TALKBUF", "31", "from 20 to 30 seconds"),
        ("REDIS_TTL_RAG", "601", "from 120 to 600 seconds"),
        ("REDIS_TTL_SUMMARIES_JOB", "3599", "from 3600 to 7200 seconds"),
        ("REDIS_TTL_LOCK", "0", "from 900 to 1800 seconds"),
        ("REDIS_TTL_IDENTITY", "-45", "from 30 to 60 seconds"),
        ("REDIS_TTL_ACCESS_DENY", "6", "from 0 to 5 seconds"),
        ("REDIS_TIMEOUT_MS", "9", "from 10 to 1000 ms"),
        ("REDIS_CACHE", "true", "on, off"),
        ("REDIS_CACHE_ACCESS_STATE", "0", "on, off"),
        ("REDIS_KEY_PREFIX", "bot{1}", "no braces"),
        ("REDIS_KEY_PREFIX", "x" * 33, "at most 32 characters"),
        ("QDRANT_EMBED_DIM", "0", "from 1 to 65536"),
        ("DAILY_SUMMARIES_BATCH_SIZE", "0", "from 1 to 1000 users"),
        ("DAILY_SUMMARIES_MAX_RUNTIME_SEC", "9", "from 10 to 86400 seconds"),
        ("DAILY_SUMMARIES_AT", "25:00", "hh:mm"),
        ("POMNI_REQUIRE_SECOND_FACTOR", "yes", "on, off"),
        ("POMNI_TRUSTED_PROXIES", "6", "from 0 to 5 proxies"),
        ("POMNI_SESSION_IDLE_MIN", "4", "from 5 to 720 minutes"),
        ("POMNI_SESSION_MAX_HOURS", "73", "from 1 to 72 hours"),
        ("LLM_TIMEOUT", "never", "from 1 to 600 seconds"),
        ("LLM_MAX_CONCURRENCY", "257", "from 1 to 256 calls"),
        ("SUMMARIES_PROMPT_TOKENS", "1999", "from 2000 to 200000 tokens"),
        ("EMBED_RETRY_MAX", "21", "from 0 to 20"),
        ("EMBED_RETRY_BASE_SEC", "61", "from 0 to 60 seconds"),
        ("EMBED_RETRY_MAX_BACKOFF_SEC", "0", "from 1 to 600 seconds"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(variable: str, value: str, allowed: str) -> None:
    said = refused(**{variable: value})
    assert variable in said
    assert repr(value) in said
    assert allowed in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REDIS_URL", "http://:topsecret@redis.example"),
        ("REDIS_URL", "redis://:topsecret@redis.example:port"),
        ("CELERY_BROKER_URL", "amqp://u:topsecret@mq.example"),
        ("DATABASE_URL", "mysql://u:topsecret@db.example/pomni"),
        ("DATABASE_URL", "postgresql://u:topsecret@db.example"),
        ("DATABASE_DIRECT_URL", "mysql://u:topsecret@db.example/pomni"),
        ("DATABASE_DIRECT_URL", "postgresql+asyncpg://u:topsecret@db.example"),
        ("DATABASE_URL", "postgresql://u:topsecret@db.example/pomni?no_such_option=1"),
        ("QDRANT_URL", "grpc://topsecret.example"),
        ("OPENROUTER_BASE_URL", "topsecret.example/v1"),
        ("POMNI_SECRET_KEY", "topsecret"),
        ("POMNI_HASH_SECRET", "topsecret"),
        ("POMNI_HASH_SECRET", base64.b64encode(b"topsecret").decode()),
    ],
)
def test_what_may_hold_a_secret_is_named_but_not_repeated(variable: str, value: str) -> None:
    said = refused(**{variable: value})
    assert variable in said
    assert "topsecret" not in said
    assert value not in said


@pytest.mark.parametrize("variable", ["REDIS_TTL_ACCES_STATE", "REDIS_CACHE_HISTORY"])
def test_a_misspelt_variable_is_not_passed_over(variable: str) -> None:
    assert variable in refused(**{variable: "45"})


def test_an_empty_variable_counts_as_not_set() -> None:
    assert env.load({"POMNI_ENV": "", "REDIS_TTL_ACCESS_STATE": " ", "REDIS_URL": ""}).cache == Settings()


def test_production_starts_with_everything_it_needs() -> None:
    loaded = env.load(PRODUCTION)
    assert loaded.is_production
    assert not loaded.debug
    assert loaded.provider == env.OPENAI_PROVIDER
    assert loaded.celery_broker_url == PRODUCTION["REDIS_URL"] + "?ssl_cert_reqs=required"


@pytest.mark.parametrize("missing", sorted(set(PRODUCTION) - {"POMNI_ENV"}))
def test_production_names_what_is_missing(missing: str) -> None:
    """Not one has a default there: with a default secret anyone could sign a session."""
    with pytest.raises(SettingsError, match=f"^{missing} is not set; allowed: "):
        env.load({name: value for name, value in PRODUCTION.items() if name != missing})


def test_production_refuses_the_offline_stand_in() -> None:
    with pytest.raises(SettingsError, match="POMNI_LLM"):
        env.load({**PRODUCTION, "POMNI_LLM": "offline"})


def test_production_is_never_in_debug_mode() -> None:
    assert not env.load({**PRODUCTION, "POMNI_DEBUG": "on"}).debug


@pytest.mark.parametrize(
    "scheme",
    ["postgres", "postgresql", "postgresql+asyncpg", "postgresql+psycopg", "postgresql+psycopg2"],
)
def test_sqlalchemys_spellings_of_a_database_are_understood(scheme: str) -> None:
    entry = env.load({"DATABASE_URL": f"{scheme}://ann:p%40ss@db.example:6432/pomni"}).database
    assert (entry["USER"], entry["PASSWORD"], entry["HOST"], entry["PORT"], entry["NAME"]) == (
        "ann",
        "p@ss",
        "db.example",
        "6432",
        "pomni",
    )


def test_who_listens_goes_past_the_pooler_and_without_word_of_one_where_everybody_goes() -> None:
    direct = NEON.replace("-pooler", "").replace("ssl=", "prepared_statement_cache_size=0&ssl=")
    loaded = env.load({"DATABASE_URL": NEON, "DATABASE_DIRECT_URL": direct})
    assert conninfo_to_dict(loaded.direct) == {
        "user": "u",
        "password": "p@ss",
        "host": "ep-cool-1.eu-central-1.aws.neon.tech",
        "dbname": "pomni",
        "sslmode": "require",
    }
    assert "pooler" in loaded.database["HOST"]
    assert "ep-cool-1-pooler" in env.load({"DATABASE_URL": NEON, "DATABASE_DIRECT_URL": " "}).direct
    assert "p%40ss" not in repr(loaded)
    assert "p@ss" not in repr(loaded)


def test_neons_pooler_gets_tls_and_neither_prepared_statements_nor_server_side_cursors() -> None:
    """A pooler in transaction mode gives the next statement another connection, which knows neither."""
    entry = env.load({"DATABASE_URL": NEON + "&prepared_statement_cache_size=0"}).database
    assert entry["HOST"] == "ep-cool-1-pooler.eu-central-1.aws.neon.tech"
    assert entry["OPTIONS"]["sslmode"] == "require"
    assert entry["OPTIONS"]["prepare_threshold"] is None
    assert entry["DISABLE_SERVER_SIDE_CURSORS"]


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql+psycopg"])
def test_django_connects_by_such_a_url(own_postgres: Postgres, spawn: Spawn, scheme: str) -> None:
    url = own_postgres.url.replace("postgresql", scheme) + "?prepared_statement_cache_size=0"
    code = (
        "import django; django.setup(); from django.db import connection as c; k = c.cursor()\n"
        "for _ in range(9): k.execute('SELECT current_user, count(*) FROM pg_prepared_statements')\n"
        "print(k.fetchone())"
    )
    spawn(["-c", code], {"DATABASE_URL": url if "asyncpg" in scheme else url.split("?")[0]}).wait_for("('pomni', 0)")


ENTRIES = {
    "manage.py": ["manage.py", "check"],
    "asgi": ["-m", "uvicorn", "pomni_admin.asgi:application", "--port", "0"],
    "celery worker": ["-m", "celery", "-A", "pomni_admin", "worker"],
    "celery beat": ["-m", "celery", "-A", "pomni_admin", "beat"],
}


@pytest.mark.parametrize("entry", list(ENTRIES))
def test_a_bad_value_stops_every_entry_point_with_one_line(entry: str, spawn: Spawn) -> None:
    process = spawn(ENTRIES[entry], {"REDIS_TTL_ACCESS_STATE": "300", "PYTHONWARNINGS": "ignore"})
    assert process.wait(60) != 0
    assert process.lines == [
        "pomni: cannot start: REDIS_TTL_ACCESS_STATE is '300'; allowed: a whole number from 30 to 60 seconds"
    ]


def test_the_cache_layer_alone_says_the_same(spawn: Spawn) -> None:
    process = spawn(["-c", "import cache_layer; cache_layer.Settings.from_env()"], {"REDIS_TTL_ACCESS_STATE": "300"})
    assert process.wait() != 0
    assert process.lines[-1].endswith("REDIS_TTL_ACCESS_STATE is '300'; allowed: a whole number from 30 to 60 seconds")

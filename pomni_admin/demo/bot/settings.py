"""What the simulated bot reads from the environment, besides the variables of `cache_layer`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cache_layer import SettingsError
from cache_layer.settings import Reader
from pomni_admin import env

SUMMARIES = "dialog_summaries_v1"
EMBED_DIM = 1536


@dataclass(frozen=True, slots=True)
class BotSettings:
    """The bot's settings.

    Attributes:
        postgres: what `psycopg.AsyncConnection.connect` takes.
        seed: of everything that is drawn by lot; the clock alone differs between two runs.
        rate: updates a minute.
        qdrant_url: empty where the bot answers without retrieval.
        summaries: the collection of summaries' vectors; `vector_name` is its vector's, empty for an unnamed one.
        embed_dim: the size of vectors.
    """

    postgres: Mapping[str, Any]
    seed: int = 1
    rate: int = 75
    qdrant_url: str = field(default="", repr=False)
    qdrant_api_key: str = field(default="", repr=False)
    summaries: str = SUMMARIES
    vector_name: str = ""
    embed_dim: int = EMBED_DIM

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> BotSettings:
        """Read and check.

        Raises:
            SettingsError: for the first variable whose value is not allowed.
        """
        read = Reader(environ)
        if read.choice("POMNI_ENV", "demo", env.MODES) == "production":
            raise SettingsError("POMNI_ENV", "production", "demo, test; this bot invents people and payments")
        return cls(
            postgres=_postgres(read),
            seed=read.integer("BOT_SEED", 1, least=0, most=2**31 - 1),
            rate=read.integer("BOT_RATE", 75, least=1, most=6000, unit="updates a minute"),
            qdrant_url=read.url("QDRANT_URL", "", ("http", "https")),
            qdrant_api_key=read.text("QDRANT_API_KEY"),
            summaries=read.text("QDRANT_SUMMARIES_COLLECTION", SUMMARIES),
            vector_name=read.text("QDRANT_VECTOR_NAME"),
            embed_dim=read.integer("QDRANT_EMBED_DIM", EMBED_DIM, least=1, most=65536),
        )


def _postgres(read: Reader) -> Mapping[str, Any]:
    """`DATABASE_URL` as the site reads it (SQLAlchemy's spellings, poolers), in psycopg's words instead of Django's."""
    entry = env.database(read)
    if not entry["NAME"]:
        raise SettingsError("DATABASE_URL", None, "postgresql://user:password@host:port/database")
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    return {**{psycopg: entry[django] for django, psycopg in names.items() if entry[django]}, **entry["OPTIONS"]}

"""The lines of cache_layer where the bot has set its logging up itself: they must be clean as they are.

Nothing of the site's stands between them and the log: all of what they say, at DEBUG, as plain text.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cache_layer import AccessState, CacheLayer, HistoryQuery, Identity, Incoming, Message
from pomni_admin.demo.servers import Valkey
from tests.demo.bot_stage import cache_environment
from tests.privacy.canaries import INTERNAL, PERSONAL, Canary, found_in, message_of, tg_id, user_id

TEXT = message_of("sound")


@pytest.fixture
def plain() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s %(exc_text)s"))
    log = logging.getLogger("cache_layer")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield stream
    log.removeHandler(handler)
    log.setLevel(before)


async def test_they_say_nothing_about_anybody_whatever_becomes_of_redis(own_valkey: Valkey, plain: io.StringIO) -> None:
    environ = cache_environment(own_valkey.url) | {"TALK_DEBOUNCE_SEC": "0", "TALK_DEBOUNCE_SHORT_SEC": "0"}

    async def person(_tg_id: int) -> Identity:
        return Identity(user_id("sound"), "insights", True, True, False)

    async def history(_query: HistoryQuery) -> list[Message]:
        return [Message(1, "user", TEXT, datetime.now(UTC))]

    async def access(_user_id: int) -> AccessState:
        raise ValueError(f"{TEXT} {tg_id('sound')}")

    async with CacheLayer.from_env(environ, role="bot") as cache:
        for fault in ("none", "killed", "back"):
            if fault == "killed":
                own_valkey.kill()
            elif fault == "back":
                own_valkey.start()
            who = await cache.identity.get(tg_id("sound"), load=person)
            assert who is not None
            await cache.history.get(who, limit=90, load=history)
            await cache.history.append(who, Message(2, "user", TEXT, datetime.now(UTC)))
            with pytest.raises(ValueError, match="Светлячковая"):
                await cache.access_state.get(who.user_id, load=access)
            await cache.talk.push(who, Incoming(tg_id("sound"), 5, TEXT, datetime.now(UTC)))
            await cache.forget(who.user_id, tg_id=tg_id("sound"))
    said = plain.getvalue()
    assert "redis ping ok" in said
    assert "redis circuit opened" in said
    assert not found_in(said.encode(), (*PERSONAL, *INTERNAL, Canary("class", "Светлячковая")))

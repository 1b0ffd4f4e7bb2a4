"""Many people's changes dropped together, as the relay does it."""

from __future__ import annotations

import pytest

from cache_layer import CacheLayer, Change, Settings
from cache_layer.errors import Unavailable
from cache_layer.layer.definitions import Definitions
from cache_layer.steps import Batch, Call
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.source import granted

CHANGES = [
    Change.of_rows(1, (71, 72)),
    Change.of_privacy(2, (73,), "none"),
    Change.of_privacy(3, (74,), "ask"),
    Change.of_texts(4),
    Change.of_everything(5),
]


def test_all_of_them_are_one_round_trip_and_each_has_an_answer_of_its_own() -> None:
    steps = Definitions(Settings(redis_url="redis://nowhere", **SECRETS), "test").apply(CHANGES)
    step = next(steps)
    assert isinstance(step, Batch)
    calls = [one for one in step.steps if isinstance(one, Call)]
    assert len(calls) == len(step.steps) == 3 + 3 + 2 + 2 + 2
    replies: list[object] = [1 if call.script.name == "forget" else [0, 0] for call in calls]
    replies[1] = Unavailable("refused")  # one identity of the first
    with pytest.raises(StopIteration) as ended:
        steps.send(replies)
    assert ended.value.value == [False, True, True, True, True]


async def test_what_may_not_be_stored_any_more_is_forgotten_and_the_rest_dropped(cache: CacheLayer) -> None:
    async def load(_user_id: int) -> object:
        return granted()

    for user_id in range(1, 6):
        await cache.access_state.get(user_id, load=load)  # type: ignore[arg-type]
    assert await cache.apply(CHANGES) == [True] * 5
    states = [(await cache.access_state.peek(user_id)).state for user_id in range(1, 6)]
    assert states == ["absent", "absent", "absent", "hit", "absent"]
    assert await cache.apply(CHANGES) == [True] * 5  # again is harmless
    assert await cache.apply([]) == []


@pytest.mark.parametrize("level", [None, "", "off", "none", "ASK", "a level nobody knows"])
def test_a_level_that_nobody_knows_forgets_everything(level: str | None) -> None:
    assert Change.of_privacy(1, (), level).touches == "everything"


def test_a_change_says_nothing_of_whom() -> None:
    assert repr(Change.of_rows(42, (700_000_042,))) == "Change(rows, …)"

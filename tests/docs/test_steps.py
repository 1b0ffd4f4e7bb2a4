"""The steps of `docs/bot.md` do what they say, one by one, with Redis and without, and each is taken back by itself."""

from __future__ import annotations

import pytest

from pomni_admin.demo.servers import Valkey
from tests.cache_layer.proxy import Proxy
from tests.docs.conftest import Begin
from tests.docs.day import PARTS
from tests.docs.document import needed_lines, steps, switches


@pytest.mark.parametrize("step", steps())
async def test_each_step_works_by_itself_after_those_before_it(begin: Begin, step: int) -> None:
    async with begin(up_to=step) as day:
        await day.spend(step)


@pytest.mark.parametrize("switch", switches())
async def test_each_step_can_be_taken_back_without_a_line_of_code_changed(begin: Begin, switch: str) -> None:
    locks = switch not in {"REDIS_CACHE", "REDIS_CACHE_LOCK"}
    async with begin(locks=locks, **{switch: "off"}) as day:
        await day.spend(steps()[-1])


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1"], ids=["none", "refused"])
async def test_all_of_it_works_without_redis(begin: Begin, url: str) -> None:
    async with begin(locks=False, REDIS_URL=url) as day:
        await day.spend(steps()[-1])


@pytest.mark.parametrize("when", [3, 6, 9])
async def test_all_of_it_works_while_redis_dies(begin: Begin, valkey: Valkey, when: int) -> None:
    """It hangs, from that step on: sockets are open, and nothing answers."""
    with Proxy(valkey.port) as proxy:
        async with begin(locks=False, REDIS_URL=proxy.url) as day:

            def before(step: int) -> None:
                if step == when:
                    proxy.trouble = "swallow"

            await day.spend(steps()[-1], before)


@pytest.mark.parametrize("line", sorted(set(needed_lines())))
async def test_the_day_goes_wrong_without_any_of_the_lines_that_tell_of_a_change(begin: Begin, line: str) -> None:
    """The negative control of all the above: with a warm Redis, each of them is missed."""
    async with begin(without=line) as day:
        with pytest.raises(AssertionError):
            await day.spend(9)


def test_every_step_is_looked_at() -> None:
    assert [1, *PARTS] == steps()

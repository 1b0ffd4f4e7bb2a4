"""`rag_cache`: what was retrieved. One person's is never another's, and nobody's words can be read there."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from cache_layer import CacheLayer, Context, Hit, PersonalQuestion, Settings, SharedQuestion, SyncCacheLayer
from cache_layer.catalogue.rag import Parameters, Rag, normalised, packed, unpacked
from cache_layer.keys import Keys
from cache_layer.metrics import Counts
from cache_layer.person import TRUSTED_FOR, Person, person
from cache_layer.scripts import VERSION_BUMP
from cache_layer.sealing import Sealer
from cache_layer.shapes.personal import FIELDS_AT_MOST
from cache_layer.switches import Switches
from pomni_admin.demo.servers import Valkey
from tests.cache_layer.conftest import SECRETS
from tests.cache_layer.people import ALISA, BORIS, GLEB, Elapsed, met
from tests.cache_layer.proxy import Proxy

CORPUS, SUMMARIES = "reflectai_corpus_v2", "dialog_summaries_v1"
SECRET_WORDS = "Я никому этого не говорила"


class Search:
    """The vector store: answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[SharedQuestion | PersonalQuestion] = []
        self.gate: asyncio.Event | None = None
        self.searching = asyncio.Event()

    async def __call__(self, question: SharedQuestion | PersonalQuestion) -> Context:
        self.asked.append(question)
        self.searching.set()
        number = len(self.asked)
        if self.gate is not None:
            await self.gate.wait()
        return Context(f"answer {number}", (Hit(number, 0.5, {"kind": "daily", "period_start": "2026-11-01"}),))

    async def until_asked(self, times: int) -> None:
        async with asyncio.timeout(10):
            while len(self.asked) < times:
                self.searching.clear()
                await self.searching.wait()


async def shared(cache: CacheLayer, who: Person, search: Search, query: str = SECRET_WORDS) -> str:
    return (await cache.rag.get_shared(who, query, collection=CORPUS, params={"k": 3}, load=search)).text


async def personal(cache: CacheLayer, who: Person, search: Search, query: str = SECRET_WORDS) -> str:
    return (await cache.rag.get(who, query, collection=SUMMARIES, params={"top_k": 4}, load=search)).text


async def test_a_shared_answer_is_everybody_s(cache: CacheLayer) -> None:
    search = Search()
    assert [await shared(cache, met(who), search) for who in (ALISA, ALISA, BORIS)] == ["answer 1"] * 3
    assert search.asked == [SharedQuestion(SECRET_WORDS, CORPUS, {"k": 3})]


async def test_a_personal_answer_is_one_person_s(cache: CacheLayer) -> None:
    search = Search()
    assert [await personal(cache, met(who), search) for who in (ALISA, BORIS, ALISA, BORIS)] == [
        *("answer 1", "answer 2"),
        *("answer 1", "answer 2"),
    ]
    assert search.asked == [
        PersonalQuestion(who.user_id, SECRET_WORDS, SUMMARIES, {"top_k": 4}) for who in (ALISA, BORIS)
    ]


async def test_an_answer_comes_back_with_its_hits(cache: CacheLayer) -> None:
    search = Search()
    found = [await cache.rag.get(met(ALISA), "q", collection=SUMMARIES, load=search) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0].hits[0].payload == {"kind": "daily", "period_start": "2026-11-01"}


@pytest.mark.parametrize(
    "other", ["  я НИКОМУ\tэтого не\nговорила ", "Я никому этого не говорила\u200a"], ids=["case", "white space"]
)
async def test_case_and_spacing_make_no_difference(cache: CacheLayer, other: str) -> None:
    search = Search()
    assert await shared(cache, met(ALISA), search) == await shared(cache, met(ALISA), search, other)


async def test_everything_that_an_answer_depends_on_does(cache: CacheLayer) -> None:
    search = Search()
    cases: list[tuple[str, str, Parameters]] = [
        ("a", CORPUS, {"k": 3}),
        ("b", CORPUS, {"k": 3}),
        ("a", "another", {"k": 3}),
        ("a", CORPUS, {"k": 4}),
        ("a", CORPUS, {"k": 3, "lang": "ru"}),
        ("a", CORPUS, {"k": "3"}),
        ("a", CORPUS, {}),
    ]
    for query, collection, params in cases:
        await cache.rag.get_shared(met(ALISA), query, collection=collection, params=params, load=search)
    await cache.rag.get_shared(met(ALISA), "a", collection=CORPUS, params={"lang": "ru", "k": 3}, load=search)
    assert len(search.asked) == 7


async def test_two_questions_of_one_person_at_once_are_two(cache: CacheLayer) -> None:
    """They sit under one key: callers in one process must not be taken for askers of the same."""
    search = Search()
    search.gate = asyncio.Event()
    asking = [asyncio.create_task(personal(cache, met(ALISA), search, query)) for query in ("a", "b", "a")]
    await search.until_asked(2)
    search.gate.set()
    first, second, third = await asyncio.gather(*asking)
    assert first == third != second
    assert len(search.asked) == 2


async def test_many_that_miss_together_search_once(cache: CacheLayer, settings: Settings) -> None:
    search = Search()
    async with CacheLayer(settings, role="test") as other:
        found = await asyncio.gather(
            *(
                ask(layer, met(ALISA), search)
                for ask in (shared, personal)
                for layer in (cache, other)
                for _ in range(50)
            )
        )
    assert len(search.asked) == 2
    assert len(set(found)) == 2


# A corpus that changes.


async def test_a_bump_ends_every_earlier_answer_in_every_process_at_once(
    cache: CacheLayer, settings: Settings, sync_cache: SyncCacheLayer
) -> None:
    search = Search()
    async with CacheLayer(settings, role="test") as other:
        for layer in (cache, other):
            await shared(layer, met(ALISA), search)
        assert len(search.asked) == 1
        assert sync_cache.rag.bump(CORPUS)
        assert [await shared(layer, met(ALISA), search) for layer in (cache, other)] == ["answer 2"] * 2
        await cache.rag.bump(CORPUS)
        assert [await shared(layer, met(ALISA), search) for layer in (other, cache)] == ["answer 3"] * 2


async def test_a_search_begun_before_a_bump_is_not_given_to_those_who_ask_after_it(cache: CacheLayer) -> None:
    search = Search()
    search.gate = asyncio.Event()
    before = asyncio.create_task(shared(cache, met(ALISA), search))
    await search.searching.wait()
    await cache.rag.bump(CORPUS)
    after = asyncio.create_task(shared(cache, met(ALISA), search))
    await search.until_asked(2)
    search.gate.set()
    assert (await before, await after) == ("answer 1", "answer 2")
    assert await shared(cache, met(ALISA), search) == "answer 2"


async def test_a_bump_that_redis_did_not_hear_of_is_made_up_for_before_answers_are_read(valkey: Valkey) -> None:
    search = Search()
    with Proxy(valkey.port) as proxy:
        async with CacheLayer(Settings(redis_url=proxy.url, **SECRETS), role="test") as cache:
            await shared(cache, met(ALISA), search)
            proxy.hold_request(VERSION_BUMP.sha)
            assert not await cache.rag.bump(CORPUS)
            assert await shared(cache, met(ALISA), search) == "answer 2"
            proxy.request.free()


async def test_what_depends_on_a_person_goes_with_their_summaries(
    cache: CacheLayer, sync_cache: SyncCacheLayer, redis_client: redis.Redis
) -> None:
    """A search that began before, too: its lease goes with all else."""
    search = Search()
    await personal(cache, met(ALISA), search)
    search.gate = asyncio.Event()
    search.searching.clear()
    searching = asyncio.create_task(personal(cache, met(ALISA), search, "another"))
    await search.searching.wait()
    assert sync_cache.rag.forget(42).reached
    assert redis_client.keys("rag_cache:{42}") == []
    search.gate.set()
    await searching
    assert await personal(cache, met(ALISA), search) == f"answer {len(search.asked)}"


# Whose words may not be kept.


async def test_of_somebody_not_stored_nothing_enters_redis(cache: CacheLayer, redis_client: redis.Redis) -> None:
    search = Search()

    async def embed(text: str) -> list[float]:
        return [1.0]

    for _ in range(2):
        await shared(cache, met(GLEB), search)
        await personal(cache, met(GLEB), search)
        await cache.rag.embedding(met(GLEB), SECRET_WORDS, model="m", load=embed)
    assert len(search.asked) == 4
    assert redis_client.keys("rag*") == []
    assert cache._definitions.counts.take()["rag.bypass"] == 6


async def test_an_outdated_person_is_one_whose_words_are_not_kept(cache: CacheLayer, redis_client: redis.Redis) -> None:
    clock = Elapsed()
    held = person(ALISA, clock)
    clock.now += TRUSTED_FOR.total_seconds() + 1
    await shared(cache, held, Search())
    assert redis_client.keys("rag*") == []


@pytest.mark.parametrize("ask", [shared, personal])
@pytest.mark.parametrize("when", ["before", "while it is searched"])
async def test_after_forget_nothing_enters_redis_whatever_a_handler_still_believes(
    cache: CacheLayer, sync_cache: SyncCacheLayer, redis_client: redis.Redis, ask: object, when: str
) -> None:
    assert callable(ask)
    search = Search()
    if when == "before":
        sync_cache.forget(42)
        assert await ask(cache, met(ALISA), search) == "answer 1"
    else:
        search.gate = asyncio.Event()
        searching = asyncio.create_task(ask(cache, met(ALISA), search))
        await search.searching.wait()
        sync_cache.forget(42)
        search.gate.set()
        assert await searching
    assert not redis_client.keys("rag_cache*")


async def test_nobody_can_read_there_what_was_asked_or_answered(cache: CacheLayer, redis_client: redis.Redis) -> None:
    async def load(question: SharedQuestion | PersonalQuestion) -> Context:
        return Context("глава о молчании", (Hit(1, 0.9, {"title": "молчание"}),))

    await cache.rag.get_shared(met(ALISA), SECRET_WORDS, collection=CORPUS, load=load)
    await cache.rag.get(met(ALISA), SECRET_WORDS, collection=CORPUS, load=load)
    for key in redis_client.keys("*"):
        kind = redis_client.type(key)
        parts = [key]
        if kind == b"string":
            parts.append(redis_client.get(key) or b"")
        elif kind == b"hash":
            parts += [part for pair in redis_client.hgetall(key).items() for part in pair]
        for part in parts:
            assert "молч".encode() not in part
            assert "никому".encode() not in part


def test_without_the_secret_the_name_of_a_question_tells_nothing() -> None:
    question = SharedQuestion(SECRET_WORDS, CORPUS, {})
    names = {_rag(secret).name_of(question, version) for secret in (b"a" * 32, b"b" * 32) for version in ("", "1")}
    assert len(names) == 4
    assert "никому" not in repr(question)


def _rag(secret: bytes) -> Rag:
    settings = replace(Settings(redis_url="redis://x", encryption_keys=SECRETS["encryption_keys"]), hash_secret=secret)
    return Rag(Keys(""), Counts(), settings, Switches(settings), Sealer(settings.encryption_keys))


# What there is no room for.


async def test_one_person_s_questions_are_bounded(cache: CacheLayer, redis_client: redis.Redis) -> None:
    search = Search()
    for number in range(FIELDS_AT_MOST + 20):
        await personal(cache, met(ALISA), search, str(number))
    assert redis_client.hlen("rag_cache:{42}") <= FIELDS_AT_MOST
    assert 290 < redis_client.ttl("rag_cache:{42}") <= 300


async def test_each_of_a_person_s_answers_has_its_own_end(cache: CacheLayer, redis_client: redis.Redis) -> None:
    search = Search()
    await personal(cache, met(ALISA), search, "a")
    ((field, value),) = redis_client.hgetall("rag_cache:{42}").items()
    assert isinstance(value, bytes)
    ended = b"%013d" % (int(value[:13]) - 300_000)
    await personal(cache, met(ALISA), search, "b")
    redis_client.hset("rag_cache:{42}", field, ended + value[13:])
    assert await personal(cache, met(ALISA), search, "a") == "answer 3"
    assert await personal(cache, met(ALISA), search, "b") == "answer 2"


# Embeddings.


async def test_an_embedding_is_asked_for_once_a_text_and_model_and_is_small(
    cache: CacheLayer, redis_client: redis.Redis
) -> None:
    asked: list[str] = []
    vector = [number / 1536 for number in range(1536)]

    async def embed(text: str) -> list[float]:
        asked.append(text)
        return vector

    for who in (ALISA, BORIS):
        found = await cache.rag.embedding(met(who), SECRET_WORDS, model="small", load=embed)
        assert found.tolist() == pytest.approx(vector, abs=1e-6)
    await cache.rag.embedding(met(ALISA), SECRET_WORDS, model="large", load=embed)
    await cache.rag.embedding(met(ALISA), SECRET_WORDS.lower(), model="small", load=embed)
    assert asked == [SECRET_WORDS, SECRET_WORDS, SECRET_WORDS.lower()]
    sizes = [redis_client.strlen(key) for key in redis_client.keys("rag_cache*")]
    assert len(sizes) == 3
    assert max(sizes) <= 6200


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50))
def test_floats_come_back_as_they_went(vector: list[float]) -> None:
    assert unpacked(packed(vector)).tolist() == vector


@given(st.text(max_size=60))
def test_to_normalise_twice_changes_nothing(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text) or normalised(text).casefold() == normalised(text)


async def test_without_redis_everything_is_searched_for(valkey: Valkey) -> None:
    search = Search()
    async with CacheLayer(Settings(redis_url="redis://127.0.0.1:1", **SECRETS), role="test") as cache:
        assert await shared(cache, met(ALISA), search) == "answer 1"
        assert await personal(cache, met(ALISA), search) == "answer 2"
        assert not await cache.rag.bump(CORPUS)
        assert not (await cache.rag.forget(42)).reached

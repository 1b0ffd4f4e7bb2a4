"""What the bot found among a person's summaries is forgotten when these change."""

from __future__ import annotations

import asyncio

import pytest
from qdrant_client import QdrantClient

from cache_layer import Context, Hit, Identity, PersonalQuestion
from pomni_admin.cache import async_layer
from pomni_admin.summaries import pending
from pomni_admin.summaries.models import PendingVector
from pomni_admin.summaries.providers import Embedding
from pomni_admin.summaries.vectors import VectorsError, vectors
from tests.harness.cast import Cast
from tests.harness.servers import Database
from tests.summaries.conftest import Jobs, People, points


def found_anew(*user_ids: int) -> list[int]:
    """The bot looks something up for each of these people; for whom it had to ask Qdrant."""
    asked: list[int] = []

    async def search(question: PersonalQuestion) -> Context:
        asked.append(question.user_id)
        return Context("", (Hit(1, 0.5),))

    async def look_up() -> None:
        async with async_layer("test") as cache:
            for user_id in user_ids:

                async def identity(_: int, user_id: int = user_id) -> Identity:
                    return Identity(user_id, "ask", policy_accepted=True, trial_ever=True)

                person = await cache.identity.get(user_id, load=identity)
                assert person is not None
                await cache.rag.get(person, "О чём мы говорили?", collection="dialog_summaries_v1", load=search)

    asyncio.run(look_up())
    return asked


def test_a_new_summary_is_found_at_the_next_message(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient
) -> None:
    """Fails when the worker does not say so: what was found before would be believed for five minutes more."""
    people.say(cast.alisa, "Я снова не сплю.")
    assert found_anew(cast.alisa, cast.boris) == [cast.alisa, cast.boris]
    assert found_anew(cast.alisa, cast.boris) == []
    assert daily.run().processed_users == 1
    assert found_anew(cast.alisa, cast.boris) == [cast.alisa]


def test_a_summary_whose_row_is_gone_is_not_found_any_more(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient, database: Database
) -> None:
    people.say(cast.alisa, "Я снова не сплю.")
    daily.run()
    (row,) = daily.summaries()
    PendingVector.objects.create(
        summary_id=row["id"], user_id=cast.alisa, written_at=row["updated_at"], not_before=row["updated_at"]
    )
    assert found_anew(cast.alisa) == [cast.alisa]
    database.rows("DELETE FROM dialog_summaries")
    assert pending.deliver_again(row["id"], lambda text: Embedding([1.0])) is pending.Delivery.GONE
    assert points(qdrant) == set()
    assert found_anew(cast.alisa) == [cast.alisa]


def test_a_write_of_which_nobody_knows_whether_it_happened_counts_as_one(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.say(cast.alisa, "Я снова не сплю.")
    daily.run()
    assert found_anew(cast.alisa) == [cast.alisa]
    monkeypatch.setattr(vectors()._client, "delete", lambda *_, **__: (_ for _ in ()).throw(ValueError))
    with pytest.raises(VectorsError):
        vectors().delete(daily.summaries()[0]["id"], cast.alisa)
    assert found_anew(cast.alisa) == [cast.alisa]

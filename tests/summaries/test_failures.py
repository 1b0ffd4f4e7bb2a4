"""The model, the embeddings or Qdrant fail: people are counted, the job goes on, vectors come later."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from pomni_admin.demo.servers import Vectors
from pomni_admin.summaries import lifecycle, pending
from pomni_admin.summaries.models import Failure, Job, PendingVector
from pomni_admin.summaries.vectors import VectorsRefused, vectors
from tests.harness.cast import Cast
from tests.summaries.clients import forget_clients
from tests.summaries.conftest import Jobs, People, points
from tests.summaries.llm import EMBEDDINGS, Llm, chat, vector


def test_a_person_whose_summary_fails_is_counted_and_the_job_goes_on(
    daily: Jobs, people: People, llm: Llm, qdrant: QdrantClient
) -> None:
    users = people.crowd(5)
    llm.on(f"человека {users[0]}.", status=500)
    llm.on(f"человека {users[1]}.", body=b"<html>")
    llm.on(f"человека {users[2]}.", body=chat(""))
    llm.on(f"человека {users[3]}.", status=400)
    ended = daily.run()
    assert (ended.state, ended.total, ended.checked_users) == ("partial", 5, 5)
    assert (ended.errors, ended.processed_users, ended.embedding_ok, ended.remaining) == (4, 1, 1, 0)
    assert ended.retries == 2, "the 500 was tried twice; the rest would not get better"
    assert list(Failure.objects.order_by("unit").values_list("unit", "code")) == [
        (users[0], "llm_http_500"),
        (users[1], "llm_bad_answer"),
        (users[2], "llm_empty_answer"),
        (users[3], "llm_http_400"),
    ]
    assert [row["user_id"] for row in daily.summaries()] == users[4:]


def test_a_job_in_which_everyone_fails_has_failed(daily: Jobs, people: People, llm: Llm) -> None:
    people.crowd(3)
    llm.on("", status=400)
    ended = daily.run()
    assert (ended.state, ended.errors) == ("failed", 3)


def test_a_model_that_hangs_costs_one_person_at_a_time(
    daily: Jobs, people: People, llm: Llm, configure: Callable[..., None]
) -> None:
    configure(llm_timeout_s=1, embed_retry_max=0)
    users = people.crowd(2)
    llm.on(f"человека {users[0]}.", hang_s=20)
    ended = daily.run()
    assert (ended.state, ended.errors, ended.processed_users) == ("partial", 1, 1)
    assert Failure.objects.get().code == "llm_timeout"


BAD_EMBEDDINGS: dict[str, tuple[dict[str, Any], str]] = {
    "500": ({"status": 500}, "embed_http_500"),
    "429": ({"status": 429, "headers": {"Retry-After": "0"}}, "embed_rate_limited"),
    "a vector of another size": (
        {"body": json.dumps({"data": [{"embedding": vector("", 3)}]}).encode()},
        "embed_vector_size",
    ),
    "garbage": ({"body": b"{}"}, "embed_bad_answer"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD_EMBEDDINGS.values(), ids=BAD_EMBEDDINGS.keys())
def test_a_failed_embedding_leaves_the_row_and_a_pending_vector(
    daily: Jobs, people: People, cast: Cast, llm: Llm, qdrant: QdrantClient, answer: dict[str, Any], reason: str
) -> None:
    people.say(cast.alisa, "привет")
    llm.on("", path=EMBEDDINGS, **answer)
    found = daily.run()
    assert (found.state, found.processed_users, found.errors, found.vectors_pending) == ("running", 1, 0, 1)
    assert PendingVector.objects.get().reason == reason
    llm.rules.clear()
    assert pending.deliver_due() == 1
    lifecycle.settle(UUID(found.job_id))
    assert daily.read(UUID(found.job_id)).state == "ok"
    daily.assert_each_once(UUID(found.job_id), [cast.alisa], qdrant)


def test_vectors_wait_while_qdrant_is_away_and_are_brought_when_it_is_back(
    daily: Jobs,
    people: People,
    own_vectors: Vectors,
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    llm: Llm,
) -> None:
    own_vectors.kill()
    configure(qdrant_url=own_vectors.url)
    monkeypatch.setattr(lifecycle, "VECTOR_GRACE_LEASES", 0)
    users = people.crowd(4)
    ended = daily.run()
    assert (ended.state, ended.vectors_pending, ended.embedding_ok) == ("partial", 4, 0)
    assert llm.embedded == [], "nobody pays for embeddings that cannot be put anywhere"
    assert pending.deliver_due() == 0
    own_vectors.start()
    PendingVector.objects.update(not_before="2020-01-01T00:00:00Z")
    forget_clients()  # as another process, which has not just seen it away
    assert pending.deliver_due() == 4
    client = QdrantClient(url=own_vectors.url, check_compatibility=False)
    daily.assert_each_once(UUID(ended.job_id), users, client)
    client.close()


@pytest.mark.parametrize("name", ["", "text"])
def test_a_collection_with_an_unnamed_or_a_named_vector_is_written_to(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient, name: str
) -> None:
    params = VectorParams(size=64, distance=Distance.COSINE)
    qdrant.create_collection("dialog_summaries_v1", {name: params} if name else params)
    people.say(cast.alisa, "привет")
    assert daily.run().state == "ok"
    assert len(points(qdrant)) == 1


def test_a_collection_that_is_missing_is_made_with_the_configured_name(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient, configure: Callable[..., None]
) -> None:
    configure(qdrant_vector_name="text")
    people.say(cast.alisa, "привет")
    assert daily.run().embedding_ok == 1
    made = qdrant.get_collection("dialog_summaries_v1").config.params.vectors
    assert isinstance(made, dict)
    assert (list(made), made["text"].size, made["text"].distance) == (["text"], 64, Distance.COSINE)


WRONG_COLLECTIONS: dict[str, tuple[Any, str]] = {
    "of another size": (VectorParams(size=3, distance=Distance.COSINE), "collection_size"),
    "with two names": ({name: VectorParams(size=64, distance=Distance.COSINE) for name in "ab"}, "vector_name"),
}


@pytest.mark.parametrize(("params", "code"), WRONG_COLLECTIONS.values(), ids=WRONG_COLLECTIONS.keys())
def test_a_collection_that_does_not_fit_is_refused_with_a_code_and_nothing_is_lost(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient, params: Any, code: str
) -> None:
    qdrant.create_collection("dialog_summaries_v1", params)
    with pytest.raises(VectorsRefused, match=code):
        vectors().delete(1, None)
    people.say(cast.alisa, "привет")
    assert daily.run().vectors_pending == 1
    assert PendingVector.objects.get().reason == code


def test_a_collection_that_is_dropped_meanwhile_is_made_again(
    daily: Jobs, people: People, cast: Cast, qdrant: QdrantClient
) -> None:
    people.say(cast.alisa, "привет")
    daily.run()
    qdrant.delete_collection("dialog_summaries_v1")
    again = daily.run()
    assert again.vectors_pending == 1
    assert pending.deliver_due() == 1
    assert len(points(qdrant)) == 1


def test_vectors_that_come_late_are_waited_for_as_long_as_they_come(
    daily: Jobs, people: People, llm: Llm, qdrant: QdrantClient, configure: Callable[..., None]
) -> None:
    """Negative control: without `vector_at` in `FACTS` the job is `partial` while its vectors are being brought."""
    configure(embed_retry_max=0)
    users = people.crowd(3)
    llm.on("", path=EMBEDDINGS, status=429)
    early = daily.run()
    assert (early.state, early.vectors_pending) == ("running", 3)
    llm.rules.clear()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE summaries_batch SET finished_at = now() - interval '10 minutes'")
        cursor.execute(
            "UPDATE summaries_pendingvector SET not_before = now() + CASE user_id WHEN %s THEN 1 ELSE -1 END"
            " * interval '1 hour'",
            [users[0]],
        )
    assert pending.deliver_due() == 2
    job = Job.objects.get()
    assert lifecycle.settle(job.pk) is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE summaries_pendingvector SET not_before = now() - interval '1 minute'")
    assert pending.deliver_due() == 1
    lifecycle.settle(job.pk)
    daily.assert_each_once(job.pk, users, qdrant)
    assert daily.read(job.pk).state == "ok"

"""The demo's Qdrant, asked by the real client as by all other code, and put through `kill -9`."""

from __future__ import annotations

import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from pomni_admin.demo.servers import Vectors

SIZE = 4
COSINE = models.VectorParams(size=SIZE, distance=models.Distance.COSINE)


def of_user(user_id: int) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key="user_id", match=models.MatchValue(value=user_id))])


@pytest.fixture
def summaries(qdrant: QdrantClient) -> QdrantClient:
    """A collection `summaries` with one unnamed vector and six points of two users."""
    qdrant.create_collection("summaries", vectors_config=COSINE)
    qdrant.upsert(
        "summaries",
        points=[
            models.PointStruct(
                id=number,
                vector=[1.0, float(number), 0.0, 0.0],
                payload={"user_id": number % 2, "kind": "daily", "tags": None, "period_start": "2026-11-20T00:00:00Z"},
            )
            for number in range(6)
        ],
        wait=True,
    )
    return qdrant


def test_a_collection_comes_into_being_and_tells_its_shape(qdrant: QdrantClient) -> None:
    assert not qdrant.collection_exists("summaries")
    assert qdrant.create_collection("summaries", vectors_config=COSINE)
    assert qdrant.collection_exists("summaries")
    assert qdrant.get_collection("summaries").config.params.vectors == COSINE
    assert [one.name for one in qdrant.get_collections().collections] == ["summaries"]


def test_a_name_that_a_url_must_spell_otherwise_is_understood(qdrant: QdrantClient) -> None:
    qdrant.create_collection("сводки 2%", vectors_config=COSINE)
    assert qdrant.collection_exists("сводки 2%")
    assert qdrant.count("сводки 2%").count == 0


def test_a_point_comes_back_as_it_was_put(summaries: QdrantClient) -> None:
    (point,) = summaries.retrieve("summaries", [3], with_vectors=True)
    assert point.id == 3
    assert point.payload == {"user_id": 1, "kind": "daily", "tags": None, "period_start": "2026-11-20T00:00:00Z"}
    assert isinstance(point.vector, list)
    assert len(point.vector) == SIZE


def test_putting_a_point_again_replaces_it(summaries: QdrantClient) -> None:
    summaries.upsert(
        "summaries", points=[models.PointStruct(id=3, vector=[0.0, 0.0, 1.0, 0.0], payload={"user_id": 7})]
    )
    assert summaries.count("summaries").count == 6
    assert summaries.retrieve("summaries", [3])[0].payload == {"user_id": 7}


def test_points_in_columns_are_taken_too(summaries: QdrantClient) -> None:
    columns = models.Batch(ids=[10, 11], vectors=[[1.0, 0, 0, 0], [0, 1.0, 0, 0]], payloads=[{"user_id": 5}, {}])
    summaries.upsert("summaries", points=columns)
    assert summaries.count("summaries", count_filter=of_user(5)).count == 1


def test_the_nearest_of_one_user_are_found(summaries: QdrantClient) -> None:
    found = summaries.query_points(
        "summaries", query=[1.0, 3.0, 0.0, 0.0], query_filter=of_user(1), limit=2, with_payload=True
    ).points
    assert [point.id for point in found] == [3, 5]
    assert found[0].score == pytest.approx(1)
    assert all(point.payload is not None and point.payload["user_id"] == 1 for point in found)


def test_counting_and_scrolling_obey_the_filter(summaries: QdrantClient) -> None:
    assert summaries.count("summaries").count == 6
    assert summaries.count("summaries", count_filter=of_user(0)).count == 3
    first, following = summaries.scroll("summaries", scroll_filter=of_user(0), limit=2)
    rest, end = summaries.scroll("summaries", scroll_filter=of_user(0), limit=2, offset=following)
    assert [point.id for point in [*first, *rest]] == [0, 2, 4]
    assert end is None


def test_points_are_deleted_by_id_and_by_filter(summaries: QdrantClient) -> None:
    summaries.delete("summaries", points_selector=[0, 999])
    assert summaries.count("summaries").count == 5
    summaries.delete("summaries", points_selector=models.FilterSelector(filter=of_user(1)))
    assert [point.id for point in summaries.scroll("summaries")[0]] == [2, 4]


def test_a_named_vector_works_like_an_unnamed_one(qdrant: QdrantClient) -> None:
    qdrant.create_collection("named", vectors_config={"text": COSINE})
    qdrant.upsert("named", points=[models.PointStruct(id=1, vector={"text": [1.0, 0, 0, 0]}, payload={"user_id": 1})])
    assert [point.id for point in qdrant.query_points("named", query=[1.0, 0, 0, 0], using="text").points] == [1]


def test_an_index_is_accepted(summaries: QdrantClient) -> None:
    schema = models.PayloadSchemaType.INTEGER
    assert summaries.create_payload_index("summaries", "user_id", schema).status == "completed"


@pytest.mark.parametrize(
    ("call", "status", "reason"),
    [
        (lambda client: client.get_collection("nothing"), 404, "not found"),
        (lambda client: client.count("nothing"), 404, "not found"),
        (lambda client: client.create_collection("summaries", vectors_config=COSINE), 409, "already exists"),
        (
            lambda client: client.upsert("summaries", points=[models.PointStruct(id=1, vector=[1.0, 2.0])]),
            400,
            "expected dim: 4, got 2",
        ),
        (
            lambda client: client.upsert("summaries", points=[models.PointStruct(id=1, vector={"text": [1.0] * 4})]),
            400,
            "Not existing vector name",
        ),
        (lambda client: client.query_points("summaries", query=[1.0, 2.0]), 400, ""),
        (lambda client: client.facet("summaries", key="kind"), 404, "does not know"),
    ],
)
def test_errors_come_as_a_qdrant_server_words_them(
    summaries: QdrantClient, call: object, status: int, reason: str
) -> None:
    assert callable(call)
    with pytest.raises(UnexpectedResponse) as caught:
        call(summaries)
    assert caught.value.status_code == status
    assert reason in caught.value.structured()["status"]["error"]
    assert summaries.count("summaries").count == 6


def test_what_was_answered_survives_kill_9(own_vectors: Vectors) -> None:
    client = QdrantClient(url=own_vectors.url)
    client.create_collection("summaries", vectors_config=COSINE)
    for number in range(50):
        client.upsert(
            "summaries", points=[models.PointStruct(id=number, vector=[1.0, 0, 0, number], payload={"n": number})]
        )

    own_vectors.kill()
    with pytest.raises(ResponseHandlingException):
        client.count("summaries")
    own_vectors.start()

    points, _ = client.scroll("summaries", limit=100)
    assert [(point.id, point.payload) for point in points] == [(number, {"n": number}) for number in range(50)]
    client.close()


def test_a_folder_whose_first_file_was_cut_short_is_started_afresh(own_vectors: Vectors) -> None:
    own_vectors.kill()
    (own_vectors.folder / "meta.json").write_text("")
    own_vectors.start()
    assert own_vectors.is_ready()

"""A Qdrant for demo and tests: the client's local mode, answering on loopback the REST calls that we make.

Local mode admits one process to a folder, and the demo has several. This process owns the folder, so that all other
code uses `QdrantClient(url=...)` as in production. Every write is in SQLite before it is answered, hence survives a
`kill -9`. Requests are served one at a time: local mode knows no concurrency, and the demo needs none.

Run as `python -m pomni_admin.demo.vectors_server --folder FOLDER --port PORT`.
"""

from __future__ import annotations

import argparse
import json
import re
import time
import warnings
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import uvicorn
from pydantic import BaseModel, TypeAdapter, ValidationError
from qdrant_client import QdrantClient
from qdrant_client.http import models

DONE = models.UpdateResult(operation_id=0, status=models.UpdateStatus.COMPLETED)
Body = TypeVar("Body")
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class RefusedError(Exception):
    """An answer other than 200, in the words of a Qdrant server."""

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class Vectors:
    """The calls, as methods that take a collection's name and the request's body."""

    def __init__(self, folder: Path) -> None:
        meta = folder / "meta.json"
        if meta.exists() and not meta.read_text().strip():
            meta.unlink()  # killed between creating and filling it, before there was any collection
        self._client = QdrantClient(path=str(folder))

    def close(self) -> None:
        self._client.close()

    def collections(self) -> object:
        return self._client.get_collections()

    def exists(self, name: str) -> object:
        return {"exists": self._client.collection_exists(name)}

    def info(self, name: str) -> object:
        return self._client.get_collection(name)

    def create(self, name: str, body: models.CreateCollection) -> object:
        return self._client.create_collection(
            name,
            vectors_config=body.vectors if body.vectors is not None else {},
            sparse_vectors_config=body.sparse_vectors,
        )

    def drop(self, name: str) -> object:
        return self._client.delete_collection(name)

    def upsert(self, name: str, body: models.PointInsertOperations) -> object:
        points: list[models.PointStruct] | models.Batch
        points = body.points if isinstance(body, models.PointsList) else body.batch
        if not isinstance(points, models.Batch):
            for point in points:
                self._check_size(name, point.vector)
        self._client.upsert(name, points=points)
        return DONE

    def delete(self, name: str, body: models.PointsSelector) -> object:
        self._client.delete(name, points_selector=body)
        return DONE

    def retrieve(self, name: str, body: models.PointRequest) -> object:
        return self._client.retrieve(
            name,
            ids=body.ids,
            with_payload=body.with_payload if body.with_payload is not None else True,
            with_vectors=body.with_vector or False,
        )

    def count(self, name: str, body: models.CountRequest) -> object:
        return self._client.count(name, count_filter=body.filter, exact=True)

    def scroll(self, name: str, body: models.ScrollRequest) -> object:
        points, following = self._client.scroll(
            name,
            scroll_filter=body.filter,
            limit=body.limit or 10,
            offset=body.offset,
            order_by=body.order_by,
            with_payload=body.with_payload if body.with_payload is not None else True,
            with_vectors=body.with_vector or False,
        )
        return {"points": points, "next_page_offset": following}

    def query(self, name: str, body: models.QueryRequest) -> object:
        return self._client.query_points(
            name,
            query=body.query,
            using=body.using,
            prefetch=body.prefetch,
            query_filter=body.filter,
            limit=body.limit or 10,
            offset=body.offset,
            with_payload=body.with_payload or False,
            with_vectors=body.with_vector or False,
            score_threshold=body.score_threshold,
        )

    def set_payload(self, name: str, body: models.SetPayload) -> object:
        selector = body.points if body.points is not None else body.filter
        if selector is None:
            raise RefusedError(400, "Wrong input: either points or filter must be given")
        self._client.set_payload(name, payload=body.payload, points=selector, key=body.key)
        return DONE

    def accept_index(self, name: str, _body: models.CreateFieldIndex) -> object:
        """Local mode has no indexes and needs none; a filter gives the same answer without."""
        self._client.get_collection(name)
        return DONE

    def _check_size(self, name: str, vector: models.VectorStruct) -> None:
        """Refuse vectors of the wrong length, which local mode would keep in part."""
        sizes = self._client.get_collection(name).config.params.vectors
        named = vector if isinstance(vector, Mapping) else {"": vector}
        for key, values in named.items():
            expected = sizes.get(key) if isinstance(sizes, Mapping) else (sizes if key == "" else None)
            if expected is None:
                raise RefusedError(400, f"Wrong input: Not existing vector name error: {key}")
            if isinstance(values, list) and len(values) != expected.size:
                got = len(values)
                raise RefusedError(
                    400, f"Wrong input: Vector dimension error: expected dim: {expected.size}, got {got}"
                )


Call = Callable[[Vectors, str, bytes], object]


def _plain(method: Callable[[Vectors, str], object]) -> Call:
    return lambda vectors, name, _: method(vectors, name)


def _with_body(method: Callable[[Vectors, str, Body], object], shape: Any) -> Call:
    parse: TypeAdapter[Body] = TypeAdapter(shape)
    return lambda vectors, name, raw: method(vectors, name, parse.validate_json(raw or b"{}"))


CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", ""): _plain(Vectors.info),
    ("PUT", ""): _with_body(Vectors.create, models.CreateCollection),
    ("DELETE", ""): _plain(Vectors.drop),
    ("GET", "/exists"): _plain(Vectors.exists),
    ("PUT", "/index"): _with_body(Vectors.accept_index, models.CreateFieldIndex),
    ("PUT", "/points"): _with_body(Vectors.upsert, models.PointInsertOperations),
    ("POST", "/points"): _with_body(Vectors.retrieve, models.PointRequest),
    ("POST", "/points/delete"): _with_body(Vectors.delete, models.PointsSelector),
    ("POST", "/points/count"): _with_body(Vectors.count, models.CountRequest),
    ("POST", "/points/scroll"): _with_body(Vectors.scroll, models.ScrollRequest),
    ("POST", "/points/query"): _with_body(Vectors.query, models.QueryRequest),
    ("POST", "/points/payload"): _with_body(Vectors.set_payload, models.SetPayload),
}
COLLECTION = re.compile(r"/collections/([^/]+)(/.*)?")


def answer(vectors: Vectors, method: str, path: str, body: bytes) -> tuple[int, object]:
    """The status and what a Qdrant server would send for one request."""
    started = time.perf_counter()
    try:
        if path == "/":
            return 200, {"title": "qdrant - vector search engine", "version": "1.20.0"}
        if path in {"/readyz", "/livez", "/healthz"}:
            return 200, "all shards are ready"
        result = _result(vectors, method, path, body)
    except RefusedError as refused:
        return refused.status, _error(str(refused), started)
    except ValidationError as error:
        return 400, _error(f"Format error in JSON body: {error.errors(include_input=False)[0]['msg']}", started)
    except (ValueError, KeyError, TypeError, IndexError) as error:  # how local mode says that a request is wrong
        reason = str(error)
        status = 404 if "not found" in reason else 409 if "already exists" in reason else 400
        return status, _error(reason, started)
    return 200, {"result": result, "status": "ok", "time": time.perf_counter() - started}


def _result(vectors: Vectors, method: str, path: str, body: bytes) -> object:
    if (method, path) == ("GET", "/collections"):
        return vectors.collections()
    found = COLLECTION.fullmatch(path)
    call = CALLS.get((method, found[2] or "")) if found else None
    if found and method == "DELETE" and (found[2] or "").startswith("/index/"):
        return DONE
    if found is None or call is None:
        raise RefusedError(404, f"the demo's vectors server does not know {method} {path}")
    return call(vectors, unquote(found[1]), body)


def _error(reason: str, started: float) -> object:
    return {"status": {"error": reason}, "time": time.perf_counter() - started}


def _json(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")


def application(folder: Path) -> Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]:
    """The ASGI application over one folder. The work is done in the loop itself, which makes it one at a time."""
    vectors: Vectors | None = None

    async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        nonlocal vectors
        if scope["type"] == "lifespan":
            await receive()
            vectors = Vectors(folder)
            await send({"type": "lifespan.startup.complete"})
            await receive()
            vectors.close()
            await send({"type": "lifespan.shutdown.complete"})
            return
        assert vectors is not None
        assert scope["type"] == "http"
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        path = scope.get("raw_path", b"").decode("ascii").split("?", 1)[0] or scope["path"]
        status, content = answer(vectors, scope["method"], path, body)
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(content, default=_json).encode()})

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where the collections are kept")
    parser.add_argument("--port", type=int, required=True, help="the loopback port to listen on")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="qdrant_client")  # local mode's advice to use a server
    uvicorn.run(application(options.folder), host="127.0.0.1", port=options.port, log_level="warning", lifespan="on")


if __name__ == "__main__":
    main()

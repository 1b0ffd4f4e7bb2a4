"""What a cron job does to the site: every call of the HTTP API with people in it, rightly and wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx2

from pomni_admin.api.cron import api
from pomni_admin.api.parameters import CACHES
from tests.harness.environment import API_SECRET
from tests.privacy.canaries import WORDS, tg_id, user_id

if TYPE_CHECKING:
    from tests.privacy.scene import Collected

SUMMARIES = "/api/admin/summaries"
INVALIDATE = "/api/admin/cache/invalidate"
TYPED = (*(word for words in WORDS.values() for word in words), str(tg_id("sound")))


def call_api(port: int, out: Collected) -> None:
    """Answers go to the channel of that name; their headers too."""
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
        for headers, method, path, query, body in _calls():
            sent = {"params": query} | ({"json": body} if body is not None else {})
            answer = http.request(method, path, headers=headers, **sent)
            out.counts[f"API {answer.status_code}"] += 1
            out.add("answers of the API", answer.content)
            out.add("answers of the API", repr(answer.headers.multi_items()))


def _calls() -> Iterator[tuple[dict[str, str], str, str, dict[str, Any], Any]]:
    right = {"X-Admin-Secret": API_SECRET}
    person, telegram = user_id("sound"), tg_id("sound")
    for path in (f"{SUMMARIES}/daily", f"{SUMMARIES}/rebuild", f"{SUMMARIES}/vectors/repair"):
        yield right, "POST", path, {"user_id": person}, None
        yield right, "POST", path, {}, {"user_id": person}
        yield right, "POST", path, {"user_id": telegram}, None  # the wrong id: of nobody
        yield right, "POST", path, {"user_id": person}, {"user_id": telegram}
    yield right, "GET", f"{SUMMARIES}/vectors", {"user_id": person}, None
    for cache in CACHES:
        yield right, "POST", INVALIDATE, {}, {"user_id": person, "cache": cache}
        yield right, "POST", INVALIDATE, {}, {"tg_id": telegram, "cache": cache}
    for typed in TYPED:
        yield right, "POST", f"{SUMMARIES}/daily", {"day": typed}, {"user_id": typed}
        yield right, "POST", f"{SUMMARIES}/daily", {typed: typed}, None
        yield right, "POST", f"{SUMMARIES}/daily", {}, {typed: typed}
        yield right, "POST", INVALIDATE, {"tg_id": typed}, {"tg_id": typed, "cache": typed}
        yield right, "POST", f"{SUMMARIES}/{typed}/cancel", {}, None
        yield {}, "POST", f"{SUMMARIES}/daily", {"secret": typed}, {"secret": typed}
        yield {}, "POST", f"/api/{typed}/", {"user_id": person}, None
    for path in api.get_openapi_schema()["paths"]:
        for method in ("GET", "POST", "DELETE"):
            yield right, method, path, {"user_id": person, "tg_id": telegram}, {"tg_id": telegram}
    for typed in TYPED * 2:  # more than are allowed
        wrong = {"Authorization": f"Bearer {typed.encode().hex()}"}
        yield wrong, "GET", f"{SUMMARIES}/status", {"job_id": typed}, None

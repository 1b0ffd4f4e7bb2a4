"""What a visitor does to the site: every address with every method, every form with bad input, and nonsense."""

from __future__ import annotations

import re
import socket
import uuid
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import httpx2
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from pomni_admin.limits import BODY_BYTES
from tests.privacy.canaries import TYPED, WORDS, tg_id, user_id

if TYPE_CHECKING:
    from tests.privacy.scene import Collected

SEARCHED = (
    *(str(tg_id(person)) for person in ("sound", "private")),
    str(user_id("broken")),
    *WORDS["a payment id"],
    *WORDS["what was searched for"],
    *WORDS["an e-mail address"],
    *WORDS["a telephone number"],
    "@" + WORDS["a user name"][0],
    WORDS["a name"][0],
)
FEW = (SEARCHED[0], *WORDS["a payment id"], *WORDS["an e-mail address"])
LEAVES = ("sign-out", "/sessions/end")


class Forms(HTMLParser):
    """The forms of a page: method, address, and the fields with what is in them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, dict[str, str]]] = []
        self.free: list[set[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = dict(attrs)
        if tag == "form":
            self.found.append(((has.get("method") or "get").lower(), has.get("action") or "", {}))
            self.free.append(set())
        elif tag in {"input", "textarea", "select", "button"} and self.found and has.get("name"):
            name = str(has["name"])
            self.found[-1][2].setdefault(name, has.get("value") or "")
            if tag == "select" or (tag in {"input", "textarea"} and has.get("type") != "hidden"):
                self.free[-1].add(name)


class Browser:
    """One visitor. Answers go to the channels `pages` and `headers`."""

    def __init__(self, port: int, cookie: str, out: Collected) -> None:
        self._port, self._cookie, self._out = port, cookie, out
        self._http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self._forms: dict[tuple[str, tuple[str, ...]], tuple[str, str, dict[str, str], set[str], str]] = {}
        self.seen: list[str] = []

    def close(self) -> None:
        self._http.close()

    def look_around(self, places: list[str], *, posts: bool = True) -> None:
        """GET each address, and POST to it without a token and with JSON."""
        for path in places:
            self._ask("GET", f"{path}?q={TYPED[1]}&actor={TYPED[1]}")
            if posts:
                self._ask("POST", path, content=f'{{"user_id": {user_id("sound")}, "tg_id": {tg_id("sound")}}}')
                self._ask("PUT", path)

    def look_people_up(self, texts: Sequence[str]) -> None:
        """The Users box, with everything that may be typed into it; then the buttons about who was found."""
        for text in texts:
            page = self._ask("GET", "/users")
            for method, action, fields, free in self._forms_of(page):
                if method == "post" and "/users" in action and free:
                    answer = self._send(action, {**fields, **dict.fromkeys(free, text)}, page)
                    for _method, act, sent, _free in self._forms_of(answer):
                        if "/users/" in act and "token" in sent and text in SEARCHED[:1]:
                            self._send(act, sent, answer)

    def run_for_people(self, texts: Sequence[str]) -> None:
        """The form that starts a job, for whomever these texts name: most name nobody, and nobody has a whole week."""
        for text in texts:
            page = self._ask("GET", "/jobs/run")
            for _method, action, fields, free in self._forms_of(page):
                if "person" in free:
                    asked = {"kind": "weekly", "whom": "one", "person": text, "reason": "other"}
                    self._send(action, {**fields, **asked}, page)

    def fill_in_forms(self, texts: Sequence[str]) -> None:
        """Each form that was seen, with what does not belong there."""
        for _method, action, fields, free, page in list(self._forms.values()):
            if any(part in action for part in LEAVES) or "/users" in action:
                continue
            for text in texts:
                self._send(action, {**fields, **dict.fromkeys(free, text)}, None, page)

    def send_nonsense(self) -> None:
        """What no browser sends: and it may hold anything."""
        word, name = TYPED[0].encode(), WORDS["a name"][0]
        pieces = (
            b"GET /" + word + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"GET /users?text="
            + WORDS["a payment id"][0].encode()
            + b" HTTP/1.1\r\nHost: "
            + b"elsewhere.example\r\n\r\n",
            name.encode() + b" " + word + b"\r\n\r\n",
            b"POST /users/find HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: abc" + word + b"\r\n\r\n",
            b"GET /live/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Key: " + name.encode() + b"\r\nSec-WebSocket-Version: 13\r\n\r\n",
        )
        for piece in pieces:
            with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
                connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
                self._out.add("headers", connection.recv(65536))
        self._ask("POST", "/users/find", content=message_too_long())
        self._ask("GET", "/jobs?" + "x" * 5000 + WORDS["a name"][0])
        self._ask("GET", f"/users/{WORDS['a telephone number'][1]}/{tg_id('sound')}")
        self._ask("GET", "/jobs", host=WORDS["an e-mail address"][0])
        self._ask("GET", "/jobs", cookie="pomni_session=" + WORDS["a user name"][0])

    def _forms_of(self, page: str) -> Iterator[tuple[str, str, dict[str, str], set[str]]]:
        forms = Forms(page)
        for (method, action, fields), free in zip(forms.found, forms.free, strict=True):
            yield method, action, fields, free

    def _ask(self, method: str, path: str, content: str = "", host: str = "", cookie: str = "") -> str:
        headers = {"Cookie": cookie or self._cookie, **({"Host": host} if host else {})}
        if content:
            headers["Content-Type"] = "application/json"
        answer = self._http.request(method, path, content=content or None, headers=headers)
        return self._keep(answer, path)

    def _send(self, action: str, fields: dict[str, str], page: str | None, fresh: str = "") -> str:
        cookie = self._cookie
        if fresh:  # a token of the page on which the form stands
            seen = self._http.get(fresh, headers={"Cookie": cookie})
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', seen.text)
            fields = {**fields, **({"csrfmiddlewaretoken": token[1]} if token else {})}
        secret = self._http.cookies.get("csrftoken")
        answer = self._http.post(
            action or "/", data=fields, headers={"Cookie": f"{cookie}; csrftoken={secret}" if secret else cookie}
        )
        return self._keep(answer, action)

    def _keep(self, answer: httpx2.Response, path: str) -> str:
        self._out.counts[f"status {answer.status_code}"] += 1
        self._out.counts["answers"] += 1
        self._out.add("pages", answer.content)
        self._out.add("headers", repr(answer.headers.multi_items()))
        if answer.status_code == 200:
            self.seen.append(path)
        for method, action, fields, free in self._forms_of(answer.text):
            if method == "post":
                self._forms.setdefault((action, tuple(sorted(fields))), (method, action, fields, free, path))
        return answer.text


def message_too_long() -> str:
    return WORDS["a name"][0] * BODY_BYTES


def addresses(job: str, *, with_typed: bool = True) -> list[str]:
    """Every address of the site, once with sensible arguments and, if wanted, once with what somebody typed."""
    found = []
    for pattern in _patterns(get_resolver()):
        for texts in ("rag", TYPED[1])[: 1 + with_typed]:
            path = _filled(pattern, job, texts)
            if f"/{path}" not in found and not any(part in path for part in LEAVES):
                found.append(f"/{path}")
    return found


def _filled(pattern: str, job: str, text: str) -> str:
    return re.sub(r"<(?:(\w+):)?\w+>", lambda part: _value(part[1] or "str", job, text), pattern)


def _value(converter: str, job: str, text: str) -> str:
    return {"uuid": job if text == "rag" else str(uuid.UUID(int=9)), "int": "1"}.get(converter, text)


def _patterns(resolver: URLResolver, before: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        if not isinstance(entry.pattern, RoutePattern) and isinstance(entry, URLPattern):
            yield f"{before}{TYPED[1]}/"  # the one that takes a slash off
        elif isinstance(entry, URLResolver):
            yield from _patterns(entry, before + str(entry.pattern))
        else:
            yield before + str(entry.pattern)

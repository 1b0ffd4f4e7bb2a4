"""An OpenAI-compatible API on loopback, over real sockets, that answers well, badly or not at all, as told."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.harness.environment import EMBED_DIM

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"


@dataclass
class Rule:
    """What to answer to requests that contain `word`; `times` of them, or all."""

    path: str
    word: str
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    times: int | None = None


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        """A client that was killed is no news here."""


class Llm:
    """The server, and what it has been asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        """What each chat request was about: the text of its user message."""
        self.told: list[str] = []
        """And what it was told to do: its system message."""
        self.embedded: list[str] = []
        self.in_flight = 0
        self.most_in_flight = 0
        """Requests of both kinds that were answered at the same time, at most."""
        self.rules: list[Rule] = []
        self._changed = threading.Condition()
        self._held = ""
        self._closing = threading.Event()
        llm = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                llm.answer(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def env(self) -> dict[str, str]:
        """The environment of a process that is to use this server."""
        return {"POMNI_LLM": "openai", "OPENROUTER_BASE_URL": self.url, "OPENROUTER_API_KEY": "not-a-key"}

    def on(self, word: str, *, path: str = CHAT, **answer: Any) -> None:
        self.rules.append(Rule(path, word, **answer))

    def hold(self, path: str = CHAT) -> None:
        """From now on requests of this kind wait."""
        with self._changed:
            self._held = path

    def release(self) -> None:
        with self._changed:
            self._held = ""
            self._changed.notify_all()

    def wait_until_asked(self, times: int, timeout: float = 30) -> None:
        """Return once so many chat requests have come in, answered or not."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.asked) >= times, timeout), f"asked {len(self.asked)} times"

    def wait_until_embedding(self, times: int = 1, timeout: float = 30) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.embedded) >= times, timeout)

    def close(self) -> None:
        self._closing.set()
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        with self._changed:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self._answer(handler)
        finally:
            with self._changed:
                self.in_flight -= 1

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        text = request["input"] if handler.path == EMBEDDINGS else request["messages"][-1]["content"]
        with self._changed:
            (self.embedded if handler.path == EMBEDDINGS else self.asked).append(text)
            if handler.path == CHAT:
                self.told.append(request["messages"][0]["content"])
            self._changed.notify_all()
            rule = next((r for r in self.rules if r.path == handler.path and r.word in text and r.times != 0), None)
            if rule is not None and rule.times is not None:
                rule.times -= 1
            self._changed.wait_for(lambda: self._held != handler.path)
        if rule is not None and rule.hang_s:
            self._closing.wait(rule.hang_s)
        body = rule.body if rule is not None and rule.body is not None else self._good(handler.path, text)
        try:
            handler.send_response(rule.status if rule else 200)
            for name, value in (rule.headers if rule else {}).items():
                handler.send_header(name, value)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True  # the client has given up, or was killed

    @staticmethod
    def _good(path: str, text: str) -> bytes:
        if path == EMBEDDINGS:
            return json.dumps({"data": [{"embedding": vector(text)}], "usage": {"prompt_tokens": 7}}).encode()
        return chat(f"Итог дня: {text.splitlines()[0][:80]}")


def chat(content: str | None, *, finish_reason: str = "stop", refusal: str | None = None) -> bytes:
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return json.dumps({"choices": [{"message": message, "finish_reason": finish_reason}], "usage": usage}).encode()


def vector(text: str, size: int = EMBED_DIM) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [1.0 + digest[at % len(digest)] for at in range(size)]

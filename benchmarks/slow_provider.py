"""`python -m benchmarks.slow_provider`: an OpenAI-compatible API that is slow, refuses and hangs as it is told.

A process of its own, so that its time is not that of who asks it. What it has answered goes to standard output when it
is ended by SIGTERM, as JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

EMBEDDINGS = "/v1/embeddings"
RETRY_AFTER_S = "0.05"
DIM = 64


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_arguments: object) -> None:
        """A client that was killed is no news here."""


class Mood:
    """What is to be answered next."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._dice = random.Random(arguments.seed)
        self._arguments = arguments
        self._lock = threading.Lock()
        self._hang_at = time.monotonic() + arguments.hang_every_s
        self._in_flight = 0
        self.counts: Counter[str] = Counter()

    def next(self) -> int:
        """The status; 0 to hang."""
        with self._lock:
            self._in_flight += 1
            self.counts["calls in flight, most"] = max(self.counts["calls in flight, most"], self._in_flight)
            roll = self._dice.random()
            if self._arguments.hang_every_s and time.monotonic() > self._hang_at:
                self._hang_at += self._arguments.hang_every_s
                status = 0
            elif roll < self._arguments.refuse:
                status = 429
            else:
                status = 500 if roll < self._arguments.refuse + self._arguments.fail else 200
            self.counts[f"answered {status or 'nothing: hung'}"] += 1
            return status

    def done(self) -> None:
        with self._lock:
            self._in_flight -= 1


def handler(mood: Mood, arguments: argparse.Namespace) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = mood.next()
            try:
                if not status:
                    time.sleep(arguments.hang_s)
                    return
                time.sleep((arguments.embed_ms if self.path == EMBEDDINGS else arguments.chat_ms) / 1000)
                self._say(status, answer(self.path, request))
            except OSError:
                self.close_connection = True
            finally:
                mood.done()

        def _say(self, status: int, body: bytes) -> None:
            head = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            retry = f"Retry-After: {RETRY_AFTER_S}\r\n" if status == 429 else ""
            self.wfile.write(f"HTTP/1.1 {status} x\r\n{head}{retry}\r\n".encode() + body)

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


def answer(path: str, request: dict[str, object]) -> bytes:
    if path == EMBEDDINGS:
        digest = hashlib.sha256(str(request["input"]).encode()).digest()
        return json.dumps({"data": [{"embedding": [1.0 + digest[at % 32] for at in range(DIM)]}]}).encode()
    message = {"role": "assistant", "content": "Человек рассказал, как прошёл день, и решил позвонить сестре."}
    usage = {"prompt_tokens": 120, "completion_tokens": 20}
    return json.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}).encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_provider")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--chat-ms", type=float, default=0)
    parser.add_argument("--embed-ms", type=float, default=0)
    parser.add_argument("--refuse", type=float, default=0, help="share that is answered 429")
    parser.add_argument("--fail", type=float, default=0, help="share that is answered 500")
    parser.add_argument("--hang-every-s", type=float, default=0)
    parser.add_argument("--hang-s", type=float, default=10)
    parser.add_argument("--seed", default="")
    arguments = parser.parse_args()
    mood = Mood(arguments)
    server = Server(("127.0.0.1", arguments.port), handler(mood, arguments))

    def end(_signal: int, _frame: FrameType | None) -> None:
        sys.stdout.write(json.dumps(mood.counts) + "\n")
        sys.stdout.flush()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    server.serve_forever()


if __name__ == "__main__":
    main()

"""What the site does not take: large bodies, files, long addresses and frames. Over real sockets to a real uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client

from pomni_admin.limits import BODY_BYTES, UVICORN, uvicorn_arguments
from tests.dashboard.visitors import cookie_of, watch
from tests.harness.processes import Site
from tests.harness.servers import Database

TEN_MB = 10 * 1024 * 1024
FORM = "Content-Type: application/x-www-form-urlencoded"


def send(site: Site, head: list[str], chunk: bytes, most: int) -> tuple[str, int]:
    """Send a request whose body is `chunk` over and over; the answer, and how much was taken before it came."""
    parts = urlsplit(site.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as connection:
        connection.sendall("\r\n".join([*head, f"Host: 127.0.0.1:{parts.port}", "", ""]).encode())
        sent = 0
        connection.settimeout(0.3)
        with contextlib.suppress(OSError):
            while sent < most:
                sent += connection.send(chunk)
        connection.settimeout(20)
        answer = b""
        with contextlib.suppress(OSError):
            while part := connection.recv(65536):
                answer += part
        return answer.decode(errors="replace"), sent


@pytest.fixture
def viewer(database: Database) -> str:
    return cookie_of("viewer")


def test_a_body_of_ten_megabytes_is_refused_before_it_is_read(site: Site, database: Database) -> None:
    """Without `limits.bounded` Django reads all of it, onto the disk, before anything else happens."""
    answer, sent = send(
        site, ["POST /account/sign-in HTTP/1.1", FORM, f"Content-Length: {TEN_MB}"], b"x" * 65536, TEN_MB
    )
    assert answer.startswith("HTTP/1.1 413 ")
    assert "tokens.css" in answer
    assert "content-security-policy" in answer.lower()
    assert sent < TEN_MB / 2, "the rest did not fit into the buffers of the system"


def test_a_body_that_does_not_say_how_long_it_is_is_read_only_to_the_limit(site: Site, database: Database) -> None:
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    answer, sent = send(site, ["POST /account/sign-in HTTP/1.1", FORM, "Transfer-Encoding: chunked"], chunk, TEN_MB)
    assert answer.startswith("HTTP/1.1 413 ")
    assert sent < TEN_MB / 2


@pytest.mark.parametrize("charset", ["base64", "idna", "undefined", '"punycode"', "utf-16", "nonsense"])
@pytest.mark.parametrize("path", ["/account/sign-in?next=%D0%B0", "/api/admin/summaries/daily?day=%D0%B0"])
def test_what_is_no_charset_is_not_decoded_by(site: Site, database: Database, charset: str, path: str) -> None:
    """Without `limits.CHARSETS` uvicorn answers 500 for most of them: Django fails before it has a request."""
    kind = f"Content-Type: application/json;charset={charset}"
    answer, _sent = send(site, [f"POST {path} HTTP/1.1", kind, "Content-Length: 2", "Connection: close"], b"{}", 2)
    assert answer.startswith("HTTP/1.1 4"), answer[:200]


def test_headers_and_addresses_have_a_limit(site: Site, database: Database) -> None:
    answer, _sent = send(site, ["GET /jobs HTTP/1.1", "X-Long: " + "x" * 200_000], b"", 0)
    assert answer.startswith("HTTP/1.1 4")
    assert Client().get("/jobs?" + "x" * 5000).status_code == 414


def test_files_are_refused(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    file.write_text("hello")
    with file.open() as opened:
        response = Client().post("/account/sign-in", {"username": "a", "password": "b", "file": opened})
    assert response.status_code == 400
    assert "tokens.css" in response.content.decode()


def test_a_form_at_the_limit_is_taken(database: Database) -> None:
    body = "username=a&password=" + "b" * (BODY_BYTES - 50)
    taken = Client().post("/account/sign-in", body, content_type="application/x-www-form-urlencoded")
    refused = Client().post("/account/sign-in", body + "b" * 100, content_type="application/x-www-form-urlencoded")
    assert (taken.status_code, refused.status_code) == (200, 413)


async def test_a_viewer_can_send_only_little(site: Site, viewer: str) -> None:
    async with watch(site, "jobs", viewer) as connection:
        await connection.recv()
        await connection.send("x" * (UVICORN["ws_max_size"] + 1))
        async with asyncio.timeout(20):
            await connection.wait_closed()
    assert connection.close_code == 1009


def test_the_command_that_is_documented_sets_these_limits(project: Path) -> None:
    found = re.search(
        r"^uvicorn pomni_admin\.asgi:application(?:[^\n]*\\\n)*[^\n]*", (project / "README.md").read_text(), re.M
    )
    assert found
    words = shlex.split(found[0].replace("\\\n", " "))
    assert set(uvicorn_arguments()) <= set(words)


def test_half_a_request_does_not_hold_up_the_others(site: Site, database: Database) -> None:
    parts = urlsplit(site.url)
    slow = [socket.create_connection((parts.hostname or "", parts.port or 0)) for _ in range(30)]
    try:
        for one in slow:
            one.sendall(b"POST /account/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nab")
        began = time.monotonic()
        answer, _sent = send(site, ["GET /healthz HTTP/1.1", "Connection: close"], b"", 0)
        assert answer.startswith("HTTP/1.1 200 ")
        assert time.monotonic() - began < 5
    finally:
        for one in slow:
            one.close()

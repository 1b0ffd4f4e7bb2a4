"""Signed-in visitors of a site that runs as a process of its own: their cookies, requests and sockets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import httpx2
from django.contrib.auth.models import Group
from django.test import Client
from websockets.asyncio.client import ClientConnection, connect

from pomni_admin.accounts.models import User
from tests.harness.processes import Site
from tests.harness.staff import sign_in


def cookie_of(role: str) -> str:
    """A fresh account with that role (or with none, for a word that is no role), signed in."""
    user, _made = User.objects.get_or_create(username=f"a {role}")
    if group := Group.objects.filter(name=role.capitalize()).first():
        user.groups.add(group)
    client = Client()
    sign_in(client, user)
    return f"pomni_session={client.cookies['pomni_session'].value}; pomni_language=en"


class Visitor:
    """Somebody at a browser without JavaScript."""

    def __init__(self, site: Site, cookie: str) -> None:
        self._http = httpx2.Client(base_url=site.url, headers={"cookie": cookie}, timeout=20)
        self._cookie = cookie

    def get(self, path: str) -> httpx2.Response:
        return self._http.get(path)

    def post(self, path: str, on: str, data: Mapping[str, str] | None = None) -> httpx2.Response:
        """Send a form of the page `on`: with its token against forgery."""
        page = self._http.get(on)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        cookie = page.cookies["csrftoken"]
        return self._http.post(
            path,
            data={"csrfmiddlewaretoken": token[1], **(data or {})},
            headers={"cookie": f"{self._cookie}; csrftoken={cookie}"},
        )

    def close(self) -> None:
        self._http.close()


def watch(site: Site, page: str, cookie: str = "", *, origin: str = "", language: str = "en") -> connect:
    """A WebSocket to a page's live states, as a browser opens it."""
    return connect(
        f"{site.url.replace('http', 'ws')}/live/{page}?language={language}",
        additional_headers={"Cookie": cookie} if cookie else {},
        origin=origin or site.url,  # type: ignore[arg-type]
        open_timeout=20,
    )


async def next_frame(socket: ClientConnection, kind: str, timeout_s: float = 20, **fields: Any) -> dict[str, Any]:
    """The next frame of that type whose fields are so; others are passed over."""
    async with asyncio.timeout(timeout_s):
        while True:
            frame: dict[str, Any] = json.loads(await socket.recv())
            if frame["type"] == kind and all(frame[name] == value for name, value in fields.items()):
                return frame

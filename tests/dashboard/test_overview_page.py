"""The Overview: what needs attention, each with where it is mended; and what is left when a server does not answer."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from pomni_admin.accounts.models import User
from pomni_admin.dashboard import history
from tests.browser.scene import set_up
from tests.harness.cast import Cast
from tests.harness.servers import Database


@pytest.fixture
def viewer(database: Database) -> Iterator[Client]:
    history.forget()
    user = User.objects.create(username="viewer")
    user.groups.add(Group.objects.get(name="Viewer"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    yield client
    history.forget()


def text(html: str) -> str:
    html = re.sub(r"<head.*?</head>|<script.*?</script>", "", html, flags=re.S)
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_busy_day(viewer: Client, cast: Cast) -> None:
    set_up(os.environ["REDIS_URL"], [cast.alisa, cast.boris, cast.vera])
    answer = viewer.get("/")
    print(text(answer.content.decode()))
    assert answer.status_code == 200

"""The Locks page shows who holds a lock and who waits for it."""

from __future__ import annotations

import re
import threading
import uuid
from datetime import timedelta

import pytest
from django.test import Client

from cache_layer import Holder
from pomni_admin.accounts.models import User
from pomni_admin.cache import layer
from tests.harness.staff import Staff


@pytest.fixture
def admin(staff: Staff) -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(User.objects.get(username=staff.admin))
    return client


def test_it_shows_how_many_wait_and_since_when(admin: Client) -> None:
    def wait() -> None:
        with layer().lock("nightly", wait=timedelta(seconds=60)):
            pass

    grant = layer().locks.acquire("nightly", token="a", holder=Holder("bot", "host-1", 41))
    waiting = threading.Thread(target=wait)
    assert "–" in cell(admin)
    waiting.start()
    while not layer().locks.held()[0].waiters:
        pass
    shown = cell(admin)
    since = layer().locks.held()[0].waiters[0].since
    layer().locks.release(grant)
    waiting.join()
    assert "<b>1</b>" in shown
    assert f'datetime="{since.isoformat(timespec="milliseconds")}"' in shown


def test_a_job_that_is_none_of_the_summary_jobs_is_shown_as_words(admin: Client) -> None:
    """A link to it broke the page."""
    layer().locks.acquire("a", token="a", holder=Holder("bot", "host-1", 41, "retrieval <b>"))
    layer().locks.acquire("b", token="b", holder=Holder("job", "host-1", 41, str(uuid.UUID(int=7))))
    page = admin.get("/locks").content.decode()
    assert "retrieval &lt;b&gt;" in page
    assert f'href="/jobs/{uuid.UUID(int=7)}"' in page


def cell(admin: Client) -> str:
    found = re.search(r'data-label="Waiting">(.*?)</td>', admin.get("/locks").content.decode(), re.DOTALL)
    assert found
    return found[1]

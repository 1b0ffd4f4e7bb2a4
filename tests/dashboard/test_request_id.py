"""The id of a request: on its answer, in its log lines, in its audit rows."""

from __future__ import annotations

import io
import logging
import re

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from structlog.contextvars import get_contextvars

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.logs import formatter
from tests.dashboard.visitors import Visitor, cookie_of
from tests.harness.processes import Site
from tests.harness.servers import Database

GIVEN = "0b77e410-11ee-4c1d-9b32-3f0a9c2e5d77"


@pytest.fixture
def agent(database: Database) -> Client:
    user = User.objects.create(username="support")
    user.groups.add(Group.objects.get(name="Support"))
    client = Client()
    client.force_login(user)
    return client


def test_each_answer_has_one_of_its_own(agent: Client) -> None:
    first, second, missing = (agent.get(path)["X-Request-ID"] for path in ("/jobs", "/jobs", "/nowhere"))
    assert len({first, second, missing}) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in (first, second, missing))


def test_one_that_a_proxy_gave_is_kept(agent: Client) -> None:
    assert agent.get("/jobs", headers={"x-request-id": GIVEN.upper()})["X-Request-ID"] == GIVEN


@pytest.mark.parametrize(
    "given", ["700000001", "Alisa Ivanova from Moscow", "x" * 32, "a" * 65, "-" * 20, "0b77e410\t" * 4, ""]
)
def test_what_is_none_is_not_taken_over(agent: Client, given: str) -> None:
    """Else whoever asks could write into the log and the record what must not be there (G6)."""
    answered = agent.get("/jobs", headers={"x-request-id": given})["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", answered)


def test_it_stands_in_the_record_also_of_what_was_refused(agent: Client) -> None:
    done = agent.post("/users/find", {"text": "700000001"})["X-Request-ID"]
    refused = agent.post("/jobs/run")["X-Request-ID"]
    assert [entry.request_id for entry in acts.recent(2)] == [refused, done]
    with acts.act(actor=acts.Actor("beat", "system"), act="summaries.run"):
        assert acts.recent(1)[0].request_id == "", "what happens outside of a request has none"


def test_it_stands_in_the_log_and_does_not_stay_for_what_comes_after(agent: Client) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter())
    logging.getLogger().addHandler(handler)
    try:
        answered = agent.get("/nowhere")["X-Request-ID"]
    finally:
        logging.getLogger().removeHandler(handler)
    assert f"request_id={answered}" in written.getvalue()
    assert "request_id" not in get_contextvars()


def test_a_site_under_asgi_does_the_same(site: Site, database: Database) -> None:
    visitor = Visitor(site, cookie_of("support"))
    answered = visitor.post("/users/find", "/users", {"text": "700000001"}).headers["x-request-id"]
    assert acts.recent(1)[0].request_id == answered
    visitor.close()

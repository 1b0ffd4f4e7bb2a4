"""The styleguide shows every component and token, and only to who builds pages."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client

from pomni_admin.accounts.models import User
from pomni_admin.dashboard.tokens import tokens
from pomni_admin.demo.servers import PROJECT
from tests.harness.servers import Database


@pytest.fixture
def viewer(database: Database) -> Client:
    user = User.objects.create(username="viewer")
    user.groups.add(Group.objects.get(name="Viewer"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def test_every_part_and_every_token_is_shown(viewer: Client) -> None:
    """A new partial fails here until it has a sample."""
    answer = viewer.get("/styleguide")
    used = {template.name for template in answer.templates}
    parts = {f"parts/{path.name}" for path in (PROJECT / "templates" / "parts").glob("*.html")}
    assert parts - used == set()
    html = answer.content.decode()
    assert not [token.name for token in tokens() if f"--{token.name}<" not in html]
    assert {"ground", "bad-soft", "s1", "radius", "body", "mono"} <= {token.name for token in tokens()}


def test_it_is_no_page_of_a_real_site(viewer: Client) -> None:
    real = replace(settings.ENV, mode="production")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "ENV", real)
        assert viewer.get("/styleguide").status_code == 404
        assert Client().get("/styleguide").status_code == 404
        patch.setattr(settings, "DEBUG", True)
        assert viewer.get("/styleguide").status_code == 200

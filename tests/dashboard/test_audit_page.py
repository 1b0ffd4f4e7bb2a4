"""Audit: filters that stand in the address, what is not let into one, and the file."""

from __future__ import annotations

import asyncio
import csv
import html
import io
import re
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.db import connections
from django.test import Client

from pomni_admin.accounts.models import User
from pomni_admin.audit import acts, entries
from pomni_admin.audit.acts import Actor
from pomni_admin.audit.entries import Filters
from pomni_admin.audit.vocabulary import Act
from pomni_admin.cache import handle_of
from pomni_admin.dashboard import audit_csv
from tests.dashboard.visitors import Visitor, cookie_of
from tests.harness.cast import Cast
from tests.harness.processes import Site
from tests.harness.servers import Database

JOB = "0d7c5a52-8f0e-4d0f-9d0a-3c1f3a1f5a10"
OLGA, IGOR = Actor("olga", "support"), Actor("=HYPERLINK(1)", "admin")


@pytest.fixture
def admin(database: Database) -> Client:
    user = User.objects.create(username="admin")
    user.groups.add(Group.objects.get(name="Admin"))
    client = Client(headers={"accept-language": "en"})
    client.force_login(user)
    return client


def text(response: Any) -> str:
    return html.unescape(response.content.decode())


def receipts(page: str) -> list[str]:
    return re.findall(r"R-[0-9A-Z]{4}-[0-9A-Z]{4}", page.partition('id="audit-table"')[2])


def test_what_is_chosen_in_the_form_stands_in_the_address_in_its_one_spelling(admin: Client) -> None:
    receipt = acts.refused(OLGA, Act.LOOK_UP, handle=handle_of(7))
    acts.refused(IGOR, Act.LOOK_UP)
    said = handle_of(7).lower().replace("-", " ").replace("0", "o")
    chosen = admin.post("/audit/filter", {"handle": said, "who": "olga", "act": "", "result": "", "from": "2026-01-02"})
    assert chosen["Location"] == f"/audit?who=olga&handle={handle_of(7)}&from=2026-01-02"
    page = text(admin.get(chosen["Location"]))
    assert receipts(page) == [receipt]
    assert 'id="live"' not in page, "only the newest page of all acts is live"
    assert f'value="{handle_of(7)}"' in page
    by_receipt = admin.post("/audit/filter", {"receipt": receipt.lower().replace("-", "")})
    assert receipts(text(admin.get(by_receipt["Location"]))) == [receipt]
    assert admin.post("/audit/filter", {})["Location"] == "/audit"


def test_the_acts_on_one_job_are_found_by_its_id_or_by_how_it_begins(admin: Client) -> None:
    receipt = acts.refused(OLGA, Act.CANCEL_SUMMARIES, subject=JOB)
    acts.refused(OLGA, Act.CANCEL_SUMMARIES, subject="1" + JOB[1:])
    for said in (JOB, JOB.upper(), JOB[:8], JOB[:13]):
        chosen = admin.post("/audit/filter", {"job": said})
        assert chosen["Location"] == f"/audit?job={JOB}", said
    page = text(admin.get(f"/audit?job={JOB}"))
    assert receipts(page) == [receipt]
    assert f'name="job" value="{JOB}"' in page, "the file has the filter too"
    assert f'href="/jobs/{JOB}"' in page


def test_older_pages_keep_the_filters(admin: Client) -> None:
    for n in range(120):
        acts.refused(OLGA if n % 2 else IGOR, Act.LOOK_UP)
    first = text(admin.get("/audit?who=olga"))
    older = re.search(r'href="(/audit\?who=olga&before=\d+)" rel="next"', first)
    assert older
    second = text(admin.get(older[1]))
    assert (len(receipts(first)), len(receipts(second))) == (50, 10)
    assert 'href="/audit?who=olga"' in second
    assert not set(receipts(first)) & set(receipts(second))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("who", "Алиса Иванова", "Nobody of this name"),
        ("act", "people.drop", "no such act"),
        ("handle", "700000001", "no handle"),
        ("result", "perhaps", "no such result"),
        ("job", "700000001", "No job on record"),
        ("job", "79161234", "No job on record"),
        ("receipt", "2d9f6a1c-000f-5000-8000-18db351245c7", "no receipt"),
        ("from", "yesterday", "no day"),
        ("to", "9999-12-31", "no day"),
        ("from", "0001-01-01", "no day"),
        ("before", "7x7", "no entry"),
    ],
)
def test_a_wrong_value_is_answered_clearly_and_gets_into_no_address(
    admin: Client, name: str, value: str, says: str
) -> None:
    """Somebody may type a Telegram id into the box for a handle: it is not repeated, and no redirect carries it."""
    for response in (admin.post("/audit/filter", {name: value}), admin.get("/audit", {name: value})):
        assert response.status_code == 400
        assert "Location" not in response
        page = text(response)
        assert says in page
        assert value not in page
        assert not receipts(page)


def test_what_a_process_did_is_told_in_the_readers_language(admin: Client) -> None:
    with acts.act(actor=acts.Actor("beat", "system"), act=Act.RUN_SUMMARIES) as act:
        act.result = "ok"
    russian = text(admin.get("/audit", headers={"accept-language": "ru"}))
    assert "система" in russian
    assert "Запуск сводок" in russian


def test_of_a_wrong_form_the_other_filters_stay_filled_in(admin: Client) -> None:
    page = text(admin.post("/audit/filter", {"handle": "700000001", "result": "ok", "from": "2026-11-01"}))
    assert '<option value="ok" selected>' in page
    assert 'value="2026-11-01"' in page
    assert page.index("That is no handle") < page.index('for="filter-job"'), "below its field"


def test_a_last_day_before_the_first_is_said_to_be_one(admin: Client) -> None:
    assert "before the first" in text(admin.get("/audit?from=2026-11-02&to=2026-11-01"))
    assert admin.get("/audit?from=2026-11-02&to=2026-11-02").status_code == 200


def test_the_two_kinds_of_nothing_are_told_apart(admin: Client) -> None:
    assert "Nothing is on record yet" in text(admin.get("/audit"))
    assert "Nothing matches these filters" in text(admin.get("/audit?result=refused"))
    assert "There is nothing older" in text(admin.get("/audit?result=refused&before=1"))


def test_only_an_admin_gets_from_a_handle_to_the_person(admin: Client, cast: Cast) -> None:
    acts.refused(OLGA, Act.INVALIDATE_ACCESS, handle=handle_of(cast.alisa))
    assert f'form="by-handle" name="handle" value="{handle_of(cast.alisa)}"' in text(admin.get("/audit"))
    user = User.objects.create(username="support")
    user.groups.add(Group.objects.get(name="Support"))
    admin.force_login(user)
    page = text(admin.get("/audit"))
    assert "by-handle" not in page
    assert "/audit/export" not in page


def rows_of(raw: bytes) -> list[dict[str, str]]:
    assert raw.startswith(b"\xef\xbb\xbf"), "or Excel takes Cyrillic for something else"
    return list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))


def test_the_file_has_what_the_filters_let_through_and_is_an_act_itself(site: Site, database: Database) -> None:
    with acts.act(actor=Actor("ольга", "support"), act=Act.LOOK_UP) as done:
        done.handle, done.result = handle_of(7), "ok"
    acts.refused(IGOR, Act.LOOK_UP)
    visitor = Visitor(site, cookie_of("admin"))
    everything = visitor.post("/audit/export", "/audit")
    assert everything.status_code == 200
    assert everything.headers["content-type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(r'attachment; filename="pomni-audit-[0-9-]+\.csv"', everything.headers["content-disposition"])
    own, refused, looked = rows_of(everything.content)
    assert (looked["actor"], looked["handle"], looked["result"]) == ("ольга", handle_of(7), "ok")
    assert looked["receipt"] == done.receipt
    assert (refused["actor"], refused["result"]) == ("'=HYPERLINK(1)", "refused"), "no formula for a spreadsheet"
    assert (own["act"], own["result"]) == ("audit.export", "unknown"), "it is under way"
    some = rows_of(visitor.post("/audit/export", "/audit", {"handle": handle_of(7)}).content)
    assert [row["receipt"] for row in some][-1] == done.receipt
    exports = [(entry.result, entry.handle) for entry in acts.recent(9) if entry.act == "audit.export"]
    assert exports == [("ok", handle_of(7)), ("ok", "")]
    assert visitor.post("/audit/export", "/audit", {"handle": "700000001"}).status_code == 400
    visitor.close()


def test_the_file_is_read_piece_by_piece(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many acts there are, so many are in memory at a time, and the next are read when they are asked for."""
    monkeypatch.setattr(audit_csv, "AT_ONCE", 10)
    sizes: list[int] = []
    real = entries.recent

    def measured(limit: int, *rest: Any) -> list[acts.Entry]:
        sizes.append(limit)
        return real(limit, *rest)

    monkeypatch.setattr(entries, "recent", measured)
    for _ in range(25):
        acts.refused(OLGA, Act.LOOK_UP)

    async def pieces() -> tuple[int, int]:
        file = audit_csv.file(Filters(actor="olga"), begun)
        await anext(file)
        await anext(file)
        read = len(sizes)
        rest = len([piece async for piece in file])
        await sync_to_async(connections.close_all)()  # of the thread that has read
        return read, rest

    begun = acts.begin(actor=IGOR, act=Act.EXPORT_AUDIT)
    assert asyncio.run(pieces()) == (1, 2)
    assert set(sizes) == {10}
    assert acts.recent(1)[0].result == "ok"


def test_a_file_that_nobody_took_to_its_end_is_on_record_as_such(database: Database) -> None:
    begun = acts.begin(actor=IGOR, act=Act.EXPORT_AUDIT)

    async def broken_off() -> None:
        file = audit_csv.file(Filters(), begun)
        await anext(file)
        await file.aclose()  # type: ignore[attr-defined]
        await sync_to_async(connections.close_all)()

    asyncio.run(broken_off())
    assert acts.recent(1)[0].result == "interrupted"

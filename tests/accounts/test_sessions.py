"""Sessions end: when nobody asks for anything, when they are old, when somebody ends them."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from pomni_admin.accounts import sessions
from pomni_admin.accounts.models import Session, User
from pomni_admin.accounts.roles import Role
from pomni_admin.accounts.sessions import Standing
from pomni_admin.audit import acts
from tests.accounts.conftest import Clock, Configure, MakeUser
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD, sign_in

JOBS = "/jobs"


def signed_in(name: str, address: str = "127.0.0.1") -> Client:
    client = Client(
        headers={"accept-language": "en", "user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"}, REMOTE_ADDR=address
    )
    client.post("/account/sign-in", {"username": name, "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get(JOBS).status_code == 200


def key_of(client: Client) -> str:
    return client.cookies["pomni_session"].value


def test_a_session_ends_when_nothing_is_asked_for(make_user: MakeUser, clock: Clock) -> None:
    make_user("olga", "viewer")
    client = signed_in("olga")
    for _ in range(3):
        clock.forward(minutes=59)
        assert is_in(client), "each request begins the hour anew"
    clock.forward(minutes=61)
    answer = client.get(JOBS, follow=True)
    assert answer.redirect_chain[0][0] == "/account/sign-in?next=/jobs"
    said = "Your session has expired or was ended"
    assert said in answer.content.decode()
    assert said not in client.get(JOBS, follow=True).content.decode(), "once"


@pytest.mark.parametrize("is_written", [True, False])
def test_a_session_ends_so_long_after_the_sign_in_however_busy_it_is(
    make_user: MakeUser, clock: Clock, is_written: bool
) -> None:
    """With the absolute limit left out of `end_of` it fails for a session that is written, of `touch` for the other."""
    make_user("olga", "viewer")
    client = signed_in("olga")
    for half_hours in range(24):
        assert is_in(client), f"after {half_hours / 2} h"
        if is_written:  # as by a message to be shown
            session = client.session
            session["written"] = half_hours
            session.save()
        clock.forward(minutes=30)
    clock.forward(seconds=1)
    assert not is_in(client)


def test_limits_are_settings(make_user: MakeUser, clock: Clock, configure: Configure) -> None:
    configure(session_idle_s=300, session_max_s=3600)
    make_user("olga", "viewer")
    client = signed_in("olga")
    clock.forward(minutes=4)
    assert is_in(client)
    clock.forward(minutes=6)
    assert not is_in(client)


def test_most_requests_write_nothing(make_user: MakeUser, clock: Clock) -> None:
    make_user("olga", "viewer")
    client = signed_in("olga")
    before = Session.objects.get()
    assert is_in(client)
    assert Session.objects.get().expire_date == before.expire_date
    clock.forward(minutes=2)
    assert is_in(client)
    assert Session.objects.get().expire_date > before.expire_date


def test_a_live_page_is_no_activity(make_user: MakeUser, clock: Clock) -> None:
    """`standing`, which is asked every few seconds for an open socket, prolongs nothing."""
    user = make_user("olga", "viewer")
    client = signed_in("olga")
    for _ in range(5):
        clock.forward(minutes=13)
        sessions.standing(key_of(client), user.pk)
    assert not is_in(client)


def test_an_open_socket_learns_whatever_ends_its_session_by_one_query(
    make_user: MakeUser, configure: Configure, database: Database
) -> None:
    user = make_user("olga", "support")
    key = key_of(signed_in("olga"))
    others = make_user("pavel", "viewer"), make_user("rita", "viewer")
    holders = [(key, user.pk), *((key_of(signed_in(other.username)), other.pk) for other in others), ("none", 7)]
    with CaptureQueriesContext(connection) as asked:
        found = sessions.standings(holders)
    assert len(asked) == 1, "for all sockets of a process together"
    viewer = Standing(True, Role.VIEWER)
    assert [found[holder] for holder in holders] == [Standing(True, Role.SUPPORT), viewer, viewer, sessions.NOBODY]
    assert sessions.standing(key, user.pk) == Standing(True, Role.SUPPORT)
    assert sessions.standing(key, user.pk + 1) == sessions.NOBODY
    assert sessions.standing("no such key", user.pk) == sessions.NOBODY
    assert sessions.standing(None, user.pk) == sessions.NOBODY

    user.groups.set([Group.objects.get(name="Viewer")])
    assert sessions.standing(key, user.pk) == Standing(True, Role.VIEWER)
    user.groups.set([Group.objects.get(name="Support")])

    configure(require_second_factor=True)
    assert sessions.standing(key, user.pk) == Standing(True), "the second factor is lacking"
    configure(require_second_factor=False)

    User.objects.filter(pk=user.pk).update(is_active=False)
    assert sessions.standing(key, user.pk) == sessions.NOBODY, "deactivated"
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert sessions.standing(key, user.pk) == Standing(True, Role.SUPPORT)

    user.set_password("another password altogether")
    user.save()  # as `manage.py changepassword` does
    assert sessions.standing(key, user.pk) == sessions.NOBODY, "the password is another"

    again = Client()
    sign_in(again, user)
    key = key_of(again)
    assert sessions.standing(key, user.pk) == Standing(True, Role.SUPPORT)
    database.rows("UPDATE accounts_session SET expire_date = now() - interval '1 second'")
    assert sessions.standing(key, user.pk) == sessions.NOBODY, "idle or too old"
    again = Client()
    sign_in(again, user)
    key = key_of(again)
    again.post(reverse("accounts:sign_out"))
    assert sessions.standing(key, user.pk) == sessions.NOBODY, "signed out"


def test_people_see_their_own_sessions_and_end_them(make_user: MakeUser) -> None:
    user, other = make_user("olga", "viewer"), make_user("vera", "viewer")
    first, second, third = (signed_in("olga", f"192.0.2.{number}") for number in (1, 2, 3))
    stranger = signed_in("vera", "198.51.100.9")
    page = first.get(reverse("accounts:account")).content.decode()
    assert "192.0.2.2" in page
    assert "Firefox, Linux" in page
    assert "198.51.100.9" not in page
    assert key_of(second) not in page, "what names a session in the page is no key to it"

    rows = sessions.of(user, key_of(first))
    assert [row.is_this for row in rows] == [True, False, False]
    theirs = sessions.of(other, None)[0]
    first.post(reverse("accounts:end_session"), {"session": theirs.id})
    assert is_in(stranger)
    ended = next(row for row in rows if row.address == "192.0.2.2")
    first.post(reverse("accounts:end_session"), {"session": ended.id})
    assert [is_in(client) for client in (first, second, third)] == [True, False, True]
    first.post(reverse("accounts:end_session"), {"others": "1"})
    assert [is_in(client) for client in (first, third, stranger)] == [True, False, True]
    assert [entry.result for entry in acts.recent(3)] == ["ok", "ok", "not_found"]


def test_a_new_password_ends_every_other_session(make_user: MakeUser) -> None:
    user = make_user("olga", "viewer")
    here, elsewhere = signed_in("olga"), signed_in("olga")
    new = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}
    wrong = here.post(reverse("accounts:change_password"), {"old_password": "wrong", **new})
    assert 'role="alert"' in wrong.content.decode()
    short = here.post(
        reverse("accounts:change_password"),
        {"old_password": PASSWORD, "new_password1": "short", "new_password2": "short"},
    )
    assert "at least 12" in short.content.decode().partition('id="id_new_password1_error"')[2][:300]
    done = here.post(reverse("accounts:change_password"), {"old_password": PASSWORD, **new})
    assert done["Location"] == reverse("accounts:account")
    assert Session.objects.filter(user=user).count() == 1, "at once, and not when the other is next used"
    assert (is_in(here), is_in(elsewhere)) == (True, False)
    assert [entry.act for entry in acts.recent(5)] == ["accounts.change_password"]


def test_ended_sessions_do_not_pile_up(make_user: MakeUser, database: Database) -> None:
    make_user("olga", "viewer")
    signed_in("olga")
    database.rows("UPDATE accounts_session SET expire_date = now() - interval '1 day'")
    signed_in("olga")
    assert Session.objects.count() == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_account_page_is_for_those_signed_in(database: Database, method: str) -> None:
    answer = getattr(Client(), method)(reverse("accounts:account"))
    assert answer.status_code in {302, 405}

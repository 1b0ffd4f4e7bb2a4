"""A superuser invites, changes roles, deactivates, and makes links; each act is on record."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from pomni_admin.accounts import links, people
from pomni_admin.accounts.models import Link, Purpose, Session, User
from pomni_admin.accounts.roles import Role
from pomni_admin.audit import acts
from tests.accounts.conftest import Clock, MakeUser
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD, sign_in

NEW = "correct horse battery"


@pytest.fixture
def root(make_user: MakeUser) -> User:
    return make_user("root", "superuser")


@pytest.fixture
def site(root: User) -> Client:
    client = Client(headers={"accept-language": "en"})
    sign_in(client, root)
    return client


def press(client: Client, button: str, user: User | None = None, /, **data: str) -> str:
    """Press a button of the Staff page; the page that answers."""
    return client.post(
        reverse(f"dashboard:{button}", args=[user.pk] if user else []), {"reason": "other", **data}, follow=True
    ).content.decode()


def link_in(page: str) -> str:
    found = re.search(r'id="link-address">http://testserver(/account/link/[^<]+)<', page)
    assert found, page
    return html.unescape(found[1])


def choose(address: str, password: str = NEW) -> int:
    """Set a password behind a link, in a browser that nobody is signed in with; the answer's status."""
    return Client().post(address, {"new_password1": password, "new_password2": password}).status_code


def can_sign_in(name: str, password: str) -> bool:
    client = Client(REMOTE_ADDR="203.0.113.5")
    client.post("/account/sign-in", {"username": name, "password": password})
    return client.get("/jobs").status_code == 200


def test_somebody_invited_takes_the_account_over_by_the_link_once(site: Client) -> None:
    address = link_in(press(site, "invite", name="anna.k", role="support"))
    user = User.objects.get(username="anna.k")
    assert not user.is_active
    assert Client().get(address).status_code == Client().get(address).status_code == 200, "opening it spends nothing"
    assert choose(address, "short") == 200
    assert choose(address) == 302
    assert can_sign_in("anna.k", NEW)
    assert User.objects.get(pk=user.pk).role is Role.SUPPORT
    assert choose(address, "another password of somebody") == Client().get(address).status_code == 404
    assert can_sign_in("anna.k", NEW)
    record = [(entry.act, entry.subject, entry.actor, entry.result) for entry in acts.recent(5)]
    assert record == [
        ("accounts.accept_invitation", user.subject, "anna.k", "ok"),
        ("accounts.invite", f"{user.subject}:support", "root", "ok"),
    ]


def test_two_at_once_do_not_both_use_a_link(root: User, database: Database) -> None:
    """Without the condition in `links.use` both set a password."""
    _user, secret = people.invite("anna", Role.VIEWER, by=root)
    found = links.find(secret)

    def take(password: str) -> bool:
        try:
            people.accept(found, password)
        except links.Spent:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, [NEW + str(number) for number in range(4)])) == [False, False, False, True]


def test_a_link_ends_after_three_days(site: Client, clock: Clock) -> None:
    address = link_in(press(site, "invite", name="anna", role="viewer"))
    clock.forward(hours=71)
    assert Client().get(address).status_code == 200
    clock.forward(hours=2)
    assert Client().get(address).status_code == choose(address) == 404


def test_an_invitation_can_be_revoked_and_renewed(site: Client) -> None:
    first = link_in(press(site, "invite", name="anna", role="viewer"))
    user = User.objects.get(username="anna")
    second = link_in(press(site, "invite_again", user))
    assert choose(first) == 404, "a new link ends the one before"
    assert "is revoked" in press(site, "revoke_invitation", user)
    assert choose(second) == 404
    assert "It was so already" in press(site, "revoke_invitation", user)
    assert choose(link_in(press(site, "invite_again", user))) == 302
    assert "It was so already" in press(site, "invite_again", user)


def test_only_a_hash_of_a_link_is_stored(site: Client, database: Database) -> None:
    address = link_in(press(site, "invite", name="anna", role="viewer"))
    secret = address.rpartition("/")[2]
    for table in ("accounts_link", "accounts_session", "audit_auditrow", "accounts_user", "django_cache"):
        assert secret not in str(database.rows(f"SELECT * FROM {table}"))
    assert len(Link.objects.get().secret_hash) == 64


def test_a_name_that_cannot_be_one_is_refused_with_the_rule(site: Client) -> None:
    for name in ("", "A", "anna!", "Anna", "1anna", "a" * 33, "анна", "anna@example.org"):
        assert "That is not a user name" in press(site, "invite", name=name, role="viewer"), name
    assert User.objects.count() == 1


def test_a_name_that_is_taken_is_refused_in_any_letters(site: Client, make_user: MakeUser) -> None:
    make_user("Anna", "viewer")
    assert "has this name already" in press(site, "invite", name="anna", role="viewer")


def test_a_role_is_changed_and_shows_at_once(site: Client, make_user: MakeUser) -> None:
    olga = make_user("olga", "viewer")
    for role in (Role.ADMIN, Role.SUPERUSER, Role.SUPPORT):
        assert f"olga is {role.label} now" in press(site, "change_role", olga, role=role.value)
        assert User.objects.get(pk=olga.pk).role is role
        assert acts.recent(1)[0].subject == f"{olga.subject}:{role.value}"
    assert "It was so already" in press(site, "change_role", olga, role="support")


def test_who_is_deactivated_is_out_at_once_and_can_come_back(site: Client, make_user: MakeUser) -> None:
    olga = make_user("olga", "support")
    theirs = Client()
    sign_in(theirs, olga)
    old = link_in(press(site, "offer_password", olga))
    assert theirs.get("/jobs").status_code == 200
    press(site, "deactivate", olga)
    assert theirs.get("/jobs").status_code == 302
    assert not Session.objects.filter(user=olga).exists()
    assert not can_sign_in("olga", PASSWORD)
    assert choose(old) == 404
    assert "activate it first" in press(site, "offer_password", olga)
    press(site, "reactivate", olga)
    assert can_sign_in("olga", PASSWORD)
    assert User.objects.get(pk=olga.pk).role is Role.SUPPORT
    acted = [entry.act.partition(".")[2] for entry in acts.recent(10)]
    assert acted == ["reactivate", "offer_password", "deactivate", "offer_password"]


def test_a_new_password_by_link_ends_the_sessions_and_keeps_the_second_factor(
    site: Client, make_user: MakeUser
) -> None:
    olga = make_user("olga", "support", second_factor=True)
    theirs = Client()
    sign_in(theirs, olga)
    address = link_in(press(site, "offer_password", olga))
    assert theirs.get("/jobs").status_code == 200, "making the link changes nothing"
    assert choose(address) == 302
    assert theirs.get("/jobs").status_code == 302
    client = Client()
    answer = client.post("/account/sign-in", {"username": "olga", "password": NEW})
    assert answer["Location"] == reverse("mfa_authenticate")


def test_a_lost_second_factor_is_given_up_by_link_and_password(site: Client, make_user: MakeUser) -> None:
    """The link alone is not enough: who finds it does not know the password."""
    olga = make_user("olga", "support", second_factor=True)
    address = link_in(press(site, "offer_second_factor", olga))
    assert Client().post(address, {"password": "wrong"}).status_code == 200
    assert not can_sign_in("olga", PASSWORD)
    assert Client().post(address, {"password": PASSWORD}).status_code == 302
    assert can_sign_in("olga", PASSWORD)
    assert Client().post(address, {"password": PASSWORD}).status_code == 404
    assert acts.recent(1)[0].act == "accounts.reset_second_factor"


def test_nobody_changes_their_own_role_or_account(site: Client, root: User, make_user: MakeUser) -> None:
    make_user("other", "superuser")
    for name, data in (("change_role", {"role": "viewer"}), ("deactivate", {})):
        assert "for another superuser to change" in press(site, name, root, **data)
    assert User.objects.get(pk=root.pk).role is Role.SUPERUSER
    assert acts.recent(1)[0].result == "yourself"


def test_an_admin_raises_nobody(make_user: MakeUser) -> None:
    admin = make_user("boss", "admin")
    client = Client()
    sign_in(client, admin)
    answer = client.post(reverse("dashboard:change_role", args=[admin.pk]), {"role": "superuser", "reason": "other"})
    assert answer.status_code == 403
    assert User.objects.get(pk=admin.pk).role is Role.ADMIN
    assert acts.recent(1)[0].result == "refused"


def test_a_reason_from_the_list_is_wanted(site: Client, make_user: MakeUser) -> None:
    olga = make_user("olga", "viewer")
    answer = site.post(reverse("dashboard:deactivate", args=[olga.pk]), {"reason": "because"})
    assert answer.status_code == 400
    assert User.objects.get(pk=olga.pk).is_active
    assert not acts.recent(1)


def test_the_page_and_the_record_name_people_as_the_staff_knows_them(site: Client, make_user: MakeUser) -> None:
    olga = make_user("olga", "support", second_factor=True)
    page = site.get("/people").content.decode()
    assert all(word in page for word in ("olga", "root", "Superuser", "set up"))
    press(site, "change_role", olga, role="admin")
    audit = site.get("/audit").content.decode()
    assert "olga: Admin" in audit
    assert f"account:{olga.pk}" not in audit


def test_purposes_of_links_do_not_mix(root: User, make_user: MakeUser) -> None:
    olga = make_user("olga", "viewer")
    password, second = (
        people.link_for(olga, purpose, by=root) for purpose in (Purpose.PASSWORD, Purpose.SECOND_FACTOR)
    )
    assert links.find(password).purpose == Purpose.PASSWORD
    assert links.find(second).purpose == Purpose.SECOND_FACTOR

"""Guessing is slow, whoever guesses, and whether or not there is anything to guess."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from pomni_admin.accounts import throttle
from pomni_admin.accounts.address import address_of, neighbourhood
from pomni_admin.accounts.models import Attempts
from tests.accounts.authenticator import code
from tests.accounts.conftest import SECRET, Configure, MakeUser
from tests.harness.servers import Database
from tests.harness.staff import PASSWORD

SIGN_IN = "/account/sign-in"


def attempt(name: str, password: str, address: str = "192.0.2.1") -> Any:
    return Client(headers={"accept-language": "en"}, REMOTE_ADDR=address).post(
        SIGN_IN, {"username": name, "password": password}
    )


def problem(response: Any) -> str:
    found = re.search(r'role="alert">\s*(.*?)\s*</p>', response.content.decode(), re.DOTALL)
    return found[1] if found else ""


def test_after_five_wrong_passwords_even_the_right_one_has_to_wait(make_user: MakeUser) -> None:
    """Without the throttle the sixth signs in. A name that nobody has is treated alike, to the letter."""
    make_user("olga", "support")
    for name in ("olga", "nobody-of-that-name"):
        assert {attempt(name, "wrong").status_code for _ in range(5)} == {200}
    known, unknown = attempt("olga", PASSWORD), attempt("nobody-of-that-name", PASSWORD)
    assert (known.status_code, unknown.status_code) == (429, 429)
    assert problem(known) == problem(unknown) == "Too many attempts. Try again in 15 minutes."
    assert 0 < int(known["Retry-After"]) <= throttle.WINDOW_S
    assert attempt("Olga ", PASSWORD).status_code == 429, "another spelling of the same name"
    elsewhere = attempt("olga", PASSWORD, "198.51.100.7")
    assert elsewhere.status_code == 302, "a stranger does not lock a colleague out"


def test_who_gets_it_right_starts_anew(make_user: MakeUser) -> None:
    make_user("olga", "viewer")
    for _ in range(2):
        for _ in range(4):
            attempt("olga", "wrong")
        assert attempt("olga", PASSWORD).status_code == 302


def test_the_wait_is_over_when_it_was_said_to_be(make_user: MakeUser, database: Database) -> None:
    make_user("olga", "viewer")
    for _ in range(6):
        refused = attempt("olga", "wrong")
    assert refused.status_code == 429
    database.rows("UPDATE accounts_attempts SET ends_at = ends_at - interval '15 minutes'")
    assert attempt("olga", PASSWORD).status_code == 302


def test_a_name_is_kept_from_one_who_has_many_addresses(make_user: MakeUser) -> None:
    make_user("olga", "viewer")
    for number in range(20):
        assert attempt("olga", "wrong", f"192.0.2.{number}").status_code == 200
    assert attempt("olga", PASSWORD, "192.0.2.99").status_code == 429


def test_an_address_is_kept_from_many_names_and_right_passwords_do_not_count(make_user: MakeUser) -> None:
    make_user("olga", "viewer")
    for number in range(40):
        assert attempt(f"name{number}", "wrong").status_code == 200
        if number % 8 == 0:
            assert attempt("olga", PASSWORD).status_code == 302
    assert attempt("olga", PASSWORD).status_code == 429


def test_attempts_at_once_are_all_counted(database: Database) -> None:
    """Counting after judging, or reading before writing, lets more than five through."""

    def one(_: int) -> int:
        try:
            return throttle.take(throttle.proof(7))
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        waits = list(pool.map(one, range(36)))
    assert waits.count(0) == 5


def test_codes_are_throttled_too(make_user: MakeUser) -> None:
    make_user("olga", "support", second_factor=True)
    client = Client(headers={"accept-language": "en"})
    assert client.post(SIGN_IN, {"username": "olga", "password": PASSWORD})["Location"] == reverse("mfa_authenticate")
    for _ in range(5):
        said = problem(client.post(reverse("mfa_authenticate"), {"code": "000000"}))
        assert said.startswith("This code is not right")
    said = problem(client.post(reverse("mfa_authenticate"), {"code": code(SECRET)}))
    assert said == "Too many attempts. Try again in 15 minutes."
    assert client.get(reverse("dashboard:jobs")).status_code == 302


def test_links_that_lead_nowhere_are_throttled(database: Database) -> None:
    client = Client()
    answers = [client.get(reverse("accounts:link", args=[f"guess-{number}"])).status_code for number in range(21)]
    assert answers == [404] * 20 + [429]


def test_a_subscriber_with_many_ipv6_addresses_is_one() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == neighbourhood("2001:db8:1:2:ffff::1") == "2001:db8:1:2::"
    assert neighbourhood("2001:db8:1:3::4") != neighbourhood("2001:db8:1:2::4")
    assert neighbourhood("203.0.113.9") == "203.0.113.9"


def test_neither_names_nor_addresses_are_kept(make_user: MakeUser) -> None:
    attempt("a password in the wrong box", "wrong", "192.0.2.77")
    assert all(re.fullmatch(r"[0-9a-f]{64}", row.key) for row in Attempts.objects.all())
    assert Attempts.objects.count() == 3


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "10.6.6.6, 203.0.113.9, 198.51.100.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "rubbish", ""),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_only_what_our_proxies_have_added_is_believed(
    configure: Configure, proxies: int, forwarded: str, found: str
) -> None:
    configure(trusted_proxies=proxies)
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": forwarded}
    assert address_of(request) == found

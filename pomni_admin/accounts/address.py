"""Whose request it is, as far as an address tells: for throttling, and for the list of one's own sessions.

Anybody may send an `X-Forwarded-For`. Each proxy adds the address that it heard at the end, so only so many entries
from the end are believed as there are proxies of ours (`POMNI_TRUSTED_PROXIES`).
"""

from __future__ import annotations

import ipaddress
from typing import Final

from django.conf import settings
from django.http import HttpRequest

UNKNOWN: Final = ""
IPV6_PREFIX: Final = 64
"""One subscriber has as many addresses as fit below it."""
BROWSERS: Final = (
    *(("Edg", "Edge"), ("OPR", "Opera"), ("YaBrowser", "Yandex"), ("Firefox", "Firefox"), ("Chrome", "Chrome")),
    *(("CriOS", "Chrome"), ("FxiOS", "Firefox"), ("Safari", "Safari"), ("curl", "curl")),
)
SYSTEMS: Final = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS")),
    *(("CrOS", "ChromeOS"), ("Linux", "Linux")),
)


def address_of(request: HttpRequest) -> str:
    """The client's address, or `UNKNOWN` where there is none to be believed."""
    said = request.META.get("REMOTE_ADDR", "")
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies: int = settings.ENV.trusted_proxies
    if 0 < proxies <= len(forwarded) and forwarded[-proxies]:
        said = forwarded[-proxies]
    try:
        address = ipaddress.ip_address(said.partition("%")[0])
        return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        return UNKNOWN


def neighbourhood(address: str) -> str:
    """What is throttled together: an IPv4 address, or a subscriber's block of IPv6 addresses."""
    if ":" not in address:
        return address
    return str(ipaddress.IPv6Network(f"{address}/{IPV6_PREFIX}", strict=False).network_address)


def browser_of(request: HttpRequest) -> str:
    """Two words by which people know their devices again: `Firefox, Windows`. The rest of the header is not kept."""
    header = request.headers.get("User-Agent", "")
    found = [next((name for mark, name in known if mark in header), "") for known in (BROWSERS, SYSTEMS)]
    return ", ".join(word for word in found if word)

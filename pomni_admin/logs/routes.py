"""The address in a line of uvicorn's log of requests, by the name of its route: it may hold what somebody typed."""

from __future__ import annotations

import logging
from urllib.parse import unquote

from django.conf import settings
from django.urls import Resolver404, resolve


class ByRoute(logging.Filter):
    """Turns uvicorn's five arguments into the fields method, route and status; lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple) and len(record.args) == 5:
            _client, method, address, _version, status = record.args
            record.method, record.status = method, status
            record.route = route_of(str(address))
            record.msg, record.args, record.pathname = "request", (), __file__
        return True


def route_of(address: str) -> str:
    """`dashboard:job`, `static`, or `none`."""
    path = unquote(address.partition("?")[0])
    if path.startswith(settings.STATIC_URL):
        return "static"
    try:
        return resolve(path).view_name or "unnamed"
    except Resolver404:
        return "none"

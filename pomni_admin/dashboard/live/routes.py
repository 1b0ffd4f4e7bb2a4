"""Addresses of the WebSockets: `live/<page>` and `live/<page>/<subject>`."""

from typing import Any

from django.urls import path

from pomni_admin.dashboard.live.consumer import LivePage

live_page: Any = LivePage.as_asgi()  # Django's `path` is typed for views over HTTP only

websocket = [
    path("live/<slug:page>", live_page),
    path("live/<slug:page>/<uuid:subject>", live_page),
    path("live/<slug:page>/<slug:subject>", live_page),
]

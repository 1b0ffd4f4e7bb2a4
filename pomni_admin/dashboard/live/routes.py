"""Addresses of the WebSockets: `live/<page>` and `live/<page>/<subject>`."""

from django.urls import path

from pomni_admin.dashboard.live.consumer import LivePage

websocket = [
    path("live/<slug:page>", LivePage.as_asgi()),
    path("live/<slug:page>/<uuid:subject>", LivePage.as_asgi()),
]

"""Addresses of the WebSockets: `live/<page>` and `live/<page>/<subject>`.

The subject is a job's id, or the span of a page's charts; on the Jobs page the rows and filters that somebody has
before them, as `job_filters` packs them.
"""

from typing import Any

from django.urls import path

from pomni_admin.dashboard.live.consumer import LivePage

live_page: Any = LivePage.as_asgi()  # Django's `path` is typed for views over HTTP only

websocket = [
    path("live/<slug:page>", live_page),
    path("live/<slug:page>/<uuid:subject>", live_page),
    path("live/jobs/<str:subject>", live_page, {"page": "jobs"}),
    path("live/<slug:page>/<slug:subject>", live_page),
]

"""The API itself: its calls, who may make them, and its description, which django-ninja makes of both."""

from __future__ import annotations

from typing import Final

from ninja import NinjaAPI
from ninja.operation import Operation

from pomni_admin.api import invalidation, refusals, schedules, starts, steering, vectors
from pomni_admin.api.reading import StrictParser
from pomni_admin.api.secret import AdminSecret, Bearer

DESCRIPTION: Final = """\
For cron jobs: starts and steers summary jobs, and drops what a cache holds of one person.

Parameters go into the query or into a JSON object, as you like; in both only with the same value. Every answer that is
not 200 has the shape of `ErrorAnswer`; with 4xx nothing was started. Each act is on record, as done by `cron`.
"""


class Cron(NinjaAPI):
    def get_openapi_operation_id(self, operation: Operation) -> str:
        """The function's name: the module's is no concern of a caller's."""
        return operation.view_func.__name__


api = Cron(
    title="Pomni Admin: HTTP API for cron jobs",
    version="1.0.0",
    description=DESCRIPTION,
    urls_namespace="api",
    docs_url=None,  # its pages take scripts from elsewhere, which the site's policy forbids
    auth=[AdminSecret(), Bearer()],
    parser=StrictParser(),
    servers=[{"url": "/", "description": "This site."}],
)
refusals.handle_in(api)
api.add_router("/summaries", starts.router)
api.add_router("/summaries", steering.router)
api.add_router("/summaries", schedules.router)
api.add_router("/summaries", vectors.router)
api.add_router("/cache", invalidation.router)

"""Paints a page for every audience that watches it: one read of the data, one rendering a role and language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from channels.db import database_sync_to_async

from pomni_admin.dashboard.page import Audience, Page

Fragments: TypeAlias = Mapping[str, str]
"""HTML by the id of the element that it replaces."""

_THREADS = ThreadPoolExecutor(max_workers=2, thread_name_prefix="live")
"""The hub's own threads: their number bounds its database connections, and requests never wait for it."""


async def paint(page: Page[Any], subject: str, audiences: Collection[Audience]) -> dict[Audience, Fragments]:
    """Read the page's data once and render it for each audience.

    Raises:
        Gone: what the page was about is no longer there.
        Exception: whatever reading raised; the caller keeps what it has and tries again.
    """
    return await database_sync_to_async(_paint, thread_sensitive=False, executor=_THREADS)(page, subject, audiences)


def _paint(page: Page[Any], subject: str, audiences: Collection[Audience]) -> dict[Audience, Fragments]:
    view = page.view(subject)
    return {
        # str.__str__, because str() leaves Django's safe strings as they are, and the encoder takes only plain ones
        audience: {f"{page.name}-{name}": str.__str__(html) for name, html in page.paint_live(view, audience).items()}
        for audience in audiences
    }

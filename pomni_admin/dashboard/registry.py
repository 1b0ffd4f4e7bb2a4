"""All pages, in the order of the navigation. A page that is not here has no address and no live updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.pages.audit import AUDIT
from pomni_admin.dashboard.pages.bump_rag import BUMP_RAG
from pomni_admin.dashboard.pages.caches import CACHES
from pomni_admin.dashboard.pages.drop_cache import DROP_CACHE
from pomni_admin.dashboard.pages.health import HEALTH
from pomni_admin.dashboard.pages.job import JOB
from pomni_admin.dashboard.pages.jobs import JOBS
from pomni_admin.dashboard.pages.locks import LOCKS
from pomni_admin.dashboard.pages.overview import OVERVIEW
from pomni_admin.dashboard.pages.people import PEOPLE
from pomni_admin.dashboard.pages.release_lock import RELEASE_LOCK
from pomni_admin.dashboard.pages.run import RUN
from pomni_admin.dashboard.pages.selected import SELECTED
from pomni_admin.dashboard.pages.styleguide import STYLEGUIDE
from pomni_admin.dashboard.pages.totals import TOTALS
from pomni_admin.dashboard.pages.users import USERS

PAGES: Final[tuple[Page[Any], ...]] = (
    OVERVIEW,
    JOBS,
    JOB,
    RUN,
    SELECTED,
    TOTALS,
    CACHES,
    DROP_CACHE,
    BUMP_RAG,
    LOCKS,
    RELEASE_LOCK,
    USERS,
    HEALTH,
    AUDIT,
    PEOPLE,
    STYLEGUIDE,
)
NOT_LIVE: Final = frozenset({RUN, SELECTED, TOTALS, DROP_CACHE, BUMP_RAG, RELEASE_LOCK, USERS, PEOPLE, STYLEGUIDE})
LIVE: Final[Mapping[str, Page[Any]]] = {page.name: page for page in PAGES if page not in NOT_LIVE}

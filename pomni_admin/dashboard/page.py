"""What a page is: one small interface that the address table, the first render and the hub all read.

A page turns its subject (a job's id, or nothing) into a frozen dataclass with exactly the fields that are shown: an
allow-list, so that a new column of a table cannot leak onto a page. The view does not depend on who looks; the
audience decides only on words and buttons. That is what lets the hub render once for everybody of one role and
language.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from django.template.loader import get_template
from django.urls import get_script_prefix, reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import override

from pomni_admin.accounts.roles import PERMISSIONS, Role

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Audience:
    """Those who get the same text: one role, one language (a code from `settings.LANGUAGES`)."""

    role: Role
    language: str

    @property
    def can(self) -> Mapping[str, bool]:
        """The permissions by codename, for templates: `{% if can.run_jobs %}`."""
        return {permission.partition(".")[2]: True for permission in PERMISSIONS[self.role]}

    def may(self, permission: str) -> bool:
        return permission in PERMISSIONS[self.role]


class Gone(LookupError):
    """What the page is about does not exist (any more)."""


class Page(ABC, Generic[V]):
    """One page.

    `name` is its URL name, its folder of templates, `fragments` those of its parts that live updates
    replace: `dashboard/<name>/_<fragment>.html`, whose root element has the id `<name>-<fragment>`.
    """

    name: ClassVar[str]
    title: ClassVar[str | Promise]
    permission: ClassVar[str]
    fragments: ClassVar[tuple[str, ...]] = ()
    under: ClassVar[str] = ""
    """The name of the page that is marked in the navigation when this one is not in it."""
    gone: ClassVar[str] = ""
    """The template that says what has become of a subject that is no longer there; empty for the site's own 404."""
    refresh_s: ClassVar[float | None] = None
    """For a page on which things end without anybody announcing it: how often to look while somebody watches."""
    period_s: ClassVar[float] = 0.2
    """How often it is painted at the most, in the long run; more for a page that looks at everything."""

    @property
    def template(self) -> str:
        return f"dashboard/{self.name}/page.html"

    @property
    def address(self) -> str:
        return reverse(f"dashboard:{self.name}")

    def address_of(self, subject: str) -> str:
        """Where an answer to a form of the page goes back to. A page with a subject in its address says its own."""
        return self.address

    def topics(self, subject: str) -> Collection[str]:
        """The topics whose announcement makes this page worth rendering again; none for a page that is not live."""
        return ()

    @abstractmethod
    def view(self, subject: str) -> V:
        """Read what the page shows. Called in a thread, with a database connection.

        Raises:
            Gone: there is no such thing.
        """

    def live_address(self, subject: str, language: str) -> str:
        """Where the page's WebSocket is, without scheme and host; empty for a page that is not live."""
        if not self.topics(subject):
            return ""
        about = f"/{subject}" if subject else ""
        return f"{get_script_prefix()}live/{self.name}{about}?language={language}"

    def paint(self, view: V, audience: Audience) -> dict[str, SafeString]:
        """Every fragment of the view as that audience reads it, by fragment name."""
        return self.paint_only(self.fragments, view, audience)

    def paint_only(self, fragments: Collection[str], view: V, audience: Audience) -> dict[str, SafeString]:
        """Some of the fragments."""
        context: dict[str, Any] = {"view": view, "can": audience.can}
        with override(audience.language):
            return {
                fragment: SafeString(get_template(f"dashboard/{self.name}/_{fragment}.html").render(context).strip())
                for fragment in fragments
            }

    def paint_live(self, view: V, audience: Audience) -> dict[str, SafeString]:
        """What a live update may replace, by name: the fragments, or smaller parts of a page with many."""
        return self.paint(view, audience)

"""Resetting the results of retrieval after the corpus has changed: no answer from before is given any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from pomni_admin import cache
from pomni_admin.accounts.models import User
from pomni_admin.accounts.roles import SWITCH_CACHES
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import REASONS, Act, Reason
from pomni_admin.dashboard.access import requires
from pomni_admin.dashboard.health import qdrant
from pomni_admin.dashboard.page import Page
from pomni_admin.dashboard.show import answer


@dataclass(frozen=True, slots=True)
class BumpView:
    """The form. `knows_all`: Qdrant has told which collections there are; else there is that of the summaries only."""

    collections: tuple[str, ...]
    knows_all: bool
    reasons: tuple[Reason, ...] = REASONS[Act.BUMP_RAG]


class BumpRagPage(Page[BumpView]):
    name = "bump_rag"
    title = gettext_lazy("Reset search results")
    permission = SWITCH_CACHES
    under = "caches"

    def view(self, subject: str) -> BumpView:
        known = qdrant.collections()
        return BumpView(known or (settings.ENV.qdrant_collection,), known is not None)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@requires(SWITCH_CACHES, act=Act.BUMP_RAG, fresh=True)
def bump(request: HttpRequest) -> HttpResponse:
    """Ask, or do it to the collections that were shown and chosen."""
    view = BUMP_RAG.view("")
    if request.method != "POST":
        return answer(request, BUMP_RAG, "", view)
    if request.POST.get("reason", "") not in view.reasons:
        raise BadRequest("a reason from the list is wanted")
    chosen = request.POST.getlist("collection")
    if not chosen or not set(chosen) <= set(view.collections):
        raise BadRequest("collections from the list are wanted")
    with acts.act(
        actor=cast(User, request.user), act=Act.BUMP_RAG, subject="rag", reason=request.POST["reason"]
    ) as recorded:
        done = [cache.layer().rag.bump(collection) for collection in chosen]
        recorded.result = "ok" if all(done) else "unreachable"
    if all(done):
        said = ngettext(
            "Search results are reset: no earlier answer of %(n)s collection is given any more.",
            "Search results are reset: no earlier answer of %(n)s collections is given any more.",
            len(chosen),
        )
        messages.success(request, said % {"n": len(chosen)})
    else:
        messages.error(
            request, _("Redis is unreachable. Earlier answers end by themselves within the time to live of retrieval.")
        )
    return redirect("dashboard:caches")


BUMP_RAG = BumpRagPage()
urlpatterns = [path("caches/rag/begin-anew", bump, name="bump_rag")]

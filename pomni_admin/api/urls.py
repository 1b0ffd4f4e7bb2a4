"""Addresses of the API, below `/api/`. What is none is answered here too, in the API's shape, and not redirected."""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, re_path
from django.views.decorators.csrf import csrf_exempt

from pomni_admin.api.cron import api


@csrf_exempt
def nothing_here(_request: HttpRequest) -> HttpResponse:
    raise Http404


urlpatterns = [
    path("admin/", api.urls),
    re_path(r"^.*$", nothing_here, name="api_nothing_here"),
]

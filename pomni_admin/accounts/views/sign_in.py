"""Sign-in by name and password, then by the second factor where there is one; and sign-out.

Django's form and django-allauth's steps: after the password nobody is signed in yet who has a second factor.
"""

from __future__ import annotations

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.mfa.base.views import authenticate
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from pomni_admin.accounts.forms import SignInForm


@method_decorator(sensitive_post_parameters(), name="dispatch")
class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        record_authentication(self.request, user, "password")
        answer: HttpResponse = perform_login(self.request, Login(user=user, redirect_url=self.get_success_url()))
        return answer

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_invalid(form)
        wait_s = form.wait_s if isinstance(form, SignInForm) else 0
        if wait_s:
            response.status_code = 429
            response["Retry-After"] = str(wait_s)
        return response


@sensitive_post_parameters()
def code(request: HttpRequest) -> HttpResponseBase:
    """The second step, for whoever has just given the password; a form without a code is shown again."""
    if request.method == "POST" and "code" not in request.POST:
        return redirect("mfa_authenticate")
    answer: HttpResponseBase = authenticate(request)
    return answer


class SignOut(LogoutView):
    http_method_names = ["post", "options"]

"""Sign-in and sign-out: Django's own views, which rotate the session key and take sign-out by POST only."""

from django.contrib.auth.views import LoginView, LogoutView

from pomni_admin.accounts.forms import SignInForm


class SignIn(LoginView):
    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    http_method_names = ["post", "options"]

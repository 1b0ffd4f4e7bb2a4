"""Addresses of sign-in, of one's own account and of links."""

from django.urls import path

from pomni_admin.accounts.views import account, links, sign_in

app_name = "accounts"
urlpatterns = [
    path("account", account.account, name="account"),
    path("account/sign-in", sign_in.SignIn.as_view(), name="sign_in"),
    path("account/sign-out", sign_in.SignOut.as_view(), name="sign_out"),
    path("account/password", account.change_password, name="change_password"),
    path("account/sessions/end", account.end_session, name="end_session"),
    path("account/link/<str:secret>", links.follow, name="link"),
]

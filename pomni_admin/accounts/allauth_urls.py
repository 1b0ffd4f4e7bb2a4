"""The addresses that django-allauth goes by, by the names that it knows them under, and no others of its."""

from allauth.mfa.recovery_codes.views import view_recovery_codes
from django.urls import path
from django.views.decorators.cache import never_cache

from pomni_admin.accounts.confirm import fresh
from pomni_admin.accounts.views import account
from pomni_admin.accounts.views.sign_in import SignIn, code

urlpatterns = [
    path("account/sign-in", SignIn.as_view(), name="account_login"),
    path("account", account.account, name="mfa_index"),
    path("account/sign-in/code", code, name="mfa_authenticate"),
    path("account/second-factor", account.set_up, name="mfa_activate_totp"),
    path("account/second-factor/remove", account.remove, name="mfa_deactivate_totp"),
    path("account/recovery-codes", never_cache(fresh(view_recovery_codes)), name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new", account.new_codes, name="mfa_generate_recovery_codes"),
]

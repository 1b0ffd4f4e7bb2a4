"""The forms of sign-in, second factor and passwords. Each of them is throttled before it is judged."""

from __future__ import annotations

from typing import Any, Final

from allauth.core.internal.cryptokit import normalize_user_code
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from pomni_admin.accounts import throttle
from pomni_admin.accounts.address import address_of, neighbourhood

CODE_WINDOW_S: Final = 30.0 * (2 * settings.MFA_TOTP_TOLERANCE + 1)
"""For how long a code from an authenticator is valid."""
NEW_PASSWORD: Final = {"autocomplete": "new-password"}
CODE: Final = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", "maxlength": "24"}


class TooMany(ValidationError):
    """The answer to an attempt that is not judged any more."""

    def __init__(self, wait_s: int) -> None:
        self.wait_s = wait_s
        super().__init__(throttle.told(wait_s), code="too_many")


def count(limits: tuple[throttle.Limit, ...]) -> None:
    """Raises:
    TooMany: there have been too many attempts of that kind.
    """
    if wait_s := throttle.take(limits):
        raise TooMany(wait_s)


class SignInForm(AuthenticationForm):
    """Django's form, throttled, with the widgets' attributes that browsers and password managers use."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": _("Name or password is wrong. Both tell small letters from capitals."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wait_s = 0
        self.fields["username"].widget.attrs.update(autocomplete="username", autocapitalize="none", spellcheck="false")
        self.fields["password"].widget.attrs.update(autocomplete="current-password")

    def clean(self) -> dict[str, Any]:
        name, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not name or not password or self.request is None:
            return self.cleaned_data
        limits = throttle.sign_in(name, neighbourhood(address_of(self.request)))
        try:
            count(limits)
        except TooMany as error:
            self.wait_s = error.wait_s
            raise
        cleaned = super().clean()
        throttle.succeeded(limits[:2], refund=limits[2:])
        return cleaned


class CodeForm(AuthenticateForm):
    """A code of the second factor at sign-in: from the authenticator or a recovery code; each is taken once."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs = dict(CODE, autofocus=True)

    def clean_code(self) -> str:
        count(throttle.proof(self.user.pk))
        code: str = super().clean_code()
        if self.authenticator.type == Authenticator.Type.TOTP:
            take_code(self.user, code)
        throttle.succeeded(throttle.proof(self.user.pk))
        return code


class FirstCodeForm(ActivateTOTPForm):
    """The code that shows that the authenticator has been set up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].widget.attrs = dict(CODE)

    def clean_code(self) -> str:
        count(throttle.proof(self.user.pk))
        code: str = super().clean_code()
        take_code(self.user, code)
        throttle.succeeded(throttle.proof(self.user.pk))
        return code


class SaidAtTheFirst:
    """What is wrong with a new password is said at the field in which it is chosen, not at its repetition."""

    def validate_password_for_user(self, user: AbstractBaseUser, _field: str = "") -> None:
        super().validate_password_for_user(user, "new_password1")  # type: ignore[misc]


class PasswordForm(SaidAtTheFirst, PasswordChangeForm):
    """A new password for somebody who knows the old one, which is throttled like a code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs = {"autocomplete": "current-password"}

    def clean_old_password(self) -> str:
        count(throttle.proof(self.user.pk))
        old: str = super().clean_old_password()
        throttle.succeeded(throttle.proof(self.user.pk))
        return old


class NewPasswordForm(SaidAtTheFirst, SetPasswordForm):  # type: ignore[type-arg]  # only the stubs have arguments
    """A password for somebody who holds a link."""


class KnownPasswordForm(forms.Form):
    """The present password, from somebody who holds a link for a new second factor."""

    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )

    def __init__(self, user: AbstractBaseUser, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_password(self) -> str:
        count(throttle.proof(self.user.pk))
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise ValidationError(_("This is not your password."))
        throttle.succeeded(throttle.proof(self.user.pk))
        return password


def take_code(user: AbstractBaseUser, code: str) -> None:
    """Raises:
    ValidationError: this code has been used already.
    """
    if throttle.take(throttle.code_use(user.pk, normalize_user_code(code), CODE_WINDOW_S)):
        raise ValidationError(_("This code was used already. Wait for the next one."))

"""Where django-allauth is told what this site is like: no e-mail, no sign-up, our words, secrets sealed."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from qrcode import QRCode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathFillImage

from pomni_admin.accounts.address import address_of

log = logging.getLogger(__name__)

SAID: Final[Mapping[str, str | Promise]] = {
    "mfa/messages/totp_activated.txt": _("The second factor is set up. Your other sessions have ended."),
    "mfa/messages/totp_deactivated.txt": _("The second factor is removed."),
}
"""What a page says after allauth has done something; of the rest nothing is said."""


class AccountAdapter(DefaultAccountAdapter):
    """Sign-in by name and password, then by the second factor where there is one."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_stages(self) -> list[str]:
        return ["allauth.mfa.stages.AuthenticateStage"]

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """`accounts.confirm` stands before every view that wants a fresh sign-in."""
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return address_of(request)

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        if said := SAID.get(message_template or ""):
            messages.add_message(request, level, str(said), extra_tags=extra_tags)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of second factors are sealed with the site's secret key: a copy of the database is no set of codes."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code is not right, or was used already. Wait for the next one."),
    }

    def get_totp_label(self, user: Any) -> str:
        return str(user.get_username())

    def build_totp_svg(self, url: str) -> str:
        """Dark on a white ground with its quiet zone, so that cameras read it in the dark theme too."""
        code = QRCode(error_correction=ERROR_CORRECT_M, border=3, image_factory=SvgPathFillImage)
        code.add_data(url)
        code.make(fit=True)
        return str(code.make_image().to_string(encoding="unicode"))

    def encrypt(self, text: str) -> str:
        return _fernet().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _fernet().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.error("a second factor cannot be read: POMNI_SECRET_KEY is another than when it was set up")
            return base64.b32encode(secrets.token_bytes(20)).decode()  # one that no code fits

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """There is no mail."""


def _fernet() -> Fernet:
    derive = HKDF(SHA256(), length=32, salt=None, info=b"pomni second factors")
    return Fernet(base64.urlsafe_b64encode(derive.derive(settings.SECRET_KEY.encode())))

"""The people who work with the site (never the people who talk to the bot), and what their signing in leaves behind."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import connection, models
from django.db.models.functions import Now

from pomni_admin.accounts.roles import Role, role_of
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act


class Accounts(UserManager["User"]):
    """Django's manager, which also puts on record who is made a superuser from a command line."""

    use_in_migrations = False

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra_fields: Any
    ) -> User:
        if connection.in_atomic_block:
            return super().create_superuser(username, email, password, **extra_fields)
        with acts.act(actor=acts.Actor("command", "system"), act=Act.CREATE_SUPERUSER) as act:
            user: User = super().create_superuser(username, email, password, **extra_fields)
            act.subject, act.result = user.subject, "ok"
        return user


class User(AbstractUser):
    """Somebody who signs in here. What they may do comes from the groups Viewer, Support and Admin."""

    objects: ClassVar[Accounts] = Accounts()

    class Meta(AbstractUser.Meta):
        permissions = [
            ("view_site", "May look at the site"),
            ("look_up_people", "May look a person up"),
            ("invalidate_access", "May invalidate a person's access cache"),
            ("run_jobs", "May start summary jobs"),
            ("cancel_jobs", "May cancel summary jobs"),
            ("switch_caches", "May switch caches off and on"),
            ("manage_people", "May invite people and give them roles"),
            ("look_up_handles", "May look a person up by handle"),
            ("forget_people", "May have Redis forget a person"),
            ("export_audit", "May export the audit"),
            ("release_locks", "May release locks that others hold"),
        ]

    @property
    def role(self) -> Role | None:
        """The role that this user's permissions amount to; None may not see the site."""
        if not self.is_active:
            return None
        return role_of(self.get_all_permissions(), superuser=self.is_superuser)

    @property
    def subject(self) -> str:
        """How an audit row names this account."""
        return f"account:{self.pk}"


class Session(AbstractBaseSession):
    """A browser that has been here, signed in or not; written by `session_store`.

    `expire_date` is when the session ends by itself: after its idle time, or so long after the sign-in, whichever comes
    first.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    signed_in_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(db_default=Now())
    address = models.GenericIPAddressField(null=True)
    browser = models.CharField(max_length=32, blank=True)

    class Meta(AbstractBaseSession.Meta):
        verbose_name = "session"
        verbose_name_plural = "sessions"

    @classmethod
    def get_session_store_class(cls) -> Any:
        from pomni_admin.accounts.session_store import SessionStore  # the store needs this model

        return SessionStore


class Purpose(models.TextChoices):
    """What somebody who holds a link may do with it, once."""

    INVITATION = "invitation"
    PASSWORD = "password"  # noqa: S105
    SECOND_FACTOR = "second_factor"


class Link(models.Model):
    """A link that one person may use once. Its secret part is only in the address that was handed out."""

    secret_hash = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(purpose__in=Purpose.values), name="accounts_link_purpose"),
            models.UniqueConstraint(
                fields=["user", "purpose"],
                condition=models.Q(used_at=None, revoked_at=None),
                name="accounts_one_open_link",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} for account {self.user_id}"


class Attempts(models.Model):
    """How often something was tried within a window of time. `key` is a keyed hash: it tells nobody's name."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.count} until {self.ends_at}"

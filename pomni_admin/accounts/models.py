"""The people who work with the site (never the people who talk to the bot)."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser

from pomni_admin.accounts.roles import Role, role_of


class User(AbstractUser):
    """Somebody who signs in here. What they may do comes from the groups Viewer, Support and Admin."""

    class Meta(AbstractUser.Meta):
        permissions = [
            ("view_site", "May look at the site"),
            ("look_up_people", "May look a person up"),
            ("invalidate_access", "May invalidate a person's access cache"),
            ("run_jobs", "May start summary jobs"),
            ("cancel_jobs", "May cancel summary jobs"),
            ("switch_caches", "May switch caches off and on"),
            ("look_up_handles", "May look a person up by handle"),
            ("forget_people", "May have Redis forget a person"),
            ("export_audit", "May export the audit"),
        ]

    @property
    def role(self) -> Role | None:
        """The role that this user's permissions amount to; None may not see the site."""
        if not self.is_active:
            return None
        return role_of(self.get_all_permissions(), superuser=self.is_superuser)

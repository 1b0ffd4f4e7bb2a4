"""`manage.py forget_second_factor NAME`: for the superuser who has lost phone and recovery codes, and whom no other
superuser can make a link for."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pomni_admin.accounts import second_factor, sessions
from pomni_admin.accounts.models import User
from pomni_admin.audit import acts
from pomni_admin.audit.vocabulary import Act


class Command(BaseCommand):
    help = "Remove somebody's second factor and recovery codes, and end their sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the sign-in name")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        user = User.objects.filter(username=name).first()
        if user is None:
            raise CommandError("nobody has this sign-in name")
        by = acts.Actor("command", "system")
        with acts.act(actor=by, act=Act.REMOVE_SECOND_FACTOR, subject=user.subject) as act:
            had = second_factor.forget(user)
            sessions.end_all(user)
            act.result = "ok" if had else "already"
        print("The second factor is removed." if had else "There was none.", "Every session has ended.")

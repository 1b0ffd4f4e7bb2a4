"""Fill the demo's database: the bot's tables, our migrations, triggers, invented people, and accounts to sign in with.

A process of its own, run before the others at every start: `python -m pomni_admin.demo.prepare FOLDER`. What is there
already is left alone. It refuses a database with people in it that the demo did not invent, for what the simulated
bot does to them could not be undone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.core.management import call_command

MARK = "Invented people: made by the demo of Pomni Admin"


def fill(folder: Path) -> None:
    """Bring the database to where the demo can start from.

    Raises:
        SystemExit: the database belongs to somebody; says so in one line.
    """
    from django.db import connection

    from pomni_admin.bot.tables import create_tables

    created = create_tables(connection)
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM users), obj_description('users'::regclass)")
        inhabited, comment = cursor.fetchone() or (False, None)
        if inhabited and comment != MARK:
            sys.exit("DATABASE_URL names a database with people in it; the demo takes an empty one")
        if created or not inhabited:
            cursor.execute(f"COMMENT ON TABLE users IS '{MARK}'")
    call_command("migrate", verbosity=0)
    if not inhabited:
        call_command("seed_demo")
    call_command("relay", "install")
    make_accounts(folder)


def make_accounts(folder: Path) -> None:
    """An account for each role, with the passwords that the folder remembers."""
    from django.contrib.auth.models import Group
    from django.db import transaction

    from pomni_admin.accounts.models import User
    from pomni_admin.accounts.roles import Role
    from pomni_admin.demo.environment import SIGN_INS, Folder

    passwords = Folder(folder).secrets().passwords
    known = {user.username: user for user in User.objects.filter(username__in=SIGN_INS)}
    if len(known) == len(SIGN_INS) and known["admin"].check_password(passwords["admin"]):
        return  # they were made together, and to check one takes a third of a second
    with transaction.atomic():
        for name in SIGN_INS:
            user = known.get(name) or User(username=name)
            user.set_password(passwords[name])
            user.is_superuser = name == Role.SUPERUSER
            user.save()
            user.groups.set(Group.objects.filter(name=name.capitalize()))


if __name__ == "__main__":
    django.setup()
    fill(Path(sys.argv[1]))

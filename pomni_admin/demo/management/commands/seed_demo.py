"""`manage.py seed_demo`: invented people, conversations and payments, once a database."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from pomni_admin.bot.tables import create_tables
from pomni_admin.demo.seed import AlreadySeededError, seed


class Command(BaseCommand):
    help = "Creates the bot's tables where there are none, and fills them with invented people"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--number", type=int, default=1, help="another number gives other people")
        parser.add_argument("--people", type=int, default=320)
        parser.add_argument("--messages", type=int, default=20_000)

    def handle(self, *, number: int, people: int, messages: int, **_: Any) -> None:
        create_tables(connection)
        try:
            seeded = seed(connection, number, people, messages)
        except AlreadySeededError as error:
            self.stdout.write(f"{error}")
            return
        self.stdout.write(
            f"seeded {seeded.people} people, {seeded.subscriptions} subscriptions, {seeded.payments} payments, "
            f"{seeded.messages} messages"
        )

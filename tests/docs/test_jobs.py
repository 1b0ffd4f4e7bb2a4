"""What docs/jobs.md names is there: commands that `manage.py summaries` takes, and buttons of the site."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest
from django.core.management import CommandError

from pomni_admin.summaries.management.commands.summaries import Command
from tests.dashboard.msgids import wanted

TEXT = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text()
COMMANDS = sorted(set(re.findall(r"`manage\.py (summaries [^`]+)`", TEXT)))
PAGES = {"Audit", "Jobs", "Users"}


def takes(command: str) -> bool:
    words = (
        command.replace("JOB", str(uuid.uuid4())).replace("ID", "7").replace("daily|weekly|monthly", "daily").split()
    )
    parser = Command().create_parser("manage.py", words[0])
    parser.called_from_command_line = False
    try:
        parser.parse_args(words[1:])
    except CommandError:
        return False
    return True


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_taken(command: str) -> None:
    assert takes(command)


def test_one_that_there_is_not_is_noticed() -> None:
    """The control."""
    assert len(COMMANDS) >= 10
    assert not takes("summaries postpone JOB")
    assert not takes("summaries pause JOB --reason because")


def test_each_button_is_said_by_the_site() -> None:
    said = {text.replace("%(n)s", "N") for message in wanted() for text in (message.text, message.plural or "")}
    for words in re.findall(r"\*\*([^*]+)\*\*", TEXT):
        assert words in said | PAGES, words

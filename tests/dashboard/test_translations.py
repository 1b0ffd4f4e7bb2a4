"""Everything that the site says is said in Russian too."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.conf import settings
from django.utils.translation import ngettext, override

from tests.dashboard.msgids import Message, folder_of, wanted

PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")
SAME_IN_RUSSIAN = {"Telegram id"}
TRANSLATED = [code for code, _name in settings.LANGUAGES if code != "en"]


def read(language: str) -> Catalog:
    return read_po(BytesIO((folder_of(language) / "django.po").read_bytes()), locale=language)


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_message_is_left_untranslated(language: str) -> None:
    catalog = read(language)
    lacking = [
        f"{message.text!r} ({', '.join(sorted(where))})"
        for message, where in wanted().items()
        if not is_translated(catalog, message)
    ]
    assert not lacking, "without a translation:\n" + "\n".join(sorted(lacking))


def test_a_message_that_the_catalogue_lacks_is_noticed() -> None:
    """The control of the test above."""
    assert not is_translated(read("ru"), Message(None, "Nobody has translated this", None))
    assert not is_translated(read("ru"), Message(None, "Live", "Lives"))


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_left_over_or_doubtful(language: str) -> None:
    used = {(message.context, message.text) for message in wanted()}
    for entry in read(language):
        if entry.id:
            text = entry.id[0] if isinstance(entry.id, tuple) else entry.id
            assert (entry.context, text) in used, f"nobody says {text!r} any more"
            assert not entry.fuzzy, f"{text!r} is fuzzy"


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_the_placeholders(language: str) -> None:
    for entry in read(language):
        original = forms(entry.id)[-1]
        for text in forms(entry.string):
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(original)), f"{original!r} became {text!r}"


def test_what_reads_alike_in_both_languages_is_meant_to() -> None:
    alike = {entry.id for entry in read("ru") if entry.id and entry.id == entry.string}
    assert alike == SAME_IN_RUSSIAN


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "остался 1 человек"),
        (2, "осталось 2 человека"),
        (5, "осталось 5 человек"),
        (11, "осталось 11 человек"),
        (21, "остался 21 человек"),
        (22, "осталось 22 человека"),
    ],
)
def test_russian_plurals_agree_with_their_number(count: int, said: str) -> None:
    with override("ru"):
        text = ngettext("%(n)s person remaining", "%(n)s people remaining", count)
    assert text % {"n": count} == said


def is_translated(catalog: Catalog, message: Message) -> bool:
    entry = catalog.get(message.text, message.context)
    if entry is None or entry.fuzzy:
        return False
    if message.plural is None:
        return isinstance(entry.string, str) and bool(entry.string)
    translated = forms(entry.string)
    return forms(entry.id)[-1] == message.plural and len(translated) == catalog.num_plurals and all(translated)


def forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    """A message or a translation with all its plural forms; one without has one."""
    return (text or "",) if isinstance(text, str | None) else tuple(text)

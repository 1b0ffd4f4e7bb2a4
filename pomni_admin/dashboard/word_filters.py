"""The one way from a code to its word in a template: `{{ code|name_of_the_filter }}`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.template import Library

from pomni_admin.dashboard.words import Words


def word_filters(register: Library, tables: Mapping[str, Words], *, without: str | None = None) -> None:
    """Register a filter for each table, which gives a code's word in the reader's language.

    Args:
        tables: by the name of the filter.
        without: what stands for a code without a word; None for the code itself.
    """
    for name, table in tables.items():
        register.filter(name, _lookup(table, without))


def _lookup(table: Words, without: str | None) -> Callable[[object], str]:
    def word(code: object) -> str:
        return str(table.get(str(code), code if without is None else without))

    return word

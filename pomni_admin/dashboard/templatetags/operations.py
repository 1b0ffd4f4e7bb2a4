"""Locks and servers in words."""

from __future__ import annotations

from django import template

from pomni_admin.dashboard import operation_words

register = template.Library()


@register.filter
def holder_word(code: str) -> str:
    """How the holder of a lock does."""
    return str(operation_words.HOLDERS.get(code, code))


@register.filter
def grant_end_word(code: str) -> str:
    """How one time that a lock was held has ended."""
    return str(operation_words.GRANT_ENDS.get(code, code))

"""Locks and servers in words."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import filesizeformat

from pomni_admin.dashboard import operation_words
from pomni_admin.dashboard.templatetags.figures import NONE

register = template.Library()


@register.filter
def holder_word(code: str) -> str:
    """How the holder of a lock does."""
    return str(operation_words.HOLDERS.get(code, code))


@register.filter
def grant_end_word(code: str) -> str:
    """How one time that a lock was held has ended."""
    return str(operation_words.GRANT_ENDS.get(code, code))


@register.filter
def part_state_word(code: str) -> str:
    """Whether a server answers."""
    return str(operation_words.PART_STATES.get(code, code))


@register.filter
def advice_word(code: str) -> str:
    """What is wrong, what that means, and what to do."""
    return str(operation_words.ADVICE.get(code, code))


@register.filter
def role_word(role: str) -> str:
    """What a process is."""
    return str(operation_words.ROLES.get(role, role))


@register.filter
def size(count: int | None) -> str:
    """Bytes by their largest unit."""
    return NONE if count is None else filesizeformat(count)

"""Locks and servers in words."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import filesizeformat

from pomni_admin.dashboard import operation_words
from pomni_admin.dashboard.templatetags.figures import NONE
from pomni_admin.dashboard.word_filters import word_filters

register = template.Library()
word_filters(
    register,
    {
        "holder_word": operation_words.HOLDERS,
        "grant_end_word": operation_words.GRANT_ENDS,
        "part_state_word": operation_words.PART_STATES,
        "advice_word": operation_words.ADVICE,
        "role_word": operation_words.ROLES,
    },
)


@register.filter
def size(count: int | None) -> str:
    """Bytes by their largest unit."""
    return NONE if count is None else filesizeformat(count)

"""Locks and servers in words."""

from __future__ import annotations

from django import template
from django.template.defaultfilters import filesizeformat
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

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
        "role_word": operation_words.ROLES,
    },
)


@register.simple_tag
def advice(code: str) -> SafeString:
    """What is wrong and what to do, the command as such."""
    said = str(operation_words.ADVICE.get(code, code))
    if code not in operation_words.COMMANDS:
        return format_html("{}", said)
    return format_html('{} <code class="nowrap">{}</code>', said, operation_words.COMMANDS[code])


@register.filter
def breakable(name: str) -> SafeString:
    """A long name that may be broken after its underscores, and nowhere else."""
    return SafeString(conditional_escape(name).replace("_", "_<wbr>"))


@register.filter
def size(count: int | None) -> str:
    """Bytes by their largest unit."""
    return NONE if count is None else filesizeformat(count)

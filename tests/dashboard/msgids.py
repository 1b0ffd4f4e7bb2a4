"""The messages that the site asks to have translated, read off templates and modules without gettext's programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from babel.messages.extract import extract_from_dir
from django.template import engines
from django.template.base import FilterExpression, Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils.functional import Promise
from django.utils.translation import override

from pomni_admin.demo.servers import PROJECT

KEYWORDS: Mapping[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}


class Message(NamedTuple):
    """A message as it stands in the source."""

    context: str | None
    text: str
    plural: str | None


def wanted() -> dict[Message, set[str]]:
    """All messages, and the files that they are in."""
    found: dict[Message, set[str]] = {}
    for message, where in [*_in_modules(), *_in_templates()]:
        found.setdefault(message, set()).add(where)
    return found


def _in_modules() -> Iterator[tuple[Message, str]]:
    extracted = extract_from_dir(
        PROJECT / "pomni_admin", method_map=[("**.py", "python")], keywords=KEYWORDS, strip_comment_tags=False
    )
    for name, _line, text, _comments, context in extracted:
        one, many = text if isinstance(text, tuple) else (text, None)
        yield Message(context, one, many), f"pomni_admin/{name}"


def _in_templates() -> Iterator[tuple[Message, str]]:
    folder = PROJECT / "templates"
    for path in sorted(folder.rglob("*.html")):
        name = path.relative_to(folder).as_posix()
        compiled = engines["django"].get_template(name).template  # type: ignore[attr-defined]
        for node in compiled.nodelist.get_nodes_by_type(Node):
            if isinstance(node, TranslateNode):
                yield Message(_context(node), str(node.filter_expression.var.literal), None), name
            elif isinstance(node, BlockTranslateNode):
                one = node.render_token_list(node.singular)[0]
                many = node.render_token_list(node.plural)[0] if node.plural else None
                yield Message(_context(node), one, many), name
            else:
                for text in _arguments(node):
                    yield Message(None, text, None), name


def _arguments(node: Node) -> Iterator[str]:
    """The texts that a tag is given as `_("…")`."""
    given = {**getattr(node, "kwargs", {}), **getattr(node, "extra_context", {})}
    for expression in [*getattr(node, "args", ()), *given.values()]:
        if isinstance(expression, FilterExpression) and isinstance(expression.var, Promise):
            with override(None):  # no language: the text as it stands in the source
                yield str(expression.var)


def _context(node: TranslateNode | BlockTranslateNode) -> str | None:
    return str(node.message_context.var) if node.message_context else None


def folder_of(language: str) -> Path:
    return PROJECT / "locale" / language / "LC_MESSAGES"

"""Reads a call strictly. What is misspelt, given twice, or given here and there with two values starts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from django.http import HttpRequest
from django.http.request import MediaType
from ninja.parser import Parser
from pydantic import BaseModel

from pomni_admin.api.json_body import JSON, read_json
from pomni_admin.api.parameters import ALLOWED
from pomni_admin.api.refusals import Refused
from pomni_admin.api.secret import refuse_in_body

NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,18})", re.ASCII)


class StrictParser(Parser):
    """Ninja's, but for what Python's JSON lets through, and for numbers in a query, which has no types."""

    def parse_querydict(self, data: Any, list_fields: list[str], request: HttpRequest) -> dict[str, Any]:
        return {name: int(text) if NUMBER.fullmatch(text) else text for name, text in data.items()}

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        found = MediaType(request.headers.get("Content-Type", ""))
        charset = str(found.params.get("charset", "utf-8")).strip('"').lower()
        if (found.main_type, found.sub_type) != ("application", "json") or charset not in {"utf-8", "utf8"}:
            raise Refused(415, "unsupported_media_type", "the body is not JSON, or not said to be", allowed=JSON)
        body = read_json(request.body)
        if not isinstance(body, dict):
            raise Refused(400, "invalid_body", "the body is JSON, but no object", allowed=JSON)
        refuse_in_body(body)
        return body


def given(request: HttpRequest, query: BaseModel, body: BaseModel | None) -> dict[str, Any]:
    """What was given for the parameters, in the query or in the body; what was left out is not in it.

    Raises:
        Refused: a parameter of the query is unknown, or there twice, or has another value in the body.
    """
    only(request, *type(query).model_fields)
    asked, sent = _set_in(query), _set_in(body)
    for name in asked.keys() & sent.keys():
        if asked[name] != sent[name]:
            said = f"{name} has one value in the query and another in the body"
            raise Refused(400, "different_values", said, field=name, allowed="one of them, or the same in both")
    return {**asked, **sent}


def only(request: HttpRequest, *names: str) -> None:
    """Let no other parameters pass in the query, and each of these once.

    Raises:
        Refused: names one of these, never what was sent.
    """
    for name, values in request.GET.lists():
        if name not in names:
            near = get_close_matches(name, names, 1)
            said = "the query has a parameter that this call does not take"
            said += f"; is {near[0]} meant?" if near else ""
            allowed = ", ".join(names) or "none in the query"
            raise Refused(400, "unknown_parameter", said, field=near[0] if near else None, allowed=allowed)
        if len(values) > 1:
            said = f"{name} is in the query more than once"
            raise Refused(400, "duplicate_parameter", said, field=name, allowed=ALLOWED[name])


def _set_in(model: BaseModel | None) -> Mapping[str, Any]:
    return {} if model is None else {name: getattr(model, name) for name in model.model_fields_set}

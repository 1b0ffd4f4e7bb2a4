"""JSON as it is meant: in UTF-8, each name once, and numbers that are some."""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from pomni_admin.api.parameters import ALLOWED
from pomni_admin.api.refusals import Refused

JSON: Final = "a JSON object in UTF-8, with the header Content-Type: application/json"


def read_json(body: bytes) -> Any:
    """What the body says.

    Raises:
        Refused: it is no JSON, or not only.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_json", "the body is not valid JSON", allowed=JSON) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _value in pairs]
        twice = next((name for name in ALLOWED if names.count(name) > 1), None)
        raise Refused(400, "duplicate_parameter", "the body has one name more than once", field=twice)
    return found


def _no_number(_text: str) -> NoReturn:
    raise ValueError

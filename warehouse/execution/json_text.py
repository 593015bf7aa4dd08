"""JSON texts: checked (JSON keeps its text), or in JSONB's one form.

JSONB as PostgreSQL prints it: keys ordered by length, then by bytes, the last of equal ones; a
blank after commas and colons; numbers as numeric prints them, with the zeros behind their point
(`1e2` is 100, `1.50` stays).
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType, shown

__all__ = [
    "boolean_of",
    "checked_json",
    "json_number",
    "jsonb_text",
    "normalised_jsonb",
    "number_of",
]


def checked_json(text: str) -> str:
    """The text itself, if it is JSON. Raises InvalidRequest (22P02)."""
    _parsed(text)
    return text


def normalised_jsonb(text: str) -> str:
    """The text in JSONB's form. Raises InvalidRequest (22P02, 22P05)."""
    value = _parsed(text)
    try:
        return jsonb_text(value)
    except RecursionError as error:
        raise _too_deep() from error


def _too_deep() -> InvalidRequest:
    return InvalidRequest("stack depth limit exceeded: the JSON is nested too deep", "54001")


def _refuse(_: str) -> Any:
    raise ValueError("NaN and Infinity are no JSON")


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise InvalidRequest("invalid input syntax for type json", "22P02") from error


def jsonb_text(value: Any) -> str:
    """A value of `json.loads` (numbers as Decimal or int) as JSONB prints it."""
    match value:
        case dict():
            keys = sorted(value, key=lambda key: (len(key.encode("utf-8", "surrogatepass")), key))
            return "{" + ", ".join(f"{_quoted(k)}: {jsonb_text(value[k])}" for k in keys) + "}"
        case list():
            return "[" + ", ".join(map(jsonb_text, value)) + "]"
        case str():
            return _quoted(value)
        case bool():
            return "true" if value else "false"
        case None:
            return "null"
        case _:
            return json_number(value)


def json_number(value: Decimal | int) -> str:
    """A number without an exponent; zero has no sign."""
    text = format(Decimal(value), "f")
    return text.removeprefix("-") if not value else text


def _quoted(text: str) -> str:
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise InvalidRequest("invalid input syntax for type json", "22P02")
    if "\0" in text:
        raise InvalidRequest("unsupported Unicode escape sequence", "22P05")
    return json.dumps(text, ensure_ascii=False)


def _kind_of(value: Any) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "numeric")


def boolean_of(text: str) -> bool:
    """A JSON Boolean as SQL's. Raises InvalidRequest (22023) for any other value."""
    value = _parsed(text)
    if not isinstance(value, bool):
        raise InvalidRequest(f"cannot cast jsonb {_kind_of(value)} to type boolean", "22023")
    return value


def number_of(text: str, *, kind: AnyType) -> str:
    """The digits of a JSON number. Raises InvalidRequest (22023) for any other value."""
    value = _parsed(text)
    if not isinstance(value, Decimal):
        message = f"cannot cast jsonb {_kind_of(value)} to type {shown(kind)}"
        raise InvalidRequest(message, "22023")
    return json_number(value)

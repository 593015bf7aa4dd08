"""Parts of JSON texts as they stand: members of objects and elements of arrays, found by position.

JSON keeps its text, so `->` must return a piece of it; and a piece of a JSONB text in its one form
is in that form. Nothing is decoded but what is asked for.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import msgspec

from storage.errors import InvalidRequest

__all__ = ["at_path", "elements", "kind_of", "member", "members", "parsed", "text_of"]

_BLANK = " \t\n\r"
_BLANKS = re.compile(f"[{_BLANK}]*")
_INTEGER = re.compile(r"[ \t\n\r\v\f]*[+-]?[0-9]+")
# Names of values are not looked at here, so numbers stay texts.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)
_EXACT = json.JSONDecoder(parse_float=Decimal, parse_int=Decimal)
_RAW_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_KINDS = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}


def _skip(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return found.end() if found else position


def _broken(error: Exception) -> InvalidRequest:
    if isinstance(error, RecursionError):
        return InvalidRequest("stack depth limit exceeded: the JSON is nested too deep", "54001")
    return InvalidRequest("invalid input syntax for type json", "22P02")


def _value_end(text: str, position: int) -> int:
    try:
        return _DECODER.raw_decode(text, position)[1]
    except (ValueError, RecursionError) as error:
        raise _broken(error) from error


def parsed(text: str) -> Any:
    """The value; numbers as Decimal, of equal keys the last. Raises InvalidRequest (22P02)."""
    try:
        return _EXACT.decode(text)
    except (ValueError, RecursionError) as error:
        raise _broken(error) from error


def kind_of(text: str) -> str:
    """object, array, string, number, boolean or null."""
    first = text[:1]
    if first in _BLANK:
        first = text.lstrip(_BLANK)[:1]
    return _KINDS.get(first, "number")


def members(text: str) -> list[tuple[str, str]]:
    """Keys and texts of values of an object, in their order, equal keys included."""
    found = []
    position = _skip(text, _skip(text, 0) + 1)
    while text[position] != "}":
        key_end = _value_end(text, position)
        key = _DECODER.decode(text[position:key_end])
        start = _skip(text, _skip(text, key_end) + 1)
        end = _value_end(text, start)
        found.append((key, text[start:end]))
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def elements(text: str) -> list[str]:
    """The texts of an array's elements."""
    try:
        return [bytes(item).decode() for item in _RAW_ARRAY.decode(text)]
    except msgspec.DecodeError:  # half a surrogate pair, or nested too deep for it
        return _scanned_elements(text)


def _scanned_elements(text: str) -> list[str]:
    found = []
    position = _skip(text, _skip(text, 0) + 1)
    while text[position] != "]":
        end = _value_end(text, position)
        found.append(text[position:end])
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return found


def member(text: str, key: str) -> str | None:
    """The text of the last value of a key; None if there is none, or the text is no object."""
    if kind_of(text) != "object":
        return None
    try:
        found = _RAW_OBJECT.decode(text).get(key)
    except msgspec.DecodeError:  # half a surrogate pair, or nested too deep for it
        pass
    else:
        return None if found is None else bytes(found).decode()
    return next((value for name, value in reversed(members(text)) if name == key), None)


def element(text: str, index: int) -> str | None:
    """The text of an element, counted from 0 or from the end (-1); None if there is none."""
    if kind_of(text) != "array":
        return None
    items = elements(text)
    return items[index] if -len(items) <= index < len(items) else None


def at_path(text: str, path: tuple[str | None, ...]) -> str | None:
    """The text at the end of a path of keys and indices; None if it does not lead anywhere."""
    current: str | None = text
    for step in path:
        if current is None or step is None:
            return None
        if kind_of(current) == "object":
            current = member(current, step)
        elif kind_of(current) == "array" and _INTEGER.fullmatch(step):
            current = element(current, int(step))
        else:
            return None
    return current


def text_of(value: str | None) -> str | None:
    """A value as `->>` shows it: strings decoded, null as NULL, others as they stand."""
    found = "null" if value is None else kind_of(value)
    if value is None or found == "null":
        return None
    if found != "string":
        return value
    if "\\" not in value:
        return value.strip(_BLANK)[1:-1]
    text: str = _DECODER.decode(value)
    if "\0" in text:
        raise InvalidRequest("unsupported Unicode escape sequence", "22P05")
    if any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        raise InvalidRequest("invalid input syntax for type json", "22P02")
    return text

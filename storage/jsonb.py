"""JSON text: what is valid, and the one text that JSONB keeps of it.

JSON keeps its text as it was given, JSONB the text that PostgreSQL shows for a jsonb value, so that
equal values are equal texts: of a repeated key the last value, keys by length in bytes and then by
bytes, numbers as NUMERIC without an exponent (1.50 keeps its zero), characters instead of \\u
escapes, one blank after each comma and colon.

Valid is what RFC 8259 says; JSON does not look into \\u escapes, JSONB refuses what is no character
(a lone surrogate) or not kept in a text (\\u0000), as PostgreSQL does.
"""

from __future__ import annotations

import json
from decimal import Decimal, DecimalException
from json.encoder import encode_basestring
from typing import Any, NoReturn

import msgspec

from storage.errors import InvalidRequest

__all__ = ["check_json", "normalise_jsonb"]

CHARACTERS_SHOWN = 60
# PostgreSQL's NUMERIC: digits before and after the point.
WHOLE_DIGITS_MAX = 131_072
SCALE_MAX = 16_383


class _Number:
    """A number as its text, since a float would lose digits."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def check_json(text: str) -> None:
    """Raises InvalidRequest (22P02) if the text is not JSON, (54001) if it is too deep."""
    try:
        _RAW.decode(text)
    except msgspec.DecodeError:
        _parsed(text)  # stricter than JSON in its escapes: ask the other parser
    except RecursionError as error:
        raise _too_deep() from error


def normalise_jsonb(text: str) -> str:
    """The text of the jsonb value that `text` is.

    Raises:
        InvalidRequest: 22P02 not JSON, 22P05 an escape for no character, 22003 a number that
            NUMERIC does not hold, 54001 too deep.
    """
    value = _parsed(text)
    try:
        found = _text(value)
        found.encode()
    except UnicodeEncodeError as error:
        raise _invalid(text) from error
    except RecursionError as error:
        raise _too_deep() from error
    return found


def _parsed(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise _invalid(text) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and the infinities, which Python's parser knows


_RAW = msgspec.json.Decoder(msgspec.Raw)
_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_refuse)


def _text(value: Any) -> str:
    match value:
        case str():
            if "\0" in value:
                raise InvalidRequest("unsupported Unicode escape sequence: \\u0000", "22P05")
            return encode_basestring(value)
        case _Number():
            return _number(value.text)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join([_text(item) for item in value])}]"
        case _:
            members = sorted((len(key.encode()), key.encode(), key) for key in value)
            return f"{{{', '.join([f'{_text(key)}: {_text(value[key])}' for *_, key in members])}}}"


def _number(text: str) -> str:
    if len(text) < SCALE_MAX and text.isdigit():
        return text
    try:
        number = Decimal(text)
    except DecimalException as error:
        raise _overflow() from error
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # neither NaN nor infinite: the parser refuses those
    if -exponent > SCALE_MAX or (number and number.adjusted() >= WHOLE_DIGITS_MAX):
        raise _overflow()
    if not number:
        return f"{Decimal(0).scaleb(min(exponent, 0)):f}"
    return f"{number:f}"


def _invalid(text: str) -> InvalidRequest:
    short = text if len(text) <= CHARACTERS_SHOWN else f"{text[:CHARACTERS_SHOWN]}…"
    return InvalidRequest(f"invalid input syntax for type json: {json.dumps(short)}", "22P02")


def _overflow() -> InvalidRequest:
    return InvalidRequest("value overflows numeric format", "22003")


def _too_deep() -> InvalidRequest:
    return InvalidRequest("stack depth limit exceeded: the JSON is nested too deeply", "54001")

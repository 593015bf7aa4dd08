"""Characters and their codes: `ascii`, `chr`, numbers in other bases, `unistr`, `normalize`."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__: list[str] = []

_CODE_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_HIGH_SURROGATES = range(0xD800, 0xDC00)
_LOW_SURROGATES = range(0xDC00, 0xE000)
_ESCAPE = re.compile(
    r"\\(?:(\\)|([0-9A-Fa-f]{4})|u([0-9A-Fa-f]{4})|\+([0-9A-Fa-f]{6})|U([0-9A-Fa-f]{8})|)"
)


@scalar("ascii(text) -> int4", native=False)
def ascii_code(text: Value, *, kind: AnyType) -> Value:
    """The code point of the first character; 0 of the empty text."""
    first = Value(text.expr.str.slice(0, 1), text.type)
    return rowwise(lambda character: ord(character) if character else 0, [first], kind)


@scalar("chr(int4) -> text", native=False)
def character_of(code: Value, *, kind: AnyType) -> Value:
    """The character of a code point."""
    return rowwise(_character, [code], kind)


def _character(code: int) -> str:
    if code == 0:
        raise InvalidRequest("null character not permitted", "54000")
    if code < 0:
        raise InvalidRequest("character number must be positive", "22023")
    if code > _CODE_MAX:
        raise InvalidRequest(f"requested character too large for encoding: {code}", "54000")
    if code in _SURROGATES:
        raise InvalidRequest(f"requested character not valid for encoding: {code}", "54000")
    return chr(code)


@scalar("to_hex(int4) -> text", native=False)
def to_hex(number: Value, *, kind: AnyType) -> Value:
    """Hexadecimal digits; of a negative number its two's complement in 32 bits."""
    return rowwise(lambda value: f"{value & 0xFFFFFFFF:x}", [number], kind)


@scalar("to_hex(int8) -> text", native=False)
def to_hex_long(number: Value, *, kind: AnyType) -> Value:
    """Hexadecimal digits; of a negative number its two's complement in 64 bits."""
    return rowwise(lambda value: f"{value & 0xFFFFFFFFFFFFFFFF:x}", [number], kind)


@scalar("unistr(text) -> text", native=False)
def unistr(text: Value, *, kind: AnyType) -> Value:
    r"""`\0041`, `\+000041`, `\u0041` and `\U00000041` replaced by their characters."""
    return rowwise(_unescaped, [text], kind)


def _unescaped(text: str) -> str:
    parts: list[str] = []
    at, high = 0, 0
    for found in _ESCAPE.finditer(text):
        if found.start() < at:
            continue
        if high and found.start() > at:
            raise InvalidRequest("invalid Unicode surrogate pair", "42601")
        parts.append(text[at : found.start()])
        at = found.end()
        digits = next((digits for digits in found.groups()[1:] if digits), None)
        if digits is None:
            if found[1] is None:
                raise InvalidRequest("invalid Unicode escape", "42601")
            if high:
                raise InvalidRequest("invalid Unicode surrogate pair", "42601")
            parts.append("\\")
            continue
        code = int(digits, 16)
        if not 0 < code <= _CODE_MAX:
            raise InvalidRequest(f"invalid Unicode code point: {code:04X}", "22023")
        if bool(high) != (code in _LOW_SURROGATES):
            raise InvalidRequest("invalid Unicode surrogate pair", "42601")
        if high:
            code, high = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00), 0
        if code in _HIGH_SURROGATES:
            high = code
            continue
        parts.append(chr(code))
    if high:
        raise InvalidRequest("invalid Unicode surrogate pair", "42601")
    return "".join(parts) + text[at:]


@scalar("normalize(text) -> text")
def normalize(text: pl.Expr) -> pl.Expr:
    """In Unicode's normal form NFC."""
    return text.str.normalize("NFC")


@scalar("normalize(text,text) -> text", native=False)
def normalize_to(text: Value, form: Value, *, kind: AnyType) -> Value:
    """In one of Unicode's normal forms."""
    return rowwise(_normalized, [text, form], kind)


@scalar("is_normalized(text,text) -> bool", native=False)
def is_normalized(text: Value, form: Value, *, kind: AnyType) -> Value:
    """Is it in that normal form?"""
    return rowwise(lambda value, name: _normalized(value, name) == value, [text, form], kind)


def _normalized(text: str, form: str) -> str:
    match form.upper():
        case "NFC":
            return unicodedata.normalize("NFC", text)
        case "NFD":
            return unicodedata.normalize("NFD", text)
        case "NFKC":
            return unicodedata.normalize("NFKC", text)
        case "NFKD":
            return unicodedata.normalize("NFKD", text)
        case _:
            raise InvalidRequest(f"invalid normalization form: {form}", "22023")

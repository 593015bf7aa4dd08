"""Texts as numbers, UUIDs and bytes: the spellings that Polars does not read, and the errors.

PostgreSQL 16 reads integers with a prefix (`0x1F`, `0o17`, `0b11`) and underscores between digits.
"""

from __future__ import annotations

import binascii
import math
import re
import struct
import uuid
from decimal import Decimal

from storage.errors import InvalidRequest
from storage.schema import DecimalType
from warehouse.algebra.types import NUMERIC, REAL, AnyType, shown
from warehouse.execution.literals import EXACT, unscaled
from warehouse.execution.ranges import type_range

__all__ = ["byte_string", "decimal", "floating", "integer", "uuid_value"]

_BLANKS = " \t\n\r\f\v"
_INTEGER = re.compile(
    r"([+-]?)(?:(0[xX])((?:_?[0-9a-fA-F])+)|(0[oO])((?:_?[0-7])+)|(0[bB])((?:_?[01])+)"
    r"|([0-9](?:_?[0-9])*))"
)
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NUMERIC = re.compile(
    r"[+-]?([0-9](_?[0-9])*\.?([0-9](_?[0-9])*)?|\.[0-9](_?[0-9])*)([eE][+-]?[0-9](_?[0-9])*)?"
)
_SPECIAL = {"nan": math.nan, "inf": math.inf, "infinity": math.inf}
_EXPONENT_MAX = 16_383


def _invalid(text: str, kind: AnyType) -> InvalidRequest:
    return InvalidRequest(f'invalid input syntax for type {shown(kind)}: "{text}"', "22P02")


def _integer_of(text: str, kind: AnyType) -> int:
    found = _INTEGER.fullmatch(text.strip(_BLANKS))
    if found is None:
        raise _invalid(text, kind)
    sign, *pairs, plain = found.groups()
    number = 0
    if plain is not None:
        number = int(plain.replace("_", ""))
    for base, digits in zip((16, 8, 2), pairs[1::2], strict=True):
        if digits is not None:
            number = int(digits.replace("_", ""), base)
    return -number if sign == "-" else number


def integer(text: str, *, kind: AnyType) -> int:
    """A text as SMALLINT, INTEGER or BIGINT."""
    limits = type_range(kind)
    number = _integer_of(text, kind)
    if limits is None or not limits.low <= number <= limits.high:
        message = f'value "{text}" is out of range for type {shown(kind)}'
        raise InvalidRequest(message, "22003")
    return number


def decimal(text: str, *, kind: DecimalType) -> Decimal:
    """A text as DECIMAL(p, s), rounded half away from zero."""
    number = _exact(text, kind)
    digits = unscaled(number, kind.scale)
    if abs(digits) >= 10**kind.precision:
        raise InvalidRequest("numeric field overflow", "22003")
    return Decimal(digits).scaleb(-kind.scale, context=EXACT)


def _exact(text: str, kind: AnyType) -> Decimal:
    stripped = text.strip(_BLANKS)
    if stripped.lower().lstrip("+-") in ("inf", "infinity", "nan"):
        raise InvalidRequest("numeric field overflow", "22003")
    if _NUMERIC.fullmatch(stripped) is None:
        return Decimal(_integer_of(text, kind))
    number = Decimal(stripped.replace("_", ""))
    if number.adjusted() > 1000 or number.adjusted() < -_EXPONENT_MAX:
        if number.adjusted() < 0 or not number:
            return Decimal(0)
        raise InvalidRequest("numeric field overflow", "22003")
    return number


def floating(text: str, *, kind: AnyType) -> float:
    """A text as REAL, DOUBLE or NUMERIC."""
    stripped = text.strip(_BLANKS)
    special = _SPECIAL.get(stripped.lower().lstrip("+-"))
    if special is not None and len(stripped) - len(stripped.lstrip("+-")) <= 1:
        return -special if stripped.startswith("-") else special
    if kind == NUMERIC:
        if _NUMERIC.fullmatch(stripped) is None:
            return float(_integer_of(text, kind))
        stripped = stripped.replace("_", "")
    elif _FLOAT.fullmatch(stripped) is None:
        raise _invalid(text, kind)
    number = float(stripped)
    if kind == REAL and math.isfinite(number):
        number = _narrowed(number)
    lost = number == 0 and any(digit in "123456789" for digit in re.split("[eE]", stripped)[0])
    if math.isinf(number) or (lost and kind != NUMERIC):
        if kind == NUMERIC:
            raise InvalidRequest("numeric field overflow: beyond 64-bit floats", "22003")
        raise InvalidRequest(f'"{text}" is out of range for type {shown(kind).lower()}', "22003")
    return number


def _narrowed(number: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


def uuid_value(text: str) -> uuid.UUID:
    """A text as UUID: 32 hexadecimal digits, a hyphen after any group of four, braces around."""
    inner = text[1:-1] if text.startswith("{") and text.endswith("}") else text
    if re.fullmatch(r"([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}", inner) is None:
        raise InvalidRequest(f'invalid input syntax for type uuid: "{text}"', "22P02")
    return uuid.UUID(hex=inner.replace("-", ""))


def byte_string(text: str) -> bytes:
    r"""A text as BYTEA: `\x` and hexadecimal digits, or the escape format (`\\`, `\ooo`)."""
    if text.startswith("\\x"):
        digits = "".join(text[2:].split())
        wrong = next((c for c in digits if c not in "0123456789abcdefABCDEF"), None)
        if wrong is not None:
            raise InvalidRequest(f'invalid hexadecimal digit: "{wrong}"', "22023")
        if len(digits) % 2:
            raise InvalidRequest("invalid hexadecimal data: odd number of digits", "22023")
        return binascii.unhexlify(digits)
    if re.fullmatch(r"([^\\]|\\\\|\\[0-3][0-7]{2})*", text, re.DOTALL) is None:
        raise InvalidRequest("invalid input syntax for type bytea", "22P02")
    made = bytearray()
    for part in re.findall(r"[^\\]+|\\\\|\\[0-3][0-7]{2}", text):
        if not part.startswith("\\"):
            made += part.encode()
        else:
            made.append(0x5C if part == "\\\\" else int(part[1:], 8))
    return bytes(made)

"""`to_number`: a text read by a picture, as PostgreSQL reads it.

Each part of the picture in turn takes something from the front of the text. A regular expression
says what, and which of it is a sign, or a mark of the number: its digits and its point.

- A place takes a blank, if there is one, and a character, and keeps that if it is a mark.
- The first places also take a sign, until there is a digit; places behind that take one if the
  picture has S, or has MI, PL or SG, which take a sign wherever they stand.
- Other characters of the picture take as many characters, whichever they are. Currency signs and
  ordinal suffixes do if the text has something there that belongs to no number.

The result is a DECIMAL with the places of the picture if that is a literal, else NUMERIC.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from storage.errors import InvalidRequest
from storage.schema import DECIMAL_PRECISION_MAX, DecimalType
from warehouse.algebra.expressions import Cast, Expr, Literal
from warehouse.algebra.types import NUMERIC, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.number_pictures import PLACES, NumberPicture, number_picture
from warehouse.functions.registry import scalar

__all__: list[str] = []

_EXACT = decimal.Context(prec=500, rounding=decimal.ROUND_HALF_UP)


def _type(args: Sequence[Expr]) -> AnyType:
    picture = args[1].arg if isinstance(args[1], Cast) else args[1]
    if not isinstance(picture, Literal) or not isinstance(picture.value, str):
        return NUMERIC
    try:
        known = number_picture(picture.value)
    except InvalidRequest:
        return NUMERIC
    scale = known.fraction + known.shift
    digits = max(known.whole + scale, 1)
    return DecimalType(digits, scale) if digits <= DECIMAL_PRECISION_MAX else NUMERIC


@scalar("to_number(text,text) -> numeric", native=False, result=_type)
def to_number(text: Value, picture: Value, *, kind: AnyType) -> Value:
    """The number that a text shows by a picture."""
    exact = isinstance(kind, DecimalType)

    def read(value: str, wanted: str) -> Decimal | float | None:
        number = _number(value, wanted)
        return number if exact or number is None else float(number)

    return rowwise(read, [text, picture], kind)


def _number(text: str, wanted: str) -> Decimal | None:
    if not wanted:
        return None
    picture = number_picture(wanted)
    if picture.exponent or picture.roman:
        word = "EEEE" if picture.exponent else "RN"
        raise InvalidRequest(f'"{word}" not supported for input', "0A000")
    shown = _read(text, picture)
    try:
        number = Decimal(shown.strip())
    except decimal.InvalidOperation:
        message = f'invalid input syntax for type numeric: "{shown}"'
        raise InvalidRequest(message, "22P02") from None
    if number.adjusted() >= picture.whole and number:
        raise InvalidRequest("numeric field overflow", "22003")
    return number.scaleb(-picture.shift, context=_EXACT) if picture.shift else number


def _read(text: str, picture: NumberPicture) -> str:
    """The sign, or a blank if there is none, and the digits with their point."""
    sign, number, at = "", "", 0
    for step in _steps(picture):
        pattern = step.signed if sign else step.first if number in ("", ".") else step.unsigned
        found = pattern.match(text, at)
        assert found is not None  # a step may take nothing
        at = found.end()
        met, mark = found.groups("")
        sign = _SIGNS.get(met, sign)
        if mark and _fits(mark, number, picture):
            number += mark
            # An S may have its sign right behind a digit.
            if "S" in picture.words and not sign and number != ".":
                sign = text[at : at + 1] if text.startswith(("-", "+"), at) else ""
                at += len(sign)
    return (sign or " ") + number.removesuffix(".")


def _fits(mark: str, number: str, picture: NumberPicture) -> bool:
    """Is it a digit, or the point, that the number has a place for?"""
    _, point, fraction = number.partition(".")
    if mark == ".":
        return picture.point and not point
    return mark in "0123456789" and not (point and len(fraction) == picture.fraction)


_SIGNS = {"-": "-", "+": "+", "<": "-"}
# Words that say how other parts of their picture are read.
_MANNER = frozenset(("FM", "MI", "PL", "PR", "SG"))
_OTHER = "[^0-9.,+-]"
# What is taken from the text, with two groups: a sign, and a mark of the number.
_TAKEN = {
    ",": ",?()()",
    "L": f"{_OTHER}?()()",
    "TH": f"{_OTHER}{{0,2}}()()",
    "MI": f"(?:(-)|{_OTHER})?()",
    "PL": rf"(?:(\+)|{_OTHER})?()",
    "SG": f"(?:([-+])|{_OTHER})?()",
}


class _Step(NamedTuple):
    """What a part takes: before a sign or digit is met; behind a digit, without a sign; else."""

    first: re.Pattern[str]
    unsigned: re.Pattern[str]
    signed: re.Pattern[str]


@lru_cache(maxsize=512)
def _steps(picture: NumberPicture) -> tuple[_Step, ...]:
    manner = picture.words & _MANNER
    return tuple(
        _step(word.upper(), 0 if word else len(text), manner) for word, text in picture.parts
    )


@lru_cache(maxsize=512)
def _step(word: str, size: int, manner: frozenset[str]) -> _Step:
    """Of a word, or of a text of `size` characters, in a picture with the words `manner`."""
    first = unsigned = signed = _taken(word, size, manner)
    if word in ("9", "0"):
        first = " ?([-+<]?)(.?)" if "PR" in manner else " ?([-+]?)(.?)"
    if word in PLACES and not manner.isdisjoint(("MI", "PL", "SG")):
        unsigned = " ?(?:([-+])|(.?))"
    return _Step(*(re.compile(taken, re.DOTALL) for taken in (first, unsigned, signed)))


def _taken(word: str, size: int, manner: frozenset[str]) -> str:
    if word in PLACES:
        return " ?()(.?)"
    if not word:
        return f".{{0,{size}}}()()"
    # With FM, separators are not expected.
    return "()()" if word == "," and "FM" in manner else _TAKEN[word]

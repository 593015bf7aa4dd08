"""`to_char` of numbers: a number laid out on the places of a picture, as PostgreSQL does.

1. The number becomes its sign, the digits before the point and those behind it, rounded to the
   picture's places; more digits than there are places become `#`s.
2. The digits are aligned to the places around the point. This says everything else: places left of
   the digits are blanks or zeros, the sign stands next to the first place that is not blank, a
   separator of thousands shows behind a digit only.

How a picture lays a number out depends on how many digits the number has and on its sign, not on
what the digits are. So a layout is made once, as a template of Python's `%`, and remembered; most
numbers are only filled in.
"""

from __future__ import annotations

import decimal
import math
from array import array
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.number_pictures import PLACES, NumberPicture, number_picture
from warehouse.functions.registry import scalar

__all__ = ["ordinal_suffix"]

_DOUBLE_DIGITS, _REAL_DIGITS = 15, 6
# As many digits as PostgreSQL's numeric has.
_EXACT = decimal.Context(prec=131_072 + 16_383, rounding=decimal.ROUND_HALF_UP)
_ONE = Decimal(1)
_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
    *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
_ROMAN_LENGTH = 15
_SIGNS_APART = ("MI", "SG")
_INT4, _INT8 = range(-(2**31), 2**31), range(-(2**63), 2**63)


def ordinal_suffix(digits: str) -> str:
    """`st`, `nd`, `rd` or `th`."""
    if not digits[-1:].isdigit():
        raise InvalidRequest(f'"{digits}" is not a number', "22P02")
    if digits[-2:-1] == "1":
        return "th"
    return {"1": "st", "2": "nd", "3": "rd"}.get(digits[-1:], "th")


@scalar("to_char(int4,text) -> text", native=False)
def integer_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """An integer by a picture."""
    return rowwise(_integer, [number, picture], kind)


@scalar("to_char(int8,text) -> text", native=False)
def bigint_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """The same of 64 bits."""
    return rowwise(_bigint, [number, picture], kind)


@scalar("to_char(float8,text) -> text", native=False)
def double_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """A float by a picture, with at most its 15 certain digits."""
    return rowwise(_double, [number, picture], kind)


@scalar("to_char(float4,text) -> text", native=False)
def real_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """A float by a picture, with at most its 6 certain digits."""
    return rowwise(_real, [number, picture], kind)


@scalar("to_char(numeric,text) -> text", native=False)
def numeric_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """A decimal number by a picture."""
    return rowwise(_numeric, [number, picture], kind)


def _integer(value: int, text: str) -> str:
    picture = number_picture(text)
    if picture.exponent:
        return f"{float(value): .{picture.fraction}e}"
    if picture.roman:
        return _with_roman(picture, value)
    # PostgreSQL keeps 32 bits of what V makes, which is another number if it has more.
    return _with_whole(picture, value * 10**picture.shift)


def _bigint(value: int, text: str) -> str:
    picture = number_picture(text)
    if picture.exponent:
        return _scientific(Decimal(value), picture.fraction)
    if picture.roman:
        return _with_roman(picture, _int4(value))
    power = 10**picture.shift
    if power not in _INT8 or value * power not in _INT8:
        raise InvalidRequest("bigint out of range", "22003")
    return _with_whole(picture, value * power)


def _int4(value: int) -> int:
    if value not in _INT4:
        raise InvalidRequest("integer out of range", "22003")
    return value


def _with_whole(picture: NumberPicture, value: int) -> str:
    places = picture.fraction
    digits = f"{abs(value)}.{'0' * places}" if places else str(abs(value))
    return _laid_out(picture, "-" if value < 0 else "+", digits, places)


def _numeric(value: Decimal | float, text: str) -> str:
    picture = number_picture(text)
    if isinstance(value, float):
        if not math.isfinite(value):
            return _numeric_special(value, picture)
        value = Decimal(repr(value))
    if picture.exponent:
        return _scientific(value, picture.fraction)
    if picture.roman:
        return _with_roman(picture, _int4(int(value.quantize(_ONE, context=_EXACT))))
    if picture.shift:
        value = value.scaleb(picture.shift, context=_EXACT)
    places = picture.fraction
    rounded = value.quantize(_ONE.scaleb(-places), context=_EXACT)
    return _laid_out(picture, "-" if rounded < 0 else "+", f"{rounded.copy_abs():f}", places)


def _numeric_special(value: float, picture: NumberPicture) -> str:
    if picture.roman:
        name = "NaN" if math.isnan(value) else "infinity"
        raise InvalidRequest(f"cannot convert {name} to integer", "0A000")
    if picture.exponent:
        return _no_scientific(picture)
    return _laid_out(picture, *_named(value), picture.fraction)


def _named(value: float) -> tuple[str, str]:
    """Sign and name of a number that has no digits."""
    return "-" if value < 0 else "+", "NaN" if math.isnan(value) else "Infinity"


def _double(value: float, text: str) -> str:
    return _float(value, number_picture(text), _DOUBLE_DIGITS, float)


def _real(value: float, text: str) -> str:
    return _float(value, number_picture(text), _REAL_DIGITS, _single)


def _single(value: float) -> float:
    return array("f", [value])[0]


def _float(
    value: float, picture: NumberPicture, certain: int, rounded: Callable[[float], float]
) -> str:
    finite = math.isfinite(value)
    if picture.exponent:
        return f"{value: .{picture.fraction}e}" if finite else _no_scientific(picture)
    if picture.roman:
        return _with_roman(picture, round(value) if finite else 0)
    if picture.shift:
        value = rounded(value * rounded(float(f"1e{picture.shift}")))
    if not math.isfinite(value):
        sign, name = _named(value)
        return _laid_out(picture, sign, name, _certain(picture, certain - len(name)))
    places = _certain(picture, certain - len(f"{abs(value):.0f}"))
    sign = "-" if math.copysign(1.0, value) < 0 else "+"
    return _laid_out(picture, sign, f"{abs(value):.{places}f}", places)


def _certain(picture: NumberPicture, left: int) -> int:
    """Places behind the point, if so many digits are left for them."""
    return max(0, min(picture.fraction, left))


def _scientific(value: Decimal, places: int) -> str:
    """`-1.23e+05`. Like PostgreSQL's numeric, 9.99 of one place is `10.0e+00`."""
    power = value.adjusted() if value else 0
    mantissa = value.copy_abs().scaleb(-power, context=_EXACT)
    shown = mantissa.quantize(_ONE.scaleb(-places), context=_EXACT)
    return f"{'-' if value < 0 else ' '}{shown:f}e{power:+03d}"


def _no_scientific(picture: NumberPicture) -> str:
    return f" {'#' * picture.whole}.{'#' * (picture.fraction + 4)}"


def _with_roman(picture: NumberPicture, number: int) -> str:
    """A picture with RN has no places, and no sign: its text ends where it asks for one (SG)."""
    numeral = _roman(number) if 1 <= number <= 3999 else "#" * _ROMAN_LENGTH
    blank = _blank(picture)
    padded = numeral if picture.fill else numeral.rjust(_ROMAN_LENGTH)
    said = {"RN": padded, "rn": padded.lower(), "L": " "} | dict.fromkeys((",", "MI", "PL"), blank)
    out = []
    for word, text in picture.parts:
        if word == "SG":
            break
        out.append(said.get(word, "") if word else text)
    return "".join(out)


def _roman(number: int) -> str:
    letters = []
    for value, letter in _ROMAN:
        count, number = divmod(number, value)
        letters.append(letter * count)
    return "".join(letters)


def _laid_out(picture: NumberPicture, sign: str, digits: str, places: int) -> str:
    """The text of a number.

    Args:
        sign: "-" or "+".
        digits: with `places` behind a point, if there are any; or the number's name.
    """
    whole, point, behind = digits.partition(".")
    fraction = point + behind
    if len(whole) > picture.whole:
        whole, fraction = "#" * picture.whole, "." + "#" * places if picture.point else ""
    suffix = ""
    if picture.ordinal and sign != "-" and whole[:1] != "#":
        suffix = ordinal_suffix(whole or ".")
    if picture.fill and fraction:
        fraction = fraction[: max(len(fraction.rstrip("0")), 1 + picture.kept)]
    # Nines do not show the zero of 0.5; but if FM leaves nothing of 0.00, it is shown.
    if whole == "0" and len(fraction) > 1 and picture.zeros_from == picture.whole:
        whole = ""
    layout = _layout(picture, sign, (len(whole), len(fraction), places), suffix)
    return layout % (*whole, *fraction)


# Characters of the whole and of the fraction; places behind the point that the number has.
_Sizes = tuple[int, int, int]


@lru_cache(maxsize=4096)
def _layout(picture: NumberPicture, sign: str, sizes: _Sizes, suffix: str) -> str:
    """The template of all numbers of these sizes: a `%s` for each character of whole and fraction.

    The text ends at a place that there is no cell for.
    """
    cells = iter(_cells(picture, sign, sizes))
    blank = _blank(picture)
    said = {
        "L": " ",
        "MI": "-" if sign == "-" else blank,
        "PL": "+" if sign == "+" else blank,
        "SG": sign,
        "TH": suffix.upper(),
        "th": suffix,
    }
    out, behind_digit = [], False
    for word, text in picture.parts:
        if word in PLACES:
            cell = next(cells, None)
            if cell is None:
                break
            out.append(cell)
            behind_digit = word != "." and ("%s" in cell or "0" in cell)
        elif word == ",":
            out.append("," if behind_digit else blank)
        else:
            out.append(said[word] if word else text.replace("%", "%%"))
    return "".join(out)


def _cells(picture: NumberPicture, sign: str, sizes: _Sizes) -> list[str]:
    """What is at each place, digits as `%s`, the sign with the place that it stands next to."""
    whole, fraction, places = sizes
    blank = _blank(picture)
    ahead = picture.whole - whole
    first = min(ahead, picture.zeros_from)
    last = picture.whole + picture.point + places - 1
    cells = [blank] * first + ["0"] * (ahead - first) + ["%s"] * (whole + fraction)
    if picture.fill and fraction:
        dropped = [word for word, _ in picture.parts if word in PLACES][len(cells) :]
        cells += ["" for _ in takewhile("9".__eq__, dropped)]
    # One place early if the number fills all places and its sign is elsewhere: so PostgreSQL does.
    if _half_bracketed(picture) and ahead <= (not whole):
        last -= 1
    opening, closing = _signs(picture, sign)
    if first < len(cells):
        cells[first] = opening + cells[first]
    if 0 <= last < len(cells):
        cells[last] += closing
    return cells


def _blank(picture: NumberPicture) -> str:
    """What is where nothing is to be shown."""
    return "" if picture.fill else " "


def _signs(picture: NumberPicture, sign: str) -> tuple[str, str]:
    """What is shown ahead of the first place that is not blank, and behind the last place."""
    words = picture.words
    if "S" in words:
        return (sign, "") if picture.sign_leads else ("", sign)
    if "PR" in words:
        opening, closing = ("<", ">") if sign == "-" else (" ", " ")
        if _half_bracketed(picture):
            return "", closing
        hidden = picture.fill and sign == "+" and "PL" not in words
        return ("", "") if hidden else (opening, closing)
    if not words.isdisjoint(_SIGNS_APART):
        return "", ""
    return "-" if sign == "-" else _blank(picture), ""


def _half_bracketed(picture: NumberPicture) -> bool:
    """Does the number's sign show elsewhere, so that its bracket is only closed?"""
    return "PR" in picture.words and not picture.words.isdisjoint(_SIGNS_APART)

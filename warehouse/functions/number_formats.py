"""`to_char` of numbers: a port of PostgreSQL's, so that every picture gives the same text.

Two steps: the number as digits, rounded to the picture's places, or `#`s if it has more digits than
the picture; then the picture's nodes one by one, which place digits, signs and separators.
"""

from __future__ import annotations

import decimal
import math
import re
from copy import copy
from decimal import Decimal

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.number_pictures import NumberPicture, number_picture
from warehouse.functions.registry import scalar

__all__ = ["ordinal_suffix"]

_DOUBLE_DIGITS, _REAL_DIGITS = 15, 6
_EXACT = decimal.Context(prec=500, rounding=decimal.ROUND_HALF_UP)
_ROMAN = (
    *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
    *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
)
_END = "\0"
_NO_ROMAN = "#" * 15
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
    return rowwise(lambda value, text: _float(value, text, _DOUBLE_DIGITS), [number, picture], kind)


@scalar("to_char(float4,text) -> text", native=False)
def real_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """A float by a picture, with at most its 6 certain digits."""
    return rowwise(lambda value, text: _float(value, text, _REAL_DIGITS), [number, picture], kind)


@scalar("to_char(numeric,text) -> text", native=False)
def numeric_to_char(number: Value, picture: Value, *, kind: AnyType) -> Value:
    """A decimal number by a picture."""
    return rowwise(_numeric, [number, picture], kind)


def _prepared(text: str) -> NumberPicture | None:
    """A copy to work on; None of the empty picture."""
    return copy(number_picture(text)) if text else None


def _integer(value: int, text: str) -> str:
    picture = _prepared(text)
    if picture is not None and picture.exponent:
        return f"{float(value): .{picture.post}e}"
    return _bigint(value, text)


def _bigint(value: int, text: str) -> str:
    picture = _prepared(text)
    if picture is None:
        return ""
    if picture.roman:
        if value not in _INT4:
            raise InvalidRequest("integer out of range", "22003")
        return _written(picture, _roman(value), "")
    if picture.exponent:
        return _science(Decimal(value), picture)
    if picture.shifts:
        power = 10**picture.multi
        value *= power
        if value not in _INT8 or power not in _INT8:
            raise InvalidRequest("bigint out of range", "22003")
        picture.pre += picture.multi
    digits = str(abs(value)) + ("." + "0" * picture.post if picture.post else "")
    return _finish(picture, digits, "-" if value < 0 else "+")


def _numeric(value: Decimal | float, text: str) -> str:
    picture = _prepared(text)
    if picture is None:
        return ""
    if isinstance(value, float):
        if not math.isfinite(value):
            return _special(value, picture)
        value = Decimal(repr(value))
    if picture.roman:
        return _written(picture, _roman(int(value.quantize(Decimal(1), context=_EXACT))), "")
    if picture.exponent:
        return _science(value, picture)
    if picture.shifts:
        value = value.scaleb(picture.multi, context=_EXACT)
        picture.pre += picture.multi
    rounded = value.quantize(Decimal(1).scaleb(-picture.post), context=_EXACT)
    digits = format(rounded.copy_abs(), "f")
    return _finish(picture, digits, "-" if rounded < 0 else "+")


def _special(value: float, picture: NumberPicture) -> str:
    if picture.roman:
        return _written(picture, _NO_ROMAN, "")
    if picture.exponent:
        return _no_science(picture)
    return _finish(picture, _name(value) or "", "-" if value < 0 else "+")


def _name(value: float) -> str | None:
    """What a number that is none is called."""
    if math.isfinite(value):
        return None
    return "NaN" if math.isnan(value) else "Infinity"


def _float(value: float, text: str, certain: int) -> str:
    picture = _prepared(text)
    if picture is None:
        return ""
    if picture.roman:
        whole = round(value) if math.isfinite(value) and abs(value) < 2**31 else 0
        return _written(picture, _roman(whole), "")
    if picture.exponent:
        if not math.isfinite(value):
            return _no_science(picture)
        return f"{value: .{picture.post}e}"
    if picture.shifts:
        value *= 10.0**picture.multi
        picture.pre += picture.multi
    name = _name(value)
    before = len(name or f"{abs(value):.0f}")
    if before + picture.post > certain or before >= certain:
        picture.post = max(certain - before, 0)
        picture.plain = None
    if name is not None:
        return _finish(picture, name, "-" if value < 0 else "+")
    shown = f"{value:.{picture.post}f}"
    return _finish(picture, shown.removeprefix("-"), "-" if shown.startswith("-") else "+")


def _science(value: Decimal, picture: NumberPicture) -> str:
    """`-1.23e+05`. Like PostgreSQL's numeric, 9.99 of one place is `10.0e+00`."""
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    power = len(digits) + exponent - 1 if any(digits) else 0
    mantissa = value.scaleb(-power, context=_EXACT).quantize(
        Decimal(1).scaleb(-picture.post), context=_EXACT
    )
    minus = "-" if sign and any(digits) else " "
    return f"{minus}{mantissa.copy_abs():f}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _no_science(picture: NumberPicture) -> str:
    places = ["#"] * (picture.pre + picture.post + 6)
    places[0] = " "
    places[picture.pre + 1] = "."
    return "".join(places)


def _roman(number: int) -> str:
    if not 1 <= number <= 3999:
        return _NO_ROMAN
    parts = []
    for value, letters in _ROMAN:
        count, number = divmod(number, value)
        parts.append(letters * count)
    return "".join(parts)


def _finish(picture: NumberPicture, digits: str, sign: str) -> str:
    before = digits.find(".") if "." in digits else len(digits)
    spaces = picture.pre - before
    if picture.plain is not None and spaces >= 0 and digits[0].isdigit():
        return _finish_plain(picture, picture.plain, digits, sign)
    if spaces < 0:
        digits = "#" * picture.pre + "." + "#" * picture.post
        spaces = 0
    return _written(picture, digits, sign, spaces)


def _finish_plain(picture: NumberPicture, plain: re.Match[str], digits: str, sign: str) -> str:
    """What `_Writer` makes of the most common pictures, in a tenth of the time."""
    whole, point, fraction = digits.partition(".")
    if whole == "0" and picture.post and not picture.zero:
        whole = ""
    elif plain["grouped"]:
        whole = f"{int(whole):,}"
    text = f"{'-' if sign == '-' else ''}{whole}{point}{fraction}"
    return text if picture.fill else text.rjust(len(picture.nodes) + 1)


def _written(picture: NumberPicture, digits: str, sign: str, spaces: int = 0) -> str:
    return _Writer(picture, digits, sign, spaces).run()


class _Writer:
    """`NUM_processor` and `NUM_numpart_to_char` of PostgreSQL.

    Attributes:
        at: the next of the digits.
        place: how many digit places of the picture are done.
        spaces: places before the first digit.
        inside: has the last place written a digit? Separators before that are blanks.
        last: the last digit behind the point that FM leaves; None: it drops nothing.
    """

    def __init__(self, picture: NumberPicture, digits: str, sign: str, spaces: int) -> None:
        if picture.roman:
            picture = NumberPicture(nodes=picture.nodes, fill=picture.fill, roman=True)
        self.picture = picture
        self.digits = digits
        self.sign = sign
        self.spaces = spaces
        self.at = self.place = 0
        self.inside = False
        self.out: list[str] = []
        self.zero_start = picture.zero_start - 1 if picture.zero_start else 0
        self.signed = self._sign_is_elsewhere()
        self.last = self._last_relevant()
        self.count = picture.post + picture.pre - 1
        if not self.signed and spaces == 0:
            self.count += 1

    def _sign_is_elsewhere(self) -> bool:
        picture = self.picture
        if picture.plus or picture.minus:
            return not (picture.plus and not picture.minus)
        if self.sign != "-" and picture.fill:
            picture.bracket = False
        if picture.sign_place == "before" and picture.pre == picture.sign_after_digits:
            picture.sign_place = "behind"
        return self.sign == "+" and picture.fill and not picture.locale_sign

    def _last_relevant(self) -> int | None:
        if not (self.picture.fill and self.picture.decimal):
            return None
        point = self.digits.find(".")
        if point < 0:
            return None
        last = max(point, len(self.digits.rstrip("0")) - 1)
        if self.picture.zero_end > self.spaces:
            kept = min(len(self.digits) - 1, self.picture.zero_end - self.spaces)
            last = max(last, kept)
        return last

    def run(self) -> str:
        for word, keyword in self.picture.nodes:
            if keyword:
                self._keyword(word)
            else:
                self.out.append(word)
        # PostgreSQL's text ends where a digit was due and there was none left.
        return "".join(self.out).partition(_END)[0]

    def _keyword(self, word: str) -> None:
        picture = self.picture
        match word.upper():
            case "9" | "0" | "." | "D":
                self._number_place(word)
            case "," | "G":
                if self.inside:
                    self.out.append(",")
                elif not picture.fill:
                    self.out.append(" ")
            case "L":
                self.out.append(" ")
            case "RN":
                text = self.digits if picture.fill else self.digits.rjust(15)
                self.out.append(text.lower() if word == "rn" else text)
            case "TH":
                if not (
                    picture.roman or self.digits[:1] == "#" or self.sign == "-" or picture.decimal
                ):
                    suffix = ordinal_suffix(self.digits)
                    self.out.append(suffix.upper() if word == "TH" else suffix)
            case "MI":
                self._separate_sign("-")
            case "PL":
                self._separate_sign("+")
            case "SG":
                self.out.append(self.sign)

    def _separate_sign(self, sign: str) -> None:
        if self.sign == sign:
            self.out.append(sign)
        elif not self.picture.fill:
            self.out.append(" ")

    def _digit_here(self) -> str:
        return self.digits[self.at] if self.at < len(self.digits) else _END

    def _zero_before_point(self) -> bool:
        """The 0 of 0.1, which a 9 shows as a blank."""
        return (
            not self.picture.zero
            and self.at == 0
            and self.digits[:1] == "0"
            and self.picture.post != 0
        )

    def _point_is_last(self) -> bool:
        return self.last is not None and self.digits[self.last] == "."

    def _number_place(self, word: str) -> None:
        picture = self.picture
        if picture.roman:
            return
        self.inside = False
        begun = self.place >= self.spaces or (picture.zero and self.zero_start == self.place)
        hidden = self._zero_before_point() and not self._point_is_last()
        if not self.signed and begun and not hidden:
            self._write_sign()
        if self.place < self.spaces and (self.zero_start > self.place or not picture.zero):
            if not picture.fill:
                self.out.append(" ")
        elif picture.zero and self.place < self.spaces:
            self.out.append("0")
            self.inside = True
        else:
            self._write_digit(word)
            self.at += self.at < len(self.digits)
        self._sign_behind()
        self.place += 1

    def _write_sign(self) -> None:
        picture = self.picture
        if picture.locale_sign:
            if picture.sign_place == "before":
                self.out.append(self.sign)
                self.signed = True
        elif picture.bracket:
            self.out.append(" " if self.sign == "+" else "<")
            self.signed = True
        else:
            if self.sign == "-":
                self.out.append("-")
            elif not picture.fill:
                self.out.append(" ")
            self.signed = True

    def _write_digit(self, word: str) -> None:
        if self._digit_here() == ".":
            if self.last is None or not self._point_is_last() or self.picture.fill:
                self.out.append(".")
        elif self.last is not None and self.at > self.last and word != "0":
            return
        elif self._zero_before_point():
            if not self.picture.fill:
                self.out.append(" ")
            elif self._point_is_last():
                self.out.append("0")
        else:
            self.out.append(self._digit_here())
            self.inside = True

    def _sign_behind(self) -> None:
        picture = self.picture
        end = self.count + (1 if self.spaces else 0) + (1 if picture.decimal else 0)
        if self.last is not None and self.last == self.at:
            end = self.place
        if self.place + 1 != end:
            return
        if self.signed and picture.bracket:
            self.out.append(" " if self.sign == "+" else ">")
        elif picture.locale_sign and picture.sign_place == "behind":
            self.out.append(self.sign)

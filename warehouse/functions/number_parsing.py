"""`to_number`: a text read by a picture, as PostgreSQL reads it.

Characters of the picture that are no pattern skip a character of the text each; so do currency
signs and ordinal suffixes if the text has something there that belongs to no number. The result is
a DECIMAL with the places of the picture if that is a literal, else NUMERIC.
"""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from decimal import Decimal

from storage.errors import InvalidRequest
from storage.schema import DECIMAL_PRECISION_MAX, DecimalType
from warehouse.algebra.expressions import Cast, Expr, Literal
from warehouse.algebra.types import NUMERIC, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.number_pictures import NumberPicture, number_picture
from warehouse.functions.registry import scalar

__all__: list[str] = []

_DATA = "0123456789.,+-"
_EXACT = decimal.Context(prec=500, rounding=decimal.ROUND_HALF_UP)


def _type(args: Sequence[Expr]) -> AnyType:
    picture = args[1].arg if isinstance(args[1], Cast) else args[1]
    if not isinstance(picture, Literal) or not isinstance(picture.value, str):
        return NUMERIC
    try:
        known = number_picture(picture.value)
    except InvalidRequest:
        return NUMERIC
    scale = known.post + known.multi
    digits = max(known.pre + scale + (known.multi), scale, 1)
    if digits > DECIMAL_PRECISION_MAX:
        return NUMERIC
    return DecimalType(digits, scale)


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
    if picture.exponent:
        raise InvalidRequest('"EEEE" not supported for input', "0A000")
    if picture.roman:
        raise InvalidRequest('"RN" not supported for input', "0A000")
    reader = _Reader(picture, text)
    reader.run()
    shown = reader.sign + "".join(reader.digits).removesuffix(".")
    try:
        number = Decimal(shown.strip())
    except decimal.InvalidOperation:
        message = f'invalid input syntax for type numeric: "{shown}"'
        raise InvalidRequest(message, "22P02") from None
    number = number.quantize(Decimal(1).scaleb(-reader.behind), context=_EXACT)
    if number.copy_abs() >= Decimal(10) ** (picture.pre + picture.multi):
        raise InvalidRequest("numeric field overflow", "22003")
    return number.scaleb(-picture.multi, context=_EXACT)


class _Reader:
    """`NUM_processor` and `NUM_numpart_from_char` of PostgreSQL. `sign` is " " until one is met."""

    def __init__(self, picture: NumberPicture, text: str) -> None:
        self.picture = picture
        self.text = text
        self.at = 0
        self.sign = " "
        self.digits: list[str] = []
        self.before = self.behind = 0
        self.point = False

    def here(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def run(self) -> None:
        for word, keyword in self.picture.nodes:
            if self.at >= len(self.text):
                return
            if not keyword:
                self.at += 1
            else:
                self._keyword(word.upper())

    def _keyword(self, word: str) -> None:
        match word:
            case "9" | "0" | "." | "D":
                self._number_part(word)
                self.at += 1
            case "," | "G":
                # Leading separators do not count with FM.
                if not self.picture.fill and self.here() == ",":
                    self.at += 1
            case "L":
                self._skip(1)
            case "TH":
                self._skip(2)
            case "MI" | "PL" | "SG":
                signs = {"MI": "-", "PL": "+", "SG": "-+"}[word]
                if self.here() in signs:
                    self.sign = self.here()
                    self.at += 1
                else:
                    self._skip(1)

    def _skip(self, count: int) -> None:
        while count and self.at < len(self.text) and self.here() not in _DATA:
            self.at += 1
            count -= 1

    def _number_part(self, word: str) -> None:
        if self.here() == " ":
            self.at += 1
        if not self.here():
            return
        if self.sign == " " and word in "09" and self.before + self.behind == 0:
            self._sign_before()
        if not self.here():
            return
        read = False
        if self.here() in "0123456789":
            if self.point and self.behind == self.picture.post:
                return
            self.digits.append(self.here())
            self.behind += self.point
            self.before += not self.point
            read = True
        elif self.picture.decimal and not self.point and self.here() == ".":
            self.digits.append(".")
            self.point = read = True
        if self.sign == " " and self.before + self.behind > 0:
            self._sign_behind(read)

    def _sign_before(self) -> None:
        picture, here = self.picture, self.here()
        if picture.locale_sign and picture.sign_place == "before":
            if here in "+-":
                self.sign = here
                self.at += 1
        elif here == "-" or (picture.bracket and here == "<"):
            self.sign = "-"
            self.at += 1
        elif here == "+":
            self.sign = "+"
            self.at += 1

    def _sign_behind(self, read: bool) -> None:
        picture = self.picture
        following = self.text[self.at + 1 : self.at + 2]
        if picture.locale_sign and read and following and not following.isdigit():
            if following in "+-":
                self.sign = following
                self.at += 1
        elif (
            not (read or picture.locale_sign)
            and (picture.plus or picture.minus)
            and self.here() in "+-"
        ):
            self.sign = self.here()

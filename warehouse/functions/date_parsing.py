"""`to_date` and `to_timestamp` of a text and a picture: a port of PostgreSQL's.

Two steps: the picture's nodes read fields from the text (blanks and separators are forgiving unless
FX is there); then the fields, which may say the same thing in several ways (a year and its day, an
ISO week, a Julian day), make a date and a time.

A constant picture of fixed digits, `YYYY-MM-DD`, is read by Polars where the text is exactly so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import BIGINT, TEXT, AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.calendar import (
    DAY_FIRST,
    DAY_LAST,
    MICROSECONDS_FIRST,
    MICROSECONDS_LAST,
)
from warehouse.functions.date_fields import Fields, Resolver, invalid
from warehouse.functions.date_pictures import (
    MONTHS,
    ROMAN_MONTHS,
    WEEKDAYS,
    Node,
    date_picture,
    julian,
)
from warehouse.functions.registry import scalar
from warehouse.functions.text import constant_of

__all__: list[str] = []

_EPOCH = julian(1970, 1, 1)
_FROM_2000 = 946_684_800_000_000  # microseconds from 1970
_DAY = 86_400_000_000
_INT4 = range(-(2**31), 2**31)
_BLANKS = " \t\n\v\f\r"
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?\d+", re.ASCII)
_GROUPED = re.compile(r"\s*([+-]?\d+),(\d{1,3})", re.ASCII)


@scalar("to_date(text,text) -> date", native=False)
def to_date(text: Value, picture: Value, *, kind: AnyType) -> Value:
    """The date that a text shows by a picture."""
    made = _read(text, picture, _date_of)
    days = made.derived(made.expr.cast(pl.Int32).cast(pl.Date), kind)
    return _with_fast(text, picture, days, pl.Date())


@scalar("to_timestamp(text,text) -> timestamptz", native=False)
def to_timestamp(text: Value, picture: Value, *, kind: AnyType) -> Value:
    """The timestamp that a text shows by a picture; in UTC unless it has TZH."""
    made = _read(text, picture, _timestamp_of)
    moments = made.derived(made.expr.cast(pl.Datetime("us")), kind)
    return _with_fast(text, picture, moments, pl.Datetime("us"))


def _read(text: Value, picture: Value, made: Callable[[str, Fields], int]) -> Value:
    slow = text
    chrono = _fixed(picture)
    if chrono is not None:
        fits = text.expr.str.contains(chrono[0])
        slow = replace(text, expr=pl.when(~fits).then(text.expr), constant=False, fault=None)
        slow = replace(slow, type=TEXT)
        # What has the shape but is no date is an error that the kernel words.
        parsed = text.expr.str.to_datetime(chrono[1], strict=False, time_unit="us")
        slow = replace(slow, expr=pl.when(parsed.is_null() | ~fits).then(text.expr))
    return rowwise(
        lambda value, wanted: made(value, _fields(value, wanted)), [slow, picture], BIGINT
    )


def _with_fast(text: Value, picture: Value, slow: Value, dtype: Any) -> Value:
    chrono = _fixed(picture)
    if chrono is None:
        return slow
    parsed = text.expr.str.to_datetime(chrono[1], strict=False, time_unit="us")
    fast = pl.when(text.expr.str.contains(chrono[0])).then(parsed).cast(dtype)
    return replace(slow, expr=pl.coalesce(fast, slow.expr))


_FIXED = {
    "YYYY": (r"[1-9]\d{3}", "%Y"),
    "MM": (r"\d\d", "%m"),
    "DD": (r"\d\d", "%d"),
    "HH24": (r"\d\d", "%H"),
    "MI": (r"\d\d", "%M"),
    "SS": (r"[0-5]\d", "%S"),
}


def _fixed(picture: Value) -> tuple[str, str] | None:
    """A regular expression and chrono's picture, if every field has its fixed digits."""
    known = constant_of(picture)
    if not isinstance(known, str):
        return None
    expression, chrono, seen = "", "", set()
    for node in date_picture(known):
        if node.kind != "pattern":
            if node.kind == "character" or node.text == "%":
                return None
            expression += re.escape(node.text)
            chrono += node.text
            continue
        if node.word not in _FIXED or node.word in seen or node.fill or node.suffix:
            return None
        seen.add(node.word)
        expression += _FIXED[node.word][0]
        chrono += _FIXED[node.word][1]
    date = {"YYYY", "MM", "DD"}
    time = [name in seen for name in ("HH24", "MI", "SS")]
    if not date <= seen or time not in ([False] * 3, [True] * 3, [True, True, False]):
        return None
    return rf"\A{expression}\z", chrono


def _fields(text: str, wanted: str) -> Fields:
    return _Scanner(text, date_picture(wanted)).run()


class _Scanner:
    """`DCH_from_char` of PostgreSQL.

    `extra`: characters skipped so far that the picture did not ask for.
    """

    def __init__(self, text: str, nodes: tuple[Node, ...]) -> None:
        self.text = text
        self.nodes = nodes
        self.at = 0
        self.extra = 0
        self.exact = False
        self.found = Fields()

    def run(self) -> Fields:
        for place, node in enumerate(self.nodes):
            if self.at >= len(self.text):
                break
            pattern = node.kind == "pattern"
            if not self.exact and node.word != "FX" and (pattern or place == 0):
                self._skip_blanks()
            if pattern:
                self._pattern(node, place)
                if not self.exact:
                    self.extra = 0
                    self._skip_blanks()
            else:
                self._other(node)
        return self.found

    def _here(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_blanks(self) -> None:
        while self._here() and self._here() in _BLANKS:
            self.at += 1
            self.extra += 1

    def _other(self, node: Node) -> None:
        if self.exact:
            self.at += 1
        elif node.kind == "character":
            if self.extra > 0:
                self.extra -= 1
            else:
                self.at += 1
        else:
            self.extra -= 1
            here = self._here()
            if here in _BLANKS or ("!" <= here <= "~" and not here.isalnum()):
                self.at += 1
                self.extra += 1

    def _pattern(self, node: Node, place: int) -> None:
        word = node.word.upper()
        mode = _MODES.get(word, "")
        if mode and self.found.mode and self.found.mode != mode:
            raise invalid("invalid combination of date conventions")
        self.found.mode = self.found.mode or mode
        if word == "FX":
            self.exact = True
        elif word in ("TZ", "OF"):
            message = f'formatting field "{node.text}" is only supported in to_char'
            raise InvalidRequest(message, "0A000")
        elif word in _CHOICES:
            name, choices, value = _CHOICES[word]
            self._set(name, value(self._choice(choices, node)), node)
        elif word == "Y,YYY":
            self._grouped_year(node)
        elif word == "TZH":
            self._zone_hours(node, place)
        else:
            self._integer(word, node, place)

    def _set(self, name: str, value: int, node: Node) -> None:
        known = self.found.get(name)
        if known not in (0, value):
            message = f'conflicting values for "{node.text}" field in formatting string'
            raise invalid(message)
        self.found.values[name] = value
        if name == "pm":
            self.found.twelve_hours = True

    def _choice(self, choices: tuple[str, ...], node: Node) -> int:
        rest = self.text[self.at :].lower()
        for place, choice in enumerate(choices):
            if rest.startswith(choice):
                self.at += len(choice)
                return place
        shown = re.split(r"[ \t\n\f\r\v]", self.text[self.at :], maxsplit=1)[0]
        raise invalid(f'invalid value "{shown}" for "{node.text}"')

    def _grouped_year(self, node: Node) -> None:
        found = _GROUPED.match(self.text, self.at)
        if found is None:
            raise invalid('invalid input string for "Y,YYY"')
        self._set("year", int(found[1]) * 1000 + int(found[2]), node)
        self.found.year_digits = 4
        self.at = found.end()
        self._skip_suffix(node)

    def _zone_hours(self, node: Node, place: int) -> None:
        here = self._here()
        if here and here in "+- ":
            self.found.zone_sign = -1 if here == "-" else 1
            self.at += 1
        else:
            before = self.text[self.at - 1 : self.at]
            self.found.zone_sign = -1 if self.extra > 0 and before == "-" else 1
        self._set("tzh", self._digits(2, node, place)[0], node)

    def _integer(self, word: str, node: Node, place: int) -> None:
        name, size = _INTEGERS[word]
        value, length = self._digits(size, node, place)
        if word in ("MS", "US") or word.startswith("FF"):
            value *= 10 ** max((3 if word == "MS" else 6) - length, 0)
            if word.startswith("FF"):
                self.found.precision = size
        elif name == "year":
            digits = len(word.replace(",", ""))
            if digits < 4 and (digits > 3 or length < 4):
                value = _near_2020(value)
            self.found.year_digits = digits
        elif word == "ID":
            value = value + 1 if value < 7 else 1
        elif word in ("HH", "HH12"):
            self.found.twelve_hours = True
        elif word == "TZM":
            self.found.zone_sign = self.found.zone_sign or 1
        if name:
            self._set(name, value, node)
        self._skip_suffix(node)

    def _skip_suffix(self, node: Node) -> None:
        if node.suffix:
            self.at += 2

    def _digits(self, size: int, node: Node, place: int) -> tuple[int, int]:
        """An integer: of exactly `size` characters if digits follow it in the picture."""
        start = self.at
        self._skip_blanks_only()
        if node.fill or self._separated(node, place):
            found = _INTEGER.match(self.text, start)
            end = found.end() if found else start
        else:
            copy = self.text[self.at : self.at + size]
            if len(copy) < size:
                message = f'source string too short for "{node.text}" formatting field'
                raise invalid(message)
            found = _INTEGER.match(copy)
            used = found.end() if found else 0
            if 0 < used < size:
                raise invalid(f'invalid value "{copy}" for "{node.text}"')
            end = self.at + used
        if found is None:
            shown = self.text[self.at : self.at + size]
            raise invalid(f'invalid value "{shown}" for "{node.text}"')
        self.at = end
        value = int(found[0])
        if value not in _INT4:
            message = f'value for "{node.text}" in source string is out of range'
            raise InvalidRequest(message, "22008")
        return value, end - start

    def _skip_blanks_only(self) -> None:
        while self._here() and self._here() in _BLANKS:
            self.at += 1

    def _separated(self, node: Node, place: int) -> bool:
        """Does no digit follow in the picture?"""
        if node.suffix or place + 1 >= len(self.nodes):
            return True
        following = self.nodes[place + 1]
        if following.kind == "pattern":
            return not following.digits
        return not ("0" <= following.text <= "9")


def _near_2020(year: int) -> int:
    """A year of up to three digits as the one that is nearest to 2020."""
    if year < 70:
        return year + 2000
    if year < 100:
        return year + 1900
    if year < 520:
        return year + 2000
    return year + 1000 if year < 1000 else year


_CHOICES: dict[str, tuple[str, tuple[str, ...], Callable[[int], int]]] = {
    **dict.fromkeys(("A.M.", "P.M."), ("pm", ("a.m.", "p.m."), lambda place: place)),
    **dict.fromkeys(("AM", "PM"), ("pm", ("am", "pm"), lambda place: place)),
    **dict.fromkeys(("A.D.", "B.C."), ("bc", ("a.d.", "b.c."), lambda place: place)),
    **dict.fromkeys(("AD", "BC"), ("bc", ("ad", "bc"), lambda place: place)),
    "MONTH": ("mm", tuple(name.lower() for name in MONTHS), lambda place: place + 1),
    "MON": ("mm", tuple(name[:3].lower() for name in MONTHS), lambda place: place + 1),
    "DAY": ("d", tuple(name.lower() for name in WEEKDAYS), lambda place: place + 1),
    "DY": ("d", tuple(name[:3].lower() for name in WEEKDAYS), lambda place: place + 1),
    "RM": ("mm", tuple(name.lower() for name in ROMAN_MONTHS), lambda place: 12 - place),
}

_INTEGERS: dict[str, tuple[str, int]] = {
    "HH": ("hh", 2),
    "HH12": ("hh", 2),
    "HH24": ("hh", 2),
    "MI": ("mi", 2),
    "SS": ("ss", 2),
    "MS": ("ms", 3),
    "US": ("us", 6),
    **{f"FF{digits}": ("us", digits) for digits in range(1, 7)},
    "SSSS": ("ssss", 4),
    "SSSSS": ("ssss", 5),
    "MM": ("mm", 2),
    "DDD": ("ddd", 3),
    "IDDD": ("ddd", 3),
    "DD": ("dd", 2),
    "D": ("d", 1),
    "ID": ("d", 1),
    "WW": ("ww", 2),
    "IW": ("ww", 2),
    "W": ("w", 1),
    "Q": ("", 1),
    "CC": ("cc", 2),
    **{"Y" * digits: ("year", digits) for digits in range(1, 5)},
    **{"I" + "Y" * (digits - 1): ("year", digits) for digits in range(1, 5)},
    "J": ("j", 1),
    "TZM": ("tzm", 2),
}
_MODES = {
    **dict.fromkeys(("IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I"), "iso"),
    **dict.fromkeys(("DDD", "DD", "D", "MM", "MONTH", "MON", "RM", "WW", "W"), "gregorian"),
    **dict.fromkeys(("Y,YYY", "YYYY", "YYY", "YY", "Y"), "gregorian"),
}


def _date_of(text: str, fields: Fields) -> int:
    days = Resolver(text, fields).days() - _EPOCH
    if not DAY_FIRST <= days <= DAY_LAST:
        raise InvalidRequest(f'date out of range: "{text}"', "22008")
    return days


def _rounded(ticks: int, precision: int) -> int:
    """To digits of a second, half away from 2000 (PostgreSQL's AdjustTimestampForTypmod)."""
    scale: int = 10 ** (6 - precision)
    since = ticks - _FROM_2000
    whole = (abs(since) + scale // 2) // scale * scale
    return _FROM_2000 + (whole if since >= 0 else -whole)


def _timestamp_of(text: str, fields: Fields) -> int:
    resolver = Resolver(text, fields)
    ticks = (resolver.days() - _EPOCH) * _DAY + resolver.microseconds() - resolver.zone()
    ticks = _rounded(ticks, fields.precision)
    if not MICROSECONDS_FIRST <= ticks <= MICROSECONDS_LAST:
        raise InvalidRequest("timestamp out of range", "22008")
    return ticks

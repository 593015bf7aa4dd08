"""The patterns of dates and times as fields: which field each reads, how, and what that means.

The patterns are those of the PostgreSQL manual, 9.8; what they mean together is `date_meaning`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from warehouse.functions.date_fields import (
    GroupedYear,
    Name,
    Names,
    Number,
    Reader,
    Unreadable,
    ZoneHours,
)
from warehouse.functions.date_pictures import MONTHS, ROMAN_MONTHS, WEEKDAYS, Node

__all__ = ["convention_of", "reader_of"]


def _near_2020(year: int, width: int) -> int:
    """A year of up to three digits as the nearest to 2020 that ends in them (an earlier one if two
    are as near); below 100 the century is open, above it the millennium. "-5" is 5 before 2000."""
    if width > 3:
        return year
    period = 100 if year < 100 else 1000
    first = 2020 - period // 2
    missing = -((year - first) // period) * period
    return year + min(missing, 2000)


def _decimals(places: int) -> Callable[[int, int], int]:
    """Digits behind a point, as so many places."""
    return lambda value, width: value * 10 ** max(places - width, 0)


def _from_monday(value: int, width: int) -> int:
    """A weekday that counts from Monday, as one that counts from Sunday."""
    return value + 1 if value < 7 else 1


_TWELVE_HOURS = ("twelve_hours", 1)

# Pattern: field (none: it is read, and means nothing) and places.
_YEARS = {
    **{"Y" * digits: ("year", digits) for digits in range(1, 5)},
    **{"I" + "Y" * (digits - 1): ("year", digits) for digits in range(1, 5)},
}
_NUMBERS: dict[str, tuple[str, int]] = {
    **_YEARS,
    "CC": ("century", 2),
    "Q": ("", 1),
    "MM": ("month", 2),
    "WW": ("week", 2),
    "IW": ("iso_week", 2),
    "W": ("week_of_month", 1),
    "DDD": ("day_of_year", 3),
    "IDDD": ("iso_day_of_year", 3),
    "DD": ("day", 2),
    "D": ("weekday", 1),
    "ID": ("weekday", 1),
    "J": ("julian_day", 1),
    "HH": ("hour", 2),
    "HH12": ("hour", 2),
    "HH24": ("hour", 2),
    "MI": ("minute", 2),
    "SS": ("second", 2),
    "MS": ("milliseconds", 3),
    "US": ("microseconds", 6),
    **{f"FF{digits}": ("microseconds", digits) for digits in range(1, 7)},
    "SSSS": ("seconds_of_day", 4),
    "SSSSS": ("seconds_of_day", 5),
    "TZH": ("zone_hours", 2),
    "TZM": ("zone_minutes", 2),
}
_MEANINGS: dict[str, Callable[[int, int], int]] = {
    **dict.fromkeys(("YYY", "YY", "Y", "IYY", "IY", "I"), _near_2020),
    "ID": _from_monday,
    "MS": _decimals(3),
    **dict.fromkeys(("US", "FF1", "FF2", "FF3", "FF4", "FF5", "FF6"), _decimals(6)),
}
_ALSO = {
    **{word: ("year_digits", digits) for word, (_, digits) in _YEARS.items()},
    **dict.fromkeys(("HH", "HH12"), _TWELVE_HOURS),
    **{f"FF{digits}": ("precision", digits) for digits in range(1, 7)},
}


def _names(
    name: str,
    values: Iterable[tuple[str, int]],
    *,
    meant_more: int = 0,
    also: tuple[str, int] | None = None,
) -> Names:
    known = {text.lower(): (said, said + meant_more) for text, said in values}
    expression = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    return Names(name, re.compile(expression, re.ASCII | re.IGNORECASE), known, also)


def _months(names: Iterable[str]) -> Names:
    return _names("month", ((text, place) for place, text in enumerate(names, 1)))


def _weekdays(names: Iterable[str]) -> Names:
    # They say 0 on Sundays, which is seen where another field tells the weekday, too.
    return _names("weekday", ((text, place) for place, text in enumerate(names)), meant_more=1)


def _pair(name: str, first: str, second: str, also: tuple[str, int] | None = None) -> Names:
    return _names(name, [(first, 0), (second, 1)], also=also)


_NAMES = {
    "MONTH": _months(MONTHS),
    "MON": _months(name[:3] for name in MONTHS),
    "RM": _months(reversed(ROMAN_MONTHS)),
    "DAY": _weekdays(WEEKDAYS),
    "DY": _weekdays(name[:3] for name in WEEKDAYS),
    **dict.fromkeys(("AD", "BC"), _pair("before_christ", "ad", "bc")),
    **dict.fromkeys(("A.D.", "B.C."), _pair("before_christ", "a.d.", "b.c.")),
    **dict.fromkeys(("AM", "PM"), _pair("afternoon", "am", "pm", _TWELVE_HOURS)),
    **dict.fromkeys(("A.M.", "P.M."), _pair("afternoon", "a.m.", "p.m.", _TWELVE_HOURS)),
}
_ISO = frozenset(("IYYY", "IYY", "IY", "I", "IW", "IDDD", "ID"))
_GREGORIAN = frozenset(
    ("Y,YYY", "YYYY", "YYY", "YY", "Y", "MONTH", "MON", "RM", "MM", "WW", "W", "DDD", "DD", "D")
)


def convention_of(node: Node) -> str:
    """Of the dates that a pattern belongs to: "iso", "gregorian", or "" for both."""
    word = node.word.upper()
    return "iso" if word in _ISO else "gregorian" if word in _GREGORIAN else ""


def _reads_digits(node: Node) -> bool:
    """Does the text of the node begin with a digit? (A fraction's FF need not, for PostgreSQL.)"""
    if node.kind != "pattern":
        return node.text in "0123456789"
    return node.word == "Y,YYY" or (
        node.word in _NUMBERS and node.word != "TZH" and not node.word.startswith("FF")
    )


def reader_of(node: Node, following: Node | None) -> Reader:
    """The reader of a pattern that has another node behind it, or none."""
    word = node.word.upper()
    if word in ("TZ", "OF"):
        return Unreadable(node.text)
    if word in _NAMES:
        return Name(node.text, _NAMES[word])
    if word == "Y,YYY":
        return GroupedYear(node.text, ordinal=bool(node.suffix))
    open_ended = node.fill or node.suffix or following is None or not _reads_digits(following)
    name, digits = _NUMBERS[word]
    number = Number(
        pattern=node.text,
        name=name,
        digits=digits,
        adjacent=not open_ended,
        ordinal=bool(node.suffix) and not name.startswith("zone"),
        meaning=_MEANINGS.get(word),
        also=_ALSO.get(word),
    )
    return ZoneHours(number) if word == "TZH" else number

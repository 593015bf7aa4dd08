"""Texts as intervals, by PostgreSQL's rules (documentation, 8.5.4; ISO 8601 is `interval_iso`).

Fields are read from right to left: a word names the unit of the number before it; a
number at the end without one counts seconds, one before a time of day counts days. `1-2` is years
and months. `ago` turns all signs. Behind `INTERVAL '…'`, the fields say what the last bare number
counts: `INTERVAL '1 2' DAY TO HOUR`.
"""

from __future__ import annotations

import re

from warehouse.execution.interval_iso import iso_interval
from warehouse.execution.interval_sums import (
    HOUR,
    MINUTE,
    SECOND,
    Sums,
    bad_format,
    out_of_range,
)

__all__ = ["parse_interval"]

_TOKEN = re.compile(r"[+-]?\s*[0-9][0-9.:-]*|\.[0-9]+|[a-z]+|@|\s+|,")
_NUMBER = re.compile(r"([+-]?)([0-9]*)(\.[0-9]*)?$")
_YEARS_MONTHS = re.compile(r"([+-]?)([0-9]+)-([0-9]+)$")
_CLOCK = re.compile(r"([+-]?)([0-9]+):([0-9]+)(?::([0-9]+)(\.[0-9]*)?|(\.[0-9]*))?$")

_NAMES: dict[str, str] = {
    "microsecond": "us microsecon microsecond microseconds usec usecond useconds usecs",
    "millisecond": "ms millisecon millisecond milliseconds msec msecond mseconds msecs",
    "second": "s sec second seconds secs",
    "minute": "m min mins minute minutes",
    "hour": "h hour hours hr hrs",
    "day": "d day days",
    "week": "w week weeks",
    "month": "mon mons month months",
    "year": "y year years yr yrs",
    "decade": "dec decade decades decs",
    "century": "c cent centuries century",
    "millennium": "mil millennia millennium mils",
}
_UNITS = {word: unit for unit, words in _NAMES.items() for word in words.split()}
_CLOCK_UNITS = {
    "hour": HOUR,
    "minute": MINUTE,
    "second": SECOND,
    "millisecond": 1000,
    "microsecond": 1,
}
_YEAR_UNITS = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}
_PARTS_OF_SECONDS = frozenset(("second", "millisecond", "microsecond"))
_WORD_MAX = 10  # letters of a unit that are looked at


def parse_interval(text: str, fields: str = "") -> tuple[int, int, int]:
    """(months, days, microseconds). Raises InvalidRequest (22007, 22008, 22015).

    Args:
        fields: those behind an interval's text, `day to hour`.
    """
    lowered = text.strip().lower()
    if lowered in ("infinity", "-infinity", "+infinity"):
        raise bad_format(text)
    sums = iso_interval(text) if lowered.startswith("p") else _fields(lowered, text, fields)
    return sums.parts()


def _tokens(lowered: str, text: str) -> list[str]:
    found, place = [], 0
    while place < len(lowered):
        match = _TOKEN.match(lowered, place)
        if match is None:
            raise bad_format(text)
        place = match.end()
        token = "".join(match[0].split())
        if token and token not in ("@", ","):
            found.append(token)
    return found


def _fields(lowered: str, text: str, fields: str) -> Sums:
    tokens = _tokens(lowered, text)
    before = "ago" in tokens
    sums, seen, unit = Sums(text), set[str](), ""
    for token in reversed(tokens):
        if token == "ago":
            continue
        if token[0].isalpha():
            if token[:_WORD_MAX] not in _UNITS:
                raise bad_format(text)
            unit = _UNITS[token[:_WORD_MAX]]
            continue
        used, unit = _number_or_clock(token, unit, sums, fields)
        if used & seen:
            raise bad_format(text)
        seen |= used
    if not seen:
        raise bad_format(text)
    return sums.turned() if before else sums


def _number_or_clock(token: str, unit: str, sums: Sums, fields: str) -> tuple[set[str], str]:
    """Adds one field; the units that it sets, and the unit of a bare number before it."""
    if ":" in token:
        _add_clock(token, sums, fields)
        return {"hour", "minute", *_PARTS_OF_SECONDS}, "day"
    pair = _YEARS_MONTHS.match(token)
    if pair is not None:
        if int(pair[3]) >= 12:
            raise out_of_range(sums.text)
        sign = -1 if pair[1] == "-" else 1
        sums.add_months(sign * (int(pair[2]) * 12 + int(pair[3])), 0)
        return {"month"}, "month"
    number = _NUMBER.match(token)
    if number is None:
        raise bad_format(sums.text)
    sign = -1 if number[1] == "-" else 1
    whole, fraction = sign * int(number[2] or "0"), sign * _fraction(number[3])
    unit = unit or (fields.rsplit(maxsplit=1)[-1] if fields else "second")
    _add(sums, unit, whole, fraction)
    used = set(_PARTS_OF_SECONDS) if unit == "second" and fraction else {unit}
    return used, "day" if unit == "hour" else unit


def _fraction(digits: str | None) -> float:
    return float(f"0{digits}0") if digits else 0.0


def _add_clock(token: str, sums: Sums, fields: str) -> None:
    found = _CLOCK.match(token)
    if found is None:
        raise bad_format(sums.text)
    sign, first, second, third, fraction, short = found.groups()
    hours, minutes, seconds = int(first), int(second), int(third or 0)
    if short is not None or (third is None and fields == "minute to second"):
        # `mm:ss.f`: a fraction makes two numbers minutes and seconds.
        hours, minutes, seconds, fraction = 0, hours, minutes, short
    if minutes > 59 or seconds > 59 + (short is None):
        raise out_of_range(sums.text)
    factor = -1 if sign == "-" else 1
    for value, unit in ((hours, HOUR), (minutes, MINUTE)):
        sums.add_time(factor * value, 0, unit)
    microseconds = round(_fraction(fraction) * SECOND)  # half to even, other than elsewhere
    sums.add_time(factor * (seconds * SECOND + microseconds), 0, 1)


def _add(sums: Sums, unit: str, whole: int, fraction: float) -> None:
    if unit in _CLOCK_UNITS:
        sums.add_time(whole, fraction, _CLOCK_UNITS[unit])
    elif unit in _YEAR_UNITS:
        sums.add_years(whole, fraction, _YEAR_UNITS[unit])
    elif unit == "month":
        sums.add_months(whole, fraction)
    else:
        sums.add_days(whole, fraction, 7 if unit == "week" else 1)

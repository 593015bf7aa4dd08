"""Texts as intervals, by PostgreSQL's rules (its `DecodeInterval` and `DecodeISO8601Interval`).

Fields are read from right to left, as there: a word names the unit of the number before it; a
number at the end without one counts seconds, one before a time of day counts days. `1-2` is years
and months. A fraction goes on in smaller units (half a month is 15 days). `ago` turns all signs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from storage.errors import InvalidRequest

__all__ = ["parse_interval"]

_TOKEN = re.compile(r"[+-]?\s*(?:[0-9][0-9.:-]*|\.[0-9]+)|[a-z]+|@|\s+|,")
_NUMBER = re.compile(r"([+-]?)([0-9]*)(\.[0-9]*)?$")
_YEARS_MONTHS = re.compile(r"([+-]?)([0-9]+)-([0-9]+)$")
_CLOCK = re.compile(r"([+-]?)([0-9]+):([0-9]+)(?::([0-9]+)(\.[0-9]*)?|(\.[0-9]*))?$")
_ISO_PART = re.compile(r"([+-]?[0-9]*(?:\.[0-9]*)?)([ymwdhs])")
_ISO_DATE = re.compile(r"([+-]?[0-9]+)-([0-9]+)-([0-9]+)$")

_DAY = 86_400_000_000
_HOUR = 3_600_000_000
_MINUTE = 60_000_000
_SECOND = 1_000_000

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
_CLOCK_UNITS = {"hour": _HOUR, "minute": _MINUTE, "second": _SECOND, "millisecond": 1000}
_YEAR_UNITS = {"year": 1, "decade": 10, "century": 100, "millennium": 1000}


@dataclass(slots=True)
class _Sums:
    months: int = 0
    days: int = 0
    microseconds: int = 0


def parse_interval(text: str) -> tuple[int, int, int]:
    """(months, days, microseconds). Raises InvalidRequest (22007, 22015)."""
    lowered = text.strip().lower()
    if lowered in ("infinity", "-infinity", "+infinity"):
        raise _bad_format(text)
    sums = _iso(lowered, text) if lowered.startswith("p") else _fields(lowered, text)
    if not all(-(2**31) <= part < 2**31 for part in (sums.months, sums.days)):
        raise _out_of_range(text)
    if not -(2**63) <= sums.microseconds < 2**63:
        raise _out_of_range(text)
    return sums.months, sums.days, sums.microseconds


def _bad_format(text: str) -> InvalidRequest:
    return InvalidRequest(f'invalid input syntax for type interval: "{text}"', "22007")


def _out_of_range(text: str) -> InvalidRequest:
    return InvalidRequest(f'interval field value out of range: "{text}"', "22015")


def _tokens(lowered: str, text: str) -> list[str]:
    found, place = [], 0
    while place < len(lowered):
        match = _TOKEN.match(lowered, place)
        if match is None:
            raise _bad_format(text)
        place = match.end()
        token = "".join(match[0].split())
        if token and token not in ("@", ","):
            found.append(token)
    return found


def _fields(lowered: str, text: str) -> _Sums:
    tokens = _tokens(lowered, text)
    before = "ago" in tokens
    sums, seen, unit = _Sums(), set[str](), ""
    for token in reversed(tokens):
        if token == "ago":
            continue
        if token[0].isalpha():
            if token not in _UNITS:
                raise _bad_format(text)
            unit = _UNITS[token]
            continue
        used, unit = _number_or_clock(token, unit, sums, text)
        if used & seen:
            raise _bad_format(text)
        seen |= used
    if not seen:
        raise _bad_format(text)
    if before:
        sums = _Sums(-sums.months, -sums.days, -sums.microseconds)
    return sums


def _number_or_clock(token: str, unit: str, sums: _Sums, text: str) -> tuple[set[str], str]:
    """Adds one field; the units that it sets, and the unit of a bare number before it."""
    if ":" in token:
        sums.microseconds += _clock(token, text)
        return {"hour", "minute", "second"}, "day"
    pair = _YEARS_MONTHS.match(token)
    if pair is not None:
        if int(pair[3]) >= 12:
            raise _out_of_range(text)
        months = int(pair[2]) * 12 + int(pair[3])
        sums.months += -months if pair[1] == "-" else months
        return {"month"}, "month"
    number = _NUMBER.match(token)
    if number is None:
        raise _bad_format(text)
    sign = -1 if number[1] == "-" else 1
    whole, fraction = sign * int(number[2] or "0"), sign * _fraction(number[3])
    unit = unit or "second"
    _add(sums, unit, whole, fraction)
    return {unit}, unit


def _fraction(digits: str | None) -> float:
    return float(f"0{digits}0") if digits else 0.0


def _clock(token: str, text: str) -> int:
    found = _CLOCK.match(token)
    if found is None:
        raise _bad_format(text)
    sign, first, second, third, fraction, short = found.groups()
    hours, minutes, seconds = int(first), int(second), int(third or 0)
    if short is not None:
        # `mm:ss.f`: only a fraction makes two numbers minutes and seconds.
        hours, minutes, seconds, fraction = 0, hours, minutes, short
    if minutes > 59 or seconds > 59 + (short is None):
        raise _out_of_range(text)
    total = hours * _HOUR + minutes * _MINUTE + seconds * _SECOND
    total += round(_fraction(fraction) * _SECOND)
    return -total if sign == "-" else total


def _add(sums: _Sums, unit: str, whole: int, fraction: float) -> None:
    if unit in _CLOCK_UNITS:
        size = _CLOCK_UNITS[unit]
        sums.microseconds += whole * size + round(fraction * size)
    elif unit == "microsecond":
        sums.microseconds += whole + round(fraction)
    elif unit in _YEAR_UNITS:
        years = _YEAR_UNITS[unit]
        sums.months += whole * years * 12 + round(fraction * years * 12)
    elif unit == "month":
        sums.months += whole
        _add_days(sums, fraction * 30)
    else:
        days = 7 if unit == "week" else 1
        sums.days += whole * days
        _add_days(sums, fraction * days)


def _add_days(sums: _Sums, days: float) -> None:
    whole = int(days)
    sums.days += whole
    sums.microseconds += round((days - whole) * _DAY)


def _iso(lowered: str, text: str) -> _Sums:
    date, mark, clock = lowered[1:].partition("t")
    if not (date or mark):
        raise _bad_format(text)
    sums = _Sums()
    whole = _ISO_DATE.match(date)
    if whole is not None:
        sums.months = int(whole[1]) * 12 + int(whole[2])
        sums.days = int(whole[3])
    else:
        _iso_parts(date, {"y": "year", "m": "month", "w": "week", "d": "day"}, sums, text)
    if ":" in clock:
        sums.microseconds += _clock(clock, text)
    else:
        _iso_parts(clock, {"h": "hour", "m": "minute", "s": "second"}, sums, text)
    return sums


def _iso_parts(part: str, units: dict[str, str], sums: _Sums, text: str) -> None:
    place = 0
    while place < len(part):
        found = _ISO_PART.match(part, place)
        if found is None or found[2] not in units or not any(c.isdigit() for c in found[1]):
            raise _bad_format(text)
        place = found.end()
        number = _NUMBER.match(found[1])
        assert number is not None
        sign = -1 if number[1] == "-" else 1
        whole = sign * int(number[2] or "0")
        _add(sums, units[found[2]], whole, sign * _fraction(number[3]))

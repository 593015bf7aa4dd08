"""Texts as dates, times and timestamps, in the forms that PostgreSQL reads (DateStyle ISO, MDY).

`2024-01-05`, `20240105`, `Jan 8, 1999`, `8-Jan-1999`, `1/8/1999` (month first), `1999.008`,
`J2451187`, `44-03-15 BC`; with `10:11:12.5`, `10:11 PM`, `T101112`, a zone (`+02:30`, `Z`, `PST`,
`Europe/Berlin`), a day of the week; `epoch`, `now`, `today`, `tomorrow`, `yesterday`, `allballs`.

Results are numbers, because Python's own dates end at the years 1 and 9999: days since 1970-01-01,
microseconds since its midnight, microseconds since midnight for a time of day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from storage.errors import InvalidRequest, NotYet
from warehouse.execution.time_zones import offset_of

__all__ = ["date", "days_of", "time_of_day", "timestamp", "timestamptz"]

_DAY = 86_400_000_000
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MONTH_NAMES = {
    **{name: i for i, name in enumerate(_MONTHS, 1)},
    **{name: i for i, name in enumerate(_LONG_MONTHS, 1)},
    "sept": 9,
}
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_WEEKDAYS = frozenset([*_DAYS, *(day[:3] for day in _DAYS), "tues", "weds", "thur", "thurs"])
_DATE_FIRST = -2_440_588  # 4714-11-24 BC
_DATE_LAST = 95_026_236  # end of the year 262142
_MOMENT_LAST = (_DATE_LAST + 1) * _DAY - 1

_CLOCK = re.compile(
    r"(?:(?<=[\st])|^)([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(\.[0-9]*)?)?(?:\s*(am|pm)\b)?"
    r"(?![0-9:.])"
)
_COMPACT = re.compile(r"t?([0-9]{2})([0-9]{2})([0-9]{2})?(\.[0-9]+)?(?=$|[\s+z-])")
_COMPACT_MOMENT = re.compile(
    r"([0-9]{8}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})(?:t|\s+)"
    r"([0-9]{2})([0-9]{2})([0-9]{2})?(\.[0-9]+)?"
)
_ZONE = re.compile(
    r"\s*(?:(?P<sign>[+-])(?P<h>[0-9]{1,2})(?::?(?P<m>[0-9]{2}))?(?::?(?P<s>[0-9]{2}))?"
    r"|(?P<name>[a-z][a-z_]*(?:/[a-z_+\-0-9]+)*))\s*$"
)


@dataclass(slots=True)
class _Parts:
    """What a text says; `offset` in seconds east of UTC, or the name of a `zone`."""

    days: int | None = None
    microseconds: int | None = None
    offset: int = 0
    zone: str | None = None


def date(text: str, *, now: datetime | None) -> int:
    """The day's number."""
    moment = _special(text, "date", now)
    if moment is not None:
        return moment // _DAY
    parts = _parsed(text, "date")
    if parts.days is None:
        raise _invalid(text, "date")
    if not _DATE_FIRST <= parts.days <= _DATE_LAST:
        raise InvalidRequest(f'date out of range: "{text}"', "22008")
    return parts.days


def timestamp(text: str, *, now: datetime | None) -> int:
    """Microseconds; a zone in the text has no effect."""
    return _moment(text, "timestamp", now, zoned=False)


def timestamptz(text: str, *, now: datetime | None) -> int:
    """Microseconds in UTC, which is also the zone of a text without one."""
    return _moment(text, "timestamp with time zone", now, zoned=True)


def _moment(text: str, kind: str, now: datetime | None, *, zoned: bool) -> int:
    moment = _special(text, kind, now)
    if moment is not None:
        return moment
    parts = _parsed(text, kind)
    if parts.days is None:
        raise _invalid(text, kind)
    whole = parts.days * _DAY + (parts.microseconds or 0)
    if zoned:
        offset = parts.offset if parts.zone is None else offset_of(parts.zone, whole)
        whole -= (offset or 0) * 1_000_000
    if not _DATE_FIRST * _DAY <= whole <= _MOMENT_LAST:
        raise InvalidRequest(f'timestamp out of range: "{text}"', "22008")
    return whole


def time_of_day(text: str, *, now: datetime | None) -> int:
    """Microseconds since midnight."""
    moment = _special(text, "time", now)
    if moment is not None and text.strip().lower() == "now":
        return moment % _DAY
    if text.strip().lower() == "allballs":
        return 0
    parts = _parsed(text, "time")
    if parts.microseconds is None:
        raise _invalid(text, "time")
    if parts.microseconds >= _DAY:
        raise NotYet(f'the time "{text}": 24:00:00 is not supported')
    return parts.microseconds


def _invalid(text: str, kind: str) -> InvalidRequest:
    return InvalidRequest(f'invalid input syntax for type {kind}: "{text}"', "22007")


def _field(text: str) -> InvalidRequest:
    return InvalidRequest(f'date/time field value out of range: "{text}"', "22008")


def _special(text: str, kind: str, now: datetime | None) -> int | None:
    """Microseconds of a word that stands for a moment; None if the text is none."""
    word = text.strip().lower()
    if word == "epoch" and kind != "time":
        return 0
    if word in ("infinity", "-infinity", "+infinity") and kind != "time":
        raise NotYet(f'the {kind} "{word}" is not supported')
    if word not in ("now", "today", "tomorrow", "yesterday") or now is None:
        return None
    micro = (now - datetime(1970, 1, 1)) // timedelta(microseconds=1)
    if word == "now":
        return micro
    shift = {"today": 0, "tomorrow": 1, "yesterday": -1}[word]
    return (micro // _DAY + shift) * _DAY


def days_of(year: int, month: int, day: int) -> int:
    """The number of a date of the Gregorian calendar; year 0 is 1 BC.

    H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    """
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _parsed(text: str, kind: str) -> _Parts:
    rest = text.strip().lower()
    if not rest:
        raise _invalid(text, kind)
    parts = _Parts()
    found = _CLOCK.search(rest)
    if found is not None:
        parts.microseconds = _clock(found.groups(), text)
        before, after = rest[: found.start()], rest[found.end() :]
        if before == "t":
            raise _invalid(text, kind)
        rest = _without_zone(before, after, parts, text, kind)
    else:
        rest = _without_compact(rest, parts, text, kind)
    rest = rest.strip().removesuffix("t").strip() if found is not None else rest.strip()
    era_bc = re.search(r"\bbc$", rest) is not None
    rest = re.sub(r"\s*\b(bc|ad)$", "", rest).strip()
    words = [word for word in re.split(r"[\s,]+", rest) if word and word not in _WEEKDAYS]
    if words:
        parts.days = _day(" ".join(words), era_bc, text, kind)
    return parts


def _clock(groups: tuple[str | None, ...], text: str) -> int:
    hour, minute, second, fraction, half = groups
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if half is not None:
        if not 1 <= hours <= 12:
            raise _field(text)
        hours = hours % 12 + (12 if half == "pm" else 0)
    micro = round(float(f"0{fraction or '.'}0") * 1_000_000)
    total = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micro
    if minutes > 59 or seconds > 60 or hours > 24 or total > _DAY:
        raise _field(text)
    return total


def _without_zone(before: str, after: str, parts: _Parts, text: str, kind: str) -> str:
    """The date's text, around a time and without the zone that follows it."""
    year = ""
    trailing = re.match(r"\s+([0-9]{4,6})\b(?!:)(.*)$", after)
    if trailing is not None and re.search(r"[a-z]", before):
        year, after = f" {trailing[1]}", trailing[2]  # Fri Jan 05 10:00:00 2024 PST
    era = re.search(r"\s*\b(bc|ad)\s*$", after)
    if era is not None:
        year, after = f"{year} {era[1]}", after[: era.start()]
    if after.strip():
        found = _ZONE.match(after)
        if found is None:
            raise _invalid(text, kind)
        if found["sign"]:
            parts.offset = _displacement(found, text)
        elif offset_of(found["name"], 0) is None:
            raise _invalid(text, kind)
        parts.zone = found["name"]
    return before.rstrip().removesuffix("t") + year if year else before


def _displacement(found: re.Match[str], text: str) -> int:
    hours, minutes, seconds = (int(found[part] or 0) for part in "hms")
    if hours > 15 or minutes > 59 or seconds > 59:
        raise InvalidRequest(f'time zone displacement out of range: "{text}"', "22009")
    total = hours * 3600 + minutes * 60 + seconds
    return -total if found["sign"] == "-" else total


def _without_compact(rest: str, parts: _Parts, text: str, kind: str) -> str:
    """The date's text of a text without colons: a time may follow as T101112."""
    if kind == "time":
        found = _COMPACT.match(rest)
        if found is None:
            raise _invalid(text, kind)
        parts.microseconds = _clock((*found.groups(), None), text)
        return _without_zone("", rest[found.end() :], parts, text, kind)
    found = re.match(
        r"([0-9]{8}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})(?:t|\s+)([0-9]{2})([0-9]{2})([0-9]{2})?(\.[0-9]+)?",
        rest,
    )
    if found is None:
        return re.sub(r"(?<=[0-9])\s*(z|utc|gmt)$", "", rest)
    parts.microseconds = _clock((*found.groups()[1:], None), text)
    return _without_zone(found[1], rest[found.end() :], parts, text, kind)


def _day(rest: str, era_bc: bool, text: str, kind: str) -> int:
    found = re.fullmatch(r"j([0-9]+)", rest)
    if found is not None:
        return int(found[1]) + _DATE_FIRST
    found = re.fullmatch(r"([0-9]{4,6})[.-]([0-9]{3})", rest)
    if found is not None:
        return _of_year(int(found[1]), int(found[2]), text)
    year, month, day = _year_month_day(rest, text, kind)
    if year is None:
        raise _invalid(text, kind)
    number = int(year)
    if len(year) <= 2 and not era_bc:
        number += 2000 if number < 70 else 1900
    if number == 0:
        raise _field(text)
    number = 1 - number if era_bc else number
    if not 1 <= month <= 12 or not 1 <= day <= _month_days(number, month):
        raise _field(text)
    return days_of(number, month, day)


def _of_year(year: int, number: int, text: str) -> int:
    if not 1 <= number <= 366:
        raise _field(text)
    return days_of(year, 1, 1) + number - 1


def _month_days(year: int, month: int) -> int:
    following = (year, month + 1) if month < 12 else (year + 1, 1)
    return days_of(*following, 1) - days_of(year, month, 1)


def _year_month_day(rest: str, text: str, kind: str) -> tuple[str | None, int, int]:
    """Year (as digits), month and day of any order that has only one reading, or month first."""
    found = re.fullmatch(r"([0-9]{3,7})([-/.]|\s+)([0-9]{1,2})\2([0-9]{1,2})", rest)
    if found is not None:
        return found[1], int(found[3]), int(found[4])
    found = re.fullmatch(r"([0-9]{4,6})([0-9][0-9])([0-9][0-9])", rest) or re.fullmatch(
        r"([0-9][0-9])([0-9][0-9])([0-9][0-9])", rest
    )
    if found is not None:
        return found[1], int(found[2]), int(found[3])
    found = re.fullmatch(r"([0-9]{1,2})([-/.]|\s+)([0-9]{1,2})\2([0-9]{1,6})", rest)
    if found is not None:
        return found[4], int(found[1]), int(found[3])
    pieces = re.findall(r"[a-z]+|[0-9]+", rest)
    if re.fullmatch(r"[a-z0-9\s./-]+", rest) is None or len(pieces) != 3:
        return None, 0, 0
    names = [i for i, piece in enumerate(pieces) if piece in _MONTH_NAMES]
    numbers = [piece for piece in pieces if piece.isdigit()]
    if len(names) != 1 or len(numbers) != 2:
        return None, 0, 0
    month = _MONTH_NAMES[pieces[names[0]]]
    if len(numbers[0]) > 2:
        return numbers[0], month, int(numbers[1])
    return numbers[1], month, int(numbers[0])

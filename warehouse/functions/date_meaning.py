"""The day and the time that the fields of a text come to.

A text may say a day in several ways at once. From the widest to the narrowest:

1. a year, maybe with its century or only that: its first day. None: of 1 BC;
2. a Julian day, whatever the year;
3. a week of the ISO year, on its Monday or another weekday;
4. a month, and a day or week of the month: each takes the place of what the wider ways say;
5. a day or week of the year: only if there is no other month, or day, than a first.

A weekday beside anything else than an ISO week means nothing. Where the ways meet oddly, the
answers are those of PostgreSQL 16; so are the errors, and which comes first: of the clock, day or
zone.
"""

from __future__ import annotations

from bisect import bisect_left
from calendar import isleap, monthrange
from itertools import accumulate

from storage.errors import InvalidRequest
from warehouse.functions.date_fields import Fields, invalid
from warehouse.functions.day_numbers import civil, julian, week_start

__all__ = ["moment_of"]

_MINUTE = 60_000_000  # microseconds
_Date = tuple[int, int, int]

# How many days of the year are before each month, by whether it is a leap year.
_DAYS_BEFORE = {
    isleap(year): (0, *accumulate(monthrange(year, month)[1] for month in range(1, 13)))
    for year in (2023, 2024)
}


def moment_of(fields: Fields, text: str) -> tuple[int, int]:
    """The Julian day, and the microseconds from its midnight in UTC: not all are of that day.

    Raises InvalidRequest (22007, 22008, 22009), where it has to with the text that was read.
    """
    hour, minute, second = _clock(fields)
    fraction = fields.milliseconds * 1000 + fields.microseconds
    year, month, day = _date(fields)
    fits = 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= fraction < 1_000_000
    if not fits or not _is_date(year, month, day, fields):
        raise InvalidRequest(f'date/time field value out of range: "{text}"', "22008")
    if not (0 <= fields.zone_hours < 16 and 0 <= fields.zone_minutes < 60):
        raise InvalidRequest(f'time zone displacement out of range: "{text}"', "22009")
    zone = fields.zone_sign * (fields.zone_hours * 60 + fields.zone_minutes)
    microseconds = (hour * 60 + minute - zone) * _MINUTE + second * 1_000_000 + fraction
    return julian(year, month, day), microseconds


def _clock(fields: Fields) -> tuple[int, int, int]:
    """Hour, minute and second; those that are not said are those of the seconds of the day."""
    hour, minute, second = _hour_minute_second(fields.seconds_of_day)
    hour = fields.hour or hour
    if fields.twelve_hours:
        if not 1 <= hour <= 12:
            raise invalid(f'hour "{hour}" is invalid for the 12-hour clock')
        hour = hour % 12 + 12 * fields.afternoon
    return hour, fields.minute or minute, fields.second or second


def _hour_minute_second(seconds: int) -> tuple[int, int, int]:
    """All below 0 if the seconds are."""
    sign = -1 if seconds < 0 else 1
    minutes, second = divmod(abs(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return sign * hour, sign * minute, sign * second


def _year(fields: Fields) -> int:
    """The astronomical year; 0 if there is none."""
    year, before = fields.year, fields.before_christ
    century = -fields.century if before else fields.century
    if century and (fields.year_digits <= 2 or not year):
        return _year_of_century(year, century)
    year = -year if before else year
    return year + 1 if year < 0 else year


def _year_of_century(year: int, century: int) -> int:
    """The 21st century has the years 2001 to 2100, the first before Christ 100 BC to 1 BC: its
    years are counted from 1 to 100, backwards before Christ. No year: that when it began."""
    began = 1 if century > 0 else 100
    last_digits = abs(year) % 100 * (1 if year > 0 else -1)
    counted = (abs(century) - 1) * 100 + (last_digits or 100 if year else began)
    return counted if century > 0 else 1 - counted


def _date(fields: Fields) -> _Date:
    date = civil(fields.julian_day) if fields.julian_day else (_year(fields), 1, 1)
    if fields.iso_week:
        date = civil(_iso_day(date[0], fields.iso_week, fields.weekday))
    year, month, day = date
    month = fields.month or month
    day = _first_day(fields.week_of_month) or fields.day or day
    if month <= 1 or day <= 1:
        return _within_year(year, month, day, fields)
    return year, month, day


def _first_day(week: int) -> int:
    """The weeks of a month or year begin on its days 1, 8, 15 …; 0 if there is no week."""
    return week * 7 - 6 if week else 0


def _iso_day(year: int, week: int, weekday: int) -> int:
    """Its Julian day. A weekday that there is not is a Sunday."""
    from_monday = weekday - 2 if weekday > 1 else 6 if weekday else 0
    return week_start(year) + (week - 1) * 7 + from_monday


def _within_year(year: int, month: int, day: int, fields: Fields) -> _Date:
    """A date whose month or day is a first, by its day of the year if there is one."""
    ordinal = _first_day(fields.week) or fields.day_of_year
    if not ordinal and not fields.iso_day_of_year:
        return year, month, day
    if not year and not fields.before_christ:
        raise invalid("cannot calculate day of year without year information")
    if fields.iso_day_of_year:
        return civil(week_start(year) - 1 + fields.iso_day_of_year)
    own_month, own_day = _month_and_day(year, ordinal)
    return year, own_month if month <= 1 else month, own_day if day <= 1 else day


def _month_and_day(year: int, ordinal: int) -> tuple[int, int]:
    """Of a day of the year. Behind December comes a month 13; days below 1 are January's."""
    before = _DAYS_BEFORE[isleap(year)]
    month = max(bisect_left(before, ordinal), 1)
    return month, ordinal - before[month - 1]


def _is_date(year: int, month: int, day: int, fields: Fields) -> bool:
    """Is there such a day? A date without a year need not be one: 31 days of February count on."""
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return False
    if day <= 28 or not (fields.year or fields.century or fields.julian_day or fields.iso_week):
        return True
    return civil(julian(year, month, day))[1] == month

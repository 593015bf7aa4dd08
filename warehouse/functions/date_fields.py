"""What a date and time picture read, and the date and time that it makes.

The fields may say the same thing in several ways: a year and its day, an ISO week, a Julian day, a
century; PostgreSQL's `do_to_timestamp` decides which of them count.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.errors import InvalidRequest
from warehouse.functions.date_pictures import civil, julian

__all__ = ["Fields", "Resolver", "invalid", "week_start"]


@dataclass(slots=True)
class Fields:
    """What was read; 0 is nothing, as in PostgreSQL. `mode`: "", "gregorian" or "iso"; `precision`:
    the digits of a second's fraction that a timestamp keeps."""

    values: dict[str, int] = field(default_factory=dict)
    mode: str = ""
    twelve_hours: bool = False
    year_digits: int = 0
    zone_sign: int = 0
    precision: int = 6

    def get(self, name: str) -> int:
        """The field of a name; 0 if it was not read."""
        return self.values.get(name, 0)


def invalid(message: str) -> InvalidRequest:
    """The error of a text that does not fit its picture."""
    return InvalidRequest(message, "22007")


class Resolver:
    """The date and time of the fields. Raises InvalidRequest (22007, 22008)."""

    def __init__(self, text: str, fields: Fields) -> None:
        self.text = text
        self.fields = fields
        self.year, self.month, self.day = 0, 1, 1
        self.given: set[str] = set()
        self.time = self._time()
        self._date()

    def _out_of_range(self) -> InvalidRequest:
        return InvalidRequest(f'date/time field value out of range: "{self.text}"', "22008")

    def _time(self) -> int:
        get = self.fields.get
        hour, rest = divmod(get("ssss"), 3600)
        minute, second = divmod(rest, 60)
        hour, minute, second = get("hh") or hour, get("mi") or minute, get("ss") or second
        if self.fields.twelve_hours:
            if not 1 <= hour <= 12:
                raise invalid(f'hour "{hour}" is invalid for the 12-hour clock')
            if get("pm") and hour < 12:
                hour += 12
            elif not get("pm") and hour == 12:
                hour = 0
        fraction = get("ms") * 1000 + get("us")
        self._time_fits = (
            0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= fraction < 1_000_000
        )
        return ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction

    def _date(self) -> None:
        get = self.fields.get
        self._set_year()
        if get("j"):
            self._set_day(get("j"))
        ordinal = get("ddd")
        if get("ww"):
            if self.fields.mode == "iso":
                self._set_day(self._iso_day(get("ww"), get("d")))
            else:
                ordinal = (get("ww") - 1) * 7 + 1
        day = (get("w") - 1) * 7 + 1 if get("w") else get("dd")
        if day:
            self.day = day
            self.given.add("day")
        if get("mm"):
            self.month = get("mm")
            self.given.add("month")
        if ordinal and (self.month <= 1 or self.day <= 1):
            self._set_ordinal(ordinal)
        self._check()

    def _set_year(self) -> None:
        get = self.fields.get
        year, before = get("year"), bool(get("bc"))
        century = -get("cc") if before else get("cc")
        if year:
            self.given.add("year")
            if century and self.fields.year_digits <= 2:
                self.year = _in_century(year % 100, century)
            else:
                year = -year if before else year
                self.year = year + 1 if year < 0 else year
        elif century:
            self.given.add("year")
            self.year = (century - 1) * 100 + 1 if century >= 0 else century * 100 + 1

    def _set_day(self, number: int) -> None:
        self.year, self.month, self.day = civil(number)
        self.given |= {"year", "month", "day"}

    def _iso_day(self, week: int, weekday: int) -> int:
        start = week_start(self.year) + (week - 1) * 7
        if not weekday:
            return start
        return start + (weekday - 2 if weekday > 1 else 6)

    def _set_ordinal(self, ordinal: int) -> None:
        if not self.year and not self.fields.get("bc"):
            raise invalid("cannot calculate day of year without year information")
        if self.fields.mode == "iso":
            self._set_day(week_start(self.year) - 1 + ordinal)
            return
        first = julian(self.year, 1, 1)
        length = julian(self.year + 1, 1, 1) - first
        if ordinal > length:
            month, day = 13, ordinal - length
        else:
            _, month, day = civil(first + max(ordinal, 1) - 1)
            day += min(ordinal, 1) - 1
        self.month = month if self.month <= 1 else self.month
        self.day = day if self.day <= 1 else self.day
        self.given |= {"month", "day"}

    def _check(self) -> None:
        bad = ("month" in self.given and not 1 <= self.month <= 12) or (
            "day" in self.given and not 1 <= self.day <= 31
        )
        if not bad and self.given >= {"year", "month", "day"}:
            following = julian(self.year + self.month // 12, self.month % 12 + 1, 1)
            bad = self.day > following - julian(self.year, self.month, 1)
        get = self.fields.get
        zone = self.fields.zone_sign and not (0 <= get("tzh") <= 15 and 0 <= get("tzm") < 60)
        if bad or not self._time_fits or zone:
            raise self._out_of_range()

    def days(self) -> int:
        """The Julian day."""
        return julian(self.year, self.month, self.day)

    def microseconds(self) -> int:
        """Of the day."""
        return self.time

    def zone(self) -> int:
        """Microseconds east of Greenwich."""
        get = self.fields.get
        return self.fields.zone_sign * (get("tzh") * 60 + get("tzm")) * 60_000_000


def _in_century(year: int, century: int) -> int:
    """The 21st century runs from 2001 to 2100."""
    if year:
        return year + (century - 1) * 100 if century >= 0 else (century + 1) * 100 - year + 1
    return century * 100 + (0 if century >= 0 else 1)


def week_start(year: int) -> int:
    """The Julian day of the Monday of the first ISO week."""
    fourth = julian(year, 1, 4)
    return fourth - fourth % 7

"""Intervals in ISO 8601: `P1Y2M3DT4H`, and its alternative forms `P0001-02-03T04:05:06`.

A port of PostgreSQL's `DecodeISO8601Interval` in datetime.c.
"""

from __future__ import annotations

import math
import re

from warehouse.execution.interval_sums import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Sums,
    bad_format,
    out_of_range,
)

__all__ = ["iso_interval"]

_NUMBER = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NUMBER_MAX = 1.0e15
_TIMES = {"H": HOUR, "M": MINUTE, "S": SECOND}


def iso_interval(text: str) -> Sums:
    """Raises InvalidRequest (22007, 22015)."""
    if len(text) < 2 or text[0] != "P":
        raise bad_format(text)
    reader = _Reader(text)
    while reader.place < len(text):
        if text[reader.place] == "T":
            reader.of_time()
        elif reader.in_date:
            reader.date_part()
        else:
            reader.time_part()
    return reader.sums


class _Reader:
    """The text, from left to right. `fresh`: no field has been read in this half."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 1
        self.in_date = True
        self.fresh = True
        self.sums = Sums(text)

    def of_time(self) -> None:
        self.in_date, self.fresh = False, True
        self.place += 1

    def number(self) -> tuple[int, float]:
        found = _NUMBER.match(self.text, self.place)
        if found is None:
            raise bad_format(self.text)
        self.place = found.end()
        value = float(found[0])
        if abs(value) > _NUMBER_MAX:
            raise out_of_range(self.text)
        whole = math.trunc(value)
        return whole, value - whole

    def unit(self) -> str:
        """The next letter, or nothing at the end."""
        letter = self.text[self.place : self.place + 1]
        self.place += 1
        return letter

    def date_part(self) -> None:
        start = self.place
        whole, fraction = self.number()
        match self.unit():
            case "Y":
                self.sums.add_years(whole, fraction)
            case "M":
                self.sums.add_months(whole, fraction)
            case "W":
                self.sums.add_days(whole, fraction, 7)
            case "D":
                self.sums.add_days(whole, fraction)
            case "" | "T" as end if self._width(start) == 8 and self.fresh:
                years, rest = _split(whole, 10_000)
                months, days = _split(rest, 100)
                self.sums.add_years(years, 0)
                self.sums.add_months(months, 0)
                self.sums.add_days(days, 0)
                self.sums.add_time(0, fraction, DAY)
                self._ends(end)
                return
            case "" | "T" | "-" as mark if self.fresh:
                self._dashed(whole, fraction, mark)
                return
            case _:
                raise bad_format(self.text)
        self.fresh = False

    def _dashed(self, whole: int, fraction: float, mark: str) -> None:
        """`years-months-days`, from behind the years."""
        self.sums.add_years(whole, fraction)
        if mark == "-":
            self.sums.add_months(*self.number())
            mark = self.unit()
        if mark == "-":
            whole, fraction = self.number()
            self.sums.add_days(whole, fraction)
            mark = self.unit()
        if mark == "-":
            raise bad_format(self.text)
        self._ends(mark)

    def _ends(self, mark: str) -> None:
        """Nothing, or the time of day, comes behind the date."""
        if mark not in ("", "T"):
            raise bad_format(self.text)
        if mark:
            self.in_date, self.fresh = False, True

    def time_part(self) -> None:
        start = self.place
        whole, fraction = self.number()
        match self.unit():
            case "H" | "M" | "S" as letter:
                self.sums.add_time(whole, fraction, _TIMES[letter])
            case "" if self._width(start) == 6 and self.fresh:
                hours, rest = _split(whole, 10_000)
                minutes, seconds = _split(rest, 100)
                for value, unit in ((hours, HOUR), (minutes, MINUTE), (seconds, SECOND)):
                    self.sums.add_time(value, 0, unit)
                self.sums.add_time(0, fraction, 1)
            case "" | ":" as mark if self.fresh:
                self._clock(whole, fraction, mark)
            case _:
                raise bad_format(self.text)
        self.fresh = False

    def _clock(self, whole: int, fraction: float, mark: str) -> None:
        """`hours:minutes:seconds`, from behind the hours."""
        self.sums.add_time(whole, fraction, HOUR)
        for unit in (MINUTE, SECOND):
            if mark == ":":
                self.sums.add_time(*self.number(), unit)
                mark = self.unit()
        if mark:
            raise bad_format(self.text)

    def _width(self, start: int) -> int:
        """How many digits the number at `start` has before its point."""
        found = re.compile(r"-?([0-9]*)").match(self.text, start)
        return 0 if found is None else len(found[1])


def _split(value: int, size: int) -> tuple[int, int]:
    """Quotient and remainder, both with the sign of the value."""
    sign = -1 if value < 0 else 1
    return sign * (abs(value) // size), sign * (abs(value) % size)

"""The fields of a date and time picture: how their readers take them from a text.

Reading, a field takes the text from the cursor's place on, tells the `Fields` what it found, and
leaves the cursor behind it. There are few kinds: numbers, years with a comma, names, and hours of a
time zone; `date_patterns` says which pattern is what.

Facts are those of PostgreSQL 16, from its manual (9.8) and its answers:

- 0 is nothing: a field that reads 0 is as if it were not there.
- A number takes all digits that come, but just its own places if digits follow it in the picture
  (`YYYYMM`); a sign takes one of them. Blanks alone are then a 0, if there is text enough.
- A field that comes twice must repeat itself, in a way: what the text says the second time must be
  what the first time came to mean (`YY YY` of "5 2005").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from storage.errors import InvalidRequest

__all__ = [
    "Cursor",
    "Fields",
    "GroupedYear",
    "Name",
    "Names",
    "Number",
    "Reader",
    "Unreadable",
    "ZoneHours",
    "invalid",
]

_INT4 = range(-(2**31), 2**31)
_BLANKS = re.compile(r"\s*", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_GROUPED = re.compile(r"\s*([+-]?\d+),\s*(\d{1,3}|[+-]\d{1,2})", re.ASCII)


def invalid(message: str) -> InvalidRequest:
    """The error of a text that does not fit its picture."""
    return InvalidRequest(message, "22007")


@dataclass(slots=True)
class Fields:
    """What a text said; 0 is nothing.

    `weekday`: 1 is Sunday. `year_digits`: of the year's pattern. `zone_sign`: -1 west of Greenwich.
    `precision`: the digits of a second's fraction that a timestamp keeps.
    """

    year: int = 0
    year_digits: int = 0
    century: int = 0
    before_christ: int = 0
    month: int = 0
    day: int = 0
    day_of_year: int = 0
    week: int = 0
    week_of_month: int = 0
    weekday: int = 0
    iso_week: int = 0
    iso_day_of_year: int = 0
    julian_day: int = 0
    hour: int = 0
    minute: int = 0
    second: int = 0
    milliseconds: int = 0
    microseconds: int = 0
    seconds_of_day: int = 0
    twelve_hours: int = 0
    afternoon: int = 0
    precision: int = 6
    zone_sign: int = 1
    zone_hours: int = 0
    zone_minutes: int = 0

    def tell(self, name: str, said: int, meant: int, pattern: str) -> None:
        """Take note of a field. Raises InvalidRequest (22007) if it was told otherwise before."""
        if getattr(self, name) not in (0, said):
            raise invalid(f'conflicting values for "{pattern}" field in formatting string')
        setattr(self, name, meant)


@dataclass(slots=True)
class Cursor:
    """A place in a text. `surplus`: how many more blanks and separators were passed since the last
    field than the picture has there."""

    text: str
    at: int = 0
    surplus: int = 0
    fields: Fields = field(default_factory=Fields)

    def pass_blanks(self) -> None:
        """Those that are part of a field."""
        found = _BLANKS.match(self.text, self.at)
        assert found is not None, "nothing also matches"
        self.at = found.end()

    def skip_blanks(self) -> None:
        """Those that are around fields."""
        before = self.at
        self.pass_blanks()
        self.surplus += self.at - before

    def window(self, size_bytes: int) -> str:
        """What is next in the text, as long as a pattern; as long in UTF-8, as PostgreSQL cuts."""
        characters = self.text[self.at : self.at + size_bytes]
        if characters.isascii():
            return characters
        return characters.encode()[:size_bytes].decode(errors="ignore")


class Reader(Protocol):
    """What reads a field."""

    def read(self, cursor: Cursor) -> None:
        """Raises InvalidRequest (22007, 22008) if the text does not have the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """An integer.

    `adjacent`: digits follow in the picture; `ordinal`: two letters follow in the text. `meaning`:
    of a value and its width in characters. `also`: another field that it tells, and what.
    """

    pattern: str
    name: str
    digits: int
    adjacent: bool
    ordinal: bool
    meaning: Callable[[int, int], int] | None
    also: tuple[str, int] | None

    def read(self, cursor: Cursor) -> None:
        before = cursor.at
        value = self._integer(cursor)
        if self.name:
            meant = self.meaning(value, cursor.at - before) if self.meaning else value
            cursor.fields.tell(self.name, value, meant, self.pattern)
        if self.also:
            setattr(cursor.fields, *self.also)
        if self.ordinal:
            cursor.at += 2

    def _integer(self, cursor: Cursor) -> int:
        before = cursor.at
        cursor.pass_blanks()
        end = cursor.at + self.digits if self.adjacent else len(cursor.text)
        if self.adjacent and len(cursor.text[cursor.at : end].encode()) < self.digits:
            message = f'source string too short for "{self.pattern}" formatting field'
            raise invalid(message)
        found = _INTEGER.match(cursor.text, cursor.at, end)
        if found is None and self.adjacent and cursor.at > before:
            return 0
        if found is None or (self.adjacent and found.end() < end):
            raise invalid(f'invalid value "{cursor.window(self.digits)}" for "{self.pattern}"')
        cursor.at = found.end()
        value = _value(found[0])
        if value not in _INT4:
            message = f'value for "{self.pattern}" in source string is out of range'
            raise InvalidRequest(message, "22008")
        return value


@dataclass(frozen=True, slots=True)
class GroupedYear:
    """A year with a comma, `2,024`."""

    pattern: str
    ordinal: bool

    def read(self, cursor: Cursor) -> None:
        found = _GROUPED.match(cursor.text, cursor.at)
        if found is None:
            raise invalid('invalid input string for "Y,YYY"')
        year = _value(found[1]) * 1000 + int(found[2])
        cursor.fields.tell("year", year, year, self.pattern)
        cursor.fields.year_digits = 4
        cursor.at = found.end() + (2 if self.ordinal else 0)


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a field, by what each says and means."""

    name: str
    expression: re.Pattern[str]
    values: dict[str, tuple[int, int]]
    also: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """One name of several, in letters of any case."""

    pattern: str
    names: Names

    def read(self, cursor: Cursor) -> None:
        found = self.names.expression.match(cursor.text, cursor.at)
        if found is None:
            shown = re.split(r"\s", cursor.text[cursor.at :], maxsplit=1, flags=re.ASCII)[0]
            raise invalid(f'invalid value "{shown}" for "{self.pattern}"')
        cursor.at = found.end()
        cursor.fields.tell(self.names.name, *self.names.values[found[0].lower()], self.pattern)
        if self.names.also:
            setattr(cursor.fields, *self.names.also)


@dataclass(frozen=True, slots=True)
class ZoneHours:
    """Hours of a time zone. A minus that was passed as a separator is its sign, if the picture has
    not as many separators."""

    hours: Number

    def read(self, cursor: Cursor) -> None:
        sign = cursor.text[cursor.at : cursor.at + 1]
        if sign and sign in "+- ":
            cursor.at += 1
        elif cursor.surplus > 0:
            sign = cursor.text[cursor.at - 1]
        cursor.fields.zone_sign = -1 if sign == "-" else 1
        self.hours.read(cursor)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A pattern that only `to_char` knows."""

    pattern: str

    def read(self, cursor: Cursor) -> None:
        message = f'formatting field "{self.pattern}" is only supported in to_char'
        raise InvalidRequest(message, "0A000")


def _value(digits: str) -> int:
    """Of an integer. Python would refuse thousands of digits; a hundred are out of every range."""
    return int(digits) if len(digits) < 100 else 2**31

"""The sums that an interval's text adds up to, field by field, with PostgreSQL's overflow checks.

A fraction goes on in smaller units: half a month is 15 days, half a day 12 hours (documentation,
8.5.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from storage.errors import InvalidRequest

__all__ = ["DAY", "HOUR", "MINUTE", "SECOND", "Sums", "bad_format", "out_of_range"]

DAY = 86_400_000_000
HOUR = 3_600_000_000
MINUTE = 60_000_000
SECOND = 1_000_000


def bad_format(text: str) -> InvalidRequest:
    return InvalidRequest(f'invalid input syntax for type interval: "{text}"', "22007")


def out_of_range(text: str) -> InvalidRequest:
    return InvalidRequest(f'interval field value out of range: "{text}"', "22015")


@dataclass(slots=True)
class Sums:
    """Years to microseconds, each in the bounds of its C type. `text` is for errors (22015)."""

    text: str
    years: int = 0
    months: int = 0
    days: int = 0
    microseconds: int = 0

    def add_years(self, whole: int, fraction: float, scale: int = 1) -> None:
        self.years = self._sum(self.years, whole * scale, 31)
        self.months = self._sum(self.months, round(fraction * scale * 12), 31)

    def add_months(self, whole: int, fraction: float) -> None:
        self.months = self._sum(self.months, whole, 31)
        self._add_part_of_days(fraction * 30)

    def add_days(self, whole: int, fraction: float, scale: int = 1) -> None:
        self.days = self._sum(self.days, whole * scale, 31)
        self._add_part_of_days(fraction * scale)

    def add_time(self, whole: int, fraction: float, unit: int) -> None:
        """Units of `unit` microseconds."""
        self.microseconds = self._sum(self.microseconds, whole * unit, 63)
        self._add_part_of_microseconds(fraction * unit)

    def turned(self) -> Sums:
        """All signs turned, for `ago`."""
        return Sums(
            self.text,
            self._bounded(-self.years, 31),
            self._bounded(-self.months, 31),
            self._bounded(-self.days, 31),
            self._bounded(-self.microseconds, 63),
        )

    def parts(self) -> tuple[int, int, int]:
        """(months, days, microseconds). Raises InvalidRequest (22008) past 32 bits of months."""
        months = self.years * 12 + self.months
        if not -(2**31) <= months < 2**31:
            raise InvalidRequest("interval out of range", "22008")
        return months, self.days, self.microseconds

    def _add_part_of_days(self, days: float) -> None:
        whole = int(days)
        self.days = self._sum(self.days, whole, 31)
        self._add_part_of_microseconds((days - whole) * DAY)

    def _add_part_of_microseconds(self, microseconds: float) -> None:
        whole = int(microseconds)
        rest = microseconds - whole
        whole += (rest > 0.5) - (rest < -0.5)
        self.microseconds = self._sum(self.microseconds, whole, 63)

    def _sum(self, total: int, added: int, bits: int) -> int:
        """What is added must fit by itself, too."""
        return self._bounded(total + self._bounded(added, bits), bits)

    def _bounded(self, value: int, bits: int) -> int:
        if not -(2**bits) <= value < 2**bits:
            raise out_of_range(self.text)
        return value

"""Julian days: every day of the Gregorian calendar, however far away, as one number.

Python's dates end at the years 1 and 9999, but the calendar repeats every 400 years, which are
146,097 days: a day is moved by whole cycles into the years 1 to 400, looked up there, and moved
back. Years are astronomical (0 is 1 BC). Day 0 is 4714-11-24 BC, a Monday.
"""

from __future__ import annotations

from datetime import date

__all__ = ["civil", "julian", "week_start"]

_CYCLE_YEARS = 400
_CYCLE_DAYS = 146_097
_YEAR_ONE = 1_721_426  # the Julian day of 0001-01-01, which Python counts as 1


def julian(year: int, month: int, day: int) -> int:
    """The Julian day of a date.

    Days beyond the ends of a month count on. So do months before January, which the fields of an
    interval may have; counted back from March they are 31 and 30 days long by turns.
    """
    if month < 3:
        year, month = year - 1, month + 12
    cycles, march_year = divmod(year - 1, _CYCLE_YEARS)
    march = date(march_year + 1, 3, 1).toordinal() - 1 + _YEAR_ONE + cycles * _CYCLE_DAYS
    # From March on, five months in a row are 153 days.
    return march + (153 * (month - 3) + 2) // 5 + day - 1


def civil(day: int) -> tuple[int, int, int]:
    """Year, month and day of a Julian day."""
    cycles, within = divmod(day - _YEAR_ONE, _CYCLE_DAYS)
    found = date.fromordinal(within + 1)
    return found.year + cycles * _CYCLE_YEARS, found.month, found.day


def week_start(year: int) -> int:
    """The Julian day of the Monday of the first ISO week: of the week that has January 4."""
    fourth = julian(year, 1, 4)
    return fourth - fourth % 7

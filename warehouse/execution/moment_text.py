"""Moments and intervals in PostgreSQL's output style, row by row.

Polars writes dates of the years 1 to 9999; here are all others (`0044-03-15 BC`, `10000-01-01`),
by their numbers, and intervals: `1 year 2 mons 3 days 04:05:06.7`.
"""

from __future__ import annotations

__all__ = ["clock_text", "day_text", "interval_text", "moment_text"]

_DAY = 86_400_000_000  # microseconds
_MICROSECONDS_PER_HOUR = 3_600_000_000


def interval_text(value: tuple[int, int, int]) -> str:
    """(months, days, microseconds) as text.

    A unit that is zero is left out. A positive one after a negative one has a plus sign. The time
    has its own sign for all its parts.
    """
    months, days, microseconds = value
    years, months = _truncated(months, 12)
    parts: list[str] = []
    negative = False
    for count, unit in ((years, "year"), (months, "mon"), (days, "day")):
        if count:
            plus = "+" if negative and count > 0 else ""
            parts.append(f"{plus}{count} {unit}{'' if count == 1 else 's'}")
            negative = count < 0
    if microseconds or not parts:
        sign = "-" if microseconds < 0 else "+" if negative else ""
        parts.append(sign + clock_text(abs(microseconds)))
    return " ".join(parts)


def _truncated(number: int, divisor: int) -> tuple[int, int]:
    quotient = abs(number) // divisor * (1 if number >= 0 else -1)
    return quotient, number - quotient * divisor


def clock_text(microseconds: int) -> str:
    """Hours, minutes and seconds, with a fraction if there is one."""
    hours, rest = divmod(microseconds, _MICROSECONDS_PER_HOUR)
    minutes, rest = divmod(rest, 60_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def day_text(days: int) -> str:
    """A date by its number of days since 1970-01-01."""
    day, era = _day(days)
    return day + era


def moment_text(microseconds: int, *, zone: str) -> str:
    """A timestamp by its microseconds since 1970-01-01; `zone` is put behind the time."""
    days, clock = divmod(microseconds, _DAY)
    day, era = _day(days)
    return f"{day} {clock_text(clock)}{zone}{era}"


def _day(days: int) -> tuple[str, str]:
    """Year, month and day (the inverse of `moment_input.days_of`), and the era."""
    era, of_era = divmod(days + 719_468, 146_097)
    of_era_years = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * of_era_years + of_era_years // 4 - of_era_years // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    year = of_era_years + era * 400 + (month <= 2)
    counted = year if year > 0 else 1 - year
    return f"{counted:04d}-{month:02d}-{day:02d}", "" if year > 0 else " BC"

"""Intervals in PostgreSQL's default output style: `1 year 2 mons 3 days 04:05:06.7`."""

from __future__ import annotations

__all__ = ["interval_text"]

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
        parts.append(sign + _clock(abs(microseconds)))
    return " ".join(parts)


def _truncated(number: int, divisor: int) -> tuple[int, int]:
    quotient = abs(number) // divisor * (1 if number >= 0 else -1)
    return quotient, number - quotient * divisor


def _clock(microseconds: int) -> str:
    hours, rest = divmod(microseconds, _MICROSECONDS_PER_HOUR)
    minutes, rest = divmod(rest, 60_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text

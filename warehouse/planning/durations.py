"""How long something is kept: an INTERVAL or its text, in ms and back."""

from __future__ import annotations

from storage.collection.policy import DAY_MS
from storage.errors import InvalidRequest
from warehouse.execution.interval_input import parse_interval

__all__ = ["duration_ms", "duration_text"]

MONTH_DAYS = 30  # as PostgreSQL reckons where it compares intervals
_UNITS = (("day", DAY_MS), ("hour", 3_600_000), ("minute", 60_000), ("second", 1_000))


def duration_ms(value: object, what: str) -> int:
    """Args:
        value: a text, or (months, days, microseconds).
        what: for the message.
    Raises InvalidRequest: it is none, or negative.
    """
    parts = parse_interval(value) if isinstance(value, str) else value
    if not (isinstance(parts, tuple) and len(parts) == 3):
        raise InvalidRequest(f"{what}: expected an INTERVAL such as '7 days', found {value!r}")
    months, days, micros = parts
    found: int = (months * MONTH_DAYS + days) * DAY_MS + micros // 1000
    if found < 0:
        raise InvalidRequest(f"{what}: {value!r} is negative; give how long something is kept")
    return found


def duration_text(duration_ms: int) -> str:
    """In the largest unit that it has a whole number of: `7 days`, `90 minutes`."""
    for unit, size in _UNITS:
        if duration_ms and duration_ms % size == 0:
            count = duration_ms // size
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{duration_ms} ms"

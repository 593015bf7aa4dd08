"""Seconds rounded to a column's precision: TIME(p), TIMESTAMP(p), TIMESTAMPTZ(p).

PostgreSQL counts microseconds from the midnight that 2000 began with, and rounds halves away from
it; a time of day counts from its own midnight.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

__all__ = ["ORIGIN", "PRECISION_MAX", "rounded_seconds", "unit_of"]

PRECISION_MAX = 6  # digits of seconds: microseconds
ORIGIN = 946_684_800_000_000  # 2000-01-01, in microseconds since 1970


def unit_of(precision: int) -> int:
    """The microseconds that values of a precision are multiples of."""
    return int(10 ** (PRECISION_MAX - min(max(precision, 0), PRECISION_MAX)))


def rounded_seconds(values: Any, precision: int | None) -> Any:
    """Arrow times or timestamps of microseconds, rounded. A time may become 24:00:00."""
    if precision is None or precision >= PRECISION_MAX:
        return values
    unit = pa.scalar(unit_of(precision), pa.int64())
    origin = pa.scalar(ORIGIN if pat.is_timestamp(values.type) else 0, pa.int64())
    counted = pc.subtract(pc.cast(values, pa.int64()), origin)
    half = pa.scalar(unit.as_py() // 2, pa.int64())
    steps = pc.divide(pc.add(pc.abs(counted), half), unit)
    signed = pc.multiply(pc.multiply(steps, unit), pc.sign(counted))
    return pc.cast(pc.add(signed, origin), values.type)

"""Statistics of one column of a micropartition: bounds, counts, and the exact sum.

Bounds leave out NULL and NaN. Texts and byte strings are cut to 64 bytes: a cut minimum is a prefix
and so still a lower bound; a cut maximum has its last character (byte) raised so that it is an
upper bound, or is None when no prefix can be raised. A column without values has `min` None, and
only such a column has: `merge` relies on it. JSON, JSONB, INTERVAL, arrays and composites have no
bounds at all (`files.has_bounds`), only a count of NULLs.

CHAR(n) and ENUM have the bounds of their texts. An ENUM's values order by their position among the
labels, its bounds do not: they decide about equality, never about less or greater.

Sums do not wrap: int64 values are added as 32-bit halves, each in 64 bits, which is exact for up to
2^31 rows, and the halves meet in a Python integer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storage.micropartition.physical import is_scaled
from storage.schema import CharType, EnumType, Kind, ScalarType, SqlType, VarCharType
from storage.snapshot.files import ColumnStatistics, has_bounds, statistics_type

__all__ = ["BOUND_BYTES_MAX", "compute", "merge"]

BOUND_BYTES_MAX = 64
INT64_MAX = (1 << 63) - 1
SURROGATES = range(0xD800, 0xE000)
CODE_POINT_MAX = 0x10FFFF


def compute(column: pa.ChunkedArray, sql_type: SqlType) -> ColumnStatistics:
    """Statistics of a column as `physical.encode` returns it (scaled types as int64, UUID as its 16
    bytes)."""
    nulls = int(column.null_count)
    if not has_bounds(sql_type):
        return ColumnStatistics(null_count=nulls)
    if is_scaled(sql_type):
        low, high = _bounds(column)
        return ColumnStatistics(
            min=low, max=high, null_count=nulls, sum=_sum(column, low or 0, high or 0)
        )
    match sql_type:
        case ScalarType(Kind.REAL | Kind.DOUBLE):
            return _floats(column.cast(statistics_type(sql_type)), nulls)
        case VarCharType() | CharType() | EnumType() | ScalarType(Kind.TEXT):
            low, high = _bounds(column)
            return _cut(low, high, nulls, _prefix_text, _raised_text)
        case ScalarType(Kind.BYTEA):
            low, high = _bounds(column)
            return _cut(low, high, nulls, _prefix_bytes, _raised_bytes)
        case _:
            low, high = _bounds(column)
            return ColumnStatistics(min=low, max=high, null_count=nulls)


def merge(a: ColumnStatistics, b: ColumnStatistics) -> ColumnStatistics:
    """Statistics of the rows of both, of one column id and type."""
    total = None if a.sum is None or b.sum is None else a.sum + b.sum
    nulls, nans = a.null_count + b.null_count, a.nan_count + b.nan_count
    if a.min is None or b.min is None:
        known = b if a.min is None else a
        return ColumnStatistics(
            min=known.min,
            max=known.max,
            min_exact=known.min_exact,
            max_exact=known.max_exact,
            null_count=nulls,
            nan_count=nans,
            sum=total,
        )
    low = min((a, b), key=lambda s: (s.min, not s.min_exact))
    high = _higher(a, b)
    return ColumnStatistics(
        min=low.min,
        max=high.max,
        min_exact=low.min_exact,
        max_exact=high.max_exact,
        null_count=nulls,
        nan_count=nans,
        sum=total,
    )


def _higher(a: ColumnStatistics, b: ColumnStatistics) -> ColumnStatistics:
    """The one with the greater maximum; None has no bound. An exact one wins a tie."""
    if a.max is None or b.max is None:
        return a if a.max is None else b
    return max((a, b), key=lambda s: (s.max, s.max_exact))


def _bounds(column: pa.ChunkedArray) -> tuple[Any, Any]:
    found = pc.min_max(column)
    return found["min"].as_py(), found["max"].as_py()


def _sum(column: pa.ChunkedArray, low: int, high: int) -> int:
    rows = len(column)
    if rows * max(-low, high) <= INT64_MAX:
        return int(pc.sum(column).as_py() or 0)
    total = 0
    for chunk in column.chunks:
        words = chunk.drop_null().to_numpy(zero_copy_only=False)
        upper = int(np.sum(words >> 32, dtype=np.int64))
        lower = int(np.sum(words & 0xFFFFFFFF, dtype=np.int64))
        total += (upper << 32) + lower
    return total


def _floats(column: pa.ChunkedArray, nulls: int) -> ColumnStatistics:
    nans = int(pc.sum(pc.is_nan(column)).as_py() or 0)
    if nans:
        column = column.filter(pc.invert(pc.is_nan(column)))
    low, high = _bounds(column)
    return ColumnStatistics(min=low, max=high, null_count=nulls, nan_count=nans)


# --- long texts -----------------------------------------------------------------------------------


def _cut(low: Any, high: Any, nulls: int, prefix: Any, raised: Any) -> ColumnStatistics:
    if low is None:
        return ColumnStatistics(null_count=nulls)
    short_low, short_high = prefix(low), prefix(high)
    return ColumnStatistics(
        min=short_low,
        max=high if short_high == high else raised(short_high),
        min_exact=short_low == low,
        max_exact=short_high == high,
        null_count=nulls,
    )


def _prefix_text(text: str) -> str:
    """The longest prefix of whole characters within the limit."""
    return text.encode()[:BOUND_BYTES_MAX].decode(errors="ignore")


def _prefix_bytes(data: bytes) -> bytes:
    return data[:BOUND_BYTES_MAX]


def _raised_text(text: str) -> str | None:
    """A text of at most that many bytes, above every text that starts with `text`.

    UTF-8 sorts like code points. The next character may need one byte more; then the one before it
    is raised instead.
    """
    for last in range(len(text) - 1, -1, -1):
        point = ord(text[last]) + 1
        if point in SURROGATES:
            point = SURROGATES.stop
        if point <= CODE_POINT_MAX:
            bound = text[:last] + chr(point)
            if len(bound.encode()) <= BOUND_BYTES_MAX:
                return bound
    return None


def _raised_bytes(data: bytes) -> bytes | None:
    """Bytes above everything that starts with `data`."""
    kept = data.rstrip(b"\xff")
    return kept[:-1] + bytes([kept[-1] + 1]) if kept else None

"""What the footers of Parquet files tell of a column: bounds, NULLs, bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow.parquet as pq

from storage.micropartition.physical import is_scaled, scale_of
from storage.schema import SqlType
from storage.snapshot.ranges import ColumnRange

__all__ = ["column_range", "compressed_bytes"]

ROW_GROUPS_MAX = 4096  # looking at more would take longer than what the bounds save


def column_range(
    footers: Sequence[pq.FileMetaData], name: str, kind: SqlType
) -> ColumnRange | None:
    """The range of an integer or DECIMAL column (scaled) over all files; None if it is unknown."""
    if not is_scaled(kind) or sum(footer.num_row_groups for footer in footers) > ROW_GROUPS_MAX:
        return None
    low: int | None = None
    high: int | None = None
    has_null = False
    for chunk in _chunks(footers, (name,)):
        if chunk is None or not chunk.is_stats_set:
            return None
        found = chunk.statistics
        if found is None or not found.has_null_count:
            return None
        has_null |= found.null_count > 0
        if found.null_count == chunk.num_values:
            continue
        if not found.has_min_max:
            return None
        least, most = _scaled(found.min, kind), _scaled(found.max, kind)
        if least is None or most is None:
            return None
        low = least if low is None else min(low, least)
        high = most if high is None else max(high, most)
    if low is None or high is None:
        return ColumnRange(0, 0, has_null)
    return ColumnRange(low, high, has_null)


def compressed_bytes(footers: Sequence[pq.FileMetaData], names: Sequence[str]) -> int:
    """The bytes that these columns take in the files."""
    return sum(chunk.total_compressed_size for chunk in _chunks(footers, names) if chunk)


def _chunks(footers: Sequence[pq.FileMetaData], names: Sequence[str]) -> Iterator[Any]:
    """Each part of the columns in each row group; None for a column that is not there."""
    for footer in footers:
        tops = [footer.schema.column(i).path.partition(".")[0] for i in range(footer.num_columns)]
        for name in names:
            if name not in tops:
                yield None
        positions = [i for i, top in enumerate(tops) if top in names]
        for group in range(footer.num_row_groups):
            row_group = footer.row_group(group)
            yield from (row_group.column(position) for position in positions)


def _scaled(value: Any, kind: SqlType) -> int | None:
    scale = scale_of(kind)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if scale is None else None
    if isinstance(value, Decimal) and scale is not None:
        found = value.scaleb(scale)
        return int(found) if found == found.to_integral_value() else None
    return None

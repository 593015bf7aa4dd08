"""What is known of the values of columns before a query reads them: bounds and NULLs.

Execution proves with them that arithmetic on 64-bit integers cannot overflow, and leaves out tests
for NULL. They come from the statistics of the micropartitions that a scan will read and from the
deltas themselves, so they hold for that very snapshot and for no other.

A range bounds the scaled integers of SMALLINT, INTEGER, BIGINT and DECIMAL(p<=18, s), deleted rows
included. Other types have none, but it is known whether they have NULLs. What a file does not say
is unknown, except that a column which its schema version does not have is NULL in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.micropartition.physical import encode, is_scaled
from storage.schema import Column
from storage.snapshot.files import FileSet

__all__ = ["ColumnRange", "column_ranges", "file_ranges", "row_ranges"]


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """What is known of a column.

    Attributes:
        low, high: every value that is not NULL is in [low, high], as (scaled) integers; None if
            unknown. Of a part without values low is above high; `column_ranges` says 0, 0 then.
        has_null: False if it is known to have no NULL.
    """

    low: int | None
    high: int | None
    has_null: bool


_LEAST, _MOST = 1 << 63, -(1 << 63)  # bounds of nothing: any value lowers one and raises the other
_NO_VALUES = ColumnRange(_LEAST, _MOST, False)
_ALL_NULL = ColumnRange(_LEAST, _MOST, True)
_UNKNOWN = ColumnRange(None, None, True)

Columns = tuple[Column, ...]


def column_ranges(
    files: FileSet,
    deltas: Iterable[tuple[int, Mapping[int, ColumnRange]]],
    columns: Columns,
    schemas: Mapping[int, Columns],
) -> dict[int, ColumnRange]:
    """The range of each of `columns` over all files and deltas, by column id.

    Args:
        deltas: per run of deltas its schema version and its `row_ranges`.
        schemas: the columns of each schema version that a file or a delta names.
    """
    ranges = file_ranges(files, columns, schemas)
    for version, known in deltas:
        own = {column.id for column in schemas[version]}
        for column in columns:
            other = known.get(column.id, _UNKNOWN) if column.id in own else _ALL_NULL
            ranges[column.id] = _either(ranges[column.id], other, column)
    return {column.id: _settled(ranges[column.id], column) for column in columns}


def file_ranges(
    files: FileSet, columns: Columns, schemas: Mapping[int, Columns]
) -> dict[int, ColumnRange]:
    """Ranges by column id over files alone; computed once for each FileSet and column."""
    for column in columns:
        if column.id not in files.memo:
            files.memo[column.id] = _of_files(files.table, column, schemas)
    return {column.id: files.memo[column.id] for column in columns}


def row_ranges(rows: pa.Table, columns: Columns) -> dict[int, ColumnRange]:
    """Ranges by column id of rows in `arrow_schema(columns)`."""
    return {c.id: _of_rows(rows.column(i), c) for i, c in enumerate(columns)}


def _settled(found: ColumnRange, column: Column) -> ColumnRange:
    if not is_scaled(column.type):
        return ColumnRange(None, None, found.has_null)
    if found.low is None or found.high is None or found.low <= found.high:
        return found
    return ColumnRange(0, 0, found.has_null)


def _either(a: ColumnRange, b: ColumnRange, column: Column) -> ColumnRange:
    has_null = a.has_null or b.has_null
    if not is_scaled(column.type):
        return ColumnRange(None, None, has_null)
    if a.low is None or b.low is None or a.high is None or b.high is None:
        return ColumnRange(None, None, has_null)
    return ColumnRange(min(a.low, b.low), max(a.high, b.high), has_null)


def _of_files(files: pa.Table, column: Column, schemas: Mapping[int, Columns]) -> ColumnRange:
    if files.num_rows == 0:
        return _NO_VALUES
    having = [v for v, own in schemas.items() if any(c.id == column.id for c in own)]
    has = pc.is_in(files["schema_version"], value_set=pa.array(having, pa.int32()))
    lacking = not pc.all(has).as_py()
    if lacking:
        files = files.filter(has)
        if files.num_rows == 0:
            return _ALL_NULL
    nulls = _statistic(files, "null_count", column)
    if nulls is None or nulls.null_count:
        return _UNKNOWN
    has_null = lacking or pc.max(nulls).as_py() > 0
    if not is_scaled(column.type):
        return ColumnRange(None, None, has_null)
    low, high = _statistic(files, "min", column), _statistic(files, "max", column)
    if low is None or high is None:
        return ColumnRange(None, None, has_null)
    least, most = pc.min(low).as_py(), pc.max(high).as_py()
    if least is None or most is None:
        return ColumnRange(_LEAST, _MOST, has_null)  # only a column without values has no `min`
    return ColumnRange(least, most, has_null)


def _statistic(files: pa.Table, name: str, column: Column) -> Any:
    position = files.schema.get_field_index(f"{name}_{column.id}")
    return None if position < 0 else files.column(position)


def _of_rows(values: pa.ChunkedArray, column: Column) -> ColumnRange:
    has_null = values.null_count > 0
    if not is_scaled(column.type):
        return ColumnRange(None, None, has_null)
    found = pc.min_max(encode(values, column.type))
    low, high = found["min"].as_py(), found["max"].as_py()
    if low is None:
        return ColumnRange(_LEAST, _MOST, has_null)
    return ColumnRange(low, high, has_null)

"""Rows as Python values: the one place that says which Python type a SQL type has.

| SQL | Python |
|---|---|
| BOOLEAN; SMALLINT, INTEGER, BIGINT; REAL, DOUBLE PRECISION | bool; int; float |
| DECIMAL(p, s) | Decimal; NUMERIC without digits, which is computed as a double, is a float |
| TEXT, VARCHAR, CHAR, enumerations | str |
| JSON, JSONB | str: the text keeps all digits, the order of keys and a JSON null apart from NULL |
| BYTEA, UUID | bytes, uuid.UUID |
| DATE, TIME, TIMESTAMP | date, time, datetime |
| TIMESTAMPTZ | datetime in UTC |
| INTERVAL | timedelta; `Interval` where it has months, which have no fixed length |
| arrays | list |
| composite types | dict by field; anonymous rows a tuple |
"""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from storage.errors import InvalidRequest
from storage.schema import ArrayType, StructType
from warehouse.algebra.types import (
    DATE,
    INTERVAL,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AnyType,
    RecordType,
    shown,
)
from warehouse.execution.result_types import sql_type_of

__all__ = ["Interval", "python_rows", "python_values"]

_MOMENTS = (DATE, TIME, TIMESTAMP, TIMESTAMPTZ)


@dataclass(frozen=True, slots=True)
class Interval:
    """An INTERVAL: months, days and microseconds, each with a sign of its own."""

    months: int = 0
    days: int = 0
    microseconds: int = 0


def python_rows(rows: pa.Table | pa.RecordBatch) -> list[tuple[Any, ...]]:
    """The rows as tuples. Raises InvalidRequest (22008): a moment that Python does not have."""
    columns = [
        python_values(column, sql_type_of(field))
        for column, field in zip(rows.columns, rows.schema, strict=True)
    ]
    return list(zip(*columns, strict=True))


def python_values(column: pa.Array | pa.ChunkedArray, kind: AnyType) -> list[Any]:
    """A column's values, NULL as None. Raises as `python_rows`."""
    if kind in _MOMENTS:
        return _moments(column, kind)
    if kind == UUID:
        return [None if found is None else uuid.UUID(bytes=found) for found in column.to_pylist()]
    if kind == INTERVAL:
        return [None if found is None else _span(**found) for found in column.to_pylist()]
    if isinstance(kind, ArrayType | StructType | RecordType):
        whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        return _items(whole, kind) if isinstance(kind, ArrayType) else _fields(whole, kind)
    values: list[Any] = column.to_pylist()
    return values


def _moments(column: pa.Array | pa.ChunkedArray, kind: AnyType) -> list[Any]:
    zoned = kind == TIMESTAMPTZ
    plain = column.cast(pa.timestamp("us")) if zoned else column
    try:
        values: list[Any] = plain.to_pylist()
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"a {shown(kind)} is out of Python's range ({error}): Python has the years 1 to 9999;"
            " cast it to text, or take the rows as Arrow",
            "22008",
        ) from error
    if not zoned:
        return values
    return [None if found is None else found.replace(tzinfo=datetime.UTC) for found in values]


def _span(months: int, days: int, microseconds: int) -> datetime.timedelta | Interval:
    if months == 0:
        try:
            return datetime.timedelta(days=days, microseconds=microseconds)
        except OverflowError:
            pass
    return Interval(months, days, microseconds)


def _items(array: pa.Array, kind: ArrayType) -> list[Any]:
    values = python_values(array.flatten(), kind.element)
    found: list[Any] = []
    position = 0
    for length in array.value_lengths().to_pylist():
        if length is None:
            found.append(None)
            continue
        found.append(values[position : position + length])
        position += length
    return found


def _fields(array: pa.Array, kind: StructType | RecordType) -> list[Any]:
    names = None if isinstance(kind, RecordType) else [name for name, _ in kind.fields]
    kinds: list[AnyType] = (
        list(kind.fields) if isinstance(kind, RecordType) else [inner for _, inner in kind.fields]
    )
    parts = [python_values(array.field(i), inner) for i, inner in enumerate(kinds)]
    return [
        None if not valid else row if names is None else dict(zip(names, row, strict=True))
        for row, valid in zip(zip(*parts, strict=True), array.is_valid().to_pylist(), strict=True)
    ]

"""The rows of a window clause, sorted by partition and order, and where each partition ends.

All calls with the same PARTITION BY and ORDER BY share one `Layout`. Kernels work on the sorted
rows with plain integer positions, so a frame is a pair of positions; `Layout.restored` brings
their results back to the order in which the rows came.

Sorting goes key by key from the last to the first with a stable sort of one column: Polars sorts
single columns several times faster than it compares several. PostgreSQL's equality decides what a
partition and a peer are: NULL equals NULL, NaN equals NaN and is the greatest number, -0 equals 0,
'1 month' equals '30 days', and inside arrays and rows NULL is the greatest element.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from storage.schema import ArrayType, StructType
from warehouse.algebra.types import DOUBLE, INTERVAL, JSONB, REAL, AnyType, NumericType, RecordType
from warehouse.execution.literals import from_carrier
from warehouse.execution.ordering import interval_length, ordering_key

__all__ = [
    "DAY",
    "Flags",
    "Integers",
    "Key",
    "Layout",
    "interval_microseconds",
    "lay_out",
]

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

DAY = 86_400_000_000  # microseconds
MONTH_DAYS = 30  # as PostgreSQL compares intervals


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the order with its values."""

    values: pl.Series
    type: AnyType
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Layout:
    """Sorted rows.

    Attributes:
        rows: the row at each position; None if the rows stay where they are.
        partition_heads: the positions at which partitions begin.
        peer_heads: the positions at which groups of peers begin (rows that the order ties).
        length: the number of rows.
    """

    rows: pl.Series | None
    partition_heads: Integers
    peer_heads: Integers
    length: int

    @cached_property
    def positions(self) -> Integers:
        return np.arange(self.length, dtype=np.int64)

    @cached_property
    def partitions(self) -> Integers:
        """The number of each row's partition."""
        return _numbers(self.partition_heads, self.length)

    @cached_property
    def peers(self) -> Integers:
        """The number of each row's group of peers, through all partitions."""
        return _numbers(self.peer_heads, self.length)

    @cached_property
    def partition_tails(self) -> Integers:
        """The position after each partition."""
        return _tails(self.partition_heads, self.length)

    @cached_property
    def peer_tails(self) -> Integers:
        """The position after each group of peers."""
        return _tails(self.peer_heads, self.length)

    @cached_property
    def starts(self) -> Integers:
        """Where each row's partition begins."""
        return self.partition_heads[self.partitions]

    @cached_property
    def ends(self) -> Integers:
        """The position after each row's partition."""
        return self.partition_tails[self.partitions]

    def sorted(self, values: pl.Series) -> pl.Series:
        """The values in the order of the positions."""
        return values if self.rows is None else values.gather(self.rows)

    def restored(self, values: pl.Series) -> pl.Series:
        """The values of the positions in the order in which the rows came."""
        return values if self.rows is None else values.gather(self._places)

    @cached_property
    def _places(self) -> pl.Series:
        assert self.rows is not None
        places = np.empty(self.length, dtype=np.uint32)
        places[self.rows.to_numpy()] = np.arange(self.length, dtype=np.uint32)
        return pl.Series(places)


def lay_out(partition: Sequence[pl.Series], order: Sequence[Key], length: int) -> Layout:
    """Sort `length` rows. `partition` and `order` hold a value for each."""
    parts = [part for values in partition for part in equal_columns(values)]
    keys = [(part, key) for key in order for part in comparable_columns(key.values, key.type)]
    rows: pl.Series | None = None
    for values, key in reversed(keys):
        rows = _resorted(rows, values, key.descending, not key.nulls_first)
    heads = np.zeros(length, dtype=np.bool_)
    heads[:1] = True
    if parts:
        codes = _partition_codes(parts)
        rows = _resorted(rows, codes, False, True)
        heads |= _changes(codes.gather(rows))
    peer_heads = heads.copy()
    for values, _ in keys:
        peer_heads |= _changes(values if rows is None else values.gather(rows))
    return Layout(rows, _where(heads), _where(peer_heads), length)


def _partition_codes(parts: Sequence[pl.Series]) -> pl.Series:
    """The same number for the rows of a partition: that of its first row."""
    names = [f"p{i}" for i in range(len(parts))]
    frame = pl.DataFrame([part.alias(name) for name, part in zip(names, parts, strict=True)])
    first = pl.col("row").min().over(names).alias("code")
    return frame.with_row_index("row").select(first).to_series()


def equal_columns(values: pl.Series) -> list[pl.Series]:
    """Columns that are equal exactly where the values are equal in SQL."""
    if _is_interval(values.dtype):
        return _interval_columns(values)
    return [values]


def comparable_columns(values: pl.Series, kind: AnyType) -> list[pl.Series]:
    """Columns that Polars sorts as PostgreSQL sorts the values, the first one first."""
    if kind == INTERVAL:
        return _interval_columns(values)
    if isinstance(kind, ArrayType | StructType | RecordType) or kind == JSONB:
        return [_nested_codes(values, kind)]
    if kind in (REAL, DOUBLE) or isinstance(kind, NumericType):
        return [values + 0.0]  # -0 becomes 0
    return [values]


def interval_microseconds(values: pl.Series) -> list[int | None]:
    """Intervals as PostgreSQL compares them: a month is 30 days, a day 24 hours."""
    keys = (from_carrier(value, INTERVAL) for value in values.to_list())
    return [None if key is None else interval_length(key) for key in keys]


def _is_interval(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) and [field.name for field in dtype.fields] == [
        "months",
        "days",
        "microseconds",
    ]


def _interval_columns(values: pl.Series) -> list[pl.Series]:
    parts = values.struct
    clock = parts.field("microseconds")
    whole = parts.field("months").cast(pl.Int64) * MONTH_DAYS + parts.field("days") + clock // DAY
    rest = clock % DAY
    present = values.is_not_null()
    nothing = pl.Series([None], dtype=pl.Int64)
    return [whole.zip_with(present, nothing), rest.zip_with(present, nothing)]


def _nested_codes(values: pl.Series, kind: AnyType) -> pl.Series:
    """Numbers in the order of arrays or rows; NULL stays NULL."""
    key_of = ordering_key(kind)
    keys = [None if v is None else key_of(from_carrier(v, kind)) for v in values.to_list()]
    ranks = {key: rank for rank, key in enumerate(sorted({k for k in keys if k is not None}))}
    return pl.Series([None if key is None else ranks[key] for key in keys], dtype=pl.Int64)


def _resorted(
    rows: pl.Series | None, values: pl.Series, descending: bool, nulls_last: bool
) -> pl.Series:
    """`rows` sorted by their values; equal ones stay in the order they have."""
    current = values if rows is None else values.gather(rows)
    by = pl.arg_sort_by(
        pl.col("v"), descending=descending, nulls_last=nulls_last, maintain_order=True
    )
    order = pl.DataFrame({"v": current}).select(by.alias("o")).to_series()
    return order if rows is None else rows.gather(order)


def _changes(values: pl.Series) -> Flags:
    """Where a value differs from the one before; NULL and NaN equal themselves."""
    found = values.ne_missing(values.shift()).to_numpy()
    return np.asarray(found, dtype=np.bool_)


def _where(flags: Flags) -> Integers:
    return np.flatnonzero(flags).astype(np.int64)


def _numbers(heads: Integers, length: int) -> Integers:
    return np.repeat(np.arange(len(heads), dtype=np.int64), _tails(heads, length) - heads)


def _tails(heads: Integers, length: int) -> Integers:
    return np.append(heads[1:], length).astype(np.int64) if len(heads) else heads

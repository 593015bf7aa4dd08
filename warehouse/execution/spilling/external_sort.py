"""Sorting on disk: rows divided by ranges of the first key, each range sorted in memory.

1. The rows are stored with their keys as columns.
2. A sample of the first key gives boundaries. A value that is a boundary has a part of its own
   (frequent values are boundaries), and so have the values between two boundaries, and NULL.
3. Parts in their order, as many at a time as memory has room for, are sorted by all keys and
   stored. A part with one value of the first key that is too large is sorted by the other keys, in
   the same way; any other one by new boundaries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from storage.errors import OutOfMemory
from storage.spill_space import SpillSpace
from warehouse.execution.keys import Order
from warehouse.execution.lowered import Lowered, narrowed
from warehouse.execution.spilling.footprint import SORTED
from warehouse.execution.spilling.rows_on_disk import StoredRows, divided, joined, stored

__all__ = ["sorted_on_disk"]

SAMPLE_ROWS = 20_000
DEPTH_MAX = 6
TOGETHER_SHARE = 0.6
SMALL_SHARE = 0.01  # a part that is no reason to begin another run
NULLS = -1


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    descending: bool
    nulls_last: bool


def sorted_on_disk(below: Lowered, order: Order, space: SpillSpace) -> Lowered:
    """The rows in an order over their frame. Raises OutOfMemory: too many rows have one key of a
    kind that Polars cannot divide."""
    keys = [
        _Key(f"sort{i}", *flags)
        for i, flags in enumerate(zip(order.descending, order.nulls_last, strict=True))
    ]
    made = [expr.alias(key.name) for expr, key in zip(order.by, keys, strict=True)]
    rows = stored(below.frame.with_columns(made), space)
    found = joined(rows.schema, _sorted(rows, keys, space, 0))
    return narrowed(found.frame(), below.columns)


def _sorted(
    rows: StoredRows, keys: Sequence[_Key], space: SpillSpace, depth: int
) -> list[StoredRows]:
    """The rows in their order, in pieces."""
    if not keys:
        return [rows]
    memory = space.limits.memory_bytes
    if depth and SORTED * rows.size_bytes <= memory:
        return [_in_memory(rows, keys, space)]
    if depth == DEPTH_MAX:
        raise OutOfMemory(
            f"a sort has to hold {rows.size_bytes:,} bytes of rows at once, and the query may hold "
            f"{memory:,} bytes; use a virtual warehouse whose workers have more memory"
        )
    bounds = _bounds(rows, keys[0], space)
    parts = divided(_numbered(rows, keys[0], bounds), pl.col("part"), space)
    rows.remove()
    found: list[StoredRows] = []
    for numbers in _groups(parts, keys[0], space):
        held = joined(rows.schema, [parts[number] for number in numbers])
        if SORTED * held.size_bytes <= memory:
            found.append(_in_memory(held, keys, space))
        elif len(numbers) == 1 and _is_one_value(numbers[0]):
            found += _sorted(held, keys[1:], space, depth)
        else:
            found += _sorted(held, keys, space, depth + 1)
    return found


def _in_memory(rows: StoredRows, keys: Sequence[_Key], space: SpillSpace) -> StoredRows:
    frame = rows.frame().sort(
        [key.name for key in keys],
        descending=[key.descending for key in keys],
        nulls_last=[key.nulls_last for key in keys],
    )
    made = stored(frame, space)
    rows.remove()
    return made


def _bounds(rows: StoredRows, key: _Key, space: SpillSpace) -> pl.Series:
    """Values of the key that divide the rows into parts of about one size, ascending."""
    step = max(1, rows.row_count // SAMPLE_ROWS)
    # Stored as well: texts in memory would hold on to all those that they were read with.
    sample = stored(rows.frame().select(key.name).gather_every(step), space)
    values = sample.frame().collect()[key.name].drop_nulls().sort()
    sample.remove()
    count = min(space.limits.partitions, len(values))
    places = [len(values) * i // (count + 1) for i in range(1, count + 1)]
    return values.gather(places).unique(maintain_order=True)


def _numbered(rows: StoredRows, key: _Key, bounds: pl.Series) -> pl.LazyFrame:
    """With the number of each row's part: 2i + 1 is boundary i, 2i what lies before it."""

    def number(values: pl.Series) -> pl.Series:
        before = bounds.search_sorted(values, side="left").cast(pl.Int32)
        upto = bounds.search_sorted(values, side="right").cast(pl.Int32)
        return before + upto

    found = pl.col(key.name).map_batches(number, return_dtype=pl.Int32, is_elementwise=True)
    known = pl.when(pl.col(key.name).is_null()).then(NULLS).otherwise(found)
    return rows.frame().with_columns(known.cast(pl.Int32).alias("part"))


def _is_one_value(number: int) -> bool:
    return number == NULLS or number % 2 == 1


def _groups(parts: Mapping[int, StoredRows], key: _Key, space: SpillSpace) -> list[list[int]]:
    """The parts in their order, those together that memory has room for."""
    numbers = sorted(number for number in parts if number != NULLS)
    if key.descending:
        numbers.reverse()
    if NULLS in parts:
        numbers = [*numbers, NULLS] if key.nulls_last else [NULLS, *numbers]
    together = space.limits.together_bytes
    if together is None:
        together = int(space.limits.memory_bytes * TOGETHER_SHARE)
    found: list[list[int]] = []
    held = 0.0
    for number in numbers:
        size = SORTED * parts[number].size_bytes
        if not found or (held + size > together and size > together * SMALL_SHARE):
            found.append([])
            held = 0.0
        found[-1].append(number)
        held += size
    return found

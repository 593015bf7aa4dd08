"""Which partition takes a row.

1. HASH and KEY: the words of the row's columns as if they were a key (`primary_key/canonical.py`),
   `high` modulo the number of partitions. NULL has no words: the columns that are NULL, as a bit
   pattern, are mixed into the words of the others. All of this is for ever: rows are where it says.
2. RANGE and LIST: each column says where the row is among the values of all bounds (`values.py`);
   these numbers are made one, column by column, and looked up among those of the bounds. A row with
   a NULL is in no range.
3. What no partition takes, the default takes, or nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.errors import InternalError, InvalidRequest
from storage.partitions.scheme import Bound, Partition, Partitioning
from storage.partitions.values import NULL_CODE, Codes, code_of, codes, ordered
from storage.primary_key.canonical import keys_of
from storage.primary_key.keys import Keys, mixed
from storage.schema import Column, SqlType, TableSchema

__all__ = [
    "NOWHERE",
    "PartitionIds",
    "Route",
    "by_partition",
    "hash_partition",
    "no_partition",
    "partition_columns",
    "partitions_of",
    "route_of",
    "row_text",
]

NOWHERE = 0  # the partition of rows that none takes
ROUTES_KEPT = 64
PartitionIds = npt.NDArray[np.int64]


def partition_columns(partitioning: Partitioning, schema: TableSchema) -> tuple[Column, ...]:
    """The columns that decide, in their order."""
    found = tuple(schema.by_id(number) for number in partitioning.column_ids)
    if None in found:
        raise InternalError(f"partitioned by columns {partitioning.column_ids}: not all exist")
    return tuple(column for column in found if column is not None)


def partitions_of(
    partitioning: Partitioning, rows: pa.Table, columns: Sequence[Column]
) -> PartitionIds:
    """The ids of the partitions of rows, `NOWHERE` where there is none; shape (rows,).

    Args:
        rows: has the columns under their names, in their logical types.
        columns: those that decide (`partition_columns`).
    """
    if partitioning.is_hash:
        numbers = np.array([part.id for part in partitioning.parts], np.int64)
        return numbers[_remainders(rows, tuple(columns), len(numbers))]
    route = route_of(partitioning, tuple(column.type for column in columns))
    found = [
        codes(rows[column.name], column.type, known)
        for column, known in zip(columns, route.known, strict=True)
    ]
    return route.of(found)


def hash_partition(keys: Keys, partitioning: Partitioning) -> PartitionIds:
    """The same for rows whose key is of the columns that decide, in their order."""
    numbers = np.array([part.id for part in partitioning.parts], np.int64)
    return numbers[(keys.high % np.uint64(len(numbers))).astype(np.int64)]


def by_partition(found: PartitionIds) -> list[tuple[int, npt.NDArray[np.int64]]]:
    """Ids, ascending, each with the positions of its rows, in their order."""
    order = np.argsort(found, kind="stable")
    numbers, starts = np.unique(found[order], return_index=True)
    return list(zip(numbers.tolist(), np.split(order, starts[1:]), strict=True))


def no_partition(
    rows: pa.Table, columns: Sequence[Column], row: int, table_name: str
) -> InvalidRequest:
    """The error of a row that no partition takes."""
    return InvalidRequest(
        f'no partition of relation "{table_name}" found for row: the partition key of the failing '
        f"row contains {row_text(rows, columns, row)}; add a partition for it, or a DEFAULT one",
        "23514",
    )


def row_text(rows: pa.Table, columns: Sequence[Column], row: int) -> str:
    """`(a, b) = (1, x)` of one row, for messages."""
    values = [rows[column.name][row].as_py() for column in columns]
    shown = ", ".join("null" if value is None else str(value) for value in values)
    return f"({', '.join(column.name for column in columns)}) = ({shown})"


# --- hashes ---------------------------------------------------------------------------------------


def _remainders(rows: pa.Table, columns: tuple[Column, ...], count: int) -> npt.NDArray[np.int64]:
    """Per row, its number among the partitions of a hash."""
    if not any(rows[column.name].null_count for column in columns):
        words = keys_of(rows, columns).high
    else:
        words = _words_with_nulls(rows, columns)
    return (words % np.uint64(count)).astype(np.int64)


def _words_with_nulls(rows: pa.Table, columns: tuple[Column, ...]) -> npt.NDArray[np.uint64]:
    missing = [rows[c.name].is_null().to_numpy().astype(np.int64) for c in columns]
    patterns = np.sum([bits << place for place, bits in enumerate(missing)], axis=0)
    words = np.empty(rows.num_rows, np.uint64)
    for pattern in np.unique(patterns).tolist():
        at = np.flatnonzero(patterns == pattern)
        known = tuple(c for place, c in enumerate(columns) if not pattern >> place & 1)
        part = rows.select([c.name for c in known]).take(at) if known else None
        own = np.zeros(len(at), np.uint64) if part is None else keys_of(part, known).high
        words[at] = own ^ mixed(np.array([pattern], np.int64))[0]
    return words


# --- ranges and lists -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """What rows of one partitioning are looked up in.

    Attributes:
        known: per column, the values of all bounds.
        steps: per column but the first, which numbers the columns before it have together, and how
            many numbers it has itself.
        starts, ends: of ranges, ascending; of lists both are the values.
        numbers: the partitions of these.
        default: the partition of what is not found.
    """

    known: tuple[Sequence[int | bytes], ...]
    steps: tuple[tuple[Codes, int], ...]
    starts: Codes
    ends: Codes
    numbers: PartitionIds
    default: int
    is_range: bool

    def of(self, found: Sequence[Codes]) -> PartitionIds:
        """The partitions of rows. Args: found: per column, the codes of the rows."""
        count = len(found[0])
        if not len(self.starts):
            return np.full(count, self.default, np.int64)
        place = found[0]
        for (before, base), column in zip(self.steps, found[1:], strict=True):
            place = _among(place, before) * base + column
        at = np.searchsorted(self.starts, place, "right") - 1
        start, end = self.starts[at], self.ends[at]
        inside = (at >= 0) & ((place < end) if self.is_range else (place == start))
        if self.is_range:
            for column in found:
                inside &= column != NULL_CODE
        return np.where(inside, self.numbers[at], self.default)


@functools.lru_cache(ROUTES_KEPT)
def route_of(partitioning: Partitioning, types: tuple[SqlType, ...]) -> Route:
    """Of a RANGE or LIST. Args: types: of the columns that decide."""
    default = partitioning.default
    is_range = partitioning.kind == "range"
    lows, highs, owners = _ends(partitioning.parts)
    both = [*lows, *highs]
    known = tuple(ordered([end[at].value for end in both], t) for at, t in enumerate(types))
    coded = [
        np.array([code_of(end[at], t, known[at]) for end in both], np.int64)
        for at, t in enumerate(types)
    ]
    steps: list[tuple[Codes, int]] = []
    place = coded[0]
    for at, column in enumerate(coded[1:], 1):
        before, base = np.unique(place), 2 * len(known[at]) + 4
        steps.append((before, base))
        place = _among(place, before) * base + column
    starts, ends = place[: len(lows)], place[len(lows) :]
    order = np.argsort(starts, kind="stable")
    return Route(
        known=known,
        steps=tuple(steps),
        starts=starts[order],
        ends=ends[order],
        numbers=np.array(owners, np.int64)[order],
        default=NOWHERE if default is None else default.id,
        is_range=is_range,
    )


def _ends(
    parts: Sequence[Partition],
) -> tuple[list[tuple[Bound, ...]], list[tuple[Bound, ...]], list[int]]:
    """Of every range, or of every value of a list: where it begins and ends, and whose it is."""
    lows: list[tuple[Bound, ...]] = []
    highs: list[tuple[Bound, ...]] = []
    owners: list[int] = []
    for part in parts:
        listed = [tuple(Bound(value=value) for value in values) for values in part.values]
        lows += listed or ([part.low] if part.low else [])
        highs += listed or ([part.high] if part.high else [])
        owners += [part.id] * (len(lows) - len(owners))
    return lows, highs, owners


def _among(values: Codes, known: Codes) -> Codes:
    """Where values are among known ones, so that the order, and what is equal, are kept."""
    if not len(known):
        return np.zeros(len(values), np.int64)
    at = np.searchsorted(known, values)
    equal = known[np.minimum(at, len(known) - 1)] == values
    found: Codes = 2 * at + equal
    return found

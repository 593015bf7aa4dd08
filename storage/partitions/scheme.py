"""How a table is divided: by the hash of columns, by ranges of them, or by lists of values.

Values of the catalogue (`docs/formats/log.md`). A partition has an id, which is never used again
in its table; 0 is no partition, and that of all rows of a table without any. What a bound's value
is, `values.py` says; which partition takes a row, `routing.py`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from storage.errors import CorruptData

__all__ = [
    "PARTITIONS_MAX",
    "Bound",
    "BoundValue",
    "Partition",
    "PartitionKind",
    "Partitioning",
    "partition_added",
    "partition_dropped",
]

PARTITIONS_MAX = 8192  # of a table, as in MySQL

BoundValue = bool | int | float | str | None
PartitionKind = Literal["hash", "key", "range", "list"]


class _Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value of the catalogue."""


class Bound(_Value, frozen=True):
    """One column's part of the end of a range: a value, or before (`side` -1, MINVALUE) or behind
    (1, MAXVALUE) all values."""

    value: BoundValue = None
    side: int = 0


class Partition(_Value, frozen=True):
    """A partition.

    Attributes:
        low, high: of a RANGE, one `Bound` for each column: rows from `low` on and before `high`,
            the first column being the most significant.
        values: of a LIST, one value for each column; None is NULL.
        default: takes what no other partition takes.
    """

    id: int
    name: str
    low: tuple[Bound, ...] = ()
    high: tuple[Bound, ...] = ()
    values: tuple[tuple[BoundValue, ...], ...] = ()
    default: bool = False


class Partitioning(_Value, frozen=True):
    """How a table is divided.

    Attributes:
        kind: "hash" and "key" are the same, and are shown as they were written.
        column_ids: of the columns that decide, in their order.
        parts: of a hash in the order of its remainders.
        next_id: of the next partition.
        version: counts the changes: rows that go to the default partition must know the newest.
    """

    kind: PartitionKind
    column_ids: tuple[int, ...]
    parts: tuple[Partition, ...]
    next_id: int
    version: int = 1

    @property
    def is_hash(self) -> bool:
        return self.kind in ("hash", "key")

    @property
    def default(self) -> Partition | None:
        """The partition of what no other takes."""
        return next((part for part in self.parts if part.default), None)

    def by_id(self, number: int) -> Partition | None:
        """The partition of that id, or None."""
        return next((part for part in self.parts if part.id == number), None)

    def by_name(self, name: str) -> Partition | None:
        """The partition of exactly that name, or None."""
        return next((part for part in self.parts if part.name == name), None)

    def with_part(self, part: Partition) -> Partitioning:
        """With one more, the next version."""
        return msgspec.structs.replace(
            self,
            parts=(*self.parts, part),
            next_id=part.id + 1,
            version=self.version + 1,
        )

    def without(self, numbers: tuple[int, ...]) -> Partitioning:
        """Without the partitions of these ids, the next version."""
        kept = tuple(part for part in self.parts if part.id not in numbers)
        return msgspec.structs.replace(self, parts=kept, version=self.version + 1)


def partition_added(known: Partitioning | None, part: Partition) -> Partitioning:
    """What a record of the log makes of a partitioning.

    Raises CorruptData: the table has none, or had a partition of that id.
    """
    if known is None or part.id < known.next_id:
        raise CorruptData(f"partition id {part.id} is used twice, or its table has no partitions")
    return known.with_part(part)


def partition_dropped(known: Partitioning | None, number: int) -> Partitioning:
    """The same of one that goes. Raises KeyError: the table does not have it."""
    if known is None or known.by_id(number) is None:
        raise KeyError(number)
    return known.without((number,))

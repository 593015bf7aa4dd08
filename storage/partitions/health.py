"""What each partition of a table holds, as numbers, and what its bounds are, as text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storage.partitions.routing import partition_columns
from storage.partitions.scheme import Partition, Partitioning
from storage.partitions.values import text_of, value_text
from storage.schema import SqlType
from storage.snapshot.model import TableState

__all__ = ["PartitionHealth", "bounds_text", "partition_health"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionHealth:
    """Of one partition at one snapshot.

    Attributes:
        bounds: as PostgreSQL shows them: `FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')`.
        rows: that are there, flushed or not; delta_rows: of them those that are not flushed.
        files, size_bytes: micropartitions; index_runs, index_bytes: of all keys.
    """

    name: str
    bounds: str
    rows: int
    delta_rows: int
    files: int
    size_bytes: int
    index_runs: int
    index_bytes: int


def partition_health(table: TableState) -> tuple[PartitionHealth, ...]:
    """Of each partition of a table, in the order of the catalogue; none if it has none."""
    if table.partitioning is None:
        return ()
    types = tuple(c.type for c in partition_columns(table.partitioning, table.schema))
    files = table.files.by_partition()
    deltas = _delta_rows(table)
    found = []
    for part in table.partitioning.parts:
        own = files.get(part.id)
        runs = [run for run in table.index_runs if run.partition == part.id]
        ids = () if own is None else own.ids
        deleted = sum(table.bitmaps[i].deleted_count for i in ids if i in table.bitmaps)
        stored = 0 if own is None else own.row_count
        found.append(
            PartitionHealth(
                name=part.name,
                bounds=bounds_text(table.partitioning, part, types),
                rows=stored - deleted + deltas.get(part.id, 0),
                delta_rows=deltas.get(part.id, 0),
                files=len(ids),
                size_bytes=0 if own is None else own.size_bytes,
                index_runs=len(runs),
                index_bytes=sum(run.size_bytes for run in runs),
            )
        )
    return tuple(found)


def _delta_rows(table: TableState) -> dict[int, int]:
    """By partition, rows of deltas that are there."""
    found: dict[int, int] = {}
    for delta in table.deltas:
        bitmap = table.bitmaps.get(delta.id)
        for number, start, end in delta.slices():
            gone = 0 if bitmap is None else bitmap.bitmap.range_cardinality(start, end)
            found[number] = found.get(number, 0) + end - start - gone
    return found


def bounds_text(partitioning: Partitioning, part: Partition, types: tuple[SqlType, ...]) -> str:
    """The bounds of a partition. Args: types: of the columns that decide."""
    if partitioning.is_hash:
        numbers = np.array([known.id for known in partitioning.parts])
        remainder = int(np.flatnonzero(numbers == part.id)[0])
        return f"FOR VALUES WITH (modulus {len(numbers)}, remainder {remainder})"
    if part.default:
        return "DEFAULT"
    if part.values:
        rows = [
            ", ".join(value_text(v, t) for v, t in zip(row, types, strict=True))
            for row in part.values
        ]
        return f"FOR VALUES IN ({', '.join(r if len(types) == 1 else f'({r})' for r in rows)})"
    low, high = (
        ", ".join(text_of(bound, t) for bound, t in zip(end, types, strict=True))
        for end in (part.low, part.high)
    )
    return f"FOR VALUES FROM ({low}) TO ({high})"

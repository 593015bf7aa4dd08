"""Rows in the order of their partitions, as deltas have them and as they are cut for files.

Counts are pairs, ascending: the id of a partition that has rows, and how many.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from storage.errors import Conflict, InvalidRequest
from storage.partitions.routing import (
    NOWHERE,
    PartitionIds,
    by_partition,
    no_partition,
    partition_columns,
    partitions_of,
    row_text,
)
from storage.partitions.scheme import Partitioning
from storage.schema import TableSchema

__all__ = [
    "PartitionCounts",
    "counts_of",
    "in_order",
    "outside",
    "parted",
    "per_row",
    "refuse_stale",
]

PartitionCounts = tuple[tuple[int, int], ...]


def per_row(counts: PartitionCounts) -> PartitionIds:
    """The partition of each row."""
    numbers, rows = np.array(counts, np.int64).reshape(-1, 2).T
    return np.repeat(numbers, rows)


def counts_of(found: PartitionIds) -> PartitionCounts:
    """Of rows in the order of their partitions."""
    numbers, counts = np.unique(found, return_counts=True)
    return tuple(zip(numbers.tolist(), counts.tolist(), strict=True))


def in_order(
    rows: pa.Table,
    partitioning: Partitioning,
    schema: TableSchema,
    table_name: str,
    *,
    strays: bool = False,
) -> tuple[pa.Table, PartitionCounts]:
    """The rows in the order of their partitions, those of one in the order that they have.

    Args:
        rows: of the columns of `schema` at least those that decide.
        strays: rows without a partition come first, as of partition 0; else they are refused.
    Raises InvalidRequest (23514): a row has no partition.
    """
    columns = partition_columns(partitioning, schema)
    found = partitions_of(partitioning, rows, columns)
    lost = np.flatnonzero(found == NOWHERE)
    if len(lost) and not strays:
        raise no_partition(rows, columns, int(lost[0]), table_name)
    if (found[1:] >= found[:-1]).all():
        return rows, counts_of(found)
    order = np.argsort(found, kind="stable")
    return rows.take(pa.array(order)), counts_of(found)


def parted(
    rows: pa.Table,
    partitioning: Partitioning | None,
    schema: TableSchema,
    table_name: str,
    attached: str | None = None,
) -> list[pa.Table]:
    """The rows of each partition, in the order of their ids; without a partitioning all of them.

    Args: attached: the name of a partition that all rows must belong to, the only one.
    Raises InvalidRequest (23514): a row has no partition, or not that one.
    """
    if partitioning is None:
        return [rows]
    columns = partition_columns(partitioning, schema)
    found = partitions_of(partitioning, rows, columns)
    lost = np.flatnonzero(found == NOWHERE)
    if len(lost):
        row = int(lost[0])
        if attached is None:
            raise no_partition(rows, columns, row, table_name)
        raise outside(attached, table_name, row_text(rows, columns, row))
    return [rows.take(pa.array(at)) for _, at in by_partition(found)]


def outside(partition: str, table_name: str, row: str) -> InvalidRequest:
    """The error of rows that are to become a partition and do not belong there."""
    return InvalidRequest(
        f'partition constraint of partition "{partition}" of table "{table_name}" is violated by '
        f"some row: {row} is not within its bounds; nothing was changed",
        "23514",
    )


def refuse_stale(
    found: Iterable[int], version: int, partitioning: Partitioning | None, table_name: str
) -> None:
    """Raises Conflict if rows were divided by an older partitioning that differs for them: one of
    their partitions is gone, or what was the default's, or nobody's, may be of another now.

    Args:
        found: ids of their partitions.
        version: of the partitioning that they were divided by; 0: by none.
    """
    numbers = set(found)
    if partitioning is None:
        stale = bool(version)
    elif version == partitioning.version:
        return
    else:
        kept = {part.id for part in partitioning.parts if not part.default}
        stale = not version or not numbers <= kept
    if stale and numbers:
        raise Conflict(
            f"the partitions of table {table_name} have changed since the rows were divided; read "
            "the table again and retry"
        )

"""Whether live rows are in the partition that the catalogue says.

Dead ones may be of any: since they were deleted, another partition may have come that takes them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from storage.partitions.routing import PartitionIds, partition_columns, partitions_of, row_text
from storage.partitions.scheme import Partitioning
from storage.primary_key import Run, file_ids_of
from storage.primary_key.words import Mask
from storage.schema import Column
from storage.snapshot.model import TableState

__all__ = ["RowPartitions", "foreign_entries"]

SLICE_ENTRIES = 1 << 20


@dataclass(frozen=True, slots=True)
class RowPartitions:
    """Checks the rows of a table. `columns`: those that decide."""

    partitioning: Partitioning
    columns: tuple[Column, ...]

    @classmethod
    def of(cls, table: TableState) -> RowPartitions | None:
        """None: the table has no partitions."""
        if table.partitioning is None:
            return None
        return cls(table.partitioning, partition_columns(table.partitioning, table.schema))

    def fault(self, rows: pa.Table, said: PartitionIds, live: Mask) -> tuple[str, str] | None:
        """Expected and found of the first live row that is elsewhere.

        Args: rows: with `columns` in their logical types; said: the partition of each.
        """
        found = partitions_of(self.partitioning, rows, self.columns)
        wrong = np.flatnonzero((found != said) & live)
        if not len(wrong):
            return None
        row = int(wrong[0])
        text = row_text(rows, self.columns, row)
        expected = f"rows of {self._name(int(said[row]))}, as the catalogue says"
        return (
            expected,
            f"{text}, which is of {self._name(int(found[row]))}; {len(wrong)} such rows",
        )

    def _name(self, number: int) -> str:
        part = self.partitioning.by_id(number)
        return f"no partition of the table ({number})" if part is None else f"partition {part.name}"


def foreign_entries(run: Run, partition: int, table: TableState) -> str | None:
    """What a run has of files that are in other partitions than it says; None: nothing."""
    if table.partitioning is None:
        return f"partition {partition}" if partition else None
    partitions = dict(zip(table.files.ids, table.files.partitions.tolist(), strict=True))
    entries = run.entries
    for start in range(0, len(entries), SLICE_ENTRIES):
        part = run.moved(entries.rows[start : start + SLICE_ENTRIES, -1].copy())
        for number in np.unique(file_ids_of(part)).tolist():
            if partitions.get(number, partition) != partition:
                return f"rows of file {number}, which is of partition {partitions[number]}"
    return None

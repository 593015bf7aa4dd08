"""What the next operation is resolved against: a snapshot, and where the keys of its tables are.

A frozen value: a transaction that fails leaves no trace, because its state is not taken over, and a
group that is merged before it is written begins again from the state before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from actors.primary.resolved import Resolved
from storage.primary_key import TableIndex
from storage.snapshot.apply import apply_changes
from storage.snapshot.model import Snapshot

__all__ = ["WriterState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterState:
    """A snapshot with the open indexes of its tables, by table id."""

    snapshot: Snapshot
    indexes: Mapping[int, TableIndex] = field(default_factory=dict)

    def after(self, resolved: Resolved, lsn: int) -> WriterState:
        """With an operation of the group at `lsn` done."""
        snapshot = apply_changes(self.snapshot, resolved.catalogue, resolved.tables, lsn=lsn)
        indexes = self.indexes
        if resolved.indexes:
            indexes = {**indexes, **resolved.indexes}
        if resolved.catalogue and indexes.keys() - snapshot.tables.keys():
            indexes = {k: v for k, v in indexes.items() if k in snapshot.tables}
        return WriterState(snapshot=snapshot, indexes=indexes)

    def with_index(self, table_id: int, index: TableIndex) -> WriterState:
        """With a table's index opened."""
        return dataclasses.replace(self, indexes={**self.indexes, table_id: index})

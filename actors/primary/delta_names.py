"""Ids of deltas and files that a transaction made in its fork, and what they are where it is done
again.

Deletions by location name them, and large writes name the rows that they replace; those before the
fork keep their ids.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from actors.messages import AppendFiles, DeleteRows, LoadFiles, Operation
from actors.primary.resolved import Resolved
from storage.primary_key import Words, by_file, locations_in, rows_of
from storage.snapshot.changes import AddFiles, AddRows

__all__ = ["DeltaNames", "ids_made", "table_of"]


class DeltaNames:
    """Of one transaction. Args: made: per operation, the first of the ids that it made in the fork,
    if any."""

    def __init__(self, made: Sequence[int | None], operations: Sequence[Operation]) -> None:
        self._made = made
        self._tables = [table_of(operation) for operation in operations]
        self._counts = [_count(operation) for operation in operations]
        self._new: dict[tuple[int, int], int] = {}

    def note(self, position: int, first_id: int | None) -> None:
        """The operation at that position has made the ids from this one on now."""
        old = self._made[position] if position < len(self._made) else None
        if old is not None and first_id is not None:
            for i in range(self._counts[position]):
                self._new[self._tables[position], old + i] = first_id + i

    def of(self, operation: Operation) -> Operation:
        """The operation with the new ids."""
        if not self._new:
            return operation
        match operation:
            case DeleteRows(table_id=table_id, positions=positions):
                named = {self._new.get((table_id, k), k): v for k, v in positions.items()}
                return dataclasses.replace(operation, positions=named)
            case LoadFiles(table_id=table_id, gone=gone):
                return dataclasses.replace(operation, gone=self._renamed(table_id, gone))
            case _:
                return operation

    def _renamed(self, table_id: int, gone: Words) -> Words:
        parts = [
            locations_in(self._new.get((table_id, k), k), rows_of(gone[at]).astype(np.int64))
            for k, at in by_file(gone)
        ]
        return np.sort(np.concatenate([np.empty(0, np.uint64), *parts]))


def table_of(operation: Operation) -> int:
    """The id of the table that it writes to; 0 if it names none by id."""
    return int(getattr(operation, "table_id", 0))


def ids_made(resolved: Resolved) -> int | None:
    """The first id of the deltas or files that an operation adds, if it adds any."""
    for changes in resolved.tables.values():
        for change in changes:
            if isinstance(change, AddRows):
                return change.delta_id
            if isinstance(change, AddFiles):
                return change.first_file_id
    return None


def _count(operation: Operation) -> int:
    return len(operation.files) if isinstance(operation, AppendFiles | LoadFiles) else 1

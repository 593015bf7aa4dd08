"""Ids of deltas that a transaction made in its fork, and what they are where it is done again.

Only deletions by location name deltas; those before the fork keep their ids.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from actors.operations import DeleteRows, Operation
from actors.primary.resolved import Resolved
from storage.snapshot.changes import AddRows

__all__ = ["DeltaNames", "delta_made", "table_of"]


class DeltaNames:
    """Of one transaction. Args: made: per operation, the id of the delta in the fork, if any."""

    def __init__(self, made: Sequence[int | None], operations: Sequence[Operation]) -> None:
        self._made = made
        self._tables = [table_of(operation) for operation in operations]
        self._new: dict[tuple[int, int], int] = {}

    def note(self, position: int, delta_id: int | None) -> None:
        """The operation at that position has made this delta now."""
        old = self._made[position] if position < len(self._made) else None
        if old is not None and delta_id is not None:
            self._new[self._tables[position], old] = delta_id

    def of(self, operation: Operation) -> Operation:
        """The operation with the new ids."""
        if not isinstance(operation, DeleteRows) or not self._new:
            return operation
        table_id = operation.table_id
        positions = {self._new.get((table_id, k), k): v for k, v in operation.positions.items()}
        return dataclasses.replace(operation, positions=positions)


def table_of(operation: Operation) -> int:
    """The id of the table that it writes to; 0 if it names none by id."""
    return int(getattr(operation, "table_id", 0))


def delta_made(resolved: Resolved) -> int | None:
    """The delta that an operation adds, if it adds one."""
    for changes in resolved.tables.values():
        for change in changes:
            if isinstance(change, AddRows):
                return change.delta_id
    return None

"""Ids of deltas and files that a transaction made in its fork, and what they are where it is done
again.

Deletions by location name them, and so do large writes whose rows replace others. Ids from before
the fork stay what they are: those of the fork follow them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from actors.operations import (
    AppendFiles,
    DeleteRows,
    LoadFiles,
    Operation,
)
from actors.primary.resolved import Resolved
from storage.primary_key import ROW_BITS, Words, file_ids_of
from storage.snapshot.changes import AddFiles, AddRows

__all__ = ["DeltaNames", "first_made", "table_of"]


class DeltaNames:
    """Of one transaction. Args: made: per operation, the first id that it made in the fork."""

    def __init__(self, made: Sequence[int | None], operations: Sequence[Operation]) -> None:
        self._made = made
        self._operations = operations
        self._new: dict[int, list[tuple[range, int]]] = {}  # by table: ids in the fork, first now

    def note(self, position: int, first_id: int | None) -> None:
        """The operation at that position has made ids from this one on now."""
        old = self._made[position] if position < len(self._made) else None
        if old is None or first_id is None or old == first_id:
            return
        operation = self._operations[position]
        count = len(operation.files) if isinstance(operation, AppendFiles | LoadFiles) else 1
        renamed = self._new.setdefault(table_of(operation), [])
        renamed.append((range(old, old + count), first_id))

    def of(self, operation: Operation) -> Operation:
        """The operation with the new ids."""
        renamed = self._new.get(table_of(operation))
        if renamed is None:
            return operation
        if isinstance(operation, DeleteRows):
            positions = {_renamed(k, renamed): v for k, v in operation.positions.items()}
            return dataclasses.replace(operation, positions=positions)
        if isinstance(operation, LoadFiles):
            return dataclasses.replace(operation, gone=_moved(operation.gone, renamed))
        return operation


def _renamed(number: int, renamed: Sequence[tuple[range, int]]) -> int:
    for old, first in renamed:
        if number in old:
            return first + number - old.start
    return number


def _moved(found: Words, renamed: Sequence[tuple[range, int]]) -> Words:
    """Locations with the new ids."""
    ids, moved = file_ids_of(found), found.copy()
    for old, first in renamed:
        inside = (ids >= old.start) & (ids < old.stop)
        up = ids[inside] - old.start + first
        rows = found[inside] & np.uint64((1 << ROW_BITS) - 1)
        moved[inside] = (up.astype(np.uint64) << np.uint64(ROW_BITS)) | rows
    return moved


def table_of(operation: Operation) -> int:
    """The id of the table that it writes to; 0 if it names none by id."""
    return int(getattr(operation, "table_id", 0))


def first_made(resolved: Resolved) -> int | None:
    """The delta or the first file that an operation adds, if it adds any."""
    for changes in resolved.tables.values():
        for change in changes:
            if isinstance(change, AddRows):
                return change.delta_id
            if isinstance(change, AddFiles):
                return change.first_file_id
    return None

"""Rows written by key: which rows they replace, and which of them stay out.

1. Each primary key is looked up: the location of the live row that has it, or none.
2. The mode says what that means (`WriteMode`): an error, a row to leave out, a row to delete.
3. Every other key of the rows that stay must be free, once the rows to delete are gone.
4. What remains is one delta, and deleted positions of the files and deltas that held the old rows.

Operations on one key merge as docs/formats/log.md says, across the transactions of a group too:
each is resolved against the state that the one before it left (`state.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from actors.operations import WriteMode, WriteRows
from actors.primary.delete_rows import bitmaps_at
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from storage.delta import decode_rows, encode_rows
from storage.errors import Conflict, InternalError, InvalidRequest
from storage.key_rows import RowKeys, decode_row_keys, indexed, key_text
from storage.partitions.rows import PartitionCounts, counts_of, per_row, refuse_stale
from storage.primary_key import MISSING, TableIndex
from storage.schema import Key
from storage.snapshot import changes as c
from storage.snapshot.model import TableState

__all__ = ["write_rows"]

Locations = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


def write_rows(operation: WriteRows, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. The table's index is open.

    Raises:
        InvalidRequest: a key is there already (23505); names table, constraint and key.
        Conflict: the table was dropped or changed since the rows were made.
    """
    table = _table(operation, state)
    index = state.indexes.get(table.id) or _new_index(table)
    work = _Work(operation, table, index)
    keep, gone = work.matched()
    work.refuse_taken(keep, gone)
    return work.resolved(keep, gone)


class _Work:
    """One operation on one table."""

    def __init__(self, operation: WriteRows, table: TableState, index: TableIndex) -> None:
        self._operation = operation
        self._table = table
        self._index = index
        self._keys = {
            key.id: decode_row_keys(
                operation.keys[key.id], table.key_columns(key), operation.row_count
            )
            for key in table.keys
            if key.id in operation.keys
        }
        divided = table.partitioning is not None
        self._partitions = per_row(operation.partitions) if divided else None

    def matched(self) -> tuple[Mask, Locations]:
        """Which rows are written, and where the rows are that they replace or delete."""
        operation, primary = self._operation, self._table.primary_key
        everything = np.ones(operation.row_count, dtype=np.bool_)
        nothing = np.empty(0, dtype=np.uint64)
        if primary is None:
            if operation.mode not in (WriteMode.INSERT, WriteMode.IGNORE):
                raise InternalError(f"{operation.mode} of a table without a primary key")
            return self._free_rows(everything), nothing
        found = self._found(primary)
        there = found != MISSING
        match operation.mode:
            case WriteMode.INSERT:
                if there.any():
                    raise self._duplicate(primary, int(np.argmax(there)))
                return everything, nothing
            case WriteMode.IGNORE:
                return self._free_rows(~there), nothing
            case WriteMode.UPSERT:
                return everything, found[there]
            case WriteMode.UPDATE | WriteMode.DELETE:
                return there, found[there]

    def refuse_taken(self, keep: Mask, gone: Locations) -> None:
        """Raises InvalidRequest if a row that is written has a key of a row that stays."""
        if self._operation.mode is WriteMode.DELETE:
            return
        for key in self._table.keys:
            if key.primary or key.id not in self._keys:
                continue
            taken = self._taken(key, gone) & keep
            if taken.any():
                raise self._duplicate(key, int(np.argmax(taken)))

    def resolved(self, keep: Mask, gone: Locations) -> Resolved:
        """The changes, the index with them, and the keys that were written."""
        operation, table = self._operation, self._table
        count = int(np.count_nonzero(keep))
        changes: list[c.TableChange] = []
        if len(gone):
            changes.append(c.AddBitmaps(bitmaps=bitmaps_at(gone)))
        if operation.mode is WriteMode.DELETE or not count:
            written = {k: v.kept(keep) for k, v in self._keys.items()}
            return self._made(count, changes, self._index, written, None)
        rows, keys, partitions = self._rows(keep)
        delta_id = table.next_file_id
        changes.append(
            c.AddRows(
                delta_id=delta_id,
                schema_version=operation.schema_version,
                row_count=count,
                rows=rows,
                partitions=partitions,
            )
        )
        return self._made(
            count, changes, self._index.added(delta_id, indexed(keys)), keys, delta_id
        )

    def _made(
        self,
        count: int,
        changes: list[c.TableChange],
        index: TableIndex,
        keys: Mapping[int, RowKeys],
        delta_id: int | None,
    ) -> Resolved:
        table = self._table
        written = {key_id: found.keys for key_id, found in keys.items()}
        return Resolved(
            kind=self._operation.mode.value,
            table_id=table.id,
            row_count=count,
            tables={table.id: tuple(changes)} if changes else {},
            indexes={table.id: index} if changes else {},
            deltas={} if delta_id is None else {(table.id, delta_id): keys},
            written={table.id: written} if count else {},
        )

    def _rows(self, keep: Mask) -> tuple[bytes, dict[int, RowKeys], PartitionCounts]:
        """The rows that are written, encoded, their keys and their partitions."""
        assert self._operation.rows is not None
        if keep.all():
            return self._operation.rows, self._keys, self._operation.partitions
        rows = self._decoded().filter(pa.array(keep))
        partitions = () if self._partitions is None else counts_of(self._partitions[keep])
        keys = {k: v.kept(keep) for k, v in self._keys.items()}
        return encode_rows(rows), keys, partitions

    def _found(self, key: Key) -> Locations:
        """Where the rows are that have a key of the operation's rows."""
        own = self._keys[key.id]
        partitions = None if self._partitions is None else self._partitions[own.positions()]
        return self._index.find(key.id, own.keys, self._table, partitions)

    def _free_rows(self, keep: Mask) -> Mask:
        """Of a mode that leaves rows out: those of which no key is taken."""
        if self._operation.mode is WriteMode.IGNORE:
            for key in self._table.keys:
                if not key.primary and key.id in self._keys:
                    keep = keep & ~self._taken(key, np.empty(0, dtype=np.uint64))
        return keep

    def _taken(self, key: Key, gone: Locations) -> Mask:
        """Per row of the operation: does a live row have its key, other than those that go?"""
        own = self._keys[key.id]
        found = self._found(key)
        alive = found != MISSING
        if len(gone):
            alive &= ~np.isin(found, gone)
        taken = np.zeros(self._operation.row_count, dtype=np.bool_)
        taken[own.positions()[alive]] = True
        return taken

    def _decoded(self) -> pa.Table:
        assert self._operation.rows is not None
        return decode_rows(self._operation.rows, f"rows for table {self._table.name}")

    def _duplicate(self, key: Key, row: int) -> InvalidRequest:
        text = key_text(self._decoded(), self._table.key_columns(key), row)
        return InvalidRequest(
            f'duplicate key value violates unique constraint "{key.name}" of table '
            f"{self._table.name}: {text} already exists",
            "23505",
        )


def _new_index(table: TableState) -> TableIndex:
    """Of a table that the same transaction has made. Raises InternalError: it has rows."""
    if len(table.files) or table.deltas:
        raise InternalError(f"table {table.name}: its index is not open")
    return TableIndex.of(table, {})


def _table(operation: WriteRows, state: WriterState) -> TableState:
    table = state.snapshot.tables.get(operation.table_id)
    if table is None:
        raise Conflict(
            f"the table of id {operation.table_id} was dropped meanwhile; nothing was written"
        )
    if operation.schema_version != table.schema.version:
        raise Conflict(
            f"table {table.name} has schema version {table.schema.version}, the rows have "
            f"{operation.schema_version}; read the table again and retry"
        )
    divided = [number for number, _ in operation.partitions]
    refuse_stale(divided, operation.partitioning, table.partitioning, table.name)
    wanted = {k.id for k in table.keys if k.primary or operation.mode is not WriteMode.DELETE}
    if missing := wanted - operation.keys.keys():
        names = [key.name for key in table.keys if key.id in missing]
        raise InvalidRequest(f"table {table.name}: the rows come without keys of {names}")
    return table

"""Rows of statements as operations: fitted rows, in the log or, when there are many, in files."""

from __future__ import annotations

import pyarrow as pa

from actors.append import rows_operation
from actors.messages import Operation, TableInfo, WriteMode
from storage.errors import NotYet
from storage.ids import Ids
from storage.objects import ObjectStore

__all__ = ["StoredRowWrites"]


class StoredRowWrites:
    """Implements `primary.modify.RowWrites`."""

    def __init__(self, store: ObjectStore, ids: Ids, inline_bytes_max: int) -> None:
        """Args: inline_bytes_max: encoded rows from this size on become micropartitions."""
        self._store = store
        self._ids = ids
        self._inline_bytes_max = inline_bytes_max

    async def write(
        self, info: TableInfo, rows: pa.Table, mode: WriteMode, read_lsn: int | None
    ) -> Operation:
        """See `RowWrites.write`."""
        if info.target.keys:
            raise NotYet(f"table {info.target.table_name}: writing rows with keys")
        return await rows_operation(
            self._store, info, rows, ids=self._ids, inline_bytes_max=self._inline_bytes_max
        )

    def delete(self, info: TableInfo, keys: pa.Table, read_lsn: int) -> Operation:
        """See `RowWrites.delete`."""
        raise NotYet(f"table {info.target.table_name}: deleting rows by key")

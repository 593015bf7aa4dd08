"""Indexes that are made anew from the data, while others write: for one that is lost, damaged or
wrong although its checksums are right.

1. No runs of the table are merged meanwhile: those that are read about are those that go.
2. Its index is opened. If a run was lost, opening has made all of them anew (`indexes.py`), and
   they only need to be published.
3. Else the key columns of all files of the newest durable version are read, and their rows that are
   live become one run for each key and partition.
4. A commit exchanges the runs. What loads and flushes have added since has runs of its own, which
   stay; what was deleted since, bitmaps say.

If the table was truncated meanwhile, its runs are gone, and what is there now is looked at again.
Until the commit writers look keys up in the index as it was: a row that it does not know may be
written twice, and no index can tell which of the two should stay. The check tells of such rows.
"""

from __future__ import annotations

import asyncio

from actors.messages import Transaction
from actors.operations import ExchangeRuns
from actors.primary.indexes import Exchanged, Indexes
from actors.primary.maintainer import Maintainer
from actors.primary.sequencer import Sequencer
from storage.errors import Conflict
from storage.snapshot.model import TableState

__all__ = ["IndexRepair"]

ATTEMPTS_MAX = 5


class IndexRepair:
    """Of one primary; one repair at a time."""

    def __init__(self, sequencer: Sequencer, indexes: Indexes, maintainer: Maintainer) -> None:
        self._sequencer = sequencer
        self._indexes = indexes
        self._maintainer = maintainer
        self._busy = asyncio.Lock()

    async def run(self, table_id: int | None = None) -> int:
        """Make the indexes of one table anew, or of all. Returns how many were.

        Raises:
            CorruptData, ObjectMissing: a file of the data; names it.
            Conflict: the table was truncated again and again.
        """
        tables = self._sequencer.snapshot.tables if table_id is None else (table_id,)
        async with self._busy:
            return sum([await self._table(wanted) for wanted in list(tables)])

    async def _table(self, table_id: int) -> int:
        for attempt in range(ATTEMPTS_MAX):
            async with self._maintainer.without_merges(table_id):
                try:
                    return await self._repaired(table_id)
                except Conflict:  # it was dropped or truncated meanwhile
                    if attempt == ATTEMPTS_MAX - 1:
                        raise
        return 0

    async def _repaired(self, table_id: int) -> int:
        if not await self._open(table_id):
            return 0
        exchanged = self._indexes.rebuilt.get(table_id)
        if exchanged is None:
            exchanged = await self._made_anew(self._sequencer.snapshot.tables.get(table_id))
        operations = tuple(
            ExchangeRuns(table_id=table_id, key_id=key_id, gone=gone, made=made)
            for (key_id, _), (gone, made) in exchanged.items()
            if gone or made is not None
        )
        if operations:
            await self._sequencer.submit(Transaction(operations=operations))
        self._indexes.rebuilt.pop(table_id, None)
        return len({operation.key_id for operation in operations})

    async def _open(self, table_id: int) -> bool:
        """Whether there is such a table, with keys; then its index is open."""
        while table_id not in self._sequencer.state.indexes:
            table = self._sequencer.working.tables.get(table_id)
            if table is None or not table.keys:
                return False
            await self._sequencer.open_table(table)
        return True

    async def _made_anew(self, table: TableState | None) -> Exchanged:
        """Of a durable version: its files are in the store."""
        return {} if table is None else await self._indexes.made_anew(table)

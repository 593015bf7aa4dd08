"""EXCHANGE PARTITION made ready: both sides flushed, the runs of each key made one.

A run that is moved may have no entry but of rows that are there: an id of a file that is gone would
come to mean another file (`exchange.py`). So runs are merged, also where there is only one.
"""

from __future__ import annotations

from actors.operations import ExchangePartition
from actors.primary.exchange import Side
from actors.primary.indexes import Indexes
from actors.primary.maintainer import Maintainer
from actors.primary.sequencer import Sequencer
from storage.errors import Conflict
from storage.partitions.scheme import Partition
from storage.primary_key import LiveRows, OpenRun, TableIndex
from storage.snapshot.model import TableState

__all__ = ["PartitionExchange"]


class PartitionExchange:
    """Of one primary."""

    def __init__(self, sequencer: Sequencer, indexes: Indexes, maintainer: Maintainer) -> None:
        self._sequencer = sequencer
        self._indexes = indexes
        self._maintainer = maintainer

    async def flush(self, table: TableState, partition: Partition, other: TableState) -> None:
        """Flush both sides, if one of them has rows that are not."""
        for table_id, number in ((table.id, partition.id), (other.id, 0)):
            known = self._sequencer.snapshot.tables.get(table_id)
            if known is not None and Side(known, number).unflushed:
                await self._maintainer.flush_now(table_id)

    async def operation(
        self, table: TableState, partition: Partition, other: TableState
    ) -> ExchangePartition:
        """The exchange of what both hold now, and that their rows were looked at in these states.

        Raises Conflict: one of them has changed since.
        """
        state, _ = self._sequencer.fork()
        assert table.partitioning is not None
        own, its = Side(table, partition.id), Side(other, 0)
        runs = []
        for side in (own, its):
            known = state.snapshot.tables.get(side.table.id)
            if known is None or Side(known, side.partition).files.ids != side.files.ids:
                raise Conflict(f"table {side.table.name} was written meanwhile; retry")
            index = state.indexes.get(known.id) or await self._indexes.open(known)
            runs.append(await self._one_each(Side(known, side.partition), index))
        return ExchangePartition(
            table_id=table.id,
            other_id=other.id,
            partition=partition.name,
            version=table.partitioning.version,
            files=own.files.ids,
            other_files=its.files.ids,
            runs=runs[0],
            other_runs=runs[1],
        )

    async def _one_each(self, side: Side, index: TableIndex) -> dict[int, OpenRun]:
        """One run of each key, of the rows that are there."""
        table = side.table
        rows = LiveRows(index.live, table.bitmaps)
        made = {}
        for key in table.keys:
            own = [p for p in index.keys[key.id].runs if p.partition == side.partition]
            if own:
                made[key.id] = await self._indexes.merged(key.id, own, rows)
        return made

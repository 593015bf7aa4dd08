"""EXCHANGE PARTITION in the catalogue: what a partition and a table hold change places, unread.

The files of each leave their table and come to the other one, with their delete bitmaps and index
runs. They get new ids there, all moved by the same number, past every id that the table has had: so
a run is moved by a number in the catalogue, too. What is not flushed cannot be moved so, and has
the commit refused (`partition_exchange.py` comes before it, and tries again).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa

from actors.operations import ExchangePartition
from actors.primary.maintenance import placed
from actors.primary.publishable import refuse_collected
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from storage.errors import Conflict, InvalidRequest
from storage.partitions.checks import known_partition
from storage.primary_key import OpenRun
from storage.schema import Column
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet
from storage.snapshot.model import TableState

__all__ = ["Side", "exchange_partition", "refuse_different"]

_BAD_TABLE = "42P16"


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: a partition of a table, or a table without partitions (`partition` 0)."""

    table: TableState
    partition: int

    @property
    def files(self) -> FileSet:
        return self.table.files.by_partition().get(self.partition, FileSet.empty())

    @property
    def runs(self) -> tuple[str, ...]:
        """Names of its index runs."""
        runs = self.table.index_runs
        return tuple(run.name for run in runs if run.partition == self.partition)

    @property
    def unflushed(self) -> bool:
        """Whether deltas have rows of it that are there."""
        for delta in self.table.deltas:
            bitmap = self.table.bitmaps.get(delta.id)
            for number, start, end in delta.slices():
                if number != self.partition:
                    continue
                gone = 0 if bitmap is None else bitmap.bitmap.range_cardinality(start, end)
                if gone < end - start:
                    return True
        return False


def exchange_partition(operation: ExchangePartition, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`.

    Raises:
        InvalidRequest: the tables differ (42P16).
        Conflict: one of them was dropped or written since the exchange was prepared.
    """
    tables = state.snapshot.tables
    table, other = tables.get(operation.table_id), tables.get(operation.other_id)
    if table is None or other is None:
        raise Conflict("a table of the exchange was dropped meanwhile; nothing was changed")
    refuse_different(table, other)
    known = table.partitioning
    part = known_partition(known, operation.partition, table.name)
    assert known is not None
    own, its = Side(table, part.id), Side(other, 0)
    for side, prepared in ((own, operation.files), (its, operation.other_files)):
        if side.files.ids != prepared or side.unflushed or known.version != operation.version:
            raise Conflict(f"table {side.table.name} was written while it was exchanged; retry")
    opened = (*operation.runs.values(), *operation.other_runs.values())
    refuse_collected((run.name for run, _ in opened), state.snapshot)
    changes, indexes = {}, {}
    for to, source, runs in ((own, its, operation.other_runs), (its, own, operation.runs)):
        made = _Move(to, source, runs, lsn)
        changes[to.table.id] = made.changes()
        index = state.indexes.get(to.table.id)
        if index is not None:
            indexes[to.table.id] = index.exchanged(
                {key_id: (run,) for key_id, run in made.runs.items()},
                added=[number + made.offset for number in source.files.ids],
                removed=to.files.ids,
                gone=to.runs,
            )
        elif to.table.keys:
            raise Conflict(f"the index of table {to.table.name} is not open; retry")
    return Resolved(
        kind="exchange_partition",
        table_id=table.id,
        tables={table_id: found for table_id, found in changes.items() if found},
        indexes=indexes,
        written={table.id: None, other.id: None},
    )


class _Move:
    """What one side holds, on its way to the other."""

    def __init__(self, to: Side, source: Side, runs: Mapping[int, OpenRun], lsn: int) -> None:
        self._to = to
        self._source = source
        self._lsn = lsn
        self.offset = to.table.next_file_id
        self.runs = {
            key_id: _of_partition(placed(run, lsn, self.offset), to.partition)
            for key_id, run in runs.items()
        }

    def changes(self) -> tuple[c.TableChange, ...]:
        """Of the table that it comes to."""
        to = self._to
        made: list[c.TableChange] = []
        if to.files.ids:
            made.append(c.RemoveFiles(file_ids=to.files.ids))
        if to.runs:
            made.append(c.RemoveIndexRuns(names=to.runs))
        made += self._files()
        if bitmaps := self._bitmaps():
            made.append(c.AddBitmaps(bitmaps=bitmaps))
        if self.runs:
            made.append(c.AddIndexRuns(runs=tuple(run for run, _ in self.runs.values())))
        return tuple(made)

    def _files(self) -> list[c.TableChange]:
        """A record for every stretch of ids without a gap."""
        files = self._source.files.table
        ids = np.array(self._source.files.ids, np.int64) + self.offset
        partition = str(self._to.partition) if self._to.partition else None
        count = len(ids)
        columns = {
            "file_id": pa.array(ids),
            "lsn_added": pa.array(np.full(count, self._lsn, np.int64)),
            "partition": pa.array([partition] * count, pa.string()),
        }
        for name, values in columns.items():
            at = files.schema.get_field_index(name)
            files = files.set_column(at, files.schema.field(at), values)
        order = np.argsort(ids)
        stretches = np.split(order, np.flatnonzero(np.diff(ids[order]) != 1) + 1)
        return [
            c.AddFiles(
                first_file_id=int(ids[some[0]]),
                file_count=len(some),
                files=FileSet(files.take(pa.array(some))).encode(),
            )
            for some in stretches
            if len(some)
        ]

    def _bitmaps(self) -> tuple[c.Bitmap, ...]:
        bitmaps = self._source.table.bitmaps
        return tuple(
            c.Bitmap(
                file_id=number + self.offset,
                deleted_count=bitmaps[number].deleted_count,
                positions=bitmaps[number].positions,
            )
            for number in self._source.files.ids
            if number in bitmaps
        )


def refuse_different(table: TableState, other: TableState) -> None:
    """Raises InvalidRequest (42P16) if rows of the tables are not interchangeable; says why."""
    if other.id == table.id:
        raise InvalidRequest(f'table "{table.name}" cannot be exchanged with itself', _BAD_TABLE)
    if other.partitioning is not None:
        raise InvalidRequest(
            f'table to exchange with partition has partitions itself: "{other.name}"', _BAD_TABLE
        )
    for what, one, two in (
        ("columns", _columns(table), _columns(other)),
        ("keys", _keys(table), _keys(other)),
        ("CHECK constraints", _checks(table), _checks(other)),
    ):
        if one != two:
            raise InvalidRequest(
                f'tables "{table.name}" and "{other.name}" have different definitions: their '
                f"{what} differ; make the table to exchange like the partitioned one",
                _BAD_TABLE,
            )


def _columns(table: TableState) -> list[tuple[object, ...]]:
    def shown(column: Column) -> tuple[object, ...]:
        return (column.id, column.name, column.type, column.nullable)

    versions = [schema.version for schema in table.schemas]
    return [tuple(versions), *(shown(column) for column in table.columns)]


def _keys(table: TableState) -> list[tuple[object, ...]]:
    return [(key.id, key.column_ids, key.primary) for key in table.keys]


def _checks(table: TableState) -> list[str]:
    return sorted(check.sql for check in table.checks)


def _of_partition(opened: OpenRun, partition: int) -> OpenRun:
    run, file = opened
    return msgspec.structs.replace(run, partition=partition), file

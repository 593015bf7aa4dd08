"""Partitions in the catalogue: PARTITION BY of a new table, ADD and DROP PARTITION.

A partition that is dropped takes its files and index runs with it; of a delta, where its rows are a
slice, the slice is deleted. No row is read.
"""

from __future__ import annotations

import msgspec
import numpy as np

from actors.operations import AddPartitions, DropPartitions, NewTable
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from storage.delete_bitmap import encode_positions, positions_of
from storage.errors import Conflict, InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.partitions.checks import check_keys, check_partitioning, known_partition
from storage.partitions.scheme import Partition, Partitioning
from storage.schema import Key, TableSchema
from storage.snapshot import changes as c
from storage.snapshot.model import TableState

__all__ = ["add_partitions", "drop_partitions", "new_partitioning", "partitioned"]


def new_partitioning(
    operation: NewTable, schema: TableSchema, keys: tuple[Key, ...]
) -> Partitioning | None:
    """Of a table that is made, by ids. Raises what `check_partitioning` and `check_keys` do."""
    given = operation.partitioning
    if given is None:
        return None
    ids = []
    for name in given.columns:
        column = schema.find(name)
        if column is None:
            hint = nearest(name, schema.names)
            raise UnknownObject(
                f'column "{name}" named in partition key does not exist{hint}', "42703"
            )
        ids.append(column.id)
    made = Partitioning(
        kind=given.kind,
        column_ids=tuple(ids),
        parts=tuple(
            msgspec.structs.replace(part, id=number) for number, part in enumerate(given.parts, 1)
        ),
        next_id=len(given.parts) + 1,
    )
    check_partitioning(made, schema, operation.name)
    check_keys(made, keys, schema)
    return made


def partitioned(table: TableState, *, by_bounds: bool = True) -> Partitioning:
    """The partitioning of a table. Raises InvalidRequest (42809): it has none, or one by hash."""
    found = table.partitioning
    if found is None:
        raise InvalidRequest(f'table "{table.name}" is not partitioned', "42809")
    if by_bounds and found.is_hash:
        raise InvalidRequest(
            f'table "{table.name}" is partitioned by {found.kind.upper()}: its partitions come '
            "with the table, and none is added or dropped by itself",
            "42809",
        )
    return found


def add_partitions(operation: AddPartitions, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`.

    Raises:
        InvalidRequest: names or bounds clash with those that are there (42710, 42P17).
        Conflict: the table was dropped, its partitions changed, or its default partition written.
    """
    table = _table(operation.table_id, state)
    known = partitioned(table)
    if known.version != operation.version:
        raise Conflict(f"partitions of table {table.name} have changed meanwhile; retry")
    _refuse_written(table, known.default, operation.read_lsn)
    made = []
    for part in operation.parts:
        numbered = msgspec.structs.replace(part, id=known.next_id)
        known = known.with_part(numbered)
        made.append(c.AddPartition(table_id=table.id, partition=numbered))
    check_partitioning(known, table.schema, table.name)
    return Resolved(kind="add_partition", table_id=table.id, catalogue=tuple(made))


def drop_partitions(operation: DropPartitions, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. Raises UnknownObject: a partition; Conflict: the table was dropped."""
    table = _table(operation.table_id, state)
    known = partitioned(table)
    names = dict.fromkeys(operation.names)
    if operation.if_exists:
        names = {name: None for name in names if known.by_name(name) is not None}
    gone = tuple(known_partition(known, name, table.name).id for name in names)
    if not gone:
        return Resolved(kind="drop_partition")
    files = table.files.partitions
    file_ids = tuple(np.array(table.files.ids, np.int64)[np.isin(files, gone)].tolist())
    runs = tuple(run.name for run in table.index_runs if run.partition in gone)
    changes: list[c.TableChange] = []
    if file_ids:
        changes.append(c.RemoveFiles(file_ids=file_ids))
    if runs:
        changes.append(c.RemoveIndexRuns(names=runs))
    if bitmaps := _slices_deleted(table, gone):
        changes.append(c.AddBitmaps(bitmaps=bitmaps))
    index = state.indexes.get(table.id)
    if index is not None:
        index = index.exchanged({}, removed=file_ids, gone=runs)
    return Resolved(
        kind="drop_partition",
        table_id=table.id,
        catalogue=tuple(c.DropPartition(table_id=table.id, partition_id=n) for n in gone),
        tables={table.id: tuple(changes)} if changes else {},
        indexes={} if index is None else {table.id: index},
        written={table.id: None},
    )


def _slices_deleted(table: TableState, gone: tuple[int, ...]) -> tuple[c.Bitmap, ...]:
    """The rows of deltas that are of these partitions, as delete bitmaps."""
    found = []
    for delta in table.deltas:
        slices = [np.arange(a, b) for number, a, b in delta.slices() if number in gone]
        if slices:
            rows = positions_of(np.concatenate(slices))
            found.append(
                c.Bitmap(
                    file_id=delta.id, deleted_count=len(rows), positions=encode_positions(rows)
                )
            )
    return tuple(found)


def _refuse_written(table: TableState, default: Partition | None, read_lsn: int) -> None:
    """Raises Conflict if the default partition has got rows since they were looked at."""
    if default is None:
        return
    files = table.files.table["lsn_added"].to_numpy()[table.files.partitions == default.id]
    deltas = (
        delta.lsn for delta in table.deltas if any(n == default.id for n, *_ in delta.slices())
    )
    if (files > read_lsn).any() or any(lsn > read_lsn for lsn in deltas):
        raise Conflict(
            f'partition "{default.name}" of table {table.name} was written meanwhile; retry'
        )


def _table(table_id: int, state: WriterState) -> TableState:
    table = state.snapshot.tables.get(table_id)
    if table is None:
        raise Conflict(f"the table of id {table_id} was dropped meanwhile; nothing was changed")
    return table

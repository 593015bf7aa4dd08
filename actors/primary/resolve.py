"""Operation + snapshot -> changes. Pure: what a request means for the catalogue as it stands.

An operation that cannot be done raises and changes nothing; ids are given here, and here alone.
"""

from __future__ import annotations

from functools import singledispatch

from actors.operations import (
    AddPartitions,
    AdvanceSequence,
    AlterWarehouse,
    AppendFiles,
    AppendRows,
    ChangeSetting,
    ClusterTable,
    Collect,
    CommentOnTable,
    DeleteRows,
    DropPartitions,
    DropSchema,
    DropTable,
    DropType,
    DropWarehouse,
    ExchangePartition,
    ExchangeRows,
    ExchangeRuns,
    LoadFiles,
    NewSchema,
    NewTable,
    NewType,
    NewWarehouse,
    Operation,
    SetTableOptions,
    TruncateTable,
    WriteRows,
)
from actors.primary import namespaces, rows, sequences, tables, warehouses
from actors.primary.bulk import load_files
from actors.primary.collection import change_setting, collect
from actors.primary.delete_rows import delete_rows
from actors.primary.exchange import exchange_partition
from actors.primary.maintenance import exchange_rows, exchange_runs
from actors.primary.moves import Moves
from actors.primary.partitions import add_partitions, drop_partitions
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from actors.primary.truncate import truncate_table
from actors.primary.write_rows import write_rows
from storage.errors import InternalError
from storage.snapshot.model import Snapshot

__all__ = ["Resolved", "resolve", "resolve_in"]


def resolve_in(operation: Operation, state: WriterState, lsn: int, moves: Moves) -> Resolved:
    """The same in a state that has the indexes of tables with keys, which writes by key need.

    Args: moves: where maintenance has put rows meanwhile.
    """
    match operation:
        case WriteRows():
            return write_rows(operation, state, lsn)
        case DeleteRows():
            return delete_rows(operation, state.snapshot, moves)
        case LoadFiles():
            return load_files(operation, state, lsn, moves)
        case AddPartitions():
            return add_partitions(operation, state, lsn)
        case DropPartitions():
            return drop_partitions(operation, state, lsn)
        case ExchangePartition():
            return exchange_partition(operation, state, lsn)
        case TruncateTable():
            return truncate_table(operation, state, lsn)
        case ExchangeRows():
            return exchange_rows(operation, state, lsn)
        case ExchangeRuns():
            return exchange_runs(operation, state, lsn)
        case _:
            return resolve(operation, state.snapshot, lsn)


@singledispatch
def resolve(operation: Operation, snapshot: Snapshot, lsn: int) -> Resolved:
    """What `operation` changes in `snapshot`, in the group at `lsn`.

    Raises:
        InvalidRequest, UnknownObject: it cannot be done; nothing has changed.
        Conflict: the table was changed since the rows were made; read again, retry.
    """
    raise InternalError(f"no rule for the operation {type(operation).__name__}")


resolve.register(NewTable, tables.create_table)
resolve.register(DropTable, tables.drop_table)
resolve.register(ClusterTable, tables.cluster_table)
resolve.register(SetTableOptions, tables.set_table_options)
resolve.register(CommentOnTable, tables.comment_on_table)
resolve.register(NewSchema, namespaces.create_schema)
resolve.register(DropSchema, namespaces.drop_schema)
resolve.register(NewType, namespaces.create_type)
resolve.register(DropType, namespaces.drop_type)
resolve.register(AdvanceSequence, sequences.advance)
resolve.register(AppendRows, rows.append_rows)
resolve.register(AppendFiles, rows.append_files)
resolve.register(Collect, collect)
resolve.register(ChangeSetting, change_setting)
resolve.register(NewWarehouse, warehouses.create)
resolve.register(AlterWarehouse, warehouses.alter)
resolve.register(DropWarehouse, warehouses.drop)

"""ALTER TABLE … ADD, DROP, ATTACH and EXCHANGE PARTITION."""

from __future__ import annotations

from actors.operations import DropPartitions
from actors.planner import (
    AddPartitionsPlan,
    CopyFromPlan,
    ExchangePartitionPlan,
    WritePlan,
)
from actors.primary.exchange import refuse_different
from actors.primary.partitions import partitioned
from storage.errors import InternalError, UnknownObject
from storage.partitions.checks import known_partition
from storage.partitions.routing import partition_columns
from storage.snapshot.model import Snapshot, TableState
from warehouse.planning.catalogue import SnapshotCatalogue, find_table
from warehouse.planning.copy import plan_copy
from warehouse.planning.partition_bounds import Constants, bound_parts
from warehouse.planning.partition_rows import rows_inside, rows_outside
from warehouse.planning.query import QueryPlanner
from warehouse.planning.rules import definition_binding
from warehouse.syntax import commands
from warehouse.syntax.partitions import AlterPartitions
from warehouse.syntax.partitions_tree import (
    AddPartitions,
    AttachPartition,
    ExchangePartition,
    PartitionDef,
)
from warehouse.syntax.partitions_tree import DropPartitions as DropNode

__all__ = ["plan_partitions"]

TAG = "ALTER TABLE"


def plan_partitions(
    tree: AlterPartitions, queries: QueryPlanner, snapshot: Snapshot
) -> WritePlan | AddPartitionsPlan | ExchangePartitionPlan:
    """What is to be done, and which rows are to be looked at before it.

    Raises:
        UnknownObject: a table (42P01), a partition (42704).
        InvalidRequest: the table has no partitions, or by hash (42809); bounds do not fit.
        NotYet: a type that no bound can have.
    """
    try:
        table = find_table(snapshot, tree.table, queries.session)
    except UnknownObject:
        if not tree.exists:
            raise
        return WritePlan(operations=(), tag=TAG)
    match tree:
        case DropNode():
            known = partitioned(table)
            for name in () if tree.known else tree.names:
                known_partition(known, name, table.name)
            operation = DropPartitions(table_id=table.id, names=tree.names, if_exists=tree.known)
            return WritePlan(operations=(operation,), tag=TAG)
        case AddPartitions():
            return _added(table, tree.parts, queries)
        case AttachPartition():
            return _added(table, (tree.part,), queries, _source(tree, queries))
        case ExchangePartition():
            return _exchange(tree, table, queries, snapshot)


def _added(
    table: TableState,
    nodes: tuple[PartitionDef, ...],
    queries: QueryPlanner,
    source: CopyFromPlan | None = None,
) -> AddPartitionsPlan:
    known = partitioned(table)
    columns = partition_columns(known, table.schema)
    catalogue = SnapshotCatalogue(queries.snapshots, queries.session)
    assert queries.now is not None  # it is a statement's
    constants = Constants(definition_binding(queries.text, catalogue), queries.now)
    parts = bound_parts(
        nodes, known.kind, [(c.name, c.type) for c in columns], known.parts, constants
    )
    query = None if known.default is None else rows_inside(table, parts, queries)
    return AddPartitionsPlan(table=table, parts=parts, query=query, source=source)


def _source(tree: AttachPartition, queries: QueryPlanner) -> CopyFromPlan:
    copied = plan_copy(commands.CopyNode(tree.at, tree.path, True, tree.table), queries)
    if not isinstance(copied, CopyFromPlan):
        raise InternalError("COPY FROM was planned as COPY TO")
    return copied


def _exchange(
    tree: ExchangePartition, table: TableState, queries: QueryPlanner, snapshot: Snapshot
) -> ExchangePartitionPlan:
    known = partitioned(table, by_bounds=False)
    part = known_partition(known, tree.name, table.name)
    other = find_table(snapshot, tree.other, queries.session)
    refuse_different(table, other)
    return ExchangePartitionPlan(
        table=table,
        other=other,
        partition=part,
        query=rows_outside(other, part, known, queries),
    )

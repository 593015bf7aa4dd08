"""Where rows of a table go: what whoever writes them needs to know, as of the newest snapshot."""

from __future__ import annotations

from collections.abc import Callable

from actors.messages import TableInfo
from actors.operations import NewTable
from actors.primary.partitions import new_partitioning
from actors.primary.tables import cluster_by, first_schema
from storage.names import data_prefix, index_prefix
from storage.snapshot.model import Snapshot, TableState
from storage.target import IngestTarget

__all__ = ["Targets"]


class Targets:
    """Of one primary, which reigns with an epoch."""

    def __init__(self, newest: Callable[[], Snapshot], epoch: int) -> None:
        self._newest = newest
        self._epoch = epoch

    def run_prefix(self) -> str:
        """What the names of runs of indexes begin with that are written from now on."""
        return self._prefix(index_prefix)

    def _prefix(self, kind: Callable[[str, int, int], str]) -> str:
        snapshot = self._newest()
        return kind(snapshot.branch_id, self._epoch, snapshot.lsn)

    def of(self, table: TableState) -> TableInfo:
        """Of a table that there is."""
        target = IngestTarget(
            table_name=table.name,
            schema=table.schema,
            name_prefix=self._prefix(data_prefix),
            cluster_by=table.sort_order,
            options=table.options,
            checks=table.checks,
            keys=table.keys,
            partitioning=table.partitioning,
        )
        return TableInfo(table_id=table.id, target=target)

    def of_new(self, operation: NewTable) -> TableInfo:
        """Of one that does not exist yet, for its first rows; its id is not known."""
        schema = first_schema(operation)
        target = IngestTarget(
            table_name=operation.name,
            schema=schema,
            name_prefix=self._prefix(data_prefix),
            cluster_by=cluster_by(operation, schema),
            options=operation.options,
            partitioning=new_partitioning(operation, schema, ()),
        )
        return TableInfo(table_id=0, target=target)

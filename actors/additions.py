"""Statements that only add rows, with the primary and its compute: INSERT without more, COPY FROM,
CREATE TABLE AS, ATTACH PARTITION. Those that look at rows that are there are in `changes.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

import pyarrow as pa

from actors.changes import Commit
from actors.compute.runner import QueryRunner
from actors.ingest import Ingest
from actors.loads import numbered_sources
from actors.messages import CommitReply, Statement, TableInfo
from actors.numbering import with_numbers
from actors.operations import AppendFiles, WriteOperation, WriteRows
from actors.planner import CopyFromPlan, CreateAsPlan, InsertPlan, Planner, QueryPlan
from actors.primary.primary import Primary
from actors.settings import NodeSettings
from actors.write import files_operation, write_operation
from storage.errors import Conflict
from storage.partitions.scheme import Partitioning
from storage.snapshot.model import Snapshot
from storage.target import RowRules

__all__ = ["Additions"]


class Additions:
    """Carries them out, each as one commit."""

    def __init__(
        self,
        node: NodeSettings,
        planner: Planner,
        primary: Primary,
        runner: QueryRunner,
        ingest: Ingest,
        *,
        commit: Commit,
        fetch_rows: Callable[[object], Awaitable[pa.Table]],
    ) -> None:
        """Args: commit: makes operations a transaction, or part of the one that is open."""
        self._node = node
        self._planner = planner
        self._primary = primary
        self._runner = runner
        self._ingest = ingest
        self._commit = commit
        self._fetch_rows = fetch_rows

    async def table(self, schema: str, name: str) -> TableInfo:
        """See `Primary.find_table`; with the table's rules for one statement that begins now."""
        info = await self._primary.find_table(schema, name)
        snapshot = self._primary.snapshot
        rules = self._planner.rules(snapshot.tables[info.table_id], snapshot)
        return _ruled(info, rules)

    async def insert(
        self, plan: InsertPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply:
        """INSERT without ON CONFLICT and RETURNING."""
        rows = await self._rows(plan.query, snapshot)
        info = self._primary.table(snapshot.schemas[plan.table.schema_id], plan.table.name)
        if info.table_id != plan.table.id:
            raise Conflict(f"table {plan.table.name} was replaced meanwhile; nothing was written")
        rows = await with_numbers(rows, plan, self._primary.reserve)
        info = await self._primary.numbered(info, rows.column_names, rows.num_rows)
        operation = await self._appended(_ruled(info, plan.rules), rows)
        receipt = await self._commit((operation,), statement)
        return CommitReply(receipt=receipt, tag=f"INSERT 0 {sum(receipt.row_counts)}")

    async def copy_from(self, plan: CopyFromPlan, statement: Statement) -> CommitReply:
        """COPY … FROM files."""
        info = await self.table(plan.schema, plan.table.name)
        if info.table_id != plan.table.id:
            raise Conflict(f"table {plan.table.name} was replaced meanwhile; nothing was written")
        operation = await self._loaded(plan, info)
        receipt = await self._commit((operation,), statement)
        return CommitReply(receipt=receipt, tag=f"COPY {sum(receipt.row_counts)}")

    async def attached(self, plan: CopyFromPlan, alone: Partitioning) -> AppendFiles:
        """The rows of files, as they come into a partition that is about to be added.

        Args: alone: the partitioning with it and no other.
        """
        info = await self.table(plan.schema, plan.table.name)
        if info.table_id != plan.table.id:
            raise Conflict(f"table {plan.table.name} was replaced meanwhile; nothing was written")
        (part,) = alone.parts
        target = dataclasses.replace(info.target, partitioning=alone, attached=part.name)
        return await self._loaded(plan, dataclasses.replace(info, target=target))

    async def _loaded(self, plan: CopyFromPlan, info: TableInfo) -> AppendFiles:
        files, reading = plan.files, plan.reading
        infos = await numbered_sources(self._node, info, files, reading, self._primary.numbered)
        found = await self._ingest.sources(infos, files, reading, lambda rows, files: None)
        return files_operation(info, found)

    async def create_as(
        self, plan: CreateAsPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply:
        """CREATE TABLE … AS."""
        table, tag = plan.table, "CREATE TABLE AS"
        if plan.query is not None:
            info = self._primary.new_table(table)
            rows = await self._rows(plan.query, snapshot)
            rows = rows.rename_columns(info.target.schema.names)
            operation = await self._appended(info, rows)
            assert not isinstance(operation, WriteRows)  # the table has no keys yet
            table = dataclasses.replace(table, rows=operation)
        receipt = await self._commit((*plan.before, table), statement)
        if plan.query is not None:
            tag = f"SELECT {sum(receipt.row_counts)}"
        return CommitReply(receipt=receipt, tag=tag, temporary=plan.temporary)

    async def _rows(self, query: QueryPlan, snapshot: Snapshot) -> pa.Table:
        reply = await self._runner.run(query, snapshot, 0.0)
        return await self._fetch_rows(reply.rows)

    async def _appended(self, info: TableInfo, rows: pa.Table) -> WriteOperation:
        return await write_operation(
            self._ingest,
            info,
            rows,
            inline_bytes_max=self._node.settings.rows_inline_bytes_max,
        )


def _ruled(info: TableInfo, rules: RowRules | None) -> TableInfo:
    return dataclasses.replace(info, target=dataclasses.replace(info.target, rules=rules))

"""ALTER TABLE … ADD, ATTACH and EXCHANGE PARTITION, with the primary and its compute.

1. Rows that the new bounds are about are looked at in a durable snapshot: those of the default
   partition (ADD, ATTACH), those of the other table (EXCHANGE). Their values are enough.
2. ATTACH loads its files as COPY does, into the new partition alone.
3. One commit. It is refused (Conflict) if what was looked at has been written since; then all of it
   is planned and done again, a few times.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
import numpy as np
import pyarrow as pa

from actors.additions import Additions
from actors.changes import NEWER_POLL_MS, NEWER_WAIT_MS, Commit
from actors.compute.runner import QueryRunner
from actors.messages import CommitReply, Statement
from actors.operations import AddPartitions, Operation
from actors.planner import AddPartitionsPlan, ExchangePartitionPlan, Parsed, QueryPlan
from actors.primary.primary import Primary
from storage.clock import Clock
from storage.errors import Conflict, InternalError, InvalidRequest, NotYet
from storage.partitions.checks import check_partitioning
from storage.partitions.routing import partition_columns, partitions_of, row_text
from storage.partitions.rows import outside
from storage.partitions.scheme import Partition, Partitioning
from storage.snapshot.model import Snapshot, TableState

__all__ = ["PartitionChanges"]

ATTEMPTS_MAX = 10
TAG = "ALTER TABLE"


class PartitionChanges:
    """Carries them out, each as one commit."""

    def __init__(
        self,
        primary: Primary,
        runner: QueryRunner,
        additions: Additions,
        *,
        commit: Commit,
        fetch_rows: Callable[[object], Awaitable[pa.Table]],
        clock: Clock,
    ) -> None:
        """Args: commit: makes operations a transaction."""
        self._clock = clock
        self._primary = primary
        self._runner = runner
        self._additions = additions
        self._commit = commit
        self._fetch_rows = fetch_rows

    async def carry_out(
        self, plan: AddPartitionsPlan | ExchangePartitionPlan, snapshot: Snapshot, parsed: Parsed
    ) -> CommitReply:
        """Carry out a plan that was made on `snapshot`, which is held.

        Raises:
            InvalidRequest: bounds overlap (42P17), rows are out of bounds (23514), tables differ.
            Conflict: others were quicker, every time.
            NotYet: inside a transaction.
        """
        statement = parsed.statement
        if statement.session.transaction:
            raise NotYet(
                "ALTER TABLE … PARTITION inside a transaction: only rows are written there"
            )
        if isinstance(plan, ExchangePartitionPlan):
            await self._primary.exchange.flush(plan.table, plan.partition, plan.other)
        elif (done := await self._tried(plan, snapshot, statement, last=False)) is not None:
            return done
        for attempt in range(1, ATTEMPTS_MAX):
            with self._primary.reading() as newest:
                again, _ = await self._runner.plan(parsed, newest)
                assert isinstance(again, AddPartitionsPlan | ExchangePartitionPlan)
                last = attempt == ATTEMPTS_MAX - 1
                done = await self._tried(again, newest, statement, last=last)
            if done is not None:
                return done
        raise InternalError("the last attempt neither succeeded nor failed")

    async def _tried(
        self,
        plan: AddPartitionsPlan | ExchangePartitionPlan,
        snapshot: Snapshot,
        statement: Statement,
        *,
        last: bool,
    ) -> CommitReply | None:
        """The outcome; None if it is worth another attempt."""
        try:
            operations = (
                await self._added(plan, snapshot)
                if isinstance(plan, AddPartitionsPlan)
                else await self._exchanged(plan, snapshot)
            )
            receipt = await self._commit(operations, statement)
        except Conflict:
            if last:
                raise
            if isinstance(plan, ExchangePartitionPlan):
                await self._primary.exchange.flush(plan.table, plan.partition, plan.other)
            await self._newer(snapshot.lsn)
            return None
        return CommitReply(receipt=receipt, tag=TAG)

    async def _newer(self, lsn: int) -> None:
        """Wait a little for what a conflict was about to become durable."""
        deadline_ms = self._clock.monotonic_ms() + NEWER_WAIT_MS
        while self._primary.snapshot.lsn <= lsn and self._clock.monotonic_ms() < deadline_ms:
            await self._clock.sleep_ms(NEWER_POLL_MS)

    # --- ADD, ATTACH ------------------------------------------------------------------------------

    async def _added(self, plan: AddPartitionsPlan, snapshot: Snapshot) -> tuple[Operation, ...]:
        table = plan.table
        known = table.partitioning
        assert known is not None
        wider, made = known, list[Partition]()
        for part in plan.parts:
            made.append(msgspec.structs.replace(part, id=wider.next_id))
            wider = wider.with_part(made[-1])
        check_partitioning(wider, table.schema, table.name)
        if plan.query is not None and known.default is not None:
            await self._refuse_inside(plan.query, snapshot, table, wider, made)
        added = AddPartitions(
            table_id=table.id, parts=plan.parts, version=known.version, read_lsn=snapshot.lsn
        )
        if plan.source is None:
            return (added,)
        alone = msgspec.structs.replace(wider, parts=tuple(made))
        loaded = await self._additions.attached(plan.source, alone)
        return (added, loaded)

    async def _refuse_inside(
        self,
        query: QueryPlan,
        snapshot: Snapshot,
        table: TableState,
        wider: Partitioning,
        made: Sequence[Partition],
    ) -> None:
        """Raises InvalidRequest if the default partition has rows of the new ones."""
        rows, found = await self._routed(query, snapshot, table, wider)
        at = np.flatnonzero(np.isin(found, [part.id for part in made]))
        if len(at):
            default = wider.default
            assert default is not None
            part = wider.by_id(int(found[at[0]]))
            assert part is not None
            text = row_text(rows, partition_columns(wider, table.schema), int(at[0]))
            raise InvalidRequest(
                f'updated partition constraint for default partition "{default.name}" of table '
                f'"{table.name}" would be violated by some row: {text} belongs to "{part.name}"; '
                "move such rows out of it first",
                "23514",
            )

    # --- EXCHANGE ---------------------------------------------------------------------------------

    async def _exchanged(
        self, plan: ExchangePartitionPlan, snapshot: Snapshot
    ) -> tuple[Operation, ...]:
        table, part = plan.table, plan.partition
        known = table.partitioning
        assert known is not None
        rows, found = await self._routed(plan.query, snapshot, table, known)
        at = np.flatnonzero(found != part.id)
        if len(at):
            text = row_text(rows, partition_columns(known, table.schema), int(at[0]))
            raise outside(part.name, table.name, text)
        return (await self._primary.exchange.operation(table, part, plan.other),)

    async def _routed(
        self, query: QueryPlan, snapshot: Snapshot, table: TableState, by: Partitioning
    ) -> tuple[pa.Table, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The rows of a query over the columns that decide, and the partitions of them."""
        reply = await self._runner.run(query, snapshot, 0.0)
        rows = await self._fetch_rows(reply.rows)
        columns = partition_columns(by, table.schema)
        rows = rows.rename_columns([column.name for column in columns])
        return rows, partitions_of(by, rows, columns)

"""What the primary's process serves: the primary with its own compute.

Assembled here from the plain parts, the same for every engine. An engine says how workers start
(`WorkerPool`), how Arrow tables are shared with them, and who we are.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import partial
from typing import Any

import pyarrow as pa

from actors.changes import Changes, StoredRowWrites
from actors.compute.pool import WorkerPool
from actors.compute.queries import QueryLog
from actors.compute.runner import QueryRunner
from actors.compute.streams import BatchStream
from actors.compute.workers import WorkerHandle
from actors.coordinator_service import open_branch
from actors.ingest import Ingest, OwnIngest
from actors.loads import numbered_sources
from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    Session,
    Statement,
    TableInfo,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.numbering import with_numbers
from actors.observed import Observe, QueryRecord, nothing_observed
from actors.operations import Operation, WriteOperation, WriteRows
from actors.planner import (
    CallPlan,
    CopyFromPlan,
    CreateAsPlan,
    InsertPlan,
    ModifyPlan,
    Parsed,
    Planner,
    QueryPlan,
    WritePlan,
)
from actors.primary.primary import Primary
from actors.primary.reign import reign_of
from actors.primary.transactions import OpenTransaction
from actors.settings import NodeSettings
from actors.temporary import SILENT_MS, left_behind
from actors.write import files_operation, write_operation
from storage.clock import Clock
from storage.errors import (
    Conflict,
    InternalError,
    InvalidRequest,
    MobulaError,
    Unavailable,
    UnknownObject,
)
from storage.ids import Ids
from storage.log.epoch import Owner
from storage.log.takeover import Reign
from storage.nearest import nearest
from storage.objects import CountingStore, HeldLock
from storage.snapshot.model import Receipt, Snapshot
from storage.target import RowRules

__all__ = ["PrimaryService", "StartWorker"]

StartWorker = Callable[[], Awaitable[WorkerHandle]]
_PROCEDURES = {
    "mobula.checkpoint": "mobula.checkpoint()",
    "mobula.flush": "mobula.flush() or mobula.flush('table')",
    "mobula.repair_index": "mobula.repair_index() or mobula.repair_index('table')",
    "mobula.drop_temporary": "mobula.drop_temporary() or mobula.drop_temporary(seconds of silence)",
}


class PrimaryService:
    """The primary of one branch and its own compute, as clients call it."""

    def __init__(
        self,
        *,
        node: NodeSettings,
        planner: Planner,
        primary: Primary,
        runner: QueryRunner,
        pool: WorkerPool,
        queries: QueryLog,
        store: CountingStore,
        ingest: Ingest,
        fetch_rows: Callable[[Any], Awaitable[pa.Table]],
        clock: Clock,
        lock: HeldLock | None,
    ) -> None:
        self._node = node
        self._planner = planner
        self._clock = clock
        self._primary = primary
        self._runner = runner
        self._pool = pool
        self._queries = queries
        self._store = store
        self._fetch_rows = fetch_rows
        self._ingest = ingest
        self._lock = lock
        self._changes = Changes(
            primary,
            runner,
            StoredRowWrites(ingest, node.settings.rows_inline_bytes_max),
            commit=self._commit,
            fetch_rows=fetch_rows,
            clock=clock,
        )

    @classmethod
    async def open(
        cls,
        node: NodeSettings,
        planner: Planner,
        *,
        owner: Owner,
        clock: Clock,
        ids: Ids,
        start_worker: StartWorker,
        share: Callable[[pa.Table], Any],
        fetch_rows: Callable[[Any], Awaitable[pa.Table]],
        queries: QueryLog,
        silent_ms: int = SILENT_MS,
        make_ingest: Callable[[Ingest], Ingest] = lambda own: own,
        observe: Observe = nothing_observed,
    ) -> PrimaryService:
        """Take over and serve.

        Args:
            silent_ms: sessions that have not written for so long are taken as ended, and their
                temporary tables dropped; 0 where no session outlives its primary.
            make_ingest: where many rows become files, given how this process does it.
            observe: see `QueryRunner`.
        Raises:
            Unavailable: another primary is alive; names it.
        """
        store, reader = open_branch(node, clock)
        reign, lock = await reign_of(store, reader, owner=owner, clock=clock, ids=ids)
        primary = _primary(node, reign, store, clock, ids)
        pool = WorkerPool(1, start_worker, clock, queries)
        runner = QueryRunner(
            planner=planner,
            reader=reader,
            latest=_latest(primary),
            pool=pool,
            share=share,
            clock=clock,
            ids=ids,
            queries=queries,
            observe=queries.seen_first(observe),
        )
        primary.start()
        service = cls(
            node=node,
            planner=planner,
            primary=primary,
            runner=runner,
            pool=pool,
            queries=queries,
            store=store,
            ingest=make_ingest(OwnIngest(store, node, ids)),
            fetch_rows=fetch_rows,
            clock=clock,
            lock=lock,
        )
        with contextlib.suppress(MobulaError):  # the next primary tries again
            await service.drop_left_behind(silent_ms)
        return service

    async def drop_left_behind(self, silent_ms: int, session: Session | None = None) -> int:
        """Drop the temporary tables of sessions, other than `session`, that have not written for so
        long; how many sessions' that were."""
        operations = left_behind(self._primary.snapshot, self._clock.now_ms(), silent_ms, session)
        if operations:
            await self._primary.submit(Transaction(operations=tuple(operations)))
        return len(operations)

    async def submit(self, transaction: Transaction) -> Receipt:
        """Commit, or do it inside the transaction that is open. See `Sequencer.submit`."""
        if not transaction.session.transaction:
            return await self._primary.submit(transaction)
        async with self._inside(transaction.session) as open_transaction:
            return await self._written(open_transaction, transaction.operations)

    def cancel(self, query_id: str, why: str = "it was cancelled") -> bool:
        """See `QueryLog.cancel`: reads on the primary's own compute."""
        return self._queries.cancel(query_id, why)

    def cancel_session(self, session_id: str, why: str) -> int:
        """See `QueryLog.cancel_session`."""
        return self._queries.cancel_session(session_id, why)

    def queries(self) -> list[QueryRecord]:
        """Of its own compute: see `QueryLog.records`."""
        return self._queries.records()

    async def get(self, lookup: Lookup) -> QueryReply:
        """Rows by primary key, as the transaction that is open sees them, or the newest."""
        return await self._queries.answered(lookup, self._get)

    async def _get(self, lookup: Lookup) -> QueryReply:
        if not lookup.session.transaction:
            state = self._primary.newest()
            known = partial(self._primary.files_with, state)
            return await self._runner.get(lookup, state.snapshot, known)
        async with self._inside(lookup.session) as found:
            return await self._runner.get(lookup, await found.snapshot(), found.files_with)

    async def control(self, control: TransactionControl) -> TransactionReply:
        """Begin or end a transaction, or set and use its savepoints.

        Raises:
            Conflict: others have written what it has; or it is gone.
            InvalidRequest, UnknownObject: there is no such savepoint, …
        """
        transactions = self._primary.transactions
        match control.action:
            case "begin":
                made = await transactions.begin(control.isolation, read_only=control.read_only)
                return TransactionReply(transaction=made.id)
            case "commit":
                receipt, committed = await self._primary.commit(control.transaction, control.token)
                return TransactionReply(
                    transaction=control.transaction, receipt=receipt, committed=committed
                )
            case "roll back":
                transactions.roll_back(control.transaction)
            case "roll back to":
                await transactions.roll_back_to(control.transaction, control.name)
            case "save" | "release" as action:
                async with transactions.statement(control.transaction) as found:
                    if action == "save":
                        await found.save(control.name)
                    else:
                        found.release(control.name)
            case action:
                raise InternalError(f"a transaction cannot {action!r}")
        return TransactionReply(transaction=control.transaction)

    async def execute(self, statement: Statement) -> QueryReply | CommitReply:
        """Run any statement: reads on the primary's own compute, writes as one transaction."""
        if statement.session.transaction:
            async with self._inside(statement.session) as open_transaction:
                parsed = self._runner.parse(statement)  # what does not parse fails it too
                newest = await open_transaction.snapshot()
                if not parsed.writes:
                    return await self._runner.answer(parsed, newest)
                return await self._write(parsed, newest)
        parsed = self._runner.parse(statement)
        if not parsed.writes:
            return await self._queries.answered(statement, self._read)
        with self._primary.reading() as newest:
            return await self._write(parsed, newest)

    async def _read(self, statement: Statement) -> QueryReply:
        return await self._runner.answer(self._runner.parse(statement))

    async def _write(self, parsed: Parsed, newest: Snapshot) -> QueryReply | CommitReply:
        """A statement that writes, having read `newest`."""
        statement = parsed.statement
        plan, snapshot = await self._runner.plan(parsed, newest)
        match plan:
            case WritePlan():
                receipt = await self._commit(plan.operations, statement)
                return CommitReply(receipt=receipt, tag=plan.tag, temporary=plan.temporary)
            case InsertPlan(conflict=None, returning=None):
                return await self._insert(plan, snapshot, statement)
            case InsertPlan() | ModifyPlan():
                return await self._changes.carry_out(plan, snapshot, parsed)
            case CreateAsPlan():
                return await self._create_as(plan, snapshot, statement)
            case CopyFromPlan():
                return await self._copy_from(plan, statement)
            case CallPlan():
                return await self._call(plan, statement.session)
            case _:
                return await self._runner.run(plan, snapshot, 0.0)

    async def stream(self, statement: Statement) -> BatchStream:
        """Run a read on the primary's own compute, its rows as they come.

        Raises InvalidRequest for a statement that writes.
        """
        parsed = self._runner.parse(statement)
        if parsed.writes:
            raise InvalidRequest("only queries are streamed; run what writes with sql()")
        if not statement.session.transaction:
            return await self._queries.streamed(statement, self._open_stream)
        async with self._inside(statement.session) as open_transaction:
            return await self._runner.stream(parsed, await open_transaction.snapshot())

    async def _open_stream(self, statement: Statement) -> BatchStream:
        return await self._runner.stream(self._runner.parse(statement))

    async def reserve(self, sequence_id: int, count: int) -> int:
        """See `Reservations.reserve`."""
        return await self._primary.reserve(sequence_id, count)

    async def table(self, schema: str, name: str) -> TableInfo:
        """See `Primary.find_table`; with the table's rules for one statement that begins now."""
        info = await self._primary.find_table(schema, name)
        snapshot = self._primary.snapshot
        rules = self._planner.rules(snapshot.tables[info.table_id], snapshot)
        return _ruled(info, rules)

    def listen(self, name: str, listener: Callable[[int], None]) -> None:
        """See `Primary.listen`."""
        self._primary.listen(name, listener)

    def unlisten(self, name: str) -> None:
        """See `Primary.unlisten`."""
        self._primary.unlisten(name)

    def warehouse_names(self) -> set[str]:
        """The virtual warehouses of the newest snapshot."""
        return set(self._primary.snapshot.virtual_warehouses)

    def status(self) -> dict[str, Any]:
        """See `Primary.status`; with the requests and bytes of this process's store."""
        counts = self._store.counts()
        return {
            **self._primary.status(),
            "requests": counts.requests,
            "read_bytes": counts.read_bytes,
        }

    async def close(self) -> None:
        """Stop serving and step down."""
        await self._primary.close()
        await self._pool.close()
        await self._store.close()
        if self._lock is not None:
            self._lock.release()

    def _inside(self, session: Session) -> AbstractAsyncContextManager[OpenTransaction]:
        """The open transaction of a session, around one statement of it."""
        return self._primary.transactions.statement(session.transaction)

    async def _written(self, found: OpenTransaction, operations: Sequence[Operation]) -> Receipt:
        """What a write in a transaction returns: how many rows, and that it has no LSN yet."""
        counts = await found.write(operations)
        return Receipt(lsn=0, tso=0, row_counts=counts)

    async def _commit(self, operations: tuple[Operation, ...], statement: Statement) -> Receipt:
        if statement.session.transaction:
            found = self._primary.transactions.find(statement.session.transaction)
            return await self._written(found, operations)
        return await self._primary.submit(
            Transaction(operations=operations, token=statement.token, session=statement.session)
        )

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

    async def _insert(
        self, plan: InsertPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply:
        rows = await self._rows(plan.query, snapshot)
        info = self._primary.table(snapshot.schemas[plan.table.schema_id], plan.table.name)
        if info.table_id != plan.table.id:
            raise Conflict(f"table {plan.table.name} was replaced meanwhile; nothing was written")
        rows = await with_numbers(rows, plan, self.reserve)
        info = await self._primary.numbered(info, rows.column_names, rows.num_rows)
        operation = await self._appended(_ruled(info, plan.rules), rows)
        receipt = await self._commit((operation,), statement)
        return CommitReply(receipt=receipt, tag=f"INSERT 0 {sum(receipt.row_counts)}")

    async def _copy_from(self, plan: CopyFromPlan, statement: Statement) -> CommitReply:
        info = await self.table(plan.schema, plan.table.name)
        if info.table_id != plan.table.id:
            raise Conflict(f"table {plan.table.name} was replaced meanwhile; nothing was written")
        files, reading = plan.files, plan.reading
        infos = await numbered_sources(self._node, info, files, reading, self._primary.numbered)
        found = await self._ingest.sources(infos, files, reading, lambda rows, files: None)
        operation = files_operation(info, found)
        receipt = await self._commit((operation,), statement)
        return CommitReply(receipt=receipt, tag=f"COPY {sum(receipt.row_counts)}")

    async def _create_as(
        self, plan: CreateAsPlan, snapshot: Snapshot, statement: Statement
    ) -> CommitReply:
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

    async def _call(self, plan: CallPlan, session: Session) -> CommitReply:
        """Raises UnknownObject (42883) for a procedure that does not exist."""
        match plan.procedure, plan.arguments:
            case "mobula.checkpoint", ():
                info = await self._primary.checkpoint()
                return CommitReply(receipt=self._receipt(info.lsn), tag=f"CHECKPOINT {info.name}")
            case "mobula.flush", () | (int(),):
                count = await self._primary.flush(*plan.arguments)
                return CommitReply(
                    receipt=self._receipt(self._primary.snapshot.lsn), tag=f"FLUSH {count}"
                )
            case "mobula.repair_index", () | (int(),):
                count = await self._primary.repair_index(*plan.arguments)
                return CommitReply(
                    receipt=self._receipt(self._primary.snapshot.lsn), tag=f"REPAIR INDEX {count}"
                )
            case "mobula.drop_temporary", ():
                return await self._drop_temporary(SILENT_MS, session)
            case "mobula.drop_temporary", (int() | Decimal() | float() as seconds,):
                return await self._drop_temporary(int(seconds * 1000), session)
        if plan.procedure in _PROCEDURES:
            raise InvalidRequest(f"it is called as {_PROCEDURES[plan.procedure]}", "42883")
        hint = nearest(plan.procedure, _PROCEDURES)
        raise UnknownObject(f"procedure {plan.procedure} does not exist{hint}", "42883")

    async def _drop_temporary(self, silent_ms: int, session: Session) -> CommitReply:
        count = await self.drop_left_behind(silent_ms, session)
        receipt = self._receipt(self._primary.snapshot.lsn)
        return CommitReply(receipt=receipt, tag=f"DROP TEMPORARY {count}")

    def _receipt(self, lsn: int) -> Receipt:
        return Receipt(lsn=lsn, tso=self._primary.snapshot.tso, row_counts=())


def _primary(
    node: NodeSettings, reign: Reign, store: CountingStore, clock: Clock, ids: Ids
) -> Primary:
    settings = node.settings
    return Primary(
        reign,
        store=store,
        clock=clock,
        ids=ids,
        policy=settings.checkpoints,
        limits=settings.sequencer,
        keyed=settings.keyed,
    )


def _latest(primary: Primary) -> Callable[[int | None, int], Awaitable[Snapshot]]:
    """The primary's own snapshot is the newest there is."""

    async def latest(min_lsn: int | None, timeout_ms: int) -> Snapshot:
        if min_lsn is not None and min_lsn > primary.snapshot.lsn:
            raise Unavailable(f"LSN {min_lsn} is not committed; is it of this database?")
        return primary.snapshot

    return latest


def _ruled(info: TableInfo, rules: RowRules | None) -> TableInfo:
    return dataclasses.replace(info, target=dataclasses.replace(info.target, rules=rules))

"""What the primary's process serves: the primary with its own compute.

Assembled here from the plain parts, the same for every engine. An engine says how workers start
(`WorkerPool`), how Arrow tables are shared with them, and who we are.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

import pyarrow as pa

from actors.additions import Additions
from actors.changes import Changes, StoredRowWrites
from actors.compute.pool import WorkerPool
from actors.compute.queries import QueryLog
from actors.compute.runner import QueryRunner
from actors.compute.streams import BatchStream
from actors.compute.workers import WorkerHandle
from actors.coordinator_service import open_branch
from actors.ingest import Ingest, OwnIngest
from actors.local_files import scratch
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
from actors.node_primary import node_primary
from actors.observed import Observe, Observed, nothing_observed
from actors.operations import Operation
from actors.partitions import PartitionChanges
from actors.planner import (
    AddPartitionsPlan,
    CallPlan,
    CopyFromPlan,
    CreateAsPlan,
    ExchangePartitionPlan,
    InsertPlan,
    Latest,
    ModifyPlan,
    Parsed,
    Planner,
    VacuumPlan,
    Verb,
    WritePlan,
)
from actors.primary.modify import COMMITTED_BEFORE
from actors.primary.primary import Primary
from actors.primary.promotion import Promotion
from actors.primary.reign import reign_of
from actors.primary.rewriter import Rewriter
from actors.primary.transactions import OpenTransaction
from actors.procedures import Procedures
from actors.repeated import first_reply
from actors.settings import NodeSettings
from actors.temporary import SILENT_MS, left_behind
from storage.clock import Clock
from storage.errors import (
    Conflict,
    InternalError,
    InvalidRequest,
    MobulaError,
    Unavailable,
)
from storage.ids import Ids
from storage.log.epoch import Owner
from storage.objects import CountingStore, HeldLock
from storage.snapshot.model import IngestToken, Receipt, Snapshot

__all__ = ["PrimaryService", "StartWorker"]

StartWorker = Callable[[], Awaitable[WorkerHandle]]


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
        self._clock = clock
        self._primary = primary
        self._runner = runner
        self._pool = pool
        self._queries = queries
        self._store = store
        self._lock = lock
        self._changes = Changes(
            primary,
            runner,
            StoredRowWrites(ingest, node.settings.rows_inline_bytes_max),
            commit=self._commit,
            fetch_rows=fetch_rows,
            clock=clock,
        )
        self._additions = Additions(
            node, planner, primary, runner, ingest, commit=self._commit, fetch_rows=fetch_rows
        )
        self._partitions = PartitionChanges(
            primary,
            runner,
            self._additions,
            commit=self._commit,
            fetch_rows=fetch_rows,
            clock=clock,
        )
        self._procedures = Procedures(primary, self.drop_left_behind)
        primary.collector.oldest_query = queries.oldest_lsn
        self._letting_go = asyncio.get_running_loop().create_task(self._let_go())

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
        make_rewriter: Callable[[Rewriter], Rewriter] = lambda own: own,
        observe: Observe = nothing_observed,
        force: bool = False,
    ) -> PrimaryService:
        """Take over and serve.

        Args:
            force: at once, whoever reigns (`reign_of`).
            silent_ms: sessions that have not written for so long are taken as ended, and their
                temporary tables dropped; 0 where no session outlives its primary.
            make_ingest, make_rewriter: where rows become files, given how this process does it.
            observe: see `QueryRunner`.
        Raises: Unavailable: another primary is alive; names it.
        """
        place = scratch(node.settings)  # if it cannot be made, nobody has begun to reign
        store, reader = open_branch(node, clock)
        reign, lock = await reign_of(store, reader, owner=owner, clock=clock, ids=ids, force=force)
        primary = node_primary(node, reign, store, make_rewriter, place, clock=clock, ids=ids)
        pool = WorkerPool(1, start_worker, clock, queries)
        runner = QueryRunner(
            planner=planner,
            reader=reader,
            snapshots=_Durable(primary),
            pool=pool,
            share=share,
            clock=clock,
            ids=ids,
            queries=queries,
            observe=_with_own_tasks(primary, queries.seen_first(observe)),
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
        await service._tidy(silent_ms)
        return service

    async def _tidy(self, silent_ms: int) -> None:
        try:
            with contextlib.suppress(MobulaError):  # the next primary tries again
                await self.drop_left_behind(silent_ms)
        except BaseException:  # nobody waits for this one any more
            await self.close()
            raise

    @property
    def stopped(self) -> MobulaError | None:
        """See `Primary.stopped`."""
        return self._primary.stopped

    @property
    def is_read(self) -> bool:
        """Do queries run on its own compute?"""
        return len(self._queries) > 0

    @property
    def owner(self) -> Owner:
        """Who it is, as the store has it."""
        return self._primary.reign.owner

    async def promotion(self, began_ms: float | None) -> Promotion:
        """How it came to reign. Args: began_ms: see `Promotion.of`.

        Raises: Fenced: it does not reign any more; Unavailable.
        """
        await self._primary.confirm()
        return await Promotion.of(self._primary.reign, self._store, self._clock, began_ms)

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

    async def outcome(self, token: IngestToken) -> Receipt | None:
        """See `Primary.outcome`."""
        return await self._primary.outcome(token)

    def cancel(self, query_id: str, why: str = "it was cancelled") -> bool:
        """See `QueryLog.cancel`: reads on the primary's own compute."""
        return self._queries.cancel(query_id, why)

    def cancel_session(self, session_id: str, why: str) -> int:
        """See `QueryLog.cancel_session`."""
        return self._queries.cancel_session(session_id, why)

    def observed(self, kind: str) -> Sequence[Observed]:
        """What it knows of itself: queries of its own compute, tasks of maintenance."""
        if kind == "tasks":
            return self._primary.maintenance.records()
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
        """Run any statement: reads on the primary's own compute, writes as one transaction.

        One that is repeated with its token, after it was committed, gives the first receipt.
        """
        if statement.session.transaction:
            async with self._inside(statement.session) as open_transaction:
                parsed = self._runner.parse(statement)  # what does not parse fails it too
                newest = await open_transaction.snapshot()
                with self._holding(parsed):
                    if not parsed.writes:
                        return await self._runner.answer(parsed, newest)
                    return await self._write(parsed, newest)
        parsed = self._runner.parse(statement)
        if not parsed.writes:
            return await self._queries.answered(statement, self._read)
        if parsed.verb is not None and statement.token is not None:
            async with self._primary.attempts.turn(statement.token):
                return await self._once(parsed, parsed.verb, statement.token)
        with self._holding(parsed), self._primary.reading() as newest:
            return await self._write(parsed, newest)

    def _holding(self, parsed: Parsed) -> contextlib.AbstractContextManager[None]:
        """Earlier versions that a statement reads stay as long as it runs."""
        if parsed.versions - {Latest()}:
            return self._primary.collector.holding_the_past()
        return contextlib.nullcontext()

    async def _once(
        self, parsed: Parsed, verb: Verb, token: IngestToken
    ) -> QueryReply | CommitReply:
        """A statement that writes, and may have done so before."""
        if (receipt := await self._primary.known(token)) is not None:
            return first_reply(verb, receipt)
        try:
            with self._holding(parsed), self._primary.reading() as newest:
                return await self._write(parsed, newest)
        except (InvalidRequest, Conflict) as error:
            if error.sqlstate == COMMITTED_BEFORE:
                raise
            if (receipt := await self._primary.outcome(token)) is not None:
                return first_reply(verb, receipt)
            raise

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
                return await self._additions.insert(plan, snapshot, statement)
            case InsertPlan() | ModifyPlan():
                return await self._changes.carry_out(plan, snapshot, parsed)
            case CreateAsPlan():
                return await self._additions.create_as(plan, snapshot, statement)
            case CopyFromPlan():
                return await self._additions.copy_from(plan, statement)
            case AddPartitionsPlan() | ExchangePartitionPlan():
                return await self._partitions.carry_out(plan, snapshot, parsed)
            case CallPlan():
                return await self._procedures.call(plan, statement.session)
            case VacuumPlan():
                return await self._procedures.vacuum(plan)
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
        """See `Additions.table`."""
        return await self._additions.table(schema, name)

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
        await self.step_down()
        await self._pool.close()
        await self._store.close()

    async def step_down(self) -> None:
        """Finish what is queued and stop; the directory is free for others then. Reads go on."""
        await self._primary.close()
        await asyncio.shield(self._letting_go)

    async def _let_go(self) -> None:
        """However it stops, the directory's lock is given back at once, and what works in the
        background ends: nobody may ever call again. Reads that run go on."""
        await self._primary.ended()
        if self._lock is not None:
            self._lock.release()
        await self._primary.close()

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


def _with_own_tasks(primary: Primary, observe: Observe) -> Observe:
    """`observe`, but tasks of maintenance are those of this primary."""

    async def seen(kind: str) -> Sequence[Observed]:
        return primary.maintenance.records() if kind == "tasks" else await observe(kind)

    return seen


class _Durable:
    """The primary's own snapshot is the newest there is."""

    def __init__(self, primary: Primary) -> None:
        self._primary = primary

    async def latest(self, min_lsn: int | None, timeout_ms: int) -> Snapshot:
        if min_lsn is not None and min_lsn > self._primary.snapshot.lsn:
            raise Unavailable(f"LSN {min_lsn} is not committed; is it of this database?")
        return self._primary.snapshot

    async def advance(self) -> Snapshot:
        return self._primary.snapshot

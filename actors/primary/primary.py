"""The primary: owns the log's newest end, takes every write, checkpoints, tells who listens.

A plain class over an open reign. Background work is four tasks that `start` makes and `close`
ends: the sequencer's loop, the lease's heartbeat, maintenance (flush, index runs), and checkpoints
when the tail has grown.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
)
from pathlib import Path
from typing import Any

from actors.messages import TableInfo, Transaction
from actors.operations import (
    AppendFiles,
    NewTable,
    Operation,
    TruncateTable,
)
from actors.primary.attempts import Attempts
from actors.primary.bulk import Bulk
from actors.primary.checkpoints import Checkpoints
from actors.primary.collector import Collector
from actors.primary.delta_names import first_made, table_of
from actors.primary.indexes import Indexes
from actors.primary.limits import CheckpointPolicy, KeyedLimits, SequencerLimits
from actors.primary.maintainer import Maintainer
from actors.primary.partition_exchange import PartitionExchange
from actors.primary.publishable import names_of, refuse_collected
from actors.primary.repair import IndexRepair
from actors.primary.resolve import resolve_in
from actors.primary.rewriter import OwnRewriter, Rewriter
from actors.primary.sequencer import Sequencer
from actors.primary.sequences import Reservations
from actors.primary.settler import Settler
from actors.primary.state import WriterState
from actors.primary.targets import Targets
from actors.primary.task_log import TaskLog
from actors.primary.traffic import Traffic
from actors.primary.transactions import Transactions, files_with
from actors.primary.vacuum import vacuum
from storage.clock import Clock
from storage.collection.policy import RetentionPolicy
from storage.errors import (
    Conflict,
    Fenced,
    InternalError,
    InvalidRequest,
    MobulaError,
    ObjectMissing,
    Unavailable,
    UnknownObject,
)
from storage.ids import Ids
from storage.log.record import Group
from storage.log.takeover import Reign
from storage.micropartition.inputs import Chosen
from storage.nearest import nearest
from storage.objects import ObjectStore
from storage.snapshot.checkpoint import CheckpointInfo
from storage.snapshot.model import PRIVATE_LSN, IngestToken, Receipt, Snapshot, TableState
from storage.target import to_number

__all__ = ["Primary"]

CHECKS_MAX = 5  # of one large write that others overtake


class Primary:
    """One branch's writer. Everything runs on one event loop."""

    def __init__(
        self,
        reign: Reign,
        *,
        store: ObjectStore,
        clock: Clock,
        ids: Ids,
        policy: CheckpointPolicy | None = None,
        limits: SequencerLimits | None = None,
        keyed: KeyedLimits | None = None,
        rewriter: Rewriter | None = None,
        retention: RetentionPolicy | None = None,
        scratch: Path | None = None,
    ) -> None:
        """Args: scratch: directory for temporary files; None: the system's."""
        self._reign = reign
        self._store = store
        self._clock = clock
        self._ids = ids
        self._keyed = keyed or KeyedLimits()
        self._targets = Targets(lambda: self.snapshot, reign.epoch)
        prefix, budget = self._targets.run_prefix, self._keyed.index_bytes
        self._indexes = Indexes(
            store, ids=ids, name_prefix=prefix, budget_bytes=budget, scratch=scratch
        )
        self.attempts = Attempts()
        self._settler = Settler()
        self._sequencer = Sequencer(
            reign,
            clock=clock,
            ids=ids,
            limits=limits,
            on_commit=self._committed,
            open_index=self._indexes.open,
            settle=self._settler.settle,
        )
        self.maintenance = TaskLog(clock, self.traffic.count)
        self._maintainer = Maintainer(
            self._sequencer,
            self._indexes,
            rewriter=rewriter or OwnRewriter(store, ids, self._keyed.tasks_max, scratch),
            log=self.maintenance,
            clock=clock,
            limits=self._keyed,
            table_info=self._targets.of,
        )
        self.transactions = Transactions(
            self._sequencer,
            self._indexes.open,
            clock=clock,
            ids=ids,
            limits=self._keyed.transactions,
            prepare=self._prepared,
            room=self._room,
        )
        self._reservations = Reservations(lambda: self._sequencer.working, self._sequencer.submit)
        self._checkpoints = self._made_checkpoints(policy or CheckpointPolicy())
        self._retention = retention or RetentionPolicy()
        self._listeners: dict[str, Callable[[int], None]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @functools.cached_property
    def _bulk(self) -> Bulk:
        return Bulk(self._store, self._indexes)

    def _made_checkpoints(self, policy: CheckpointPolicy) -> Checkpoints:
        return Checkpoints(
            self._store,
            self._ids,
            policy,
            lambda: self.snapshot,
            self._reign.snapshot.lsn - self._reign.checkpoint_lsn,
            written=lambda size_bytes: self.traffic.count("checkpoint", 0, size_bytes),
        )

    @functools.cached_property
    def collector(self) -> Collector:
        """What deletes the past."""
        return Collector(
            self._store,
            self._sequencer,
            self._checkpoints,
            clock=self._clock,
            policy=self._retention,
            written=lambda size_bytes: self.traffic.count("collect", 0, size_bytes),
        )

    def start(self) -> None:
        """Begin serving; call once, inside the event loop."""
        self._spawn(self._sequencer.run())
        self._spawn(self._settler.run())
        self._spawn(self._beat())
        self._spawn(self._checkpoints.run())
        self._spawn(self._maintainer.run())
        self._spawn(self.collector.run())
        self._maintainer.wake()
        self._checkpoints.wake()

    @property
    def snapshot(self) -> Snapshot:
        """The newest durable snapshot."""
        return self._sequencer.snapshot

    @property
    def traffic(self) -> Traffic:
        """Bytes written since it began."""
        return self._sequencer.traffic

    @property
    def stopped(self) -> MobulaError | None:
        """Why it takes no more writes: it was replaced, or closed. None: it serves."""
        return self._sequencer.stopped

    async def ended(self) -> None:
        """Return once it takes no more writes."""
        await self._sequencer.ended()

    @property
    def reign(self) -> Reign:
        """What it began with."""
        return self._reign

    @contextlib.contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """The newest durable snapshot, for somebody who writes what depends on it: what is written
        meanwhile is remembered, so that operations with its LSN as `read_lsn` can be refused."""
        snapshot = self._sequencer.snapshot
        self._sequencer.hold(snapshot.lsn)
        try:
            yield snapshot
        finally:
            self._sequencer.release(snapshot.lsn)

    async def submit(self, transaction: Transaction) -> Receipt:
        """See `Sequencer.submit`. Waits for room where deltas have grown too much."""
        async with self.attempts.turn(transaction.token), self._refusing():
            return await self._submit(transaction)

    async def commit(
        self, transaction_id: str, token: IngestToken | None
    ) -> tuple[Receipt | None, bool]:
        """See `Transactions.commit`."""
        async with self.attempts.turn(token), self._refusing():
            return await self.transactions.commit(transaction_id, token)

    async def known(self, token: IngestToken) -> Receipt | None:
        """The receipt of the transaction with that token; None: it is not known here, and a new
        one may be tried.

        Raises: as `Sequencer.submit`.
        """
        receipt = await self._sequencer.outcome(token)
        if receipt is None:
            self._sequencer.refuse_away()
        return receipt

    async def outcome(self, token: IngestToken) -> Receipt | None:
        """What became of the transaction with that token, once all calls with it have ended; None:
        it is not in the log, and only a new call can bring it there.

        Raises: Fenced, Unavailable: somebody else may know.
        """
        async with self.attempts.turn(token):
            receipt = await self._sequencer.outcome(token)
            if receipt is None:
                await self._sequencer.confirm()
            return receipt

    async def confirm(self) -> None:
        """See `Sequencer.confirm`."""
        await self._sequencer.confirm()

    @contextlib.asynccontextmanager
    async def _refusing(self) -> AsyncIterator[None]:
        """A refusal stands only if we still reign; else Fenced or Unavailable is raised."""
        try:
            yield
        except (InvalidRequest, Conflict):
            await self._sequencer.confirm()
            raise

    async def _submit(self, transaction: Transaction) -> Receipt:
        token = transaction.token
        if token is not None and (receipt := await self.known(token)) is not None:
            return receipt
        self._sequencer.refuse_away()  # before anything is read from there
        growing = (o for o in transaction.operations if not isinstance(o, TruncateTable))
        await self._room({table_of(operation) for operation in growing})
        if not self._large(transaction):
            return await self._sequencer.submit(transaction)
        for attempt in range(CHECKS_MAX):
            try:
                return await self._submit_checked(transaction)
            except Conflict:  # what was checked has been written meanwhile
                if attempt == CHECKS_MAX - 1:
                    raise
        raise InternalError("unreachable")

    async def _room(self, table_ids: set[int]) -> None:
        await self._maintainer.room(table_ids, self._keyed.room_timeout_ms)

    def _large(self, transaction: Transaction) -> bool:
        """Does it bring files for a table with keys?"""
        tables = self._sequencer.working.tables
        return any(
            isinstance(o, AppendFiles) and o.table_id in tables and tables[o.table_id].keys
            for o in transaction.operations
        )

    async def _submit_checked(self, transaction: Transaction) -> Receipt:
        state, lsn = self._sequencer.fork()
        self._sequencer.hold(lsn)
        moves = self._sequencer.moves.until(lsn)
        try:
            operations, made = [], list[int | None]()
            for operation in transaction.operations:
                prepared, state = await self._prepared(operation, state, lsn)
                one = resolve_in(prepared, state, PRIVATE_LSN, moves)
                state = state.after(one, PRIVATE_LSN)  # what the next one is compared with
                operations.append(prepared)
                made.append(first_made(one))
            checked = dataclasses.replace(
                transaction, operations=tuple(operations), made=tuple(made)
            )
            return await self._sequencer.submit(checked)
        finally:
            self._sequencer.release(lsn)

    async def _prepared(
        self, operation: Operation, state: WriterState, lsn: int
    ) -> tuple[Operation, WriterState]:
        """A large write to a table with keys, its keys compared with those of `state`; the state
        with the table's index open. Other operations as they are."""
        table = state.snapshot.tables.get(table_of(operation))
        if table is None or not table.keys:
            return operation, state
        if table.id not in state.indexes:
            state = state.with_index(table.id, await self._indexes.open(table))
        if not isinstance(operation, AppendFiles):
            return operation, state
        try:
            return await self._bulk.checked(operation, table, state, lsn), state
        except ObjectMissing:  # because it was collected: then it is to be loaded again
            refuse_collected(names_of(operation), self.snapshot)
            raise

    def newest(self) -> WriterState:
        """The newest durable snapshot with the indexes as they are there."""
        return self._sequencer.fork()[0]

    async def files_with(
        self, state: WriterState, table: TableState, chosen: Chosen
    ) -> Collection[int] | None:
        """The files of a table of `state` that may have rows with these primary keys, beside the
        deltas; None if its index does not know them. An index of any other moment may have left
        out what is there in `state`."""
        index = state.indexes.get(table.id)
        if index is not None and state.snapshot.tables.get(table.id) is table:
            return files_with(index, table, chosen)
        known = self._sequencer.working.tables.get(table.id)
        if known is not None and known.keys:
            await self._sequencer.open_table(known)  # for the next one
        return None

    async def reserve(self, sequence_id: int, count: int) -> int:
        """See `Reservations.reserve`."""
        return await self._reservations.reserve(sequence_id, count)

    def table(self, schema: str, name: str) -> TableInfo:
        """What a client needs to append. Raises UnknownObject with the nearest name."""
        snapshot = self.snapshot
        table = snapshot.find_table(name, schema)
        if table is None:
            hint = nearest(name, [t.name for t in snapshot.tables.values()])
            raise UnknownObject(f"table {schema}.{name} does not exist{hint}", "42P01")
        return self._targets.of(table)

    async def find_table(self, schema: str, name: str) -> TableInfo:
        """The same, and that it does not exist is true: nobody has made it elsewhere."""
        async with self._refusing():
            return self.table(schema, name)

    def new_table(self, operation: NewTable) -> TableInfo:
        """See `Targets.of_new`."""
        return self._targets.of_new(operation)

    async def numbered(self, info: TableInfo, names: Iterable[str], row_count: int) -> TableInfo:
        """With values reserved for the identity columns that rows of such columns leave out."""
        columns = to_number(names, info.target) if row_count else ()
        first = {
            column.id: await self.reserve(column.identity.sequence_id, row_count)
            for column in columns
            if column.identity is not None
        }
        target = dataclasses.replace(info.target, identity_first=first)
        return dataclasses.replace(info, target=target)

    async def checkpoint(self) -> CheckpointInfo:
        """See `Checkpoints.write`."""
        return await self._checkpoints.write()

    async def flush(self, table_id: int | None = None) -> int:
        """See `Maintainer.flush_now`."""
        return await self._maintainer.flush_now(table_id)

    async def compact(self, table_id: int | None = None) -> int:
        """See `Maintainer.compact_now`."""
        return await self._maintainer.compact_now(table_id)

    async def recluster(self, table_id: int | None = None) -> int:
        """See `Maintainer.recluster_now`."""
        return await self._maintainer.recluster_now(table_id)

    async def vacuum(self, table_id: int, *, full: bool = False) -> int:
        """See `vacuum.vacuum`."""
        return await vacuum(self._maintainer, table_id, full=full)

    @functools.cached_property
    def _repair(self) -> IndexRepair:
        return IndexRepair(self._sequencer, self._indexes, self._maintainer)

    @functools.cached_property
    def exchange(self) -> PartitionExchange:
        """What EXCHANGE PARTITION needs."""
        return PartitionExchange(self._sequencer, self._indexes, self._maintainer)

    async def repair_index(self, table_id: int | None = None) -> int:
        """Make the runs of a table's indexes anew from its files, or of all tables'.

        Returns: how many indexes. Raises: see `IndexRepair.run`.
        """
        async with self._sequencer.until_stopped():
            return await self._repair.run(table_id)

    def listen(self, name: str, listener: Callable[[int], None]) -> None:
        """Call `listener(lsn)` after every commit; replaces the listener of that name."""
        self._listeners[name] = listener

    def unlisten(self, name: str) -> None:
        """Stop calling the listener of that name."""
        self._listeners.pop(name, None)

    def status(self) -> dict[str, Any]:
        """What `mobula status` shows of the primary."""
        parts = (self._checkpoints, self._maintainer, self.collector)
        error = next((part.last_error for part in parts if part.last_error), None)
        return {
            "owner": self._reign.owner.id,
            "address": self._reign.owner.address,
            "epoch": self._reign.epoch,
            "lsn": self.snapshot.lsn,
            "tso": self.snapshot.tso,
            "tables": len(self.snapshot.tables),
            **self._checkpoints.status(),
            "delta_rows": sum(d.row_count for t in self.snapshot.tables.values() for d in t.deltas),
            **self._maintainer.rewriter.status(),
            **self.maintenance.status(),
            **self.traffic.status(self.snapshot),
            **self.collector.status(),
            "open_transactions": len(self.transactions),
            "store_away": self._sequencer.away,
            "stopped": str(self.stopped) if self.stopped else None,
            "last_error": str(error) if error else None,
        }

    async def close(self) -> None:
        """Finish what is queued, step down, end the background tasks. Again is fine."""
        await asyncio.shield(self._closing)

    @functools.cached_property
    def _closing(self) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._close())

    async def _close(self) -> None:
        self._sequencer.leave()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                await self._sequencer.drain()
        self._sequencer.stop(Unavailable("the primary has been closed; connect again"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._indexes.close()
        with contextlib.suppress(MobulaError):
            await self._reign.lease.release()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _committed(self, snapshot: Snapshot, group: Group) -> None:
        self._checkpoints.committed(group.size_bytes)
        if group.tables or group.catalogue:
            self._maintainer.wake()
        for listener in list(self._listeners.values()):
            listener(snapshot.lsn)

    async def _beat(self) -> None:
        """Refresh the lease, and stop if somebody else reigns: a primary that writes nothing would
        not hear of it. A failure harms nobody (the fence decides); the next beat follows."""
        lease = self._reign.lease
        while self.stopped is None:
            await self._clock.sleep_ms(lease.interval_ms)
            self.transactions.roll_back_idle()
            with contextlib.suppress(MobulaError):
                await lease.beat()
                if (successor := await lease.successor()) is not None:
                    self._sequencer.stop(
                        Fenced(
                            f"{successor.id} at {successor.address} has taken over; "
                            "this primary has been replaced and stopped writing"
                        )
                    )

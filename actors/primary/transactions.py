"""Open transactions: each is a fork of the writer's state that its statements read and change.

1. A transaction begins at the newest durable snapshot, with the indexes as they were there. Both
   are values, so the fork costs nothing, and nobody else ever sees what is done to it.
2. Each write is resolved against the fork as the sequencer would resolve it: rows it has itself
   written are rows of the fork, and what is wrong is refused when it is said.
3. Commit submits the operations, in their order, as one transaction. Each says at which LSN its
   statement read, and is refused if one of its keys was written by others since (40001): so every
   operation meets what it met in the fork, and does the same.

REPEATABLE READ keeps one snapshot from begin to end. READ COMMITTED takes the newest for each
statement, at its beginning: the fork is made anew there, with the transaction's own operations on
top. One statement runs at a time.

A savepoint is the fork of its moment. An error inside a transaction makes it refuse everything up
to a rollback, as in PostgreSQL (25P02). The primary keeps transactions in memory: when it dies they
are gone, their commit is refused (40001), and nothing of them was ever visible.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from actors.messages import Transaction
from actors.operations import (
    AppendFiles,
    AppendRows,
    DeleteRows,
    LoadFiles,
    Operation,
    TruncateTable,
    WriteMode,
    WriteRows,
)
from actors.primary.delta_names import DeltaNames, first_made, table_of
from actors.primary.limits import TransactionLimits
from actors.primary.resolve import resolve_in
from actors.primary.resolved import Resolved
from actors.primary.sequencer import Sequencer
from actors.primary.state import WriterState
from storage.clock import Clock
from storage.errors import Conflict, InvalidRequest, NotYet, Unavailable, UnknownObject
from storage.ids import Ids
from storage.micropartition.inputs import Chosen
from storage.partitions.routing import partition_columns, partitions_of
from storage.primary_key import TableIndex, keys_of
from storage.snapshot.model import PRIVATE_LSN, IngestToken, Receipt, Snapshot, TableState

__all__ = ["ISOLATION_LEVELS", "OpenTransaction", "Transactions", "files_with"]

READ_COMMITTED, REPEATABLE_READ = "read committed", "repeatable read"
ISOLATION_LEVELS = (READ_COMMITTED, REPEATABLE_READ)
_ALLOWED = (AppendRows, AppendFiles, WriteRows, DeleteRows, TruncateTable)

OpenIndex = Callable[[TableState], Awaitable[TableIndex]]
Room = Callable[[set[int]], Awaitable[None]]
Prepare = Callable[[Operation, WriterState, int], Awaitable[tuple[Operation, WriterState]]]


@dataclass(slots=True)
class _Savepoint:
    name: str
    count: int  # operations before it
    state: WriterState


@dataclass(slots=True)
class OpenTransaction:
    """One transaction. Made by `Transactions.begin`; one event loop, one statement at a time."""

    id: str
    isolation: str
    sequencer: Sequencer
    open_index: OpenIndex
    prepare: Prepare
    used_ms: float
    read_only: bool = False
    read_lsn: int = 0
    state: WriterState | None = None
    operations: list[Operation] = field(default_factory=list)
    made: list[int | None] = field(default_factory=list)  # first id in the fork, per operation
    row_counts: list[int] = field(default_factory=list)
    savepoints: list[_Savepoint] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    failed: bool = False
    ended: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stale: bool = True  # the next statement of READ COMMITTED has not begun to read

    async def snapshot(self) -> Snapshot:
        """What the statement that runs now reads, its own writes included."""
        if self.state is None or (self._stale and self.isolation == READ_COMMITTED):
            await self._rebase()
        self._stale = False
        assert self.state is not None
        return self.state.snapshot

    async def write(self, operations: Sequence[Operation]) -> tuple[int, ...]:
        """Do operations in the fork, all or none of them. Returns the rows of each.

        Raises: what `Sequencer.submit` would; the transaction has then to be rolled back.
        """
        if self.read_only:
            raise InvalidRequest("cannot write in a read-only transaction", "25006")
        await self.snapshot()
        assert self.state is not None
        for operation in operations:
            if not isinstance(operation, _ALLOWED):
                raise NotYet(
                    f"{type(operation).__name__} inside a transaction: only rows are written there"
                )
        state, done, resolved = self.state, list[Operation](), list[Resolved]()
        for operation in operations:
            reading, state = await self.prepare(self._reading(operation), state, self.read_lsn)
            state = await self._opened(reading, state)
            one = self._resolve(reading, state, self.read_lsn)
            state = state.after(one, PRIVATE_LSN)
            done.append(reading)
            resolved.append(one)
        self.state = state
        self.operations += done
        self.made += [first_made(one) for one in resolved]
        counts = [one.row_count for one in resolved]
        self.row_counts += counts
        return tuple(counts)

    @asynccontextmanager
    async def statement(self, now_ms: Callable[[], float]) -> AsyncIterator[OpenTransaction]:
        """Around each statement: waits for the one before it, refuses it if an earlier one failed,
        and remembers if it does. Args: now_ms: the time, monotonic."""
        async with self.lock:
            if self.failed:
                raise InvalidRequest(
                    "current transaction is aborted, commands ignored until end of transaction "
                    "block",
                    "25P02",
                )
            self._stale = True
            try:
                yield self
            except BaseException:  # also one that is cancelled
                self.failed = True
                raise
            finally:
                self.used_ms = now_ms()

    async def files_with(self, table: TableState, chosen: Chosen) -> Collection[int]:
        """The files that may have rows with these primary keys, beside the deltas."""
        assert self.state is not None
        if table.id not in self.state.indexes:
            self.state = self.state.with_index(table.id, await self.open_index(table))
        return files_with(self.state.indexes[table.id], table, chosen)

    async def save(self, name: str) -> None:
        """SAVEPOINT name; one of the same name stays below it."""
        await self.snapshot()
        assert self.state is not None
        self.savepoints.append(_Savepoint(name, len(self.operations), self.state))

    def roll_back_to(self, name: str) -> None:
        """ROLLBACK TO name: also mends a transaction that has failed since. The savepoint stays."""
        try:
            at = self._savepoint(name)
        except UnknownObject:
            self.failed = True
            raise
        del self.savepoints[at + 1 :]
        kept = self.savepoints[at]
        del self.operations[kept.count :], self.made[kept.count :], self.row_counts[kept.count :]
        # of READ COMMITTED it may be older than what a later statement has read
        self.state = None if self.isolation == READ_COMMITTED else kept.state
        self.failed = False

    def release(self, name: str) -> None:
        """RELEASE name, and the savepoints after it; what was done stays done."""
        del self.savepoints[self._savepoint(name) :]

    def transaction(self, token: IngestToken | None) -> Transaction | None:
        """All of it as one commit; None if it wrote nothing."""
        if not self.operations:
            return None
        return Transaction(
            operations=tuple(self.operations),
            token=token,
            made=tuple(self.made),
            row_counts=tuple(self.row_counts),
        )

    def end(self) -> None:
        """Let go of what it holds."""
        for lsn in self.held:
            self.sequencer.release(lsn)
        self.held.clear()
        self.failed = self.ended = True

    async def _rebase(self) -> None:
        """Fork the newest durable state, and do again what the transaction has done."""
        if self.ended:
            raise Conflict("the transaction was ended while a statement of it was running")
        state, lsn = self.sequencer.fork()
        if self.state is not None and lsn == self.read_lsn:
            return  # nothing is newer
        self.sequencer.hold(lsn)
        self.held.append(lsn)
        made: list[int | None] = []
        renamed = DeltaNames(self.made, self.operations)
        for position, operation in enumerate(self.operations):
            again = renamed.of(operation)
            state = await self._opened(again, state)
            one = self._resolve(again, state, lsn)
            if one.row_count != self.row_counts[position]:
                raise Conflict(
                    "could not serialize access: others have written what decides which rows the "
                    "transaction writes; begin again and retry"
                )
            state = state.after(one, PRIVATE_LSN)
            made.append(first_made(one))
            renamed.note(position, made[-1])
        self.operations = [renamed.of(operation) for operation in self.operations]
        self.made, self.state, self.read_lsn = made, state, lsn
        self._let_go()

    def _let_go(self) -> None:
        """Hold only what the next statement, or one that has written, has read at."""
        needed = {self.read_lsn}
        for operation in self.operations:
            needed.add(getattr(operation, "read_lsn", None) or self.read_lsn)
            if isinstance(operation, LoadFiles):
                needed.add(operation.checked_lsn)
        kept = [lsn for lsn in sorted(set(self.held)) if lsn in needed]
        for lsn in kept:
            self.held.remove(lsn)
        for lsn in self.held:
            self.sequencer.release(lsn)
        self.held[:] = kept

    async def _opened(self, operation: Operation, state: WriterState) -> WriterState:
        table = state.snapshot.tables.get(table_of(operation))
        if table is None or not table.keys or table.id in state.indexes:
            return state
        return state.with_index(table.id, await self.open_index(table))

    def _resolve(self, operation: Operation, state: WriterState, lsn: int) -> Resolved:
        """Args: lsn: the fork's; what maintenance has moved later has not moved in it."""
        informed = self.sequencer.informed(operation)
        self.sequencer.refuse_late(informed, state.snapshot)
        return resolve_in(informed, state, PRIVATE_LSN, self.sequencer.moves.until(lsn))

    def _reading(self, operation: Operation) -> Operation:
        """The operation, saying at which LSN it read. A plain INSERT needs none: what it must not
        find it would not find, or is refused for."""
        if isinstance(operation, WriteRows) and operation.mode is not WriteMode.INSERT:
            return dataclasses.replace(operation, read_lsn=self.read_lsn)
        if isinstance(operation, DeleteRows | AppendFiles):
            return dataclasses.replace(operation, read_lsn=self.read_lsn)
        return operation

    def _savepoint(self, name: str) -> int:
        for at in reversed(range(len(self.savepoints))):
            if self.savepoints[at].name == name:
                return at
        raise UnknownObject(f'savepoint "{name}" does not exist', "3B001")


def files_with(index: TableIndex, table: TableState, chosen: Chosen) -> Collection[int]:
    """The files in which the index knows rows with these primary keys, there or not any more."""
    assert table.primary_key is not None
    partitions = None
    if table.partitioning is not None:
        columns = partition_columns(table.partitioning, table.schema)
        found = partitions_of(table.partitioning, chosen.keys, columns)
        partitions = frozenset(found.tolist())
    keys = keys_of(chosen.keys, chosen.key)
    return index.files_with(table.primary_key.id, keys, partitions)


class Transactions:
    """Those of a primary, by id."""

    def __init__(
        self,
        sequencer: Sequencer,
        open_index: OpenIndex,
        *,
        clock: Clock,
        ids: Ids,
        prepare: Prepare,
        room: Room,
        limits: TransactionLimits | None = None,
    ) -> None:
        """Args:
        prepare: makes large writes ready to be resolved (`Bulk`).
        room: waits until tables take more rows (`Maintainer.room`).
        """
        self._sequencer = sequencer
        self._open_index = open_index
        self._prepare = prepare
        self._room = room
        self._clock = clock
        self._ids = ids
        self._limits = limits or TransactionLimits()
        self._open: dict[str, OpenTransaction] = {}

    async def begin(self, isolation: str, *, read_only: bool = False) -> OpenTransaction:
        """A new one, whose snapshot is taken now. Raises InvalidRequest, Unavailable: too many."""
        if isolation not in ISOLATION_LEVELS:
            raise InvalidRequest(
                f"isolation level {isolation!r}: expected one of {', '.join(ISOLATION_LEVELS)}"
            )
        self.roll_back_idle()
        if len(self._open) >= self._limits.open_max:
            raise Unavailable(
                f"{len(self._open)} transactions are open, at most that many may be; end some"
            )
        made = OpenTransaction(
            id=self._ids.new(),
            isolation=isolation,
            sequencer=self._sequencer,
            open_index=self._open_index,
            prepare=self._prepare,
            used_ms=self._now_ms(),
            read_only=read_only,
        )
        await made.snapshot()
        self._open[made.id] = made
        return made

    def find(self, transaction_id: str) -> OpenTransaction:
        """The open transaction. Raises Conflict: it is not there (any more)."""
        self.roll_back_idle()
        found = self._open.get(transaction_id)
        if found is None:
            raise Conflict(
                "the transaction is gone: the primary was restarted, or it was idle for more than "
                f"{self._limits.idle_ms} ms; nothing of it was committed, begin again"
            )
        return found

    async def commit(
        self, transaction_id: str, token: IngestToken | None
    ) -> tuple[Receipt | None, bool]:
        """Commit, or roll back if a statement has failed. Ends the transaction in any case.

        Returns: the receipt, None if there was nothing to commit; and whether it was committed.

        Raises: as `Sequencer.submit`; Conflict: a key was written by others since it was read.
        """
        if (receipt := await self._outcome(token)) is not None:
            self.roll_back(transaction_id)
            return receipt, True  # the call is repeated
        found = self.find(transaction_id)
        async with found.lock:
            try:
                if (receipt := await self._outcome(token)) is not None:
                    return receipt, True
                if found.ended:
                    raise Conflict("the transaction was ended meanwhile; begin again")
                if found.failed:
                    return None, False
                submitted = found.transaction(token)
                if submitted is None:
                    return None, True
                await self._room({table_of(operation) for operation in submitted.operations})
                return await self._sequencer.submit(submitted), True
            finally:
                self.roll_back(transaction_id)

    async def _outcome(self, token: IngestToken | None) -> Receipt | None:
        return None if token is None else await self._sequencer.outcome(token)

    def roll_back(self, transaction_id: str) -> None:
        """End it without a trace; one that is not there has been ended already."""
        found = self._open.pop(transaction_id, None)
        if found is not None:
            found.end()

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def statement(self, transaction_id: str) -> AsyncIterator[OpenTransaction]:
        """Around a statement of an open transaction.

        Raises: as `find` and `OpenTransaction.statement`.
        """
        async with self.find(transaction_id).statement(self._now_ms) as found:
            yield found

    async def roll_back_to(self, transaction_id: str, name: str) -> None:
        """See `OpenTransaction.roll_back_to`."""
        found = self.find(transaction_id)
        async with found.lock:
            found.roll_back_to(name)
            found.used_ms = self._now_ms()

    def roll_back_idle(self) -> None:
        """End those that have said nothing for too long; what they hold would grow for ever."""
        oldest_ms = self._now_ms() - self._limits.idle_ms
        idle = [t for t in self._open.values() if t.used_ms < oldest_ms and not t.lock.locked()]
        for found in idle:
            self.roll_back(found.id)

    def _now_ms(self) -> float:
        return self._clock.monotonic_ms()

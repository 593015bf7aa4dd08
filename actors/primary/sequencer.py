"""The one writer's core: turns transactions into groups and groups into log objects.

1. `submit` looks the token up, resolves the transaction against the *working* state (the durable
   one, plus every group not yet durable), and adds its changes to the last group, the one that is
   open. A transaction that cannot be done raises here and leaves everything as it was.
2. A group is *sealed* when the next one opens, or when its turn comes: what its transactions did to
   the same rows is merged (`merge.py`), and from then on positions of its rows are fixed.
3. `run` takes the oldest group, gives it a TSO, appends it to the log, and only then applies it to
   the durable snapshot and answers its waiters. One group is in flight at a time; whatever arrives
   meanwhile is the next group, so batching needs no timer.
4. A transaction that cannot be done is refused only by a primary that still reigns (`confirm`): one
   that was replaced and does not know it judges by the past, and the call that it refuses may be
   the repetition of one that its successor has committed.
5. When the store does not answer, the waiters hear `Unavailable` (it may still have happened: they
   repeat with their token), and the very same bytes are tried again, for ever. Until that has
   succeeded nothing new is taken: it would wait and not hear more. Groups behind that one stay and
   follow it, though they were never sent: what maintenance has read of them is on its way as well.
6. When the slot is another's, everybody hears `Fenced` and this object is finished.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

from actors.messages import Transaction
from actors.operations import (
    AppendRows,
    LoadFiles,
    Operation,
    WriteRows,
)
from actors.primary.delta_names import DeltaNames, first_made
from actors.primary.group import Entry, OpenGroup, carried, fail, record_of, size_bytes_of
from actors.primary.limits import SequencerLimits
from actors.primary.moves import Moves
from actors.primary.resolve import resolve_in
from actors.primary.resolved import Resolved
from actors.primary.settler import settle_now
from actors.primary.state import WriterState
from actors.primary.traffic import Traffic
from actors.primary.written import WrittenKeys
from storage.clock import Clock
from storage.errors import (
    Conflict,
    Fenced,
    InternalError,
    InvalidRequest,
    MobulaError,
    Unavailable,
)
from storage.ids import Ids
from storage.log.record import Group, GroupHeader
from storage.log.takeover import Reign, next_tso
from storage.log.writer import LogWriter
from storage.primary_key import Keys, TableIndex
from storage.snapshot.apply import TOKENS_PER_WRITER, apply
from storage.snapshot.model import IngestToken, Receipt, Snapshot, TableState

__all__ = [
    "Sequencer",
]

AGAIN_MS = 1_000  # before a group whose outcome is unknown is tried again


async def _no_index(table: TableState) -> TableIndex:
    raise InternalError(f"table {table.name} has keys, and nobody opens its index")


class Sequencer:
    """Give it a reign, run `run` in a task, and `submit` to it. One event loop, no locks."""

    def __init__(
        self,
        reign: Reign,
        *,
        clock: Clock,
        ids: Ids,
        limits: SequencerLimits | None = None,
        on_commit: Callable[[Snapshot, Group], None] = lambda snapshot, group: None,
        open_index: Callable[[TableState], Awaitable[TableIndex]] = _no_index,
        settle: Callable[[Iterable[TableIndex]], None] = settle_now,
    ) -> None:
        """Args:
        open_index: makes the index of a table with keys, from its runs and deltas.
        settle: hears of indexes with new keys (`settler.py`).
        """
        self._epoch = reign.epoch
        self._writer_id = reign.owner.id
        self._writer: LogWriter = reign.writer
        self._clock = clock
        self._ids = ids
        self._limits = limits or SequencerLimits()
        self._on_commit = on_commit
        self._open_index = open_index
        self._settle = settle
        self._durable = reign.snapshot
        self._working = WriterState(snapshot=reign.snapshot)
        self._written = WrittenKeys()
        self.moves = Moves()
        self.traffic = Traffic()
        self._opening: dict[int, asyncio.Task[None]] = {}
        self._groups: deque[OpenGroup] = deque()  # leftmost in flight; new ones at the right
        self._tokens: dict[IngestToken, tuple[OpenGroup, Entry]] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped: MobulaError | None = None
        self._ended = asyncio.Event()
        self._away: str | None = None
        self._leaving = False

    @property
    def snapshot(self) -> Snapshot:
        """The newest durable snapshot."""
        return self._durable

    @property
    def stopped(self) -> MobulaError | None:
        """Why it has ended; None while it runs."""
        return self._stopped

    async def ended(self) -> None:
        """Return once it has."""
        await self._ended.wait()

    @property
    def away(self) -> str | None:
        """Since when the store has not answered, and why; None: it answers."""
        return self._away

    @property
    def working(self) -> Snapshot:
        """The durable snapshot and all that is queued: what the next transaction is resolved
        against."""
        return self._working.snapshot

    @property
    def state(self) -> WriterState:
        """The same with the open indexes."""
        return self._working

    def fork(self) -> tuple[WriterState, int]:
        """The newest durable state, for somebody who reads it and writes what depends on it, and
        its LSN, to be held (`hold`) as long as that takes."""
        before = self._groups[0].before if self._groups else self._working
        return WriterState(snapshot=self._durable, indexes=before.indexes), self._durable.lsn

    def hold(self, lsn: int) -> None:
        """Remember which keys are written after `lsn`, the newest durable one."""
        self._written.hold(lsn)

    def release(self, lsn: int) -> None:
        """The end of one `hold`."""
        self._written.release(lsn)
        self.moves.forget(self._written.oldest(self._durable.lsn))

    def oldest_read(self) -> int:
        """The least LSN that a transaction or statement of ours reads at, or may begin to."""
        return self._written.oldest(self._durable.lsn)

    def refuse_late(self, operation: Operation, snapshot: Snapshot) -> None:
        """Raises Conflict if one of its keys was written after the LSN that it read at."""
        if isinstance(operation, WriteRows):
            self._written.refuse_late(operation, snapshot)

    def receipt(self, token: IngestToken) -> Receipt | None:
        """Of a transaction with that token that is durable."""
        return self._known(token)

    async def outcome(self, token: IngestToken) -> Receipt | None:
        """Of a transaction with that token, waiting for it if it is queued; None: there is none.

        Raises: as `submit`.
        """
        if (receipt := self._known(token)) is not None:
            return receipt
        if self._stopped is not None:
            raise self._stopped
        if token in self._tokens:
            return await self._wait(self._tokens[token][1])
        return None

    async def submit(self, transaction: Transaction) -> Receipt:
        """Commit `transaction`; returns when it is durable, with all its changes or none. One
        without operations leaves its token: whoever repeats it hears that it changed nothing.

        Raises:
            InvalidRequest, Conflict: refused, nothing changed.
            Unavailable: too much is queued or the store has been away for long (nothing changed),
                or it does not answer now (it may still happen: repeat with the same token).
            Fenced: this primary has been replaced.
        """
        if self._stopped is not None:
            raise self._stopped
        token = transaction.token
        while True:
            if token is not None and (receipt := await self.outcome(token)) is not None:
                return receipt
            self.refuse_away()
            if self._leaving:
                raise Unavailable(
                    "the primary is stepping down; nothing of this call was written, repeat it"
                )
            table = self._unopened(transaction)
            if table is None:
                return await self._wait(self._enqueue(transaction))
            await self.open_table(table)
            if self._stopped is not None:
                raise self._stopped

    async def confirm(self) -> None:
        """Return when all that is queued now is durable, and nobody else has written behind it:
        then the working state is the newest there is. 1 GET.

        Raises: Fenced: this primary has been replaced; Unavailable: the store does not answer.
        """
        if self._stopped is not None:
            raise self._stopped
        self.refuse_away()
        if self._groups:
            await self._wait(self._groups[-1].entries[-1])
        try:
            await self._writer.confirm()
        except Fenced as error:
            self.stop(error)
            raise

    def refuse_away(self) -> None:
        """Raises Unavailable as long as the store does not answer: whoever waited for it would hear
        that in the end, and not know what has become of the call."""
        if self._away is not None:
            raise Unavailable(
                f"the store has not answered {self._away}; nothing of this call was written, "
                "repeat it when the store is back"
            )

    async def open_table(self, table: TableState) -> None:
        """Open a table's index; the state has it afterwards, unless the table has changed
        meanwhile."""
        if table.id not in self._opening:
            opening = asyncio.get_running_loop().create_task(self._open(table))
            self._opening[table.id] = opening
            opening.add_done_callback(lambda _: self._opening.pop(table.id))
        await asyncio.shield(self._opening[table.id])

    async def _open(self, table: TableState) -> None:
        index = await self._open_index(table)
        if self._working.snapshot.tables.get(table.id) is not table:
            return
        self._working = self._working.with_index(table.id, index)
        for group in self._groups:  # none of them has written to the table, but the open one may
            if table.id in group.before.snapshot.tables:
                group.before = group.before.with_index(table.id, index)

    async def run(self) -> None:
        """Write groups until `stop` or a fence. Never raises but for cancellation."""
        while self._stopped is None:
            if not self._groups:
                self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                continue
            await self._commit(self._groups[0])

    @contextlib.asynccontextmanager
    async def until_stopped(self) -> AsyncIterator[None]:
        """Whatever goes wrong in it once we have stopped (files of ours may be gone): the caller
        hears that we have."""
        try:
            yield
        except Exception as error:
            if (stopped := self.stopped) is not None:
                raise stopped from error
            raise

    def leave(self) -> None:
        """Take no new transactions: what is queued shall come to an end."""
        self._leaving = True

    async def drain(self) -> None:
        """Return when nothing is queued or in flight."""
        await self._idle.wait()

    def stop(self, reason: MobulaError) -> None:
        """Refuse everything from now on; waiters hear `reason`, and later callers the first one."""
        if self._stopped is None:
            self._stopped = reason
        self._ended.set()
        for group in self._groups:
            fail(group, self._stopped)
        self._idle.set()
        self._wake.set()

    def _unopened(self, transaction: Transaction) -> TableState | None:
        """A table with keys that the transaction writes to and whose index is not open."""
        for operation in transaction.operations:
            for name in ("table_id", "other_id"):
                table = self._working.snapshot.tables.get(getattr(operation, name, 0))
                if table is not None and table.keys and table.id not in self._working.indexes:
                    return table
        return None

    def _known(self, token: IngestToken) -> Receipt | None:
        receipts = self._durable.tokens.get(token.writer, {})
        if token.sequence in receipts:
            return receipts[token.sequence]
        forgets = len(receipts) >= TOKENS_PER_WRITER
        if forgets and token.sequence < min(receipts):
            raise Conflict(
                f"token {token.writer}/{token.sequence} is older than the receipts kept for this "
                f"writer (from {min(receipts)}); it may have been committed: look before you retry"
            )
        return None

    def _enqueue(self, transaction: Transaction) -> Entry:
        if not transaction.operations and transaction.token is None:
            raise InvalidRequest("the transaction is empty")
        size = size_bytes_of(transaction)
        self._check_inline(transaction)
        self._check_bounds(size)
        group = self._groups[-1] if self._groups else None
        if group is not None and group.size_bytes + size > self._limits.group_bytes_max:
            self._seal(group)
        if group is None or group.sealed:
            lsn = self._writer.next_lsn if group is None else group.lsn + 1
            group = OpenGroup(lsn=lsn, before=self._working)
        working, resolved = self._working, list[Resolved]()
        names = DeltaNames(transaction.made, transaction.operations)
        for operation in transaction.operations:
            again = self.informed(names.of(operation))
            self.refuse_late(again, working.snapshot)
            one = resolve_in(again, working, group.lsn, self.moves)
            working = working.after(one, group.lsn)
            names.note(len(resolved), first_made(one))
            resolved.append(one)
        _refuse_others(transaction, resolved)
        entry = Entry(record_of(transaction, resolved))
        group.add(entry, resolved, size)
        for operation, one in zip(transaction.operations, resolved, strict=True):
            group.tally.add(carried(operation), one)
        self._working = working
        for one in resolved:
            self._settle(one.indexes.values())
            for table_id, keys in one.written.items():
                self._written.note(group.lsn, table_id, keys)
            for table_id, moved in one.moved.items():
                self.moves.note(group.lsn, table_id, moved)
        if not self._groups or self._groups[-1] is not group:
            self._groups.append(group)
        if transaction.token is not None:
            self._tokens[transaction.token] = (group, entry)
        self._idle.clear()
        self._wake.set()
        return entry

    def informed(self, operation: Operation) -> Operation:
        """A large write hears which keys were written since it was checked.

        Raises Conflict: they cannot be told.
        """
        if not isinstance(operation, LoadFiles):
            return operation
        written = self._written.keys_since(operation.checked_lsn, operation.table_id)
        late: Mapping[int, Keys] = {}
        if operation.read_lsn is not None:
            late = self._written.keys_since(operation.read_lsn, operation.table_id)
        return dataclasses.replace(operation, written=written, late=late)

    def _check_inline(self, transaction: Transaction) -> None:
        parts = map(carried, transaction.operations)
        inline = sum(len(o.rows or b"") for o in parts if isinstance(o, AppendRows | WriteRows))
        if inline > self._limits.inline_bytes_max:
            raise InvalidRequest(
                f"the transaction carries {inline} bytes of rows, at most "
                f"{self._limits.inline_bytes_max} go into the log; append them as files",
                "54000",
            )

    def _check_bounds(self, size_bytes: int) -> None:
        queued = sum(len(group.entries) for group in self._groups)
        queued_bytes = sum(group.size_bytes for group in self._groups)
        limits = self._limits
        if (
            queued >= limits.queue_transactions_max
            or queued_bytes + size_bytes > limits.queue_bytes_max
        ):
            raise Unavailable(
                f"the primary has {queued} transactions ({queued_bytes} bytes) waiting for the "
                "store; nothing was written, retry later or in larger batches"
            )

    def _seal(self, group: OpenGroup) -> None:
        if not group.sealed:  # then it is the last one
            self._working = group.seal(self._working)
            self._settle(self._working.indexes.values())

    async def _wait(self, entry: Entry) -> Receipt:
        waiter: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        entry.waiters.append(waiter)
        return await waiter

    async def _commit(self, open_group: OpenGroup) -> None:
        self._seal(open_group)
        group = self._encode(open_group)
        since_ms = self._clock.now_ms()
        while True:
            try:
                written = await self._writer.append(group)
                break
            except Unavailable as error:
                self._away = _away_text(since_ms, error)
                for waiting in self._groups:
                    fail(waiting, Unavailable(_unknown_message(error)))
                await self._clock.sleep_ms(AGAIN_MS)  # a store that refuses does so at once
                if self._stopped is not None:
                    return
            except MobulaError as error:
                self.stop(error)
                return
        self._away = None
        self._groups.popleft()
        self._finish(open_group, written)

    def _encode(self, open_group: OpenGroup) -> Group:
        durable = self._durable
        return Group(
            header=GroupHeader(
                database_id=durable.database_id,
                branch_id=durable.branch_id,
                lsn=open_group.lsn,
                tso=next_tso(self._clock.now_ms(), durable.tso),
                epoch=self._epoch,
                writer_id=self._writer_id,
                nonce=self._ids.new(),
                previous=durable.checksum,
                transactions=tuple(entry.record for entry in open_group.entries),
            ),
            catalogue=tuple(open_group.catalogue),
            tables={k: tuple(v) for k, v in open_group.tables.items()},
        )

    def _finish(self, open_group: OpenGroup, written: Group) -> None:
        """The group is durable: apply it as every reader will, then answer."""
        try:
            self._durable = apply(self._durable, written)
        except MobulaError as error:
            self.stop(InternalError(f"our own group does not apply: {error.message}"))
            fail(open_group, self._stopped or error)
            return
        if not self._groups:
            self._working = WriterState(snapshot=self._durable, indexes=self._working.indexes)
        self._written.forget(self._durable.lsn)
        self.moves.forget(self._written.oldest(self._durable.lsn))
        for entry in open_group.entries:
            receipt = Receipt(
                lsn=written.header.lsn, tso=written.header.tso, row_counts=entry.row_counts
            )
            for waiter in entry.waiters:
                if not waiter.done():
                    waiter.set_result(receipt)
        self._tokens = {k: v for k, v in self._tokens.items() if v[0] is not open_group}
        self.traffic.committed(written, open_group.tally)
        self._on_commit(self._durable, written)


def _refuse_others(transaction: Transaction, resolved: Sequence[Resolved]) -> None:
    """Raises Conflict if an operation comes to other rows than in the fork of its transaction."""
    counts = tuple(one.row_count for one in resolved)
    if transaction.row_counts and transaction.row_counts != counts:
        raise Conflict(
            "could not serialize access: others have written what decides which rows the "
            "transaction writes; begin again and retry"
        )


def _away_text(since_ms: int, error: Unavailable) -> str:
    since = datetime.datetime.fromtimestamp(since_ms // 1000, datetime.UTC)
    why = error.__cause__ or error  # without what `create_settled` says of the object
    return f"since {since:%Y-%m-%d %H:%M:%S} UTC ({why})"


def _unknown_message(error: Unavailable) -> str:
    return f"the store does not answer, whether the commit happened is unknown; repeat it: {error}"

"""The one writer's core: turns transactions into groups and groups into log objects.

1. `submit` looks the token up, resolves the transaction against the *working* snapshot (durable
   state, plus every group not yet durable), and adds its changes to the last open group. A
   transaction that cannot be done raises here and leaves the group as it was.
2. `run` takes the oldest open group, gives it a TSO, appends it to the log, and only then applies
   it to the durable snapshot and answers its waiters. One group is in flight at a time; whatever
   arrives meanwhile is the next group, so batching needs no timer.
3. When the store does not answer, the waiters hear `Unavailable` (it may still have happened: they
   repeat with their token), and the very same bytes are tried again, for ever. When the slot is
   another's, everybody hears `Fenced` and this object is finished.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from actors.messages import AppendFiles, AppendRows, NewTable, Operation, Transaction
from actors.primary.resolve import Resolved, resolve
from storage.clock import Clock
from storage.errors import Conflict, InternalError, InvalidRequest, MobulaError, Unavailable
from storage.ids import Ids
from storage.log.record import Group, GroupHeader, OperationRecord, TransactionRecord
from storage.log.takeover import Reign, next_tso
from storage.log.writer import LogWriter
from storage.snapshot.apply import apply, apply_changes
from storage.snapshot.changes import CatalogueChange, DropTable, TableChange
from storage.snapshot.model import IngestToken, Receipt, Snapshot

__all__ = ["Sequencer", "SequencerLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerLimits:
    """Bounds. A group closes at `group_bytes_max`; past the others `submit` refuses.

    `inline_bytes_max` is for the rows that one transaction carries itself: with it a log object
    stays below 8 MiB, references to files apart.
    """

    group_bytes_max: int = 7 << 20
    inline_bytes_max: int = 4 << 20
    queue_transactions_max: int = 20_000
    queue_bytes_max: int = 256 << 20


@dataclass(slots=True)
class _Entry:
    """A transaction in an open group, and who waits for it."""

    record: TransactionRecord
    waiters: list[asyncio.Future[Receipt]] = field(default_factory=list)

    @property
    def row_counts(self) -> tuple[int, ...]:
        return tuple(operation.row_count for operation in self.record.operations)


@dataclass(slots=True)
class _OpenGroup:
    """A group that is not durable yet."""

    lsn: int
    entries: list[_Entry] = field(default_factory=list)
    catalogue: list[CatalogueChange] = field(default_factory=list)
    tables: dict[int, list[TableChange]] = field(default_factory=dict)
    size_bytes: int = 0

    def add(self, entry: _Entry, resolved: list[Resolved], size_bytes: int) -> None:
        self.entries.append(entry)
        self.size_bytes += size_bytes
        for one in resolved:
            self.catalogue += one.catalogue
            for table_id, changes in one.tables.items():
                self.tables.setdefault(table_id, []).extend(changes)
            for change in one.catalogue:
                if isinstance(change, DropTable):
                    self.tables.pop(change.table_id, None)


def _size_bytes(transaction: Transaction) -> int:
    """What a transaction adds to its group, roughly."""
    size = 256
    for operation in map(_carrying, transaction.operations):
        match operation:
            case AppendRows():
                size += len(operation.rows)
            case AppendFiles():
                size += sum(512 * (1 + len(row.statistics)) for row in operation.files)
            case _:
                size += 1024
    return size


def _carrying(operation: Operation) -> Operation:
    """The part of an operation that may be large."""
    if isinstance(operation, NewTable) and operation.rows is not None:
        return operation.rows
    return operation


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
    ) -> None:
        self._epoch = reign.epoch
        self._writer_id = reign.owner.id
        self._writer: LogWriter = reign.writer
        self._clock = clock
        self._ids = ids
        self._limits = limits or SequencerLimits()
        self._on_commit = on_commit
        self._durable = reign.snapshot
        self._working = reign.snapshot
        self._groups: deque[_OpenGroup] = deque()  # leftmost in flight; new ones at the right
        self._in_flight = False
        self._tokens: dict[IngestToken, tuple[_OpenGroup, _Entry]] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopped: MobulaError | None = None

    @property
    def snapshot(self) -> Snapshot:
        """The newest durable snapshot."""
        return self._durable

    @property
    def working(self) -> Snapshot:
        """The durable snapshot and all that is queued: what the next transaction is resolved
        against."""
        return self._working

    async def submit(self, transaction: Transaction) -> Receipt:
        """Commit `transaction`; returns when it is durable, with all its changes or none.

        Raises:
            InvalidRequest, Conflict: refused, nothing changed.
            Unavailable: too much is queued (nothing changed), or the store does not answer (it may
                still happen: repeat with the same token).
            Fenced: this primary has been replaced.
        """
        if self._stopped is not None:
            raise self._stopped
        token = transaction.token
        if token is not None:
            if (receipt := self._known(token)) is not None:
                return receipt
            if token in self._tokens:
                return await self._wait(self._tokens[token][1])
        return await self._wait(self._enqueue(transaction))

    async def run(self) -> None:
        """Write groups until `stop` or a fence. Never raises but for cancellation."""
        while self._stopped is None:
            if not self._groups:
                self._idle.set()
                await self._wake.wait()
                self._wake.clear()
                continue
            await self._commit(self._groups[0])

    async def drain(self) -> None:
        """Return when nothing is queued or in flight."""
        await self._idle.wait()

    def stop(self, reason: MobulaError) -> None:
        """Refuse everything from now on; waiters hear `reason`."""
        self._stopped = reason
        for group in self._groups:
            _fail(group, reason)
        self._idle.set()
        self._wake.set()

    def _known(self, token: IngestToken) -> Receipt | None:
        receipts = self._durable.tokens.get(token.writer, {})
        if token.sequence in receipts:
            return receipts[token.sequence]
        if receipts and token.sequence < min(receipts):
            raise Conflict(
                f"token {token.writer}/{token.sequence} is older than the receipts kept for this "
                f"writer (from {min(receipts)}); it may have been committed: look before you retry"
            )
        return None

    def _enqueue(self, transaction: Transaction) -> _Entry:
        if not transaction.operations:
            raise InvalidRequest("the transaction is empty")
        size = _size_bytes(transaction)
        self._check_inline(transaction)
        self._check_bounds(size)
        group = self._groups[-1] if self._groups else None
        full = group is None or group.size_bytes + size > self._limits.group_bytes_max
        if full or (self._in_flight and len(self._groups) == 1):
            lsn = self._writer.next_lsn if group is None else group.lsn + 1
            group = _OpenGroup(lsn=lsn)
        assert group is not None
        working, resolved = self._working, []
        for operation in transaction.operations:
            one = resolve(operation, working, group.lsn)
            working = apply_changes(working, one.catalogue, one.tables, lsn=group.lsn)
            resolved.append(one)
        entry = _Entry(_record(transaction, resolved))
        group.add(entry, resolved, size)
        self._working = working
        if not self._groups or self._groups[-1] is not group:
            self._groups.append(group)
        if transaction.token is not None:
            self._tokens[transaction.token] = (group, entry)
        self._idle.clear()
        self._wake.set()
        return entry

    def _check_inline(self, transaction: Transaction) -> None:
        carried = map(_carrying, transaction.operations)
        inline = sum(len(o.rows) for o in carried if isinstance(o, AppendRows))
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

    async def _wait(self, entry: _Entry) -> Receipt:
        waiter: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        entry.waiters.append(waiter)
        return await waiter

    async def _commit(self, open_group: _OpenGroup) -> None:
        group = self._encode(open_group)
        self._in_flight = True
        while True:
            try:
                written = await self._writer.append(group)
                break
            except Unavailable as error:
                _fail(open_group, Unavailable(_unknown_message(error)))
                if self._stopped is not None:
                    return
            except MobulaError as error:
                self.stop(error)
                return
        self._in_flight = False
        self._groups.popleft()
        self._finish(open_group, written)

    def _encode(self, open_group: _OpenGroup) -> Group:
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

    def _finish(self, open_group: _OpenGroup, written: Group) -> None:
        """The group is durable: apply it as every reader will, then answer."""
        try:
            self._durable = apply(self._durable, written)
        except MobulaError as error:
            self.stop(InternalError(f"our own group does not apply: {error}"))
            _fail(open_group, self._stopped or error)
            return
        if not self._groups:
            self._working = self._durable
        for entry in open_group.entries:
            receipt = Receipt(
                lsn=written.header.lsn, tso=written.header.tso, row_counts=entry.row_counts
            )
            for waiter in entry.waiters:
                if not waiter.done():
                    waiter.set_result(receipt)
        self._tokens = {k: v for k, v in self._tokens.items() if v[0] is not open_group}
        self._on_commit(self._durable, written)


def _record(transaction: Transaction, resolved: list[Resolved]) -> TransactionRecord:
    token = transaction.token
    return TransactionRecord(
        user=transaction.session.user,
        operations=tuple(
            OperationRecord(kind=r.kind, table_id=r.table_id, row_count=r.row_count)
            for r in resolved
        ),
        token_writer=token.writer if token else None,
        token_sequence=token.sequence if token else None,
    )


def _unknown_message(error: Unavailable) -> str:
    return f"the store does not answer, whether the commit happened is unknown; repeat it: {error}"


def _fail(group: _OpenGroup, error: MobulaError) -> None:
    for entry in group.entries:
        waiters, entry.waiters = entry.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error)

"""The primary: owns the log's newest end, takes every write, checkpoints, tells who listens.

A plain class over an open reign. Background work is three tasks that `start` makes and `close`
ends: the sequencer's loop, the lease's heartbeat, and checkpoints when the tail has grown.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any

from actors.messages import NewTable, TableInfo, Transaction
from actors.primary.sequencer import Sequencer, SequencerLimits
from actors.primary.sequences import Reservations
from actors.primary.tables import cluster_by, first_schema
from storage.clock import Clock
from storage.errors import MobulaError, Unavailable, UnknownObject
from storage.ids import Ids
from storage.log.record import Group
from storage.log.takeover import Reign
from storage.names import data_prefix
from storage.nearest import nearest
from storage.objects import ObjectStore
from storage.snapshot.checkpoint import CheckpointInfo, write_checkpoint
from storage.snapshot.model import Receipt, Snapshot
from storage.target import IngestTarget, to_number

__all__ = ["CheckpointPolicy", "Primary", "checkpoint_is_due"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPolicy:
    """When a checkpoint spares readers enough to be worth writing.

    Attributes:
        tail_bytes_max: log bytes behind the newest checkpoint.
        tail_groups_max: groups behind it (300: ten seconds at thirty groups a second), once the
            tail is also a tenth of the last checkpoint, so that checkpoints of a growing database
            cost a constant share of what is written.
    """

    tail_bytes_max: int = 64 << 20
    tail_groups_max: int = 300


def checkpoint_is_due(
    policy: CheckpointPolicy, *, tail_bytes: int, tail_groups: int, last_bytes: int
) -> bool:
    """Whether to write a checkpoint now; sizes in bytes, `last_bytes` of the newest one."""
    if tail_bytes >= policy.tail_bytes_max:
        return True
    return tail_groups >= policy.tail_groups_max and tail_bytes * 10 >= last_bytes


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
    ) -> None:
        self._reign = reign
        self._store = store
        self._clock = clock
        self._ids = ids
        self._policy = policy or CheckpointPolicy()
        self._sequencer = Sequencer(
            reign, clock=clock, ids=ids, limits=limits, on_commit=self._committed
        )
        self._reservations = Reservations(lambda: self._sequencer.working, self._sequencer.submit)
        self._tail_bytes = 0  # since we reign; the groups before are counted below
        self._tail_groups = reign.snapshot.lsn - reign.checkpoint_lsn
        self._checkpoint: CheckpointInfo | None = None
        self._due = asyncio.Event()
        self._listeners: dict[str, Callable[[int], None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._last_error: MobulaError | None = None

    def start(self) -> None:
        """Begin serving; call once, inside the event loop."""
        self._spawn(self._sequencer.run())
        self._spawn(self._beat())
        self._spawn(self._checkpoints())
        if self._checkpoint_due():  # several short reigns may have left a long tail
            self._due.set()

    @property
    def snapshot(self) -> Snapshot:
        """The newest durable snapshot."""
        return self._sequencer.snapshot

    async def submit(self, transaction: Transaction) -> Receipt:
        """See `Sequencer.submit`."""
        return await self._sequencer.submit(transaction)

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
        target = IngestTarget(
            table_name=table.name,
            schema=table.schema,
            name_prefix=data_prefix(snapshot.branch_id, self._reign.epoch),
            cluster_by=table.cluster_by,
            options=table.options,
            checks=table.checks,
            keys=table.keys,
        )
        return TableInfo(table_id=table.id, target=target)

    def new_table(self, operation: NewTable) -> TableInfo:
        """Where the first rows of a table go that does not exist yet; its id is not known."""
        schema = first_schema(operation)
        target = IngestTarget(
            table_name=operation.name,
            schema=schema,
            name_prefix=data_prefix(self.snapshot.branch_id, self._reign.epoch),
            cluster_by=cluster_by(operation, schema),
            options=operation.options,
        )
        return TableInfo(table_id=0, target=target)

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
        """Write a checkpoint of the newest durable snapshot now."""
        tail_bytes, tail_groups = self._tail_bytes, self._tail_groups
        self._checkpoint = await write_checkpoint(self._store, self.snapshot, self._ids)
        self._tail_bytes -= tail_bytes
        self._tail_groups -= tail_groups
        return self._checkpoint

    def listen(self, name: str, listener: Callable[[int], None]) -> None:
        """Call `listener(lsn)` after every commit; replaces the listener of that name."""
        self._listeners[name] = listener

    def unlisten(self, name: str) -> None:
        """Stop calling the listener of that name."""
        self._listeners.pop(name, None)

    def status(self) -> dict[str, Any]:
        """What `mobula status` shows of the primary."""
        return {
            "owner": self._reign.owner.id,
            "address": self._reign.owner.address,
            "epoch": self._reign.epoch,
            "lsn": self.snapshot.lsn,
            "tso": self.snapshot.tso,
            "tables": len(self.snapshot.tables),
            "tail_groups": self._tail_groups,
            "tail_bytes": self._tail_bytes,
            "checkpoint_lsn": self._checkpoint.lsn if self._checkpoint else None,
            "last_error": str(self._last_error) if self._last_error else None,
        }

    async def close(self) -> None:
        """Finish what is queued, step down, end the background tasks."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                await self._sequencer.drain()
        self._sequencer.stop(Unavailable("the primary has been closed; connect again"))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(MobulaError):
            await self._reign.lease.release()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _committed(self, snapshot: Snapshot, group: Group) -> None:
        self._tail_bytes += group.size_bytes
        self._tail_groups += 1
        if self._checkpoint_due():
            self._due.set()
        for listener in list(self._listeners.values()):
            listener(snapshot.lsn)

    def _checkpoint_due(self) -> bool:
        return checkpoint_is_due(
            self._policy,
            tail_bytes=self._tail_bytes,
            tail_groups=self._tail_groups,
            last_bytes=self._checkpoint.size_bytes if self._checkpoint else 0,
        )

    async def _beat(self) -> None:
        """Refresh the lease. A failure harms nobody (the fence decides); the next beat follows."""
        while True:
            await self._clock.sleep_ms(self._reign.lease.interval_ms)
            with contextlib.suppress(MobulaError):
                await self._reign.lease.beat()

    async def _checkpoints(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            if not self._checkpoint_due():
                continue  # the one that was under way has covered it
            try:
                await self.checkpoint()
            except MobulaError as error:  # readers replay a longer tail; the next commit retries
                self._last_error = error

"""Everything in this process: the same plain classes as on Ray, on one event loop in a thread.

The primary is opened when the first write comes, so that reading takes no lease and works beside a
primary that runs elsewhere. Reads before that run on a reader of our own.

A primary that has stopped (it was replaced, or its disk refuses to be written) gives the directory
back by itself. The next call that needs a primary hears why, unless somebody has heard it already;
the one after that opens another, or is told who reigns.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from actors.compute.opening import open_worker
from actors.compute.queries import QueryLog
from actors.compute.streams import BatchStream
from actors.compute.worker import Worker
from actors.coordinator_service import CoordinatorService, open_branch
from actors.fleet.fleet import Fleet, FleetLimits
from actors.local_fleet import LocalCoordinator, LocalFleetPort, LocalHost, LocalWorker
from actors.loop import LoopThread
from actors.messages import (
    CommitReply,
    Lookup,
    QueryReply,
    Statement,
    TableInfo,
    Transaction,
    TransactionControl,
    TransactionReply,
)
from actors.observed import Observed, WarehouseRecord
from actors.planner import Planner
from actors.primary.promotion import Promotion, promote_for_a_moment
from actors.service import PrimaryService
from actors.settings import NodeSettings
from actors.store_client import StoreClient
from actors.temporary import SILENT_MS
from storage.errors import Fenced, MobulaError
from storage.log.epoch import Owner
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import IngestToken, Receipt

__all__ = ["LocalEngine"]

_OWN = "(this process)"

T = TypeVar("T")


class LocalEngine(StoreClient):
    """`Engine` in this process."""

    def __init__(self, node: NodeSettings, make_planner: Callable[[], Planner]) -> None:
        super().__init__(node)
        self._planner = make_planner()
        self._opening_primary = threading.Lock()
        self._opening = threading.Lock()
        self._primary: PrimaryService | None = None
        self._past: tuple[PrimaryService, ...] = ()  # have stopped, and somebody still reads there
        self._host = LocalHost(self._worker, self._open_service, self._of_primary)
        self._fleet: Fleet | None = None
        self._workers_started = 0
        self._outlived = False

    def execute(self, statement: Statement) -> QueryReply | CommitReply:
        if self._serving() is None and not self._planner.parse(statement).writes:
            return self._loop.run(self._own_reader().query(statement))
        return self._called(lambda primary: primary.execute(statement))

    def stream(self, statement: Statement) -> LocalStream:
        if self._serving() is None and not self._planner.parse(statement).writes:
            return LocalStream(self._loop, self._loop.run(self._own_reader().stream(statement)))
        return LocalStream(self._loop, self._called(lambda primary: primary.stream(statement)))

    def submit(self, transaction: Transaction) -> Receipt:
        return self._called(lambda primary: primary.submit(transaction))

    def outcome(self, token: IngestToken) -> Receipt | None:
        return self._called(lambda primary: primary.outcome(token))

    def get(self, lookup: Lookup) -> QueryReply:
        if self._serving() is None and not lookup.session.transaction:
            return self._loop.run(self._own_reader().get(lookup))
        return self._called(lambda primary: primary.get(lookup))

    def control(self, control: TransactionControl) -> TransactionReply:
        return self._called(lambda primary: primary.control(control))

    def table(self, schema: str, name: str) -> TableInfo:
        return self._called(lambda primary: primary.table(schema, name))

    def reserve(self, sequence_id: int, count: int) -> int:
        return self._called(lambda primary: primary.reserve(sequence_id, count))

    def start_warehouse(self, name: str, new: VirtualWarehouse | None = None) -> LocalWarehouse:
        self.coordinator(name)
        return LocalWarehouse(self, name)

    def stop_warehouse(self, name: str, *, force: bool = False) -> None:
        if (fleet := self._fleet) is not None:
            self._loop.run(fleet.stop(name, force=force))

    def coordinator(self, name: str) -> CoordinatorService:
        """The coordinator of a virtual warehouse, found or started."""
        handle = self._loop.run(self._opened_fleet().coordinator(name))
        assert isinstance(handle, LocalCoordinator)
        return handle.service

    def refresh_warehouse(self, name: str) -> None:
        running = self._fleet.running() if self._fleet is not None else {}
        if name in running:
            self._loop.run(running[name].service.refresh())

    def observe(self, kind: str) -> Sequence[Observed]:
        return self._loop.run(self._observe(kind))

    def cancel(self, query_id: str) -> bool:
        async def end() -> bool:
            found = self._primary is not None and self._primary.cancel(query_id)
            return found or (self._fleet is not None and await self._fleet.cancel(query_id))

        return self._loop.run(end())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something of a coordinator's."""
        return self._loop.run(work)

    def stream_of(self, opening: Coroutine[Any, Any, BatchStream]) -> LocalStream:
        """A stream that is opened here."""
        return LocalStream(self._loop, self._loop.run(opening))

    def status(self) -> dict[str, Any]:
        primary = self._serving()
        return primary.status() if primary is not None else {}

    def release_primary(self) -> Owner | None:
        with self._opening_primary:
            primary = self._primary
            if primary is None:
                return None
            reigned = primary.stopped is None
            self._part_with(primary)
            return primary.owner if reigned else None

    def promote_primary(self) -> Promotion:
        with self._opening_primary:
            if (primary := self._primary) is not None:
                if primary.stopped is None:
                    with contextlib.suppress(Fenced):  # it has not heard of it before
                        return self._loop.run(primary.promotion(None))
                self._part_with(primary)
            store, reader = open_branch(self._node, self._clock)
            return self._loop.run(
                promote_for_a_moment(
                    store, reader, owner=self._owner(), clock=self._clock, ids=self._ids
                )
            )

    def _is_own(self, owner: Owner) -> bool:
        primary = self._serving()
        return primary is not None and primary.owner.id == owner.id

    def shutdown(self) -> None:
        """Everything of this engine lives in this process: the same as `close`."""
        self.close()

    def close(self) -> None:
        with self._opening:
            fleet, self._fleet = self._fleet, None
        if fleet is not None:
            self._loop.run(fleet.close())
            self._loop.run(self._host.close())
        with self._opening_primary:
            ending, self._past = (*self._past, self._primary), ()
            self._primary = None
        for primary in ending:
            if primary is not None:
                self._loop.run(primary.close())
        super().close()

    def _serving(self) -> PrimaryService | None:
        """The primary, if one is open and has not stopped."""
        primary = self._primary
        return primary if primary is not None and primary.stopped is None else None

    def _called(self, call: Callable[[PrimaryService], Coroutine[Any, Any, T]]) -> T:
        """Call the primary, which is opened if need be."""
        primary = self._writer()
        try:
            return self._loop.run(call(primary))
        except MobulaError:
            if primary.stopped is not None:
                with self._opening_primary:
                    self._part_with(primary)
            raise

    def _writer(self) -> PrimaryService:
        """Raises why it has stopped, if nobody has heard that yet; Unavailable: who reigns."""
        with self._opening_primary:
            primary = self._primary
            if primary is not None and (reason := primary.stopped) is not None:
                self._part_with(primary)
                raise reason
            if primary is None:
                primary = self._primary = self._loop.run(self._open_primary())
                primary.listen("local", self._hint)
            return primary

    def _part_with(self, primary: PrimaryService) -> None:
        """It shall stop, or has stopped and somebody hears why. Returns when others may have the
        directory."""
        if self._primary is primary:
            self._primary = None
            self._outlived = True
            self._loop.run(self._stepped_down(primary))

    async def _stepped_down(self, primary: PrimaryService) -> None:
        """Reads that run there go on; it is closed when they are over, and another one goes."""
        await primary.step_down()
        past = (*self._past, primary)
        self._past = tuple(one for one in past if one.is_read)
        for one in past:
            if one not in self._past:
                await one.close()

    def _owner(self) -> Owner:
        return Owner(
            id=f"local-{self._ids.new()[:12]}",
            nonce=self._ids.new(),
            address=f"process {os.getpid()} on {socket.gethostname()}",
            lease_ms=self._node.settings.lease_ms,
        )

    async def _open_primary(self) -> PrimaryService:
        return await PrimaryService.open(
            self._node,
            self._planner,
            owner=self._owner(),
            clock=self._clock,
            ids=self._ids,
            start_worker=self._start_own,
            share=_same,
            fetch_rows=_fetched,
            queries=QueryLog("", self._clock, self._ids),
            observe=self._observe,
            # Sessions of other local primaries lived in their processes; ours outlives its own.
            silent_ms=SILENT_MS if self._outlived else 0,
        )

    def _hint(self, lsn: int) -> None:
        if self._fleet is not None:
            for handle in self._fleet.running().values():
                handle.service.hint(lsn)

    def _own_reader(self) -> CoordinatorService:
        """For reads before the first write: as a virtual warehouse that is in no catalogue."""
        return self.coordinator(_OWN)

    def _opened_fleet(self) -> Fleet:
        with self._opening:
            if self._fleet is None:
                self._fleet = self._loop.run(self._open_fleet())
            return self._fleet

    async def _open_fleet(self) -> Fleet:
        fleet = Fleet(self._host, FleetLimits(), self._clock, self._ids)
        await fleet.open()
        return fleet

    async def _open_service(self, name: str, leader: str) -> CoordinatorService:
        node, warehouse = self._node, name if name != _OWN else self._own_settings()
        if name == _OWN:  # it always looks before it answers
            node = dataclasses.replace(node, settings=dataclasses.replace(node.settings, poll_ms=0))
        return await CoordinatorService.open(
            node,
            self._planner,
            warehouse=warehouse,
            leader=leader,
            fleet=LocalFleetPort(self._opened_fleet_now),
            observe=self._observe,
            clock=self._clock,
            ids=self._ids,
            share=_same,
        )

    def _own_settings(self) -> VirtualWarehouse:
        return VirtualWarehouse(
            name=_OWN, size=1, worker_cpus=1, cache_bytes=self._node.settings.cache_bytes
        )

    def _opened_fleet_now(self) -> Fleet | None:
        return self._fleet

    def _of_primary(self, kind: str) -> Sequence[Observed]:
        return self._primary.observed(kind) if self._primary is not None else ()

    async def _observe(self, kind: str) -> Sequence[Observed]:
        found = await self._fleet.observe(kind) if self._fleet is not None else ()
        own = [r for r in found if isinstance(r, WarehouseRecord) and r.name == _OWN]
        return [record for record in found if record not in own]

    def _worker(self) -> Worker:
        self._workers_started += 1
        return open_worker(
            self._node,
            name=f"{self._workers_started}-{self._ids.new()[:8]}",
            cache_bytes=self._node.settings.cache_bytes,
            clock=self._clock,
        )

    async def _start_own(self) -> LocalWorker:
        return LocalWorker(self._worker())


def _same(rows: pa.Table) -> pa.Table:
    return rows


async def _fetched(rows: Any) -> pa.Table:
    return rows


class LocalStream:
    """`BatchSource` of a query in this process."""

    def __init__(self, loop: LoopThread, stream: BatchStream) -> None:
        self.schema = stream.schema
        self._loop = loop
        self._stream = stream

    def read(self) -> pa.RecordBatch | None:
        return self._loop.run(self._stream.next())

    def close(self) -> None:
        if not self._loop.closed:
            self._loop.start(self._stream.close())


class LocalWarehouse:
    """`WarehouseClient` of a virtual warehouse in this process."""

    def __init__(self, engine: LocalEngine, name: str) -> None:
        self._engine = engine
        self._name = name

    def _service(self) -> CoordinatorService:
        return self._engine.coordinator(self._name)

    def get(self, lookup: Lookup) -> QueryReply:
        return self._engine.run(self._service().get(lookup))

    def query(self, statement: Statement) -> QueryReply:
        return self._engine.run(self._service().query(statement))

    def stream(self, statement: Statement) -> LocalStream:
        return self._engine.stream_of(self._service().stream(statement))

    def suspend(self, *, force: bool = False) -> None:
        self._engine.run(self._service().suspend(force=force))

    def resume(self) -> None:
        self._engine.run(self._service().resume())

    def status(self) -> dict[str, Any]:
        return self._service().status()

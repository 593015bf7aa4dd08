"""Everything in this process: the same plain classes as on Ray, on one event loop in a thread.

The primary is opened when the first write comes, so that reading takes no lease and works beside a
primary that runs elsewhere. Reads before that run on a reader of our own.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pyarrow as pa

from actors.compute.streams import BatchStream
from actors.compute.worker import Worker
from actors.coordinator_service import CoordinatorService
from actors.fragments import Fragment, FragmentResult
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
from actors.planner import Planner
from actors.service import PrimaryService, open_worker
from actors.settings import NodeSettings
from actors.store_client import StoreClient
from storage.log.epoch import Owner
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Receipt

__all__ = ["LocalEngine"]

_OWN = "(this process)"


class _LocalWorker:
    """A `WorkerHandle` onto a worker in this process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    @property
    def pid(self) -> int:
        return os.getpid()

    async def execute(self, fragment: Fragment) -> FragmentResult:
        return await self._worker.execute(fragment)

    def stream(self, fragment: Fragment) -> AsyncGenerator[pa.RecordBatch, None]:
        return self._worker.stream(fragment)

    async def close(self) -> None:
        await self._worker.close()


class LocalEngine(StoreClient):
    """`Engine` in this process."""

    def __init__(self, node: NodeSettings, make_planner: Callable[[], Planner]) -> None:
        super().__init__(node)
        self._planner = make_planner()
        self._opening_primary = threading.Lock()
        self._opening = threading.Lock()
        self._primary: PrimaryService | None = None
        self._warehouses: dict[str, CoordinatorService] = {}
        self._workers_started = 0

    def execute(self, statement: Statement) -> QueryReply | CommitReply:
        if self._primary is None and not self._planner.parse(statement).writes:
            return self._loop.run(self._own_reader().query(statement))
        return self._loop.run(self._writer().execute(statement))

    def stream(self, statement: Statement) -> LocalStream:
        if self._primary is None and not self._planner.parse(statement).writes:
            opening = self._own_reader().stream(statement)
        else:
            opening = self._writer().stream(statement)
        return LocalStream(self._loop, self._loop.run(opening))

    def submit(self, transaction: Transaction) -> Receipt:
        return self._loop.run(self._writer().submit(transaction))

    def get(self, lookup: Lookup) -> QueryReply:
        if self._primary is None and not lookup.session.transaction:
            return self._loop.run(self._own_reader().get(lookup))
        return self._loop.run(self._writer().get(lookup))

    def control(self, control: TransactionControl) -> TransactionReply:
        return self._loop.run(self._writer().control(control))

    def table(self, schema: str, name: str) -> TableInfo:
        return self._writer().table(schema, name)

    def reserve(self, sequence_id: int, count: int) -> int:
        return self._loop.run(self._writer().reserve(sequence_id, count))

    def start_warehouse(self, name: str) -> LocalWarehouse:
        self._warehouse(name, name)
        return LocalWarehouse(self, name)

    def stop_warehouse(self, name: str) -> None:
        with self._opening:
            service = self._warehouses.pop(name, None)
        if service is not None:
            self._loop.run(service.close())

    def get_on(self, name: str, lookup: Lookup) -> QueryReply:
        """A lookup on a virtual warehouse of this process."""
        return self._loop.run(self._warehouse(name, name).get(lookup))

    def query(self, name: str, statement: Statement) -> QueryReply:
        """A read on a virtual warehouse of this process."""
        return self._loop.run(self._warehouse(name, name).query(statement))

    def stream_on(self, name: str, statement: Statement) -> LocalStream:
        """The same, its rows as they come."""
        opening = self._warehouse(name, name).stream(statement)
        return LocalStream(self._loop, self._loop.run(opening))

    def warehouse_status(self, name: str) -> dict[str, Any]:
        """See `Coordinator.status`."""
        return self._warehouse(name, name).status()

    def status(self) -> dict[str, Any]:
        return self._primary.status() if self._primary is not None else {}

    def shutdown(self) -> None:
        """Everything of this engine lives in this process: the same as `close`."""
        self.close()

    def close(self) -> None:
        for name in list(self._warehouses):
            self.stop_warehouse(name)
        with self._opening_primary:
            primary, self._primary = self._primary, None
        if primary is not None:
            self._loop.run(primary.close())
        super().close()

    def _writer(self) -> PrimaryService:
        with self._opening_primary:
            if self._primary is None:
                self._primary = self._loop.run(self._open_primary())
                self._primary.listen("local", self._hint)
            return self._primary

    async def _open_primary(self) -> PrimaryService:
        owner = Owner(
            id=f"local-{self._ids.new()[:12]}",
            nonce=self._ids.new(),
            address=f"process {os.getpid()} on {socket.gethostname()}",
            lease_ms=self._node.settings.lease_ms,
        )
        return await PrimaryService.open(
            self._node,
            self._planner,
            owner=owner,
            clock=self._clock,
            ids=self._ids,
            start_worker=lambda: self._start_worker(self._node.settings.cache_bytes),
            share=_same,
            fetch_rows=_fetched,
            silent_ms=0,  # sessions of a local primary lived in its process
        )

    def _hint(self, lsn: int) -> None:
        for service in list(self._warehouses.values()):
            service.hint(lsn)

    def _own_reader(self) -> CoordinatorService:
        settings = VirtualWarehouse(
            name=_OWN, size=1, worker_cpus=1, cache_bytes=self._node.settings.cache_bytes
        )
        return self._warehouse(_OWN, settings)

    def _warehouse(self, name: str, warehouse: str | VirtualWarehouse) -> CoordinatorService:
        with self._opening:
            if name not in self._warehouses:
                self._warehouses[name] = self._loop.run(self._open_warehouse(warehouse))
            return self._warehouses[name]

    async def _open_warehouse(self, warehouse: str | VirtualWarehouse) -> CoordinatorService:
        node = self._node
        if not isinstance(warehouse, str):  # our own reader always looks before it answers
            node = dataclasses.replace(node, settings=dataclasses.replace(node.settings, poll_ms=0))
        return await CoordinatorService.open(
            node,
            self._planner,
            warehouse=warehouse,
            clock=self._clock,
            ids=self._ids,
            start_worker=lambda found: self._start_worker(found.cache_bytes),
            share=_same,
        )

    async def _start_worker(self, cache_bytes: int) -> _LocalWorker:
        self._workers_started += 1
        worker = open_worker(
            self._node,
            name=f"{self._workers_started}-{self._ids.new()[:8]}",
            cache_bytes=cache_bytes,
            clock=self._clock,
        )
        return _LocalWorker(worker)


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

    def get(self, lookup: Lookup) -> QueryReply:
        return self._engine.get_on(self._name, lookup)

    def query(self, statement: Statement) -> QueryReply:
        return self._engine.query(self._name, statement)

    def stream(self, statement: Statement) -> LocalStream:
        return self._engine.stream_on(self._name, statement)

    def status(self) -> dict[str, Any]:
        return self._engine.warehouse_status(self._name)

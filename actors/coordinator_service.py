"""What a virtual warehouse's process serves: a coordinator, its workers and its reading of the log.

Assembled from the plain parts, the same for every engine; `service.py` does so for the primary.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection
from typing import Any

import pyarrow as pa

from actors.compute.queries import QueryLog
from actors.compute.runner import QueryRunner
from actors.compute.streams import BatchStream
from actors.compute.workers import WorkerHandle
from actors.fleet.port import FleetPort, Observation
from actors.fleet.shapes import WorkerShape
from actors.messages import Lookup, QueryReply, Statement
from actors.observed import Observe, nothing_observed
from actors.planner import Planner
from actors.primary.warehouses import find_warehouse
from actors.settings import NodeSettings
from actors.virtual_warehouse.claim import Claim
from actors.virtual_warehouse.coordinator import Coordinator
from actors.virtual_warehouse.elastic import ElasticWorkers
from actors.virtual_warehouse.follower import Follower
from actors.virtual_warehouse.metrics import Meter, NoMetrics
from storage.clock import Clock
from storage.errors import InvalidRequest, MobulaError
from storage.ids import Ids
from storage.log.reader import LogReader
from storage.nearest import nearest
from storage.objects import CountingStore, open_store
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Snapshot

__all__ = ["CoordinatorService", "open_branch"]

MEASURE_MS = 1_000.0


def open_branch(node: NodeSettings, clock: Clock) -> tuple[CountingStore, LogReader]:
    """The store of a database and a reader of one branch's log."""
    store = CountingStore(open_store(node.root, node.store, clock=clock))
    return store, LogReader(store, node.database_id, node.branch)


class CoordinatorService:
    """A virtual warehouse's coordinator and its background work, as others call it."""

    def __init__(
        self,
        coordinator: Coordinator,
        follower: Follower,
        store: CountingStore,
        clock: Clock,
        *,
        meter: Meter,
        claim: Claim,
    ) -> None:
        self._coordinator = coordinator
        self._workers = coordinator.workers
        self._queries = coordinator.queries
        self._follower = follower
        self._store = store
        self._clock = clock
        self._meter = meter
        self._claim = claim
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(follower.run()),
            loop.create_task(claim.run()),
            loop.create_task(self._workers.run_scaling()),
            loop.create_task(self._measure()),
        ]

    @classmethod
    async def open(
        cls,
        node: NodeSettings,
        planner: Planner,
        *,
        warehouse: str | VirtualWarehouse,
        leader: str,
        fleet: FleetPort,
        clock: Clock,
        ids: Ids,
        share: Callable[[pa.Table], Any],
        node_types: Collection[str] | None = None,
        observe: Observe = nothing_observed,
        meter: Meter | None = None,
    ) -> CoordinatorService:
        """Open a snapshot from the store alone. It sleeps until the first query, or `resume`.

        Args:
            warehouse: the name of one in the catalogue, or settings of one that is not.
            leader: what the fleet calls this process.
            node_types: those there are; None: workers run where this does, whatever it is called.
            observe: what runs of the database, as far as the fleet knows.
        Raises:
            UnknownObject: the catalogue has no virtual warehouse of that name.
        """
        store, reader = open_branch(node, clock)
        try:
            snapshot = await reader.open()
            found = _settings(warehouse, snapshot, node_types)
        except BaseException:
            await store.close()
            raise

        def follow(newer: Snapshot) -> None:
            if isinstance(warehouse, str) and not coordinator.follow(newer):
                fleet.dropped(leader)

        follower = Follower(reader, snapshot, clock, node.settings.poll_ms, follow)
        meter = meter or Meter(NoMetrics(), "")
        queries = QueryLog(found.name, clock, ids, meter.query_ended)
        workers = ElasticWorkers(
            found, leader, fleet, clock=clock, queries=queries, rest=follower.rest
        )
        runner = QueryRunner(
            planner=planner,
            reader=reader,
            snapshots=follower,
            pool=workers,
            share=share,
            clock=clock,
            ids=ids,
            queries=queries,
            memory_bytes=lambda: coordinator.settings.worker_memory_bytes,
            observe=observe,
        )
        coordinator = Coordinator(found, follower, runner, workers, queries)
        claim = Claim(store, clock=clock, ids=ids, holder=_holder(found), oldest=queries.oldest_lsn)
        return cls(coordinator, follower, store, clock, meter=meter, claim=claim)

    # --- clients ----------------------------------------------------------------------------------

    async def query(self, statement: Statement) -> QueryReply:
        """See `Coordinator.query`."""
        return await self._coordinator.query(statement)

    async def stream(self, statement: Statement) -> BatchStream:
        """See `Coordinator.stream`."""
        return await self._coordinator.stream(statement)

    async def get(self, lookup: Lookup) -> QueryReply:
        """See `Coordinator.get`."""
        return await self._coordinator.get(lookup)

    def cancel(self, query_id: str, why: str = "it was cancelled") -> bool:
        """See `QueryLog.cancel`."""
        return self._queries.cancel(query_id, why)

    def cancel_session(self, session_id: str, why: str) -> int:
        """See `QueryLog.cancel_session`."""
        return self._queries.cancel_session(session_id, why)

    async def resume(self) -> None:
        """Wake up, and wait for the first worker. Raises Unavailable."""
        await self._coordinator.refresh()
        self._workers.resume()
        await self._workers.awake()

    async def suspend(self, *, force: bool) -> None:
        """See `ElasticWorkers.suspend`."""
        await self._workers.suspend(force=force)

    async def refresh(self) -> None:
        """See `Coordinator.refresh`."""
        await self._coordinator.refresh()

    def status(self) -> dict[str, Any]:
        """See `Coordinator.status`; with the requests and bytes of its own reading."""
        counts = self._store.counts()
        return {
            **self._coordinator.status(),
            "requests": counts.requests,
            "read_bytes": counts.read_bytes,
        }

    # --- the primary and the fleet ----------------------------------------------------------------

    def hint(self, lsn: int) -> None:
        """See `Coordinator.hint`."""
        self._coordinator.hint(lsn)

    def take_over(self, workers: int) -> None:
        """See `ElasticWorkers.take_over`."""
        self._workers.take_over(workers)

    def join(self, id: str, worker: WorkerHandle, shape: WorkerShape) -> None:  # noqa: A002
        """See `ElasticWorkers.join`."""
        self._workers.join(id, worker, shape)

    def left(self, id: str) -> None:  # noqa: A002
        """See `ElasticWorkers.left`."""
        self._workers.left(id)

    def shortage(self, text: str | None) -> None:
        """See `ElasticWorkers.short`."""
        self._workers.short(text)

    @property
    def cache_bytes(self) -> int:
        """The file cache of each of its workers."""
        return self._coordinator.settings.cache_bytes

    def observe(self, *, queries: bool) -> Observation:
        """See `Observation`."""
        counts = self._store.counts()
        return Observation(
            warehouse=self._coordinator.record(
                requests=counts.requests, read_bytes=counts.read_bytes, pid=os.getpid()
            ),
            queries=tuple(self._queries.records()) if queries else (),
        )

    async def _measure(self) -> None:
        while True:
            self._meter.publish(self.observe(queries=False).warehouse)
            await self._clock.sleep_ms(MEASURE_MS)

    async def close(self, *, force: bool = True) -> None:
        """Let queries end (at once with `force`), give the workers back and stop following."""
        await self._workers.stop(force=force)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(MobulaError):
            await self._claim.release()
        self._meter.dropped(self._coordinator.settings.name)
        await self._store.close()


def _holder(warehouse: VirtualWarehouse) -> str:
    return f"virtual warehouse {warehouse.name}, process {os.getpid()}"


def _settings(
    warehouse: str | VirtualWarehouse, snapshot: Snapshot, node_types: Collection[str] | None
) -> VirtualWarehouse:
    if not isinstance(warehouse, str):
        return warehouse
    found = find_warehouse(warehouse, snapshot)
    _check_node_type(found, node_types)
    return found


def _check_node_type(warehouse: VirtualWarehouse, types: Collection[str] | None) -> None:
    if types is not None and warehouse.node_type not in types:
        raise InvalidRequest(
            f"virtual warehouse {warehouse.name}: node_type {warehouse.node_type} is not one of "
            f"RaySettings.node_types{nearest(warehouse.node_type, types)}; they are "
            f"{', '.join(sorted(types))}",
            "22023",
        )

"""What a virtual warehouse's process serves: a coordinator, its workers and its reading of the log.

Assembled from the plain parts, the same for every engine; `service.py` does so for the primary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pyarrow as pa

from actors.compute.pool import WorkerHandle, WorkerPool
from actors.compute.runner import QueryRunner
from actors.compute.streams import BatchStream
from actors.messages import Lookup, QueryReply, Statement
from actors.observed import Observe, nothing_observed
from actors.planner import Planner
from actors.settings import NodeSettings
from actors.virtual_warehouse.coordinator import Coordinator
from actors.virtual_warehouse.follower import Follower
from storage.clock import Clock
from storage.errors import UnknownObject
from storage.ids import Ids
from storage.log.reader import LogReader
from storage.nearest import nearest
from storage.objects import CountingStore, open_store
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Snapshot

__all__ = ["CoordinatorService", "open_branch"]


def open_branch(node: NodeSettings, clock: Clock) -> tuple[CountingStore, LogReader]:
    """The store of a database and a reader of one branch's log."""
    store = CountingStore(open_store(node.root, node.store, clock=clock))
    return store, LogReader(store, node.database_id, node.branch)


def _find(snapshot: Snapshot, name: str) -> VirtualWarehouse:
    warehouse = snapshot.virtual_warehouses.get(name)
    if warehouse is None:
        hint = nearest(name, snapshot.virtual_warehouses)
        raise UnknownObject(f"virtual warehouse {name} does not exist{hint}")
    return warehouse


class CoordinatorService:
    """A virtual warehouse's coordinator and its background reading, as clients call it."""

    def __init__(
        self,
        coordinator: Coordinator,
        pool: WorkerPool,
        store: CountingStore,
        following: asyncio.Task[None],
    ) -> None:
        self._coordinator = coordinator
        self._pool = pool
        self._store = store
        self._following = following

    @classmethod
    async def open(
        cls,
        node: NodeSettings,
        planner: Planner,
        *,
        warehouse: str | VirtualWarehouse,
        clock: Clock,
        ids: Ids,
        start_worker: Callable[[VirtualWarehouse], Awaitable[WorkerHandle]],
        share: Callable[[pa.Table], Any],
        observe: Observe = nothing_observed,
    ) -> CoordinatorService:
        """Open a snapshot from the store alone and start all workers.

        Args:
            warehouse: the name of one in the catalogue, or settings of one that is not.
            observe: see `QueryRunner`.
        Raises:
            UnknownObject: the catalogue has no virtual warehouse of that name.
        """
        store, reader = open_branch(node, clock)
        try:
            snapshot = await reader.open()
            found = _find(snapshot, warehouse) if isinstance(warehouse, str) else warehouse
            pool = WorkerPool(found.size, lambda: start_worker(found), clock)
            await pool.warm()
        except BaseException:
            await store.close()
            raise
        follower = Follower(reader, snapshot, clock, node.settings.poll_ms)
        runner = QueryRunner(
            planner=planner,
            reader=reader,
            latest=follower.latest,
            pool=pool,
            share=share,
            clock=clock,
            ids=ids,
            observe=observe,
        )
        following = asyncio.get_running_loop().create_task(follower.run())
        coordinator = Coordinator(found, follower, runner, pool)
        return cls(coordinator, pool, store, following)

    async def query(self, statement: Statement) -> QueryReply:
        """See `Coordinator.query`."""
        return await self._coordinator.query(statement)

    async def stream(self, statement: Statement) -> BatchStream:
        """See `Coordinator.stream`."""
        return await self._coordinator.stream(statement)

    async def get(self, lookup: Lookup) -> QueryReply:
        """See `Coordinator.get`."""
        return await self._coordinator.get(lookup)

    def hint(self, lsn: int) -> None:
        """See `Coordinator.hint`."""
        self._coordinator.hint(lsn)

    def status(self) -> dict[str, Any]:
        """See `Coordinator.status`; with the requests and bytes of its own reading."""
        counts = self._store.counts()
        return {
            **self._coordinator.status(),
            "requests": counts.requests,
            "read_bytes": counts.read_bytes,
        }

    async def close(self) -> None:
        """End the workers and stop following."""
        self._following.cancel()
        await asyncio.gather(self._following, return_exceptions=True)
        await self._pool.close()
        await self._store.close()

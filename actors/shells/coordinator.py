"""The process of a virtual warehouse's coordinator. Until it is told which one, it is a spare."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import ray

from actors.channel import Address
from actors.coordinator_service import CoordinatorService, open_branch
from actors.fleet.port import Observation
from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.lifeline import Lifelines
from actors.messages import Lookup, QueryReply, Statement
from actors.observed import Observed
from actors.planner import Planner
from actors.ray_metrics import RayMetrics
from actors.settings import NodeSettings
from actors.shells.fleet_calls import RayFleet, observed_by_fleet
from actors.shells.handles import RayWorker
from actors.shells.listening import Listening
from actors.shells.opening import StreamingShell, node_address
from actors.shells.rows import share_rows
from actors.virtual_warehouse.metrics import Meter
from storage.clock import SystemClock
from storage.errors import MobulaError, Unavailable
from storage.ids import RandomIds

__all__ = ["CoordinatorShell"]


class CoordinatorShell(StreamingShell):
    """See the module. Ray does not restart it: the fleet replaces it."""

    def __init__(
        self,
        node: NodeSettings,
        make_planner: Callable[[], Planner],
        find_fleet: Callable[[NodeSettings], Any],
        find_primary: Callable[[NodeSettings], Any],
    ) -> None:
        super().__init__()
        self._node = node
        self._planner = make_planner()
        self._planner.rehearsal()  # so that the first query need not load what planning needs
        self._find_fleet = find_fleet
        self._find_primary = find_primary
        self._listening = Listening({"get": self.get, "query": self.query})
        self._lifelines = Lifelines(node_address(), self._gone)
        self._warehouse = ""
        self._service: CoordinatorService | None = None
        self._rehearsal: asyncio.Task[None] | None = None

    async def ready(self) -> int:
        """The process id, once it can become a coordinator at full speed."""
        if self._rehearsal is None:
            self._rehearsal = asyncio.create_task(self._rehearse())
        await asyncio.shield(self._rehearsal)
        return os.getpid()

    async def introduce(self) -> tuple[Shape, int, str]:
        """(shape, process id, the virtual warehouse that it leads)."""
        return COORDINATOR, os.getpid(), self._warehouse

    async def forever(self) -> None:
        """Never returns: who waits for it hears when this process is gone."""
        await asyncio.Event().wait()

    # --- the fleet --------------------------------------------------------------------------------

    async def lead(self, warehouse: str, leader: str) -> int:
        """See `CoordinatorHandle`."""
        self._service = await CoordinatorService.open(
            self._node,
            self._planner,
            warehouse=warehouse,
            leader=leader,
            fleet=RayFleet(lambda: self._find_fleet(self._node)),
            observe=self._observe,
            meter=Meter(RayMetrics(), self._node.root),
            clock=SystemClock(),
            ids=RandomIds(),
            share=share_rows,
            node_types=self._node.settings.ray.node_types,
        )
        self._warehouse = warehouse
        if (primary := self._find_primary(self._node)) is not None:
            primary.greet.remote(warehouse, ray.get_runtime_context().current_actor)
        return os.getpid()

    async def take_over(self, workers: int) -> None:
        """See `CoordinatorHandle`."""
        self._open_service().take_over(workers)

    async def join(self, id: str, worker: Any, pid: int, shape: WorkerShape) -> None:  # noqa: A002
        """See `CoordinatorHandle`."""
        service = self._open_service()
        worker.resize_cache.remote(service.cache_bytes)
        service.join(id, RayWorker(worker, pid), shape)

    async def left(self, id: str) -> None:  # noqa: A002
        self._open_service().left(id)

    async def shortage(self, text: str | None) -> None:
        self._open_service().shortage(text)

    async def observe(self, queries: bool) -> Observation:
        return self._open_service().observe(queries=queries)

    async def cancel(self, query_id: str) -> bool:
        return self._open_service().cancel(query_id)

    async def close(self, force: bool) -> None:
        """See `CoordinatorHandle`; the caller ends the process."""
        if self._service is not None:
            await self._service.close(force=force)
        await self._listening.close()

    # --- clients ----------------------------------------------------------------------------------

    async def hello(self) -> tuple[str, int]:
        """Where clients hold a lifeline."""
        return await self._lifelines.address()

    async def channel(self) -> Address | None:
        """Where `get` and `query` are taken as well; see `actors.channel`."""
        return await self._listening.address()

    async def take(self, name: str) -> QueryReply:
        """A reply that was too large for the channel."""
        reply: QueryReply = self._listening.take(name)
        return reply

    async def get(self, lookup: Lookup) -> QueryReply:
        return await self._open_service().get(lookup)

    async def query(self, statement: Statement) -> QueryReply:
        return await self._open_service().query(statement)

    async def stream(self, statement: Statement) -> tuple[str, pa.Schema]:
        """Open a stream; its id, and the schema of its rows."""
        return self._opened(await self._open_service().stream(statement))

    async def suspend(self, force: bool) -> None:
        await self._open_service().suspend(force=force)

    async def resume(self) -> None:
        await self._open_service().resume()

    async def refresh(self) -> None:
        """Look for new settings."""
        await self._open_service().refresh()

    async def hint(self, lsn: int) -> None:
        if self._service is not None:
            self._service.hint(lsn)

    async def status(self) -> dict[str, Any]:
        return {**self._open_service().status(), "pid": os.getpid()}

    def _open_service(self) -> CoordinatorService:
        if self._service is None:
            raise Unavailable("this process coordinates no virtual warehouse yet; ask again")
        return self._service

    def _gone(self, session: str) -> None:
        if self._service is not None:
            self._service.cancel_session(session, "its client is gone")

    async def _observe(self, kind: str) -> Sequence[Observed]:
        return await observed_by_fleet(self._find_fleet(self._node), kind)

    async def _rehearse(self) -> None:
        """Read the log once, so that the first who opens it need not load what that takes."""
        store, reader = open_branch(self._node, SystemClock())
        try:
            with contextlib.suppress(MobulaError):  # who opens it hears of it
                await reader.open()
        finally:
            await store.close()

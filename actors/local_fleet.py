"""This process as the host of a fleet: workers and coordinators are objects here.

The same fleet and the same coordinators as on a cluster. What differs: nothing takes time to start,
and a worker cannot be killed. Where a query is ended, its thread goes on unheard until its current
step is done, and another worker takes the place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from actors.compute.worker import Worker
from actors.coordinator_service import CoordinatorService
from actors.fleet.fleet import Fleet
from actors.fleet.host import FoundProcess
from actors.fleet.port import Observation, Wish
from actors.fleet.shapes import COORDINATOR, Shape, WorkerShape
from actors.fragments import Fragment, FragmentResult, HotFile, QueryStats, Warmed
from actors.observed import Observed, ScalingEvent
from storage.errors import Unavailable

__all__ = ["LocalCoordinator", "LocalFleetPort", "LocalHost", "LocalWorker"]

OpenService = Callable[[str, str], Awaitable[CoordinatorService]]


class LocalWorker:
    """A `WorkerHandle` onto a worker in this process."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        return os.getpid()

    async def execute(self, fragment: Fragment) -> FragmentResult:
        return await self.worker.execute(fragment)

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        costs: list[QueryStats] = []
        async with aclosing(self.worker.stream(fragment, costs.append)) as batches:
            async for batch in batches:
                yield batch
        for stats in costs:
            yield stats

    async def warm(self, files: Sequence[HotFile]) -> Warmed:
        return await self.worker.warm(files)

    async def busy(self) -> bool:
        return self.worker.busy

    def forget(self) -> None:
        """Nothing is held."""

    def kill(self) -> None:
        if self.ending is None:
            self.ending = asyncio.get_running_loop().create_task(self.worker.close())

    async def close(self) -> None:
        self.kill()
        if self.ending is not None:
            await self.ending


class LocalCoordinator:
    """A `CoordinatorHandle` in this process."""

    def __init__(self, open_service: OpenService) -> None:
        self._open = open_service
        self._service: CoordinatorService | None = None
        self._closed = False
        self.ending: asyncio.Task[None] | None = None

    @property
    def service(self) -> CoordinatorService:
        """What clients call."""
        if self._service is None:
            raise Unavailable("the virtual warehouse is being stopped; ask again")
        return self._service

    async def lead(self, warehouse: str, leader: str) -> int:
        self._service = await self._open(warehouse, leader)
        return os.getpid()

    async def take_over(self, workers: int) -> None:
        self.service.take_over(workers)

    async def join(self, id: str, worker: Any, pid: int, shape: WorkerShape) -> None:  # noqa: A002
        worker.worker.resize_cache(self.service.cache_bytes)
        self.service.join(id, worker, shape)

    async def left(self, id: str) -> None:  # noqa: A002
        self.service.left(id)

    async def shortage(self, text: str | None) -> None:
        self.service.shortage(text)

    async def observe(self, *, queries: bool) -> Observation:
        return self.service.observe(queries=queries)

    async def cancel(self, query_id: str) -> bool:
        return self.service.cancel(query_id)

    async def close(self, *, force: bool) -> None:
        if self._service is not None:
            await self._service.close(force=force)
            self._closed = True

    def kill(self) -> None:
        """End it at once, unless `close` has."""
        if not self._closed and self.ending is None:
            self.ending = asyncio.get_running_loop().create_task(self.close(force=True))


class LocalFleetPort:
    """`FleetPort` onto a fleet in this process."""

    def __init__(self, fleet: Callable[[], Fleet | None]) -> None:
        self._fleet = fleet

    def wish(self, wish: Wish, events: Sequence[ScalingEvent]) -> None:
        self._soon(lambda fleet: fleet.wish(wish, events))

    def give_back(self, leader: str, ids: Sequence[str]) -> None:
        self._soon(lambda fleet: fleet.give_back(leader, ids))

    def dismiss(self, leader: str, id: str, why: str) -> None:  # noqa: A002
        self._soon(lambda fleet: fleet.dismiss(leader, id, why))

    def dropped(self, leader: str) -> None:
        self._soon(lambda fleet: fleet.dropped(leader))

    def _soon(self, call: Callable[[Fleet], None]) -> None:
        """Not at once: the coordinator is in the middle of something."""
        if (fleet := self._fleet()) is not None:
            asyncio.get_running_loop().call_soon(call, fleet)


class LocalHost:
    """`Host` in this process."""

    def __init__(
        self,
        start_worker: Callable[[], Worker],
        open_service: OpenService,
        of_primary: Callable[[str], Sequence[Observed]],
    ) -> None:
        self._start_worker = start_worker
        self._open_service = open_service
        self._of_primary = of_primary
        self._ending = set[asyncio.Task[None]]()

    async def close(self) -> None:
        """Return when all that was killed has let go of its files and connections."""
        await asyncio.gather(*self._ending, return_exceptions=True)

    def start(self, id: str, shape: Shape) -> Any:  # noqa: A002
        if shape == COORDINATOR:
            return LocalCoordinator(self._open_service)
        return LocalWorker(self._start_worker())

    async def ready(self, handle: Any) -> int:
        return os.getpid()

    async def gone(self, handle: Any) -> None:
        await asyncio.Event().wait()  # as long as this process is there

    def kill(self, handle: Any) -> None:
        if isinstance(handle, LocalWorker | LocalCoordinator):
            handle.kill()
            if (ending := handle.ending) is not None and not ending.done():
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def lend(self, handle: Any, warehouse: str) -> None:
        pass

    async def busy(self, handle: Any) -> bool:
        return bool(handle.worker.busy)

    def coordinator(self, handle: Any) -> LocalCoordinator:
        assert isinstance(handle, LocalCoordinator)
        return handle

    async def found(self) -> list[FoundProcess]:
        return []

    async def observed_by_primary(self, kind: str) -> Sequence[Observed]:
        return self._of_primary(kind)

    async def nodes(self, bundles: Sequence[Mapping[str, float]]) -> None:
        pass

    def bundle(self, shape: Shape) -> Mapping[str, float]:
        return {}

    async def supply(self) -> str:
        return "this process is all there is"

"""A fixed number of workers; a lost one is replaced.

Replacements start in the background, again and again until one is up, so that the others go on
meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from actors.compute.queries import QueryLog
from actors.compute.supervisor import Supervisor
from actors.compute.workers import WorkerHandle
from actors.fragments import Fragment, FragmentResult, QueryStats
from storage.clock import Clock

__all__ = ["WorkerPool"]

RESTART_PAUSE_MS_MAX = 5_000.0


class WorkerPool:
    """`size` workers, started on first use or by `warm`. One event loop."""

    def __init__(
        self,
        size: int,
        start: Callable[[], Awaitable[WorkerHandle]],
        clock: Clock,
        queries: QueryLog | None = None,
    ) -> None:
        """Args: queries: hears which worker has which query."""
        self._size = size
        self._start = start
        self._clock = clock
        self._queries = queries
        self._started = 0  # running, or being started by somebody
        self._idle: asyncio.Queue[WorkerHandle | None] = asyncio.Queue()
        self._all: set[WorkerHandle] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._supervisor = Supervisor(self, clock)

    @property
    def size(self) -> int:
        return self._size

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that are started."""
        return sorted(worker.pid for worker in self._all)

    async def warm(self) -> None:
        """Start all workers now, at once. Raises the first error; the others stay."""
        missing = self._size - self._started
        results = await asyncio.gather(
            *(self._start_one() for _ in range(missing)), return_exceptions=True
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def run(self, fragment: Fragment) -> FragmentResult:
        """See `Supervisor.run`."""
        return await self._supervisor.run(fragment)

    def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """See `Supervisor.stream`."""
        return self._supervisor.stream(fragment)

    async def take(self, fragment: Fragment) -> WorkerHandle:
        """The first idle worker; waits for one."""
        if self._queries is not None:
            self._queries.waits(fragment)
        while True:
            if self._idle.empty() and self._started < self._size:
                await self._start_one()
            if (worker := await self._idle.get()) is not None:
                if self._queries is not None:
                    self._queries.runs(fragment, worker)
                return worker

    def give_back(self, worker: WorkerHandle, fragment: Fragment) -> None:
        """See `WorkerSupply`."""
        self._left(worker, fragment)
        self._idle.put_nowait(worker)

    def lose(self, worker: WorkerHandle, fragment: Fragment, why: str) -> None:
        """See `WorkerSupply`; another one is started in the background."""
        self._left(worker, fragment)
        worker.kill()
        self._replace(worker)

    def cost(self, fragment: Fragment, stats: QueryStats) -> None:
        """See `WorkerSupply`."""
        if self._queries is not None:
            self._queries.cost(fragment, stats)

    def _left(self, worker: WorkerHandle, fragment: Fragment) -> None:
        if self._queries is not None:
            self._queries.left(fragment, worker)

    async def close(self) -> None:
        """End all workers, and the starting of more."""
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        workers, self._all = self._all, set()
        await asyncio.gather(*(worker.close() for worker in workers), return_exceptions=True)

    async def _start_one(self) -> None:
        self._started += 1
        try:
            worker = await self._start()
        except BaseException:
            self._started -= 1
            self._idle.put_nowait(None)  # whoever waits for this worker shall try for itself
            raise
        self._all.add(worker)
        self._idle.put_nowait(worker)

    def _replace(self, lost: WorkerHandle) -> None:
        """Start another in the background; whoever waits for a worker gets it."""
        self._all.discard(lost)
        task = asyncio.get_running_loop().create_task(self._restart())
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)

    async def _restart(self) -> None:
        """Keeps the lost worker's place, so nobody else starts one for it."""
        pause_ms = 50.0
        while True:
            with contextlib.suppress(Exception):  # whatever it was, the next try may succeed
                worker = await self._start()
                self._all.add(worker)
                self._idle.put_nowait(worker)
                return
            await self._clock.sleep_ms(pause_ms)
            pause_ms = min(pause_ms * 2, RESTART_PAUSE_MS_MAX)

"""A fixed number of workers that take one fragment each; a lost one is replaced.

A query that a lost worker was running is tried again on another, a bounded number of times: a
fragment reads immutable objects, so running it twice is harmless.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Protocol

from actors.messages import Fragment, FragmentResult
from storage.errors import Unavailable

__all__ = ["WorkerHandle", "WorkerLost", "WorkerPool"]

ATTEMPTS_MAX = 3


class WorkerLost(Exception):
    """The process behind a handle is gone."""


class WorkerHandle(Protocol):
    """A worker, here or in another process."""

    @property
    def pid(self) -> int:
        """Its process."""
        ...

    async def execute(self, fragment: Fragment) -> FragmentResult:
        """Raises WorkerLost when the process died, or the fragment's own error."""
        ...

    async def close(self) -> None:
        """End the worker."""
        ...


class WorkerPool:
    """`size` workers, started on first use."""

    def __init__(self, size: int, start: Callable[[], Awaitable[WorkerHandle]]) -> None:
        self._size = size
        self._start = start
        self._started = 0
        self._idle: asyncio.Queue[WorkerHandle] = asyncio.Queue()
        self._all: set[WorkerHandle] = set()

    @property
    def size(self) -> int:
        return self._size

    @property
    def pids(self) -> list[int]:
        """The processes of the workers that are started."""
        return sorted(worker.pid for worker in self._all)

    async def warm(self) -> None:
        """Start all workers now, at once."""
        missing = self._size - self._started
        self._started += missing
        for result in await asyncio.gather(
            *(self._start() for _ in range(missing)), return_exceptions=True
        ):
            if isinstance(result, BaseException):
                self._started -= 1
                raise result
            self._add(result)

    async def run(self, fragment: Fragment) -> FragmentResult:
        """Run on the first idle worker; waits for one. Raises Unavailable after 3 lost workers."""
        for attempt in range(fragment.attempt, fragment.attempt + ATTEMPTS_MAX):
            worker = await self._take()
            try:
                result = await worker.execute(dataclasses.replace(fragment, attempt=attempt))
            except WorkerLost:
                await self._discard(worker)
                continue
            except BaseException:
                self._idle.put_nowait(worker)
                raise
            self._idle.put_nowait(worker)
            return result
        raise Unavailable(
            f"query {fragment.query_id}: {ATTEMPTS_MAX} workers were lost while running it; "
            "if it needs much memory, give the workers more"
        )

    async def close(self) -> None:
        """End all workers."""
        workers, self._all = self._all, set()
        await asyncio.gather(*(worker.close() for worker in workers), return_exceptions=True)

    async def _take(self) -> WorkerHandle:
        if self._idle.empty() and self._started < self._size:
            self._started += 1
            try:
                self._all.add(worker := await self._start())
            except BaseException:
                self._started -= 1
                raise
            return worker
        return await self._idle.get()

    def _add(self, worker: WorkerHandle) -> None:
        self._all.add(worker)
        self._idle.put_nowait(worker)

    async def _discard(self, worker: WorkerHandle) -> None:
        self._all.discard(worker)
        self._started -= 1
        await self.warm()

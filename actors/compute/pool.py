"""A fixed number of workers that take one fragment each; a lost one is replaced.

A fragment that a lost worker was running is tried again on another, a bounded number of times: it
reads immutable objects, so running it twice is harmless. A loss that is noticed early says little
against the fragment (the worker may have been dead before) and costs little to repeat: more of
those are allowed. Replacements start in the background, again and again until one is up, so that
the others go on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable
from typing import Protocol

from actors.messages import Fragment, FragmentResult
from storage.clock import Clock
from storage.errors import Unavailable

__all__ = ["WorkerHandle", "WorkerLost", "WorkerPool"]

LOSSES_MAX = 3  # workers that one fragment may lose late
LATE_MS = 2_000.0  # a loss noticed sooner may well have happened before the fragment came
EARLY_LOSSES_MAX_PER_WORKER = 4
RESTART_PAUSE_MS_MAX = 5_000.0


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
    """`size` workers, started on first use or by `warm`. One event loop."""

    def __init__(
        self, size: int, start: Callable[[], Awaitable[WorkerHandle]], clock: Clock
    ) -> None:
        self._size = size
        self._start = start
        self._clock = clock
        self._started = 0  # running, or being started by somebody
        self._idle: asyncio.Queue[WorkerHandle | None] = asyncio.Queue()
        self._all: set[WorkerHandle] = set()
        self._replacing: set[asyncio.Task[None]] = set()

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
        """Run on the first idle worker; waits for one.

        Raises:
            Unavailable: three workers died late while running it, or very many early.
        """
        losses = 0
        attempts_max = LOSSES_MAX + EARLY_LOSSES_MAX_PER_WORKER * self._size
        for attempt in range(fragment.attempt, fragment.attempt + attempts_max):
            worker = await self._take()
            started_ms = self._clock.monotonic_ms()
            try:
                result = await worker.execute(dataclasses.replace(fragment, attempt=attempt))
            except WorkerLost:
                self._replace(worker)
                losses += self._clock.monotonic_ms() - started_ms >= LATE_MS
                if losses >= LOSSES_MAX:
                    break
                continue
            except BaseException:
                self._idle.put_nowait(worker)
                raise
            self._idle.put_nowait(worker)
            return result
        raise Unavailable(
            f"query {fragment.query_id}: its workers died again and again while running it; "
            "if it needs much memory, give the workers more"
        )

    async def close(self) -> None:
        """End all workers, and the starting of more."""
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        workers, self._all = self._all, set()
        await asyncio.gather(*(worker.close() for worker in workers), return_exceptions=True)

    async def _take(self) -> WorkerHandle:
        while True:
            if self._idle.empty() and self._started < self._size:
                await self._start_one()
            if (worker := await self._idle.get()) is not None:
                return worker

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

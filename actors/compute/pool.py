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
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Protocol

from actors.fragments import Fragment, FragmentResult
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

    def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """The rows batch by batch: pa.RecordBatch, or references to them. Raises as `execute`."""
        ...

    async def close(self) -> None:
        """End the worker."""
        ...


class _Attempts:
    """How often a fragment has been tried, and whether it may be again."""

    def __init__(self, fragment: Fragment, pool_size: int, clock: Clock) -> None:
        self._fragment = fragment
        self._left = LOSSES_MAX + EARLY_LOSSES_MAX_PER_WORKER * pool_size
        self._losses = 0
        self._clock = clock
        self._started_ms = 0.0

    def next(self) -> Fragment:
        """The fragment with the number of its next attempt. Raises Unavailable."""
        if not self._left or self._losses >= LOSSES_MAX:
            raise Unavailable(
                f"query {self._fragment.query_id}: its workers died again and again while running "
                "it; if it needs much memory, give the workers more"
            )
        attempt, self._left = self._fragment, self._left - 1
        self._fragment = dataclasses.replace(attempt, attempt=attempt.attempt + 1)
        return attempt

    def begin(self) -> None:
        """A worker has it now."""
        self._started_ms = self._clock.monotonic_ms()

    def lost(self) -> None:
        """The worker of this attempt died."""
        self._losses += self._clock.monotonic_ms() - self._started_ms >= LATE_MS


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
        attempts = _Attempts(fragment, self._size, self._clock)
        while True:
            worker, attempt = await self._begin(attempts)
            try:
                result = await worker.execute(attempt)
            except WorkerLost:
                self._replace(worker)
                attempts.lost()
                continue
            except BaseException:
                self._idle.put_nowait(worker)
                raise
            self._idle.put_nowait(worker)
            return result

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """Run like `run`, but give the rows batch by batch; closing the generator ends the work.

        A worker that is lost before its first batch is replaced by another.
        Raises:
            Unavailable: as `run`; or a worker died in the middle.
        """
        attempts = _Attempts(fragment, self._size, self._clock)
        while True:
            worker, attempt = await self._begin(attempts)
            begun = False
            try:
                async with aclosing(worker.stream(attempt)) as batches:
                    async for batch in batches:
                        begun = True
                        yield batch
            except WorkerLost as error:
                self._replace(worker)
                attempts.lost()
                if begun:
                    raise Unavailable(
                        f"query {fragment.query_id}: its worker died in the middle of the rows; "
                        "run it again"
                    ) from error
                continue
            except BaseException:
                self._idle.put_nowait(worker)
                raise
            self._idle.put_nowait(worker)
            return

    async def close(self) -> None:
        """End all workers, and the starting of more."""
        for task in self._replacing:
            task.cancel()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        workers, self._all = self._all, set()
        await asyncio.gather(*(worker.close() for worker in workers), return_exceptions=True)

    async def _begin(self, attempts: _Attempts) -> tuple[WorkerHandle, Fragment]:
        attempt = attempts.next()
        worker = await self._take()
        attempts.begin()
        return worker, attempt

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

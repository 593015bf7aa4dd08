"""Fragments run under supervision: each on one worker at a time, and again if that worker died.

What became of an attempt decides what becomes of the worker and of the fragment:

    result, or the fragment's own error    the worker is free again (a refusal for memory, too)
    the worker died                        it is lost; the fragment is tried on another
    it ran out of memory                   it is lost; the fragment is tried once more, spilling to
                                           disk, if it has a budget; then it is OutOfMemory
    the caller gave up (cancelled, late)   the worker still works: its process is ended, which frees
                                           the CPU at once

A fragment reads immutable objects, so running it twice is harmless. A loss that is noticed early
says little against the fragment (the worker may have been dead before) and costs little to repeat:
more of those are allowed.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator
from typing import Any, Protocol

from actors.compute.workers import WorkerHandle, WorkerLost
from actors.fragments import Fragment, FragmentResult, QueryStats
from storage.clock import Clock
from storage.errors import Unavailable, WorkerExhausted

__all__ = ["Supervisor", "WorkerSupply"]

LOSSES_MAX = 3  # workers that one fragment may lose late
LATE_MS = 2_000.0  # a loss noticed sooner may well have happened before the fragment came
EARLY_LOSSES_MAX_PER_WORKER = 4


class WorkerSupply(Protocol):
    """Where workers come from, and who hears what became of them."""

    @property
    def size(self) -> int:
        """How many workers there shall be."""
        ...

    async def take(self, fragment: Fragment) -> WorkerHandle:
        """A worker that is free, and taken from now on; waits for one. Raises why there is none."""
        ...

    def give_back(self, worker: WorkerHandle, fragment: Fragment) -> None:
        """It is free again."""
        ...

    def lose(self, worker: WorkerHandle, fragment: Fragment, why: str) -> None:
        """It is dead, or ends now: `why` is "died", "out of memory" or "cancelled"."""
        ...

    def cost(self, fragment: Fragment, stats: QueryStats) -> None:
        """What a stream has cost, said at its end: of a `FragmentResult` the caller has it."""
        ...


class _Attempts:
    """How often a fragment has been tried, and whether it may be again."""

    def __init__(self, fragment: Fragment, supply_size: int, clock: Clock) -> None:
        self._fragment = fragment
        self._left = LOSSES_MAX + EARLY_LOSSES_MAX_PER_WORKER * max(supply_size, 1)
        self._losses = 0
        self._clock = clock
        self._started_ms: float | None = None  # of the attempt that runs
        self._worker_ms = 0.0  # of those before, together

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

    def end(self) -> float:
        """The worker no longer has it; how long it had, in ms."""
        elapsed_ms = self._elapsed_ms()
        self._worker_ms += elapsed_ms
        self._started_ms = None
        return elapsed_ms

    def _elapsed_ms(self) -> float:
        now_ms = self._clock.monotonic_ms()
        return now_ms - (self._started_ms if self._started_ms is not None else now_ms)

    def counted(self, stats: QueryStats) -> QueryStats:
        """What the attempt that succeeds has cost, with those before it."""
        worker_ms = self._worker_ms + self._elapsed_ms()
        return dataclasses.replace(
            stats, attempts=self._fragment.attempt - 1, worker_seconds=worker_ms / 1000
        )

    def lost(self) -> None:
        """The worker of this attempt died."""
        self._losses += self.end() >= LATE_MS

    def spills(self) -> bool:
        """After it took too much memory: whether it can be tried with less."""
        self.end()
        fragment = self._fragment
        if fragment.spill or fragment.memory_bytes is None:
            return False
        if fragment.program is not None and not fragment.program.may_spill():
            return False
        self._fragment = dataclasses.replace(self._fragment, spill=True)
        return True


class Supervisor:
    """Runs fragments on the workers of a supply. One event loop."""

    def __init__(self, supply: WorkerSupply, clock: Clock) -> None:
        self._supply = supply
        self._clock = clock

    async def run(self, fragment: Fragment) -> FragmentResult:
        """Run on a free worker; waits for one.

        Raises:
            Unavailable: three workers died late while running it, or very many early.
            OutOfMemory: it took more memory than a worker may have.
        """
        attempts = _Attempts(fragment, self._supply.size, self._clock)
        while True:
            attempt = attempts.next()
            worker = await self._supply.take(attempt)
            attempts.begin()
            try:
                result = await worker.execute(attempt)
            except BaseException as error:
                if self._failed(worker, attempt, attempts, error):
                    continue
                raise
            attempts.end()
            self._supply.give_back(worker, attempt)
            return dataclasses.replace(result, stats=attempts.counted(result.stats))

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        """Run like `run`, but give the rows batch by batch; closing the generator ends the work.

        A worker that is lost before its first batch is replaced by another.
        Raises:
            Unavailable, OutOfMemory: as `run`; or a worker died in the middle.
        """
        attempts = _Attempts(fragment, self._supply.size, self._clock)
        while True:
            attempt = attempts.next()
            worker = await self._supply.take(attempt)
            attempts.begin()
            begun = closing = False
            batches = worker.stream(attempt)
            try:
                try:
                    async for batch in batches:
                        if isinstance(batch, QueryStats):
                            self._supply.cost(attempt, attempts.counted(batch))
                            continue
                        begun = True
                        yield batch
                except GeneratorExit:
                    closing = True
                    raise
                finally:
                    await batches.aclose()
            except WorkerLost as error:
                if closing or _is_cancelled():  # it does not stop, so it has to go
                    attempts.end()
                    self._supply.lose(worker, attempt, "cancelled")
                    if closing:
                        return
                    raise asyncio.CancelledError from error
                self._failed(worker, attempt, attempts, error)
                if begun:
                    raise Unavailable(
                        f"query {fragment.query_id}: its worker died in the middle of the rows; "
                        "run it again"
                    ) from error
                continue
            except BaseException as error:
                if self._failed(worker, attempt, attempts, error) and not begun:
                    continue
                raise
            attempts.end()
            self._supply.give_back(worker, attempt)
            return

    def _failed(
        self, worker: WorkerHandle, attempt: Fragment, attempts: _Attempts, error: BaseException
    ) -> bool:
        """What becomes of the worker; whether the fragment is tried again."""
        match error:
            case WorkerLost():
                attempts.lost()
                self._supply.lose(worker, attempt, "died")
                return True
            case WorkerExhausted():
                again = attempts.spills()
                self._supply.lose(worker, attempt, "out of memory")
                return again
            case asyncio.CancelledError():
                attempts.end()
                self._supply.lose(worker, attempt, "cancelled")
            case _:
                attempts.end()
                self._supply.give_back(worker, attempt)
        return False


def _is_cancelled() -> bool:
    """Whether who runs this was told to end. An error on the way out hides CancelledError."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

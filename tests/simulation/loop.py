"""An event loop without time: many processes in one thread, interleaved by a seeded scheduler.

1. Whatever runs belongs to a `Process`, by its context. Within a process callbacks run in the order
   in which they came, as asyncio has it; which process goes next is drawn.
2. When nothing can run, the clock jumps to the next timer. A thread (`to_thread`, an executor) is a
   timer: its work is done at one moment, a little later.
3. A process that has crashed never runs again, not even its `finally`; one that is stalled runs
   later, its timers with it.

Nothing here reads a clock of the machine or waits, so a seed is a story.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

__all__ = ["Process", "SimulatedLoop", "Stuck"]

T = TypeVar("T")

_HERE: contextvars.ContextVar[Process] = contextvars.ContextVar("process")
_THREAD_S_MAX = 0.004  # how long work in a thread takes, at most
_CANCELLATIONS_MAX = 5
_TASKS_KEPT = 4_096  # finished ones are forgotten past that


class Stuck(AssertionError):
    """Somebody waits, and nothing is left that could happen."""


class Process:
    """A process of an operating system, as the scheduler sees it. `context`: what it runs in."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.stalled_until_s = 0.0
        self.ready: deque[asyncio.Handle] = deque()
        self.died: Callable[[], None] = lambda: None  # hears of its crash
        self.context = contextvars.Context()
        self.context.run(_HERE.set, self)

    def crash(self) -> None:
        """It never runs again."""
        if self.alive:
            self.alive = False
            self.died()

    def __repr__(self) -> str:
        return f"<{self.name}>"


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Run a world in it: `loop.run(process, work)`."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._now_s = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle, Process]] = []
        self._order = itertools.count()
        self._ready: list[Process] = []  # those with callbacks
        self._running = False
        self.errors: list[str] = []  # of tasks that nobody waits for
        self._tasks: list[tuple[asyncio.Task[Any], Process]] = []
        self.steps = 0
        self._aborted: BaseException | None = None

    def run(self, process: Process, work: Coroutine[Any, Any, T], *, until_s: float) -> T:
        """Run until `work` is done. Raises Stuck: it is not by `until_s`, or can never be."""
        asyncio._set_running_loop(self)
        self._running = True
        try:
            task = self.create_task(work, context=process.context)
            while not task.done():
                self._step(until_s)
                if self._aborted is not None:
                    raise self._aborted
            return task.result()
        finally:
            self._running = False
            asyncio._set_running_loop(None)

    def abort(self, error: BaseException) -> None:
        """End `run` with this error."""
        self._aborted = self._aborted or error

    def bury(self) -> None:
        """Cancel all that is left of every process, crashed ones too, so that it lets go of files.

        Call it when everything is over: what it does has no effect on the world any more.
        """
        asyncio._set_running_loop(self)
        self._aborted = None
        try:
            for _ in range(_CANCELLATIONS_MAX):
                with contextlib.suppress(Stuck):  # in a `finally`: cancelled once more
                    self._cancel_all()
        finally:
            asyncio._set_running_loop(None)
            self._tasks.clear()

    def _cancel_all(self) -> None:
        cancelled = set[asyncio.Task[Any]]()
        while left := [(task, owner) for task, owner in self._tasks if not task.done()]:
            for task, owner in left:
                self._revive(owner)
                if task not in cancelled:
                    cancelled.add(task)
                    task.cancel()
            self._step(float("inf"))

    def _revive(self, process: Process) -> None:
        process.stalled_until_s = 0.0
        if not process.alive:
            process.alive = True
            if process.ready and process not in self._ready:
                self._ready.append(process)

    # --- scheduling -----------------------------------------------------------------------------

    def _step(self, until_s: float) -> None:
        process = self._next(until_s)
        handle = process.ready.popleft()
        if not handle._cancelled:
            self.steps += 1
            handle._run()

    def _next(self, until_s: float) -> Process:
        while True:
            self._ready = [p for p in self._ready if p.ready and p.alive]
            runnable = [p for p in self._ready if p.stalled_until_s <= self._now_s]
            if runnable:
                return runnable[0] if len(runnable) == 1 else self._rng.choice(runnable)
            self._advance(until_s)

    def _advance(self, until_s: float) -> None:
        """Jump to the next moment at which something can run."""
        moments = [p.stalled_until_s for p in self._ready]
        if self._timers:
            moments.append(self._timers[0][0])
        if not moments:
            raise Stuck("everybody waits for somebody else")
        self._now_s = max(self._now_s, min(moments))
        if self._now_s > until_s:
            raise Stuck(f"not done after {until_s:.0f} s")
        while self._timers and self._timers[0][0] <= self._now_s:
            _, _, handle, process = heapq.heappop(self._timers)
            self._enqueue(handle, process)

    def _enqueue(self, handle: asyncio.Handle, process: Process) -> None:
        if handle._cancelled:
            return
        if process.alive and not process.ready:
            self._ready.append(process)
        process.ready.append(handle)

    # --- what asyncio asks for ------------------------------------------------------------------

    def time(self) -> float:
        return self._now_s

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        context = context if context is not None else contextvars.copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._enqueue(handle, context[_HERE])
        return handle

    call_soon_threadsafe = call_soon

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        context = context if context is not None else contextvars.copy_context()
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._order), handle, context[_HERE]))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **_: Any,
    ) -> asyncio.Task[Any]:
        context = context if context is not None else contextvars.copy_context()
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append((task, context[_HERE]))
        if len(self._tasks) > _TASKS_KEPT:
            self._tasks = [(one, owner) for one, owner in self._tasks if not one.done()]
        return task

    def run_in_executor(
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except BaseException as error:
                if not done.cancelled():
                    done.set_exception(error)
            else:
                if not done.cancelled():
                    done.set_result(result)

        self.call_later(self._rng.uniform(0.0, _THREAD_S_MAX), work)
        return done

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.errors.append(f"{context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays in the heap until its time."""

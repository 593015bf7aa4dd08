"""A process of Mobula's in the simulated world: its clock, its names, its way to the store, and how
others call it.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from storage.cache.directory import FileCache
from storage.errors import MobulaError, Unavailable
from storage.format import MAIN_BRANCH
from storage.log.reader import LogReader
from storage.objects import CountingStore, HeldLock
from tests.fakes import CountedIds
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.store import Fate

__all__ = ["Node", "SimulatedClock", "called"]

T = TypeVar("T")

START_MS = 1_790_000_000_000  # wall time when a world begins
PATIENCE_S = (0.5, 5.0, 60.0)  # how long a caller waits for an answer
CACHE_BYTES = 20_000  # a few micropartitions


class SimulatedClock:
    """Of one process: its wall clock may be wrong and jump, its monotonic one runs a little fast
    or slow."""

    def __init__(self, loop: SimulatedLoop, rng: random.Random) -> None:
        self._loop = loop
        self._skew_ms = rng.choice([0.0, 0.0, rng.uniform(-2_000, 2_000)])
        self._rate = rng.uniform(0.98, 1.02)

    def now_ms(self) -> int:
        return START_MS + round(self._loop.time() * 1000 + self._skew_ms)

    def monotonic_ms(self) -> float:
        return self._loop.time() * 1000 * self._rate

    async def sleep_ms(self, duration_ms: float) -> None:
        await asyncio.sleep(duration_ms / 1000 / self._rate)

    def jump(self, by_ms: float) -> None:
        """The wall clock is set."""
        self._skew_ms += by_ms


@dataclass(slots=True, kw_only=True)
class Node:
    """One life of a process; after a crash there is another `Node` of the next life."""

    role: str
    life: int
    process: Process
    clock: SimulatedClock
    ids: CountedIds
    fate: Fate
    store: CountingStore
    rng: random.Random
    database_id: str = ""  # once it has looked
    serves: Any = None  # what others call
    lock: HeldLock | None = None  # of a directory
    waiting: list[asyncio.Future[Any]] = field(
        default_factory=list
    )  # calls that it has not answered

    cache: FileCache | None = None  # made when it is first needed
    scratch: tempfile.TemporaryDirectory[str] | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)  # calls that it has taken

    @property
    def name(self) -> str:
        return f"{self.role}.{self.life}"

    def reader(self) -> LogReader:
        return LogReader(self.store, self.database_id, MAIN_BRANCH)

    async def fetched(self, name: str, checksum: str, size_bytes: int) -> bytes:
        """A micropartition, by way of the cache that workers have."""
        if self.cache is None:
            self.scratch = tempfile.TemporaryDirectory(prefix="mobula-simulation-")
            self.cache = FileCache(Path(self.scratch.name), CACHE_BYTES, self.store)
        with await self.cache.open(name, checksum, size_bytes) as lease:
            return lease.path.read_bytes()

    def let_go(self) -> None:
        """Of the lock."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    def died(self) -> None:
        """Who waits for it hears that."""
        for reply in self.waiting:
            if not reply.done():
                reply.set_exception(Unavailable(f"{self.name} has died; it may have happened"))
        self.waiting.clear()


async def called(
    node: Node, work: Callable[[], Awaitable[T]], network: Process, rng: random.Random, loss: float
) -> T:
    """Call `work` in another process: it takes time there and back, and may get lost either way.

    Args: loss: how likely each of the two is lost.
    Raises: what `work` raises; Unavailable: no answer, it may have happened.
    """
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[T] = loop.create_future()
    fates = (rng.random() < loss, rng.random() < loss)
    there_s, back_s = rng.uniform(0.0005, 0.01), rng.uniform(0.0005, 0.01)

    async def carried_out() -> None:
        result, error = None, None
        try:
            result = await work()
        except MobulaError as found:
            error = found
        if not fates[1]:
            loop.call_later(back_s, _deliver, reply, result, error, context=network.context.copy())

    def arrive() -> None:
        if node.process.alive:
            node.tasks.add(loop.create_task(carried_out(), context=node.process.context.copy()))
        else:
            _deliver(reply, None, Unavailable(f"{node.name} is dead"))

    node.waiting = [one for one in node.waiting if not one.done()]
    node.waiting.append(reply)
    if not fates[0]:
        loop.call_later(there_s, arrive, context=network.context.copy())
    try:
        async with asyncio.timeout(rng.choice(PATIENCE_S)):
            return await reply
    except TimeoutError:
        raise Unavailable(f"{node.name} does not answer; it may have happened") from None


def _deliver(reply: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if reply.done():
        return
    if error is not None:
        reply.set_exception(error)
    else:
        reply.set_result(result)

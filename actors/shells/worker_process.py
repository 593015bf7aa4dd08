"""What the process of a worker does; `worker.py` is the actor, which loads this module late."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pyarrow as pa

from actors.channel import Address, Kept
from actors.compute.memory import MemoryWatch, Watched
from actors.compute.opening import open_worker
from actors.compute.streams import BatchStream
from actors.compute.worker import Worker
from actors.fleet.shapes import Shape
from actors.fragments import Fragment, HotFile, QueryStats, Warmed
from actors.program import Program
from actors.settings import NodeSettings
from actors.shells.listening import Listening
from actors.shells.rows import resolve_rows
from storage.clock import SystemClock
from storage.errors import WorkerExhausted

__all__ = ["WorkerProcess"]

FOREVER_MS = 1 << 40
INLINE_RESULT_BYTES = 64 << 10  # Ray puts what is larger into the object store

S = TypeVar("S")


class WorkerProcess:
    """One query at a time."""

    def __init__(
        self,
        node: NodeSettings,
        cache_bytes: int,
        rehearsal: Program,
        shape: Shape | None = None,
    ) -> None:
        """Args:
        rehearsal: a query without inputs, which makes the process ready.
        shape: of a worker of the fleet.
        """
        self._memory = MemoryWatch()
        self._shape = shape
        self._warehouse = ""
        self._worker: Worker = open_worker(
            node,
            name="files",
            cache_bytes=cache_bytes,
            clock=SystemClock(),
            resolve_rows=resolve_rows,
        )
        self._stream: BatchStream | None = None
        self._listening = Listening({"execute": self._execute_here})
        self._rehearsal = asyncio.create_task(self._rehearse(rehearsal))

    async def ready(self) -> int:
        """Return the process id once the worker can take fragments at full speed."""
        await asyncio.shield(self._rehearsal)
        return os.getpid()

    async def introduce(self) -> tuple[Shape | None, int, str]:
        """(shape, process id, the virtual warehouse that it is lent to)."""
        return self._shape, os.getpid(), self._warehouse

    async def forever(self) -> None:
        """Never returns: who waits for it hears when this process is gone."""
        await asyncio.Event().wait()

    async def lend(self, warehouse: str) -> None:
        """Whose it is from now on; empty: nobody's."""
        self._warehouse = warehouse

    async def resize_cache(self, cache_bytes: int) -> None:
        """Another budget for the cache directory."""
        self._worker.resize_cache(cache_bytes)

    async def execute(
        self, fragment: Fragment
    ) -> tuple[tuple[QueryStats, pa.Table | None], pa.Table | None]:
        """Run a fragment; returns (costs, rows if they are few) and the rows if they are many, as
        two objects: few come with the reply, many stay in this node's object store.

        Raises WorkerExhausted as soon as the process takes more than the fragment may. What runs in
        it cannot be stopped: the caller ends the process.
        """
        stats, rows = await self._executed(fragment)
        few = rows.nbytes <= INLINE_RESULT_BYTES
        return (stats, rows if few else None), (None if few else rows)

    async def _executed(self, fragment: Fragment) -> tuple[QueryStats, pa.Table]:
        with self._memory.over(fragment.memory_bytes) as watched:
            result = await self._within(self._worker.execute(fragment), watched, fragment)
        return dataclasses.replace(result.stats, peak_memory_bytes=watched.peak_bytes), result.rows

    async def channel(self) -> Address | None:
        """Where fragments are taken as well; see `actors.channel`."""
        return await self._listening.address()

    async def _execute_here(self, fragment: Fragment) -> tuple[QueryStats, pa.Table] | Kept:
        stats, rows = await self._executed(fragment)
        if rows.nbytes > INLINE_RESULT_BYTES:
            return self._listening.keep((stats, rows))
        return stats, rows

    async def take(self, name: str) -> tuple[tuple[QueryStats, None], pa.Table]:
        """The result of a fragment that came over the channel, and was too large for it."""
        stats, rows = self._listening.take(name)
        return (stats, None), rows

    async def open_stream(self, fragment: Fragment) -> None:
        """Make a fragment ready for `next_batch`. One at a time, as with `execute`."""
        await self.close_stream()
        # The supervisor watches over time.
        self._fragment = fragment
        self._peak_bytes = 0
        self._costs: list[QueryStats] = []
        batches = self._worker.stream(fragment, self._costs.append)
        self._stream = BatchStream(pa.schema([]), batches, FOREVER_MS)

    async def next_batch(self) -> tuple[bool, pa.RecordBatch | QueryStats | None]:
        """(True, the next batch), as two objects; at the end (False, what all cost)."""
        stream = self._stream
        if stream is None:
            return False, None
        with self._memory.over(self._fragment.memory_bytes) as watched:
            batch = await self._within(stream.next(), watched, self._fragment)
        self._peak_bytes = max(self._peak_bytes, watched.peak_bytes)
        if batch is not None:
            return True, batch
        costs = self._costs[-1] if self._costs else QueryStats()
        return False, dataclasses.replace(costs, peak_memory_bytes=self._peak_bytes)

    async def close_stream(self) -> None:
        """End the work of `open_stream`."""
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()

    async def warm(self, files: Sequence[HotFile]) -> Warmed:
        """See `Worker.warm`."""
        return await self._worker.warm(files)

    async def busy(self) -> bool:
        """Whether it works on a fragment."""
        return self._worker.busy

    async def memory_bytes(self) -> int:
        """What this process takes now."""
        return self._memory.current_bytes

    async def close(self) -> None:
        """Leave nothing in the cache directory; the caller ends the process."""
        await self._worker.close()

    async def _rehearse(self, program: Program) -> None:
        fragment = Fragment(query_id="rehearsal", attempt=1, program=program, inputs=())
        await self._worker.execute(fragment)

    async def _within(
        self, work: Coroutine[Any, Any, S], watched: Watched, fragment: Fragment
    ) -> S:
        """The result, unless memory runs out before."""
        done = asyncio.ensure_future(work)
        waits: set[asyncio.Future[Any]] = {done, watched.exceeded}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise _too_much(fragment, watched.exceeded.result())
        return done.result()


def _too_much(fragment: Fragment, found_bytes: int) -> WorkerExhausted:
    limit = fragment.memory_bytes or 0
    return WorkerExhausted(
        f"query {fragment.query_id} took {found_bytes >> 20} MiB, and a worker may take "
        f"{limit >> 20} MiB (worker_memory); use larger workers or ask for less at once"
    )

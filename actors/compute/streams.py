"""Rows on their way batch by batch, at the pace of who reads them.

Nothing here runs ahead: a batch is asked for from the client back to the worker, so that each part
holds one or two. Closing a stream ends the work behind it.

    BatchStream   one result; `next` until it gives None
    stepwise      a plain generator, run step by step in a thread
    OpenStreams   the streams that clients in other processes read, by id; one that nobody has
                  asked for, or kept, for a minute is closed: its client is gone
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from storage.clock import Clock
from storage.errors import Cancelled
from storage.ids import Ids

__all__ = ["KEEP_MS", "BatchStream", "OpenStreams", "listed", "stepwise"]

IDLE_MS = 60_000.0
KEEP_MS = 15_000.0  # how often a client says that it still reads

T = TypeVar("T")
_END: Any = object()


class BatchStream:
    """The rows of one statement. One event loop.

    Attributes:
        schema: of the result. The batches have these columns, in this order; their names have no
            meaning.
    """

    def __init__(
        self, schema: pa.Schema, batches: AsyncGenerator[Any, None], timeout_ms: int
    ) -> None:
        """Args:
        batches: pa.RecordBatch, or on Ray references to them.
        timeout_ms: for each batch.
        """
        self.schema = schema
        self._batches = batches
        self._timeout_ms = timeout_ms
        self._turn = asyncio.Lock()
        self._step: asyncio.Task[Any] | None = None
        self._ended = False
        self._closed = asyncio.Event()

    async def next(self) -> Any | None:
        """The next batch; None at the end and after `close`.

        Raises the errors of the query, which end the stream; Cancelled when its timeout passes.
        """
        async with self._turn:
            if self._ended or self._closed.is_set():
                return None
            self._step = asyncio.ensure_future(anext(self._batches, None))
            try:
                async with asyncio.timeout(self._timeout_ms / 1000):
                    found = await self._step
            except TimeoutError as error:
                self._ended = True
                raise Cancelled(
                    f"the query took more than {self._timeout_ms} ms for the next rows"
                ) from error
            except asyncio.CancelledError:
                self._ended = True
                if self._closed.is_set():
                    return None
                raise
            except BaseException:
                self._ended = True
                raise
            self._ended |= found is None
            return found

    async def close(self) -> None:
        """End the work, finished or not."""
        self._closed.set()
        if self._step is not None and not self._step.done():
            self._step.cancel()
            await asyncio.gather(self._step, return_exceptions=True)
        await self._batches.aclose()


async def stepwise(steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """What `steps` yields; each step runs in a thread, and none before it is asked for."""
    step: asyncio.Task[Any] | None = None
    try:
        while True:
            step = asyncio.ensure_future(asyncio.to_thread(next, steps, _END))
            found = await asyncio.shield(step)
            if found is _END:
                return
            yield found
    finally:
        if step is None or step.done():
            steps.close()
        else:  # a thread cannot be stopped: it closes its steps when it is through with this one
            step.add_done_callback(lambda done: _abandon(done, steps))


def _abandon(step: asyncio.Future[Any], steps: Generator[Any, None, None]) -> None:
    if not step.cancelled():
        step.exception()  # nobody is left to hear it
    steps.close()


async def listed(batches: list[pa.RecordBatch]) -> AsyncGenerator[pa.RecordBatch, None]:
    """Batches that are here already."""
    for batch in batches:
        yield batch


@dataclass(slots=True)
class _Open:
    stream: BatchStream
    heard_ms: float
    waiting: int = 0


class OpenStreams:
    """Streams by id. One event loop."""

    def __init__(self, clock: Clock, ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._open: dict[str, _Open] = {}
        self._watch: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: BatchStream) -> str:
        """Keep a stream for a client; returns its id."""
        key = self._ids.new()
        self._open[key] = _Open(stream, self._clock.monotonic_ms())
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._close_idle())
        return key

    async def next(self, key: str) -> Any | None:
        """See `BatchStream.next`. Raises Cancelled for a stream that is not open (any more)."""
        found = self._open.get(key)
        if found is None:
            raise Cancelled("the stream was closed: nobody read it, or its process began anew")
        found.waiting += 1
        try:
            batch = await found.stream.next()
        except BaseException:
            await self.close(key)
            raise
        finally:
            found.waiting -= 1
            found.heard_ms = self._clock.monotonic_ms()
        if batch is None:
            await self.close(key)
        return batch

    def keep(self, key: str) -> None:
        """The client of this stream is still there."""
        if (found := self._open.get(key)) is not None:
            found.heard_ms = self._clock.monotonic_ms()

    async def close(self, key: str) -> None:
        """End a stream; one that is not open is none the worse."""
        if (found := self._open.pop(key, None)) is not None:
            await found.stream.close()

    async def close_all(self) -> None:
        """End all streams."""
        if self._watch is not None:
            self._watch.cancel()
        for key in list(self._open):
            with contextlib.suppress(Exception):  # its client hears of it, if it is there
                await self.close(key)

    async def _close_idle(self) -> None:
        while self._open:
            await self._clock.sleep_ms(KEEP_MS)
            now_ms = self._clock.monotonic_ms()
            for key, found in list(self._open.items()):
                if not found.waiting and now_ms - found.heard_ms >= IDLE_MS:
                    with contextlib.suppress(Exception):
                        await self.close(key)

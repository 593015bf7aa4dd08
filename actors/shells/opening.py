"""What the shells share: a service that opens in the background, and streams over calls.

A shell is a Ray actor that holds a plain service, and forwards. All of it runs on the event loop
that Ray gives the actor: Ray runs the constructor there, too, so what it begins goes on meanwhile.
A hop to a loop of our own would cost a wake-up of another thread, twice per call.

A shell that Ray restarts begins to open its service in its constructor, because that is all that
Ray runs again after a death. Its methods wait for the opening and raise what it raised; the next
call tries again. Nothing in these modules decides anything about data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

import pyarrow as pa
import ray.util

from actors.compute.streams import BatchStream, OpenStreams
from storage.clock import SystemClock
from storage.errors import MobulaError
from storage.ids import RandomIds

__all__ = ["Opening", "StreamingShell", "node_address"]

S = TypeVar("S")


class Opening(Generic[S]):
    """A service that opens in the background and can be opened again."""

    def __init__(self, make: Callable[[], Coroutine[Any, Any, S]]) -> None:
        self._make = make
        self._task = asyncio.create_task(make())

    async def get(self) -> S:
        """The open service; raises why it did not open, and lets the next call try again."""
        while True:
            task = self._task
            try:
                return await asyncio.shield(task)
            except MobulaError:
                if self._task is task:
                    self._task = asyncio.create_task(self._make())
                raise
            except asyncio.CancelledError:
                if not task.cancelled() or self._task is task:
                    raise
                # it was given up for another opening

    def renew(self, ending: Coroutine[Any, Any, None]) -> None:
        """Open anew once the old service has ended."""

        async def again() -> S:
            await ending
            return await self._make()

        self._task = asyncio.create_task(again())

    async def instead(self, make: Callable[[], Coroutine[Any, Any, S]]) -> S:
        """Open in another way, once; an opening that is under way is given up."""
        before = self._task

        async def again() -> S:
            before.cancel()
            await asyncio.gather(before, return_exceptions=True)
            return await make()

        self._task = asyncio.create_task(again())
        return await self.get()

    async def give_up(self) -> S | None:
        """The service if it is open; an opening that is under way ends."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.now()

    def now(self) -> S | None:
        """The service if it is open."""
        task = self._task
        opened = task.done() and not task.cancelled() and task.exception() is None
        return task.result() if opened else None


class StreamingShell:
    """What shells do for clients that read a stream; see `OpenStreams`."""

    def __init__(self) -> None:
        self._streams = OpenStreams(SystemClock(), RandomIds())

    async def next_batch(self, key: str) -> Any:
        """A batch, or a reference to one; None at the end."""
        return await self._streams.next(key)

    async def keep_stream(self, key: str) -> None:
        """Its client still reads."""
        self._streams.keep(key)

    async def close_stream(self, key: str) -> None:
        """Its client has read enough."""
        await self._streams.close(key)

    def _opened(self, stream: BatchStream) -> tuple[str, pa.Schema]:
        return self._streams.add(stream), stream.schema


def node_address() -> str:
    """The address by which other nodes reach this one."""
    found: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return found

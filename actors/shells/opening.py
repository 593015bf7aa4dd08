"""What the shells share: a service that opens in the background, and streams over calls.

A shell is a Ray actor that holds a plain service on an event loop in a thread, and forwards. One
that Ray restarts begins to open its service in its constructor, because that is all that Ray runs
again after a death. Its methods wait for the opening and raise what it raised; the next call tries
again. Nothing in these modules decides anything about data.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

import pyarrow as pa
import ray.util

from actors.compute.streams import BatchStream, OpenStreams
from actors.loop import LoopThread
from storage.clock import SystemClock
from storage.errors import MobulaError
from storage.ids import RandomIds

__all__ = ["Opening", "StreamingShell", "node_address"]

S = TypeVar("S")


class Opening(Generic[S]):
    """A service that opens in the background and can be opened again."""

    def __init__(self, loop: LoopThread, make: Callable[[], Coroutine[Any, Any, S]]) -> None:
        self._loop = loop
        self._make = make
        self._future: Future[S] = loop.start(make())

    async def get(self) -> S:
        """The open service; raises why it did not open, and lets the next call try again."""
        future = self._future
        try:
            return await asyncio.wrap_future(future)
        except MobulaError:
            if self._future is future:
                self._future = self._loop.start(self._make())
            raise

    def renew(self, ending: Coroutine[Any, Any, None]) -> None:
        """Open anew once the old service has ended."""

        async def again() -> S:
            await ending
            return await self._make()

        self._future = self._loop.start(again())

    def now(self) -> S | None:
        """The service if it is open."""
        done = self._future.done() and self._future.exception() is None
        return self._future.result() if done else None


class StreamingShell:
    """What shells do for clients that read a stream; see `OpenStreams`."""

    _loop: LoopThread

    def __init__(self) -> None:
        self._streams = OpenStreams(SystemClock(), RandomIds())

    async def next_batch(self, key: str) -> Any:
        """A batch, or a reference to one; None at the end."""
        return await asyncio.wrap_future(self._loop.start(self._streams.next(key)))

    async def keep_stream(self, key: str) -> None:
        """Its client still reads."""
        self._loop.call(self._streams.keep, key)

    async def close_stream(self, key: str) -> None:
        """Its client has read enough."""
        await asyncio.wrap_future(self._loop.start(self._streams.close(key)))

    async def _opened(self, opening: Coroutine[Any, Any, BatchStream]) -> tuple[str, pa.Schema]:
        async def add() -> tuple[str, pa.Schema]:
            stream = await opening
            return self._streams.add(stream), stream.schema

        return await asyncio.wrap_future(self._loop.start(add()))


def node_address() -> str:
    """The address by which other nodes reach this one."""
    found: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    return found

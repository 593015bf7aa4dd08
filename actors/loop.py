"""An event loop in a thread of its own: the edge between synchronous callers and the async core."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from storage.errors import InvalidRequest

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """Runs coroutines of one asynchronous world for any number of threads."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._loop.is_closed()

    def ensure_open(self) -> None:
        """Raises InvalidRequest: it is closed."""
        if self._loop.is_closed():
            raise InvalidRequest("the connection is closed; connect again", "08003")

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin `work`; the future is for other threads. Raises InvalidRequest: it is closed."""
        try:
            self.ensure_open()
        except InvalidRequest:
            work.close()
            raise
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end. An interrupt (Ctrl-C) cancels it."""
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def call(self, function: Any, *arguments: Any) -> None:
        """Call a plain function inside the loop, soon."""
        self._loop.call_soon_threadsafe(function, *arguments)

    def close(self) -> None:
        """End the loop; work still running is cancelled."""
        if self._loop.is_closed():
            return
        self.run(_finish())  # in the loop's own thread: ours may have a running loop (a notebook)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _finish() -> None:
    """Cancel all other tasks, and end what the loop has begun for them."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    loop = asyncio.get_running_loop()
    await loop.shutdown_asyncgens()
    await loop.shutdown_default_executor()

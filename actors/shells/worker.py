"""The actor of one worker: of a virtual warehouse, or of the primary's own compute.

Polars reads how many threads it may have when it is imported. An environment variable of Ray's
runtime environment would say it in time, but needs a process of its own, which takes most of a
second to start; an actor without one takes a process that Ray has ready. So this module and the
actor's arguments load nothing: the constructor says how many threads, then imports the rest.
"""

from __future__ import annotations

import importlib
import os
import pickle
from typing import Any

import ray

__all__ = ["WorkerShell"]


class WorkerShell:
    """Forwards to `worker_process.WorkerProcess`."""

    def __init__(self, threads: int, packed: bytes) -> None:
        """Args:
        threads: of Polars.
        packed: the arguments of `WorkerProcess`, pickled.
        Raises RuntimeError in a process that has loaded Polars before, for other work.
        """
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        if (found := importlib.import_module("polars").thread_pool_size()) != threads:
            raise RuntimeError(f"this process has {found} threads for Polars, not {threads}")
        process = importlib.import_module("actors.shells.worker_process")
        self._process: Any = process.WorkerProcess(*pickle.loads(packed))

    async def ready(self) -> Any:
        return await self._process.ready()

    async def introduce(self) -> Any:
        return await self._process.introduce()

    async def forever(self) -> None:
        await self._process.forever()

    async def lend(self, warehouse: str) -> None:
        await self._process.lend(warehouse)

    async def resize_cache(self, cache_bytes: int) -> None:
        await self._process.resize_cache(cache_bytes)

    @ray.method(num_returns=2)
    async def execute(self, fragment: Any) -> Any:
        return await self._process.execute(fragment)

    async def channel(self) -> Any:
        return await self._process.channel()

    @ray.method(num_returns=2)
    async def take(self, name: str) -> Any:
        return await self._process.take(name)

    async def open_stream(self, fragment: Any) -> None:
        await self._process.open_stream(fragment)

    @ray.method(num_returns=2)
    async def next_batch(self) -> Any:
        return await self._process.next_batch()

    async def close_stream(self) -> None:
        await self._process.close_stream()

    async def warm(self, files: Any) -> Any:
        return await self._process.warm(files)

    async def busy(self) -> bool:
        return bool(await self._process.busy())

    async def memory_bytes(self) -> int:
        return int(await self._process.memory_bytes())

    async def close(self) -> None:
        await self._process.close()

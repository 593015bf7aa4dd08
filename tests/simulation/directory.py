"""The same world on a directory: the real `LocalStore` of each process, over one simulated disk.

A call that fails does so as an operating system lets it: with an error of the disk at one of its
steps, before or after that step is done; or its process dies there. A power loss ends every process
and takes what nobody had fsync'd.
"""

from __future__ import annotations

import asyncio
import errno
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from storage.errors import MobulaError, Unavailable
from storage.objects import LocalStore, ObjectInfo
from tests.fakes import CountedIds
from tests.simulation.disk import Crashed, Mount, SimulatedDisk, os_error
from tests.simulation.faults import Fault
from tests.simulation.loop import Process
from tests.simulation.store import Fate, damaged

__all__ = ["ROOT", "SimulatedDirectory"]

T = TypeVar("T")

ROOT = Path("/db")
STEPS_MAX = 10  # of one call of a store, about
_NOT_DONE = frozenset({Fault.BEFORE, Fault.SLOW_DOWN, Fault.CONFLICT})
_DONE = frozenset({Fault.REPLY_LOST, Fault.TIMEOUT, Fault.TWICE, Fault.EXISTS})


class SimulatedDirectory(LocalStore):
    """The store of one process. After a power loss it is of no use any more."""

    def __init__(
        self, disk: SimulatedDisk, process: Process, *, seed: int, fate: Fate, lease_s: float
    ) -> None:
        self._mount: Mount = disk.mount(process.name)
        super().__init__(
            ROOT, url="simulated://directory", ids=CountedIds(process.name), disk=self._mount
        )
        self._process = process
        self._seed = seed
        self._fate = fate
        self._lease_s = lease_s

    async def create(self, name: str, data: bytes) -> None:
        await self._met("create", name, partial(super().create, name, data))

    async def put(self, name: str, data: bytes) -> None:
        await self._met("put", name, partial(super().put, name, data))

    async def put_file(self, name: str, path: Path) -> None:
        await self._met("put_file", name, partial(super().put_file, name, path))

    async def delete(self, name: str) -> None:
        await self._met("delete", name, partial(super().delete, name))

    async def get(self, name: str) -> bytes:
        return await self._met("get", name, partial(super().get, name))

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        return await self._met("get_range", name, partial(super().get_range, name, start, length))

    async def fetch(self, name: str, path: Path) -> int:
        return await self._met("fetch", name, partial(super().fetch, name, path))

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        pages = super().list(prefix, start_after=start_after, page_size=page_size)
        for info in await self._met("list", prefix, partial(_all, pages)):
            yield info

    async def _met(self, method: str, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """`work` with what goes wrong with it."""
        call, fault = self._fate.of(method, name)
        rng = random.Random(f"{self._seed} step {call.id}")
        lost = Unavailable(f"{method} {name!r}: {fault.value if fault else ''}")
        if fault in _NOT_DONE:
            raise lost
        if fault is Fault.CRASH_BEFORE:
            return await self._die()
        if fault is Fault.SLOW:
            await asyncio.sleep(self._lease_s * rng.uniform(1.0, 2.5))
        if fault is Fault.CRASH_AFTER:
            self._mount.crash_at(rng.randrange(STEPS_MAX), done=rng.random() < 0.5)
        elif fault in _DONE:
            self._fail_at(rng.randrange(STEPS_MAX), rng)
        try:
            result = await work()
        except Crashed:
            return await self._die()
        except MobulaError:
            if fault is Fault.CRASH_AFTER:  # it was refused before it came to that step
                return await self._die()
            raise
        finally:
            self._mount.fault = self._mount.reply = None
        if fault is Fault.CRASH_AFTER:
            return await self._die()
        if fault is Fault.REPLY_LOST:
            raise lost
        return damaged(result, fault, rng)

    def _fail_at(self, step: int, rng: random.Random) -> None:
        """An error of the disk at one step of what comes, before it is done or after."""
        left, error = step, rng.choice([errno.EIO, errno.ENOSPC, errno.ESTALE])

        def plan(operation: str, path: Path) -> OSError | None:
            nonlocal left
            left -= 1
            return os_error(error, path) if left == -1 else None

        if rng.random() < 0.5:
            self._mount.fault = plan
        else:
            self._mount.reply = plan

    async def _die(self) -> Any:
        self._process.crash()
        await asyncio.get_running_loop().create_future()


async def _all(pages: AsyncIterator[ObjectInfo]) -> list[ObjectInfo]:
    return [info async for info in pages]

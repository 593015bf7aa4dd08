"""A store that fails as real ones do, by plan: for tests and the simulation.

The plan is asked before every request (for a list: before every page) and names a `Fault` or None.
`scripted` gives the faults of one method in order; `seeded` draws them, so that a seed replays.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TypeVar

from storage.errors import ObjectExists, Unavailable
from storage.objects.base import ObjectInfo, ObjectStore

__all__ = ["Fault", "FaultyStore", "Plan", "scripted", "seeded"]

T = TypeVar("T")


class Fault(Enum):
    """What goes wrong with one request."""

    BEFORE = "the server could not be reached"
    REPLY_LOST = "the reply was lost after the server did it"
    CONFLICT = "409: another conditional request is in flight"
    EXISTS_AFTER_SUCCESS = "412 for our own write, which was sent twice"


Plan = Callable[[str, str], Fault | None]
"""(method, name or prefix) -> what goes wrong."""


def scripted(faults: Mapping[str, Sequence[Fault | None]]) -> Plan:
    """The n-th request of a method meets its n-th fault; afterwards none."""
    left = {method: list(sequence) for method, sequence in faults.items()}

    def plan(method: str, name: str) -> Fault | None:
        return left[method].pop(0) if left.get(method) else None

    return plan


def seeded(rng: random.Random, probability: float) -> Plan:
    """Any request fails with that probability, in any way that its method can."""

    def plan(method: str, name: str) -> Fault | None:
        if rng.uniform(0.0, 1.0) >= probability:
            return None
        return rng.choice(list(Fault) if method == "create" else [Fault.BEFORE, Fault.REPLY_LOST])

    return plan


class FaultyStore:
    """An `ObjectStore` with the faults of a plan. `delay` may wait, yield or cancel before each."""

    def __init__(
        self,
        inner: ObjectStore,
        plan: Plan,
        *,
        delay: Callable[[str, str], Awaitable[None]] | None = None,
    ) -> None:
        self._inner = inner
        self._plan = plan
        self._delay = delay

    @property
    def url(self) -> str:
        return self._inner.url

    async def create(self, name: str, data: bytes) -> None:
        await self._call("create", name, lambda: self._inner.create(name, data))

    async def put(self, name: str, data: bytes) -> None:
        await self._call("put", name, lambda: self._inner.put(name, data))

    async def get(self, name: str) -> bytes:
        return await self._call("get", name, lambda: self._inner.get(name))

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        return await self._call(
            "get_range", name, lambda: self._inner.get_range(name, start, length)
        )

    async def put_file(self, name: str, path: Path) -> None:
        await self._call("put_file", name, lambda: self._inner.put_file(name, path))

    async def fetch(self, name: str, path: Path) -> int:
        return await self._call("fetch", name, lambda: self._inner.fetch(name, path), path)

    async def delete(self, name: str) -> None:
        await self._call("delete", name, lambda: self._inner.delete(name))

    async def close(self) -> None:
        await self._inner.close()

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        found = 0
        await self._call("list", prefix, _nothing)
        pages = self._inner.list(prefix, start_after=start_after, page_size=page_size)
        async for info in pages:
            if found and found % page_size == 0:
                await self._call("list", prefix, _nothing)
            found += 1
            yield info

    async def _call(
        self,
        method: str,
        name: str,
        call: Callable[[], Awaitable[T]],
        path: Path | None = None,
    ) -> T:
        if self._delay is not None:
            await self._delay(method, name)
        fault = self._plan(method, name)
        if fault in {Fault.BEFORE, Fault.CONFLICT}:
            raise _unavailable(fault, method, name)
        result = await call()
        if fault is Fault.EXISTS_AFTER_SUCCESS:
            raise ObjectExists(f"{method} {name!r}: {fault.value}")
        if fault is Fault.REPLY_LOST:
            if path is not None:
                await asyncio.to_thread(path.unlink)  # what fails leaves no file
            raise _unavailable(fault, method, name)
        return result


async def _nothing() -> None:
    return None


def _unavailable(fault: Fault | None, method: str, name: str) -> Unavailable:
    return Unavailable(f"{method} {name!r}: {fault.value if fault else 'no fault'}")

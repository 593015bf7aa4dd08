"""An object store that a simulated world shares, and each process's way to it.

`Bucket` is the server: what it holds, and who watches every change. It is consistent, as S3
promises: what was written is read, and listed, from then on. `SimulatedStore` is the client in a
process: each call takes time there and back, and meets the `Fault` that is planned for it. A
request that is on its way arrives even if its sender has died.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
from bisect import bisect_left, bisect_right
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from storage.errors import ObjectExists, ObjectMissing, Unavailable
from storage.objects import ObjectInfo
from tests.simulation.faults import Call, Fault, Faults
from tests.simulation.loop import Process

__all__ = ["Bucket", "Fate", "SimulatedStore", "Watch", "damaged"]

T = TypeVar("T")
Watch = Callable[[str, str, bytes | None, bytes | None], None]
"""(method, name, bytes before, bytes after), for every change, at its moment."""

TIMEOUT_S = 5.0  # when a client gives up
LATE_S_MAX = 40.0  # when the server has done at last what a client gave up
_WRAPPERS = (
    "storage/objects/",
    "tests/simulation/store.py",
    "tests/simulation/directory.py",
    "tenacity",
    "asyncio",
    "concurrent",
)


class Bucket:
    """What is stored. Changes happen at one moment each, in one order."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.watchers: list[Watch] = []

    def create(self, name: str, data: bytes) -> None:
        if name in self.objects:
            raise ObjectExists(f"object {name!r} exists")
        self._set("create", name, data)

    def put(self, name: str, data: bytes) -> None:
        self._set("put", name, data)

    def delete(self, name: str) -> None:
        if name in self.objects:
            before = self.objects.pop(name)
            self._tell("delete", name, before, None)

    def get(self, name: str) -> bytes:
        if name not in self.objects:
            raise ObjectMissing(f"no object {name!r}")
        return self.objects[name]

    def get_range(self, name: str, start: int, length: int) -> bytes:
        data = self.get(name)
        first = max(0, len(data) + start) if start < 0 else start
        return data[first : first + length]

    def page(self, prefix: str, start_after: str, count: int) -> list[ObjectInfo]:
        names = sorted(name for name in self.objects if name.startswith(prefix))
        first = max(bisect_left(names, prefix), bisect_right(names, start_after))
        return [
            ObjectInfo(name=name, size_bytes=len(self.objects[name]))
            for name in names[first : first + count]
        ]

    def _set(self, method: str, name: str, data: bytes) -> None:
        before = self.objects.get(name)
        self.objects[name] = data
        self._tell(method, name, before, data)

    def _tell(self, method: str, name: str, before: bytes | None, after: bytes | None) -> None:
        for watch in self.watchers:
            watch(method, name, before, after)


class Fate:
    """What becomes of the calls of one process, which are numbered."""

    def __init__(self, process: Process, faults: Faults) -> None:
        self._process = process
        self._faults = faults
        self._count = 0
        self.cut_off_until_s = 0.0  # a partition of the network: nothing gets through

    def of(self, method: str, name: str) -> tuple[Call, Fault | None]:
        """The next call, and what goes wrong with it."""
        self._count += 1
        call = Call(
            process=self._process.name,
            number=self._count,
            method=method,
            name=name,
            site=_call_site(),
        )
        fault = self._faults(call)
        if asyncio.get_running_loop().time() < self.cut_off_until_s:
            fault = fault if fault is not None and fault.crashes else Fault.BEFORE
        return call, fault


class SimulatedStore:
    """`ObjectStore` of one process."""

    url = "simulated://bucket"

    def __init__(
        self,
        bucket: Bucket,
        process: Process,
        network: Process,
        *,
        seed: int,
        fate: Fate,
        lease_s: float,
        distance: int = 1,
    ) -> None:
        """Args: network: what carries requests and outlives their senders; distance: how often
        the usual time a request takes."""
        self._distance = distance
        self._bucket = bucket
        self._process = process
        self._network = network
        self._seed = seed
        self._fate = fate
        self._lease_s = lease_s

    async def create(self, name: str, data: bytes) -> None:
        await self._call("create", name, lambda: self._bucket.create(name, data))

    async def put(self, name: str, data: bytes) -> None:
        await self._call("put", name, lambda: self._bucket.put(name, data))

    async def put_file(self, name: str, path: Path) -> None:
        data = path.read_bytes()  # noqa: ASYNC240 - at one moment
        await self._call("put_file", name, lambda: self._bucket.put(name, data))

    async def delete(self, name: str) -> None:
        await self._call("delete", name, lambda: self._bucket.delete(name))

    async def get(self, name: str) -> bytes:
        return await self._call("get", name, lambda: self._bucket.get(name))

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        return await self._call(
            "get_range", name, lambda: self._bucket.get_range(name, start, length)
        )

    async def fetch(self, name: str, path: Path) -> int:
        data = await self._call("fetch", name, lambda: self._bucket.get(name))
        return path.write_bytes(data)  # noqa: ASYNC240 - at one moment

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        last = start_after
        while True:
            ask = partial(self._bucket.page, prefix, last, page_size)
            page = await self._call("list", prefix, ask)
            for info in page:
                yield info
            if len(page) < page_size:
                return
            last = page[-1].name

    async def close(self) -> None:
        """Nothing is open."""

    async def _call(self, method: str, name: str, apply: Callable[[], T]) -> T:
        call, fault = self._fate.of(method, name)
        rng = random.Random(f"{self._seed} time {call.id}")
        return await _Request(self, call, fault, apply, rng).answer()


class _Request:
    """One call on its way: there, done, and back."""

    def __init__(
        self,
        store: SimulatedStore,
        call: Call,
        fault: Fault | None,
        apply: Callable[[], Any],
        rng: random.Random,
    ) -> None:
        self.call = call
        self.fault = fault
        self.apply = apply
        self.loop = asyncio.get_running_loop()
        self.rng = rng
        self.process = store._process
        self.network = store._network
        self.lease_s = store._lease_s
        self.distance = store._distance
        self.reply: asyncio.Future[Any] = self.loop.create_future()

    async def answer(self) -> Any:
        fault = self.fault
        if fault is Fault.CRASH_BEFORE:
            return await self._die()
        if fault in (Fault.BEFORE, Fault.SLOW_DOWN, Fault.CONFLICT):
            await asyncio.sleep(self._trip_s())
            raise self._unavailable()
        self._send(self._there_s(), first=True)
        if fault is Fault.TWICE:
            self._send(self.rng.uniform(0.0, 3.0), first=False)
        if fault is Fault.TIMEOUT:
            await asyncio.sleep(TIMEOUT_S)
            raise self._unavailable()
        return await self.reply

    def _send(self, delay_s: float, *, first: bool) -> None:
        self.loop.call_later(delay_s, self._arrive, first, context=self.network.context.copy())

    def _arrive(self, first: bool) -> None:
        """The server's moment."""
        result, error = None, None
        try:
            result = self.apply()
        except (ObjectExists, ObjectMissing) as found:
            error = found
        if not first or self.fault is Fault.TIMEOUT:
            return
        if self.fault is Fault.CRASH_AFTER:
            self.process.crash()
            return
        if self.fault is Fault.EXISTS and error is None:
            error = ObjectExists(f"{self.call.name}: {self.fault.value}")
        if self.fault is Fault.REPLY_LOST:
            error = self._unavailable()
        if error is None:
            result = damaged(result, self.fault, self.rng)
        self.loop.call_later(
            self._trip_s(), self._deliver, result, error, context=self.network.context.copy()
        )

    def _deliver(self, result: Any, error: Exception | None) -> None:
        if self.reply.done():
            return
        if error is not None:
            self.reply.set_exception(error)
        else:
            self.reply.set_result(result)

    async def _die(self) -> Any:
        self.process.crash()
        await self.loop.create_future()

    def _there_s(self) -> float:
        if self.fault is Fault.SLOW:
            return self.lease_s * self.rng.uniform(1.0, 2.5)
        if self.fault is Fault.TIMEOUT:
            return self.rng.choice([self._trip_s(), self.rng.uniform(0.0, LATE_S_MAX)])
        return self._trip_s()

    def _trip_s(self) -> float:
        """Milliseconds mostly, now and then a second."""
        if self.rng.random() < 0.03:
            return self.rng.random()
        return self.rng.uniform(0.001, 0.02) * self.distance

    def _unavailable(self) -> Unavailable:
        what = self.fault.value if self.fault is not None else "no fault"
        return Unavailable(f"{self.call.method} {self.call.name!r}: {what}")


def damaged(result: T, fault: Fault | None, rng: random.Random) -> T:
    """What is read, with what goes wrong with it."""
    if not isinstance(result, bytes) or not result:
        return result
    if fault is Fault.TRUNCATED:
        return result[: rng.randrange(len(result))]
    if fault is Fault.BIT_FLIP:
        at, bit = rng.randrange(len(result)), 1 << rng.randrange(8)
        return result[:at] + bytes([result[at] ^ bit]) + result[at + 1 :]
    return result


def _call_site() -> str:
    """Who asked: the nearest caller that is no store itself, as `path:function`."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if not any(part in path for part in _WRAPPERS):
            function = re.sub(r"<locals>\.|\.<\w+>", "", frame.f_code.co_qualname)
            return f"{_short(path)}:{function}"
        frame = frame.f_back  # type: ignore[assignment]
    return "?"


def _short(path: str) -> str:
    for root in ("/storage/", "/actors/", "/tests/"):
        if root in path:
            return root[1:] + path.rsplit(root, 1)[1]
    return path

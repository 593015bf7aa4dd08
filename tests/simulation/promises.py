"""What is promised by the answers of a store on a simulated disk, and whether it was kept.

A `World` notes, for each name, what may be there after a power loss: one content after a write that
has returned, the old one or the new one after one that has not, nothing of the kind in between.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from storage.errors import MobulaError, ObjectExists, ObjectMissing
from storage.objects import Exists, LocalStore, create_settled
from tests.fakes import CountedIds, FakeClock
from tests.simulation.disk import Crashed, Mount, SimulatedDisk

__all__ = ["ROOT", "Call", "Content", "World", "drive", "read"]

T = TypeVar("T")

ROOT = Path("/mnt/new/db")  # nothing of it is there at first

Content = bytes | None  # None: there is no such object


class _Loop:
    """Threads without threads: what `asyncio.to_thread` asks for is done at once."""

    def run_in_executor(self, _: object, call: Callable[[], T]) -> Coroutine[Any, Any, T]:
        async def done() -> T:
            return call()

        return done()


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end; nothing in it waits. Another may run inside."""
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(_Loop())  # type: ignore[arg-type]
    try:
        while True:
            work.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        asyncio._set_running_loop(outer)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One write, `method` of the store or `create_settled`. `wrote`: what the object then holds."""

    method: str
    name: str
    data: bytes = b""

    @property
    def wrote(self) -> Content:
        return None if self.method == "delete" else self.data

    def on(self, store: LocalStore, file: Path) -> Coroutine[Any, Any, object]:
        """Args: file: a place outside the store, for what is uploaded."""
        if self.method == "delete":
            return store.delete(self.name)
        if self.method == "settle":
            return create_settled(
                store, self.name, self.data, clock=FakeClock(), rng=random.Random(0)
            )
        if self.method == "put_file":
            source = file.with_name(self.data.hex())  # its own: others may upload at the time
            source.write_bytes(self.data)
            return store.put_file(self.name, source)
        return getattr(store, self.method)(self.name, self.data)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call that is over. `done`: it said so."""

    call: Call
    done: bool


def one_of(before: set[Content], calls: list[Ended]) -> set[Content]:
    """What may be there after calls that ran at the same time."""
    contents = before | {one.call.wrote for one in calls}
    deleted = any(one.call.method == "delete" for one in calls)
    made = any(one.done for one in calls)
    return contents - {None} if made and not deleted else contents


AGAIN = (
    Call(method="create", name="log/9", data=b"nine"),
    Call(method="put", name="epoch/1/alive", data=b"again"),
    Call(method="create", name="epoch/2/owner", data=b"again"),
)


class World:
    """A disk, and what anybody has been promised about it."""

    def __init__(self, kind: type[LocalStore], file: Path) -> None:
        self.kind = kind
        self.file = file
        self.disk = SimulatedDisk()
        self.promised: dict[str, set[Content]] = {}  # by name, what may be there
        self._processes = 0
        self._ended: list[Ended] = []

    def process(self) -> tuple[LocalStore, Mount]:
        """A process that begins now, with its store."""
        self._processes += 1
        mount = self.disk.mount(f"process {self._processes}")
        return self.kind(ROOT, ids=CountedIds(str(self._processes)), disk=mount), mount

    def run(self, store: LocalStore, call: Call) -> bool:
        """Make the call and note what it promises; False: nobody knows whether it happened."""
        before = self.promised.get(call.name, {None})
        self.promised[call.name] = before | {call.wrote}
        begun = len(self._ended)
        done = self._make(store, call)
        meanwhile = [one for one in self._ended[begun:] if one.call.name == call.name]
        self._ended.append(Ended(call=call, done=done is not None))
        if meanwhile:
            self.promised[call.name] = one_of(before, [*meanwhile, self._ended[-1]])
        elif done is not None:
            self.promised[call.name] = done(before)
        return done is not None

    def _make(self, store: LocalStore, call: Call) -> Callable[[set[Content]], set[Content]] | None:
        """From what may have been there to what may be now; None: unknown."""
        try:
            outcome = drive(call.on(store, self.file))
        except ObjectExists:
            return lambda before: before - {None}
        except (Crashed, MobulaError):
            return None
        if call.method == "delete":
            return lambda before: before | {None}  # the disk may bring it back
        if isinstance(outcome, Exists):
            return lambda before: {outcome.data}
        return lambda before: {call.wrote}

    def lose(self, seed: int, kept: float) -> None:
        self.disk.power_loss(random.Random(seed), kept=kept)

    def wrongs(self) -> list[str]:
        """Promises that were not kept when the power went. What is there now, is there for good."""
        store, _ = self.process()
        found = {name: drive(read(store, name)) for name in self.promised}
        wrong = [
            f"{name}: {found[name]!r} and not one of {sorted(map(repr, allowed))}"
            for name, allowed in self.promised.items()
            if found[name] not in allowed
        ]
        listed = drive(names(store))
        present = sorted(name for name, content in found.items() if content is not None)
        self.promised = {name: {content} for name, content in found.items()}
        return wrong if listed == present else [*wrong, f"{listed} is listed, {present} is there"]

    def go_on(self) -> list[str]:
        """What is wrong when somebody writes to what was left, and the power goes again."""
        found = self.wrongs()
        store, _ = self.process()
        for call in AGAIN:
            if not self.run(store, call):
                found.append(f"{call} fails on what the power loss has left")
        self.lose(0, 0.0)
        return [*found, *self.wrongs()]


async def read(store: LocalStore, name: str) -> Content:
    try:
        return await store.get(name)
    except ObjectMissing:
        return None


async def names(store: LocalStore) -> list[str]:
    return [info.name async for info in store.list("")]

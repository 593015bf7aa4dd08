"""The old end of the log: what is packed, what is deleted, what it costs, and stops in between."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from storage.collection.boundaries import Boundaries
from storage.collection.doomed import Doomed, Why
from storage.collection.old_log import OldLog
from storage.collection.policy import RetentionPolicy
from storage.errors import CorruptData, Fenced, Unavailable
from storage.log.packs import Packs, list_packs
from storage.names import log_name, pack_name
from storage.objects import CountingStore, MemoryStore
from storage.objects.faulty import Fault, FaultyStore
from storage.snapshot.checkpoint import write_checkpoint
from storage.snapshot.model import Snapshot
from storage.windows import windows
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.packed import fence_at
from tests.unit.storage.log.reigns import DATABASE, reader_of, reign
from tests.unit.storage.log.test_log_reader import history

POLICY = RetentionPolicy(pack_groups=10)
FENCES = {1, 43}


async def nothing() -> None: ...


@dataclass(slots=True)
class Old:
    """A log of LSN 1 to 43; 1 and 43 are fences."""

    store: CountingStore
    snapshots: list[Snapshot]
    packed_bytes: list[int] = field(default_factory=list)

    def log(
        self,
        policy: RetentionPolicy = POLICY,
        allowed: Callable[[], Awaitable[None]] = nothing,
        store: FaultyStore | None = None,
    ) -> OldLog:
        used = store or self.store
        return OldLog(used, DATABASE, "main", policy, allowed, self.packed_bytes.append)

    async def names(self, prefix: str = "log") -> set[str]:
        return {entry.name async for entry in self.store.inner.list(prefix)}

    async def collect(self, old: OldLog, log_until: int, pack_until: int) -> list[Doomed]:
        bounds = Boundaries(horizon=log_until, log_until=log_until, pack_until=pack_until)
        return [one async for one in old.collect(bounds)]

    async def due(self, old: OldLog, log_until: int, pack_until: int) -> list[Doomed]:
        bounds = Boundaries(horizon=log_until, log_until=log_until, pack_until=pack_until)
        return [one async for one in old.due(bounds)]


@functools.cache
def written() -> tuple[dict[str, bytes], list[Snapshot]]:
    async def run() -> tuple[dict[str, bytes], list[Snapshot]]:
        store = MemoryStore()
        snapshots = await history(store, 40)
        second = await reign(store, "b", FakeClock(), dead=True)
        for lsn in (10, 20, 30, 41, 42):
            await write_checkpoint(store, snapshots[lsn - 1], CountedIds(f"{lsn}"))
        objects = {entry.name: await store.get(entry.name) async for entry in store.list("")}
        return objects, [*snapshots, second.snapshot]

    return asyncio.run(run())


async def made(objects: dict[str, bytes], snapshots: list[Snapshot]) -> Old:
    store = MemoryStore()
    for name, data in objects.items():
        await store.put(name, data)
    return Old(CountingStore(store, record=True), snapshots)


def old_log(test: Callable[[Old], Awaitable[None]]) -> None:
    async def run() -> None:
        await test(await made(objects, snapshots))

    objects, snapshots = written()
    asyncio.run(run())


def logs(*lsns: int) -> set[str]:
    return {log_name(lsn) for lsn in lsns}


# --- what goes ------------------------------------------------------------------------------------


def test_full_packs_take_the_place_of_log_objects() -> None:
    async def test(db: Old) -> None:
        everything = await db.names()
        gone = await db.collect(db.log(), 0, 35)
        assert {one.name for one in gone} == logs(*range(2, 31))
        assert {one.why for one in gone} == {Why.PACKED}
        packs = {pack_name(1, 10), pack_name(11, 20), pack_name(21, 30)}
        assert await db.names() == everything - {one.name for one in gone} | packs
        for lsn in range(1, 44):
            assert await reader_of(db.store).open(at_lsn=lsn) == db.snapshots[lsn - 1]
        assert len(db.packed_bytes) == 3
        sizes = [entry.size_bytes async for entry in db.store.list("logpack/")]
        assert sizes == db.packed_bytes

    old_log(test)


def test_a_pack_is_full_by_bytes_too() -> None:
    async def test(db: Old) -> None:
        size = len(await db.store.get(log_name(5)))
        await db.collect(db.log(RetentionPolicy(pack_groups=20, pack_bytes=3 * size)), 0, 40)
        packs = await list_packs(db.store)
        assert all(3 <= pack.last_lsn - pack.first_lsn + 1 <= 5 for pack in packs)
        assert packs[-1].last_lsn >= 36
        assert [p.first_lsn for p in packs[1:]] == [p.last_lsn + 1 for p in packs[:-1]]

    old_log(test)


def test_too_few_groups_are_not_packed() -> None:
    async def test(db: Old) -> None:
        everything = await db.names()
        assert await db.collect(db.log(), 0, 9) == []
        assert await db.names() == everything
        assert await db.collect(db.log(RetentionPolicy(pack_groups=44)), 0, 43) == []
        assert await db.names() == everything

    old_log(test)


def test_the_log_below_two_checkpoints_is_deleted_but_for_fences() -> None:
    async def test(db: Old) -> None:
        everything = await db.names()
        gone = await db.collect(db.log(), 20, 25)
        assert {one.name for one in gone} == logs(*range(2, 21))
        assert {one.why for one in gone} == {Why.LOG}
        assert await db.names() == everything - logs(*range(2, 21))
        for lsn in range(20, 44):
            assert await reader_of(db.store).open(at_lsn=lsn) == db.snapshots[lsn - 1]

    old_log(test)


def test_packs_below_go_once_all_their_groups_may() -> None:
    async def test(db: Old) -> None:
        await db.collect(db.log(), 0, 35)
        everything = await db.names()
        gone = await db.collect(db.log(), 19, 35)
        assert [(one.name, one.why) for one in gone] == [(pack_name(1, 10), Why.LOG)]
        sizes = {pack_name(1, 10): db.packed_bytes[0]}
        assert [one.size_bytes for one in gone] == list(sizes.values())
        assert await db.names() == everything - {pack_name(1, 10)}
        gone = await db.collect(db.log(), 30, 35)
        assert [one.name for one in gone] == [pack_name(11, 20), pack_name(21, 30)]
        assert await db.names() == logs(1, *range(31, 44))

    old_log(test)


def test_fences_never_go() -> None:
    async def test(db: Old) -> None:
        await db.collect(db.log(), 0, 43)
        assert await db.names("log/") == logs(*FENCES, 41, 42)
        await db.collect(db.log(), 43, 43)
        assert await db.names() == logs(*FENCES)
        again = db.log()
        for _ in range(2):
            assert await db.collect(again, 43, 43) == []

    old_log(test)


def test_a_fence_that_came_late_stays_beside_its_pack() -> None:
    """Its reign must find its next slot taken; readers have the pack."""

    async def test(db: Old) -> None:
        fence = fence_at(await db.store.get(log_name(15)), 15)
        await db.collect(db.log(), 0, 35)
        await db.store.create(log_name(15), fence)
        assert await db.collect(db.log(), 0, 35) == []
        assert await db.store.get(log_name(15)) == fence
        await db.collect(db.log(), 43, 43)
        assert await db.names() == logs(*FENCES, 15)

    old_log(test)


def test_an_object_that_differs_from_its_pack_stays() -> None:
    async def test(db: Old) -> None:
        other = await db.store.get(log_name(16))
        await db.collect(db.log(), 0, 35)
        await db.store.put(log_name(15), other)
        assert await db.collect(db.log(), 0, 35) == []
        assert log_name(15) in await db.names()

    old_log(test)


def test_names_of_somebody_else_stay() -> None:
    async def test(db: Old) -> None:
        strangers = {"log/README", "log/5", "logpack/x", f"{log_name(5)}.bak", "logs/x"}
        for name in strangers:
            await db.store.put(name, b"x")
        await db.collect(db.log(), 0, 35)
        await db.collect(db.log(), 43, 43)
        assert await db.names() == logs(*FENCES) | strangers

    old_log(test)


def test_packing_goes_on_behind_a_stretch_that_is_gone() -> None:
    async def test(db: Old) -> None:
        await db.collect(db.log(), 20, 20)
        await db.collect(db.log(), 8, 35)  # what an earlier one kept less of
        assert [p.name for p in await list_packs(db.store)] == [pack_name(21, 30)]
        assert await db.names("log/") == logs(1, *range(31, 44))

    old_log(test)


def test_a_gap_ends_packing() -> None:
    async def test(db: Old) -> None:
        await db.store.delete(log_name(14))
        await db.collect(db.log(), 0, 35)
        assert [p.name for p in await list_packs(db.store)] == [pack_name(1, 10)]
        assert await db.names("log/") == logs(1, *(n for n in range(11, 44) if n != 14))

    old_log(test)


# --- what it costs --------------------------------------------------------------------------------


def test_requests() -> None:
    async def test(db: Old) -> None:
        old = db.log()

        async def cost(log_until: int, pack_until: int) -> tuple[int, int, int, int]:
            before = db.store.counts()
            await db.collect(old, log_until, pack_until)
            spent = db.store.counts() - before
            assert spent.requests == spent.list + spent.get + spent.put + spent.delete
            return spent.list, spent.get, spent.put, spent.delete

        assert await cost(0, 0) == (2, 0, 0, 0)
        # 35 groups are read to be packed, 3 packs are read back, 30 of their objects are compared
        # with 3 packs
        assert await cost(0, 35) == (2, 35 + 3 + 30 + 3, 3, 29)
        assert await cost(0, 35) == (2, 0, 0, 0)  # the fence is known
        assert await cost(30, 35) == (2, 0, 0, 3)
        assert await cost(35, 35) == (2, 5, 0, 5)
        assert await cost(35, 35) == (2, 0, 0, 0)

    old_log(test)


def test_windows() -> None:
    assert [len(window) for window in windows(range(70), 32)] == [32, 32, 6]
    assert list(windows([], 32)) == []


# --- looking, and stopping ------------------------------------------------------------------------


def test_what_is_due_is_what_goes_but_for_what_is_packed_first() -> None:
    async def test(db: Old) -> None:
        await db.collect(db.log(), 0, 35)
        await db.store.put(log_name(12), await unpacked(db, 12))
        db.store.requests.clear()
        everything = await db.names()
        for bounds in ((0, 35), (19, 35), (32, 35), (43, 43)):
            due = await db.due(db.log(), *bounds)
            assert await db.names() == everything
            assert {method for method, _ in db.store.requests} <= {"get", "list"}
            assert len(due) == len({one.name for one in due})
        due = await db.due(db.log(), 32, 35)
        assert due == await db.collect(db.log(), 32, 35)
        assert {one.name for one in due} >= {log_name(12), log_name(31), pack_name(21, 30)}

    old_log(test)


async def unpacked(db: Old, lsn: int) -> bytes:
    return await Packs(db.store, await list_packs(db.store)).get(lsn)


def test_who_does_not_reign_deletes_nothing() -> None:
    async def refused() -> None:
        raise Fenced("somebody else reigns")

    async def test(db: Old) -> None:
        everything = await db.names("log/")
        with pytest.raises(Fenced):
            await db.collect(db.log(allowed=refused), 20, 35)
        assert await db.names("log/") == everything
        assert not [name for method, name in db.store.requests if method == "delete"]

    old_log(test)


@pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.REPLY_LOST])
@pytest.mark.parametrize("bounds", [(0, 35), (10, 35)])
def test_stopped_at_any_call_and_run_again(fault: Fault, bounds: tuple[int, int]) -> None:
    """The versions that are kept can be read in between; the end is that of one run."""

    async def calls_of_one() -> tuple[int, set[str], set[str]]:
        db = await made(*start)
        await db.collect(db.log(), *bounds)
        return len(db.store.requests), await db.names("logpack/"), await db.names("log/")

    async def stopped_at(number: int) -> None:
        db = await made(*start)
        asked = [0]

        def plan(method: str, name: str) -> Fault | None:
            asked[0] += 1
            return fault if asked[0] == number else None

        with pytest.raises(Unavailable):
            await db.collect(db.log(store=FaultyStore(db.store, plan)), *bounds)
        for lsn in (max(bounds[0], 10), 22, 31, 43):
            assert await reader_of(db.store).open(at_lsn=lsn) == db.snapshots[lsn - 1]
        await db.collect(db.log(), *bounds)
        assert (await db.names("logpack/"), await db.names("log/")) == (packs, objects)

    start = written()
    count, packs, objects = asyncio.run(calls_of_one())
    for number in range(1, count + 1):
        asyncio.run(stopped_at(number))


def test_a_damaged_pack_keeps_what_it_stands_for() -> None:
    async def test(db: Old) -> None:
        saved = await db.store.get(log_name(15))
        await db.collect(db.log(), 0, 35)
        await db.store.put(log_name(15), saved)
        await db.store.put(pack_name(11, 20), b"rubbish")
        with pytest.raises(CorruptData, match=pack_name(11, 20)):
            await db.collect(db.log(), 0, 35)
        assert log_name(15) in await db.names()

    old_log(test)


def test_what_is_damaged_on_its_way_is_not_packed() -> None:
    """A pack goes before the log object; found by seed 1399 of the simulation."""

    class Flipping(MemoryStore):
        async def get(self, name: str) -> bytes:
            data = await super().get(name)
            return data[:-1] + bytes([data[-1] ^ 1]) if name == log_name(4) else data

    async def test(db: Old) -> None:
        flipping = Flipping()
        for name in await db.names(""):
            await flipping.put(name, await db.store.get(name))
        old = OldLog(flipping, DATABASE, "main", POLICY, nothing, db.packed_bytes.append)
        with pytest.raises(CorruptData, match=log_name(4)):
            await db.collect(old, 0, 20)
        assert [entry.name async for entry in flipping.list("logpack/")] == []

    old_log(test)

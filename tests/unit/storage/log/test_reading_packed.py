"""A reader of a log whose old end is packed and collected, also while it reads."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from storage.errors import CorruptData, InvalidRequest, ObjectMissing
from storage.names import checkpoint_directory, log_name, pack_name
from storage.objects import CountingStore, MemoryStore, ObjectInfo
from storage.snapshot.checkpoint import CheckpointInfo, write_checkpoint
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds
from tests.unit.storage.log.packed import delete_log, fence_at, pack_log
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.log.test_log_reader import history

COMMITS = 40  # LSN 42 is the newest


async def checkpointed(
    store: MemoryStore, snapshots: list[Snapshot], *lsns: int
) -> list[CheckpointInfo]:
    return [await write_checkpoint(store, snapshots[lsn - 1], CountedIds(f"{lsn}")) for lsn in lsns]


async def collected(store: MemoryStore) -> list[Snapshot]:
    """LSN 1 to 42; 11 to 30 in packs of ten, 1 to 10 gone; checkpoints at 10, 20, 30, 35."""
    snapshots = await history(store, COMMITS)
    await checkpointed(store, snapshots, 10, 20, 30, 35)
    await pack_log(store, 11, 30, 10)
    await delete_log(store, 1, 10)
    return snapshots


async def gone(store: MemoryStore, info: CheckpointInfo) -> None:
    """The checkpoint goes as a collector deletes it: root first."""
    await store.delete(info.name)
    for _, part in info.parts.values():
        await store.delete(part.name)


class Interrupted(MemoryStore):
    """Something happens right before the first call that a test names."""

    def __init__(self) -> None:
        super().__init__()
        self.hooks: dict[tuple[str, str], Callable[[], Awaitable[object]]] = {}

    async def _due(self, method: str, name: str) -> None:
        hook = self.hooks.pop((method, name), None)
        if hook is not None:
            await hook()

    async def get(self, name: str) -> bytes:
        await self._due("get", name)
        return await super().get(name)

    async def get_range(self, name: str, start: int, length: int) -> bytes:
        await self._due("range", name)
        return await super().get_range(name, start, length)

    async def list(
        self, prefix: str, *, start_after: str = "", page_size: int = 1000
    ) -> AsyncIterator[ObjectInfo]:
        await self._due("list", prefix)
        async for info in super().list(prefix, start_after=start_after, page_size=page_size):
            yield info


# --- at rest --------------------------------------------------------------------------------------


def test_every_version_that_is_left_is_what_it_was() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await collected(store)
        for lsn in range(10, len(snapshots) + 1):
            assert await reader_of(store).open(at_lsn=lsn) == snapshots[lsn - 1]
        assert await reader_of(store).open() == snapshots[-1]

    asyncio.run(run())


def test_an_earlier_version_costs_a_list_more_and_a_get_for_each_pack() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        snapshots = await collected(store.inner)  # type: ignore[arg-type]

        async def cost(lsn: int | None) -> tuple[int, int]:
            before = store.counts()
            found = await reader_of(store).open(at_lsn=lsn)
            assert found == snapshots[-1 if lsn is None else lsn - 1]
            spent = store.counts() - before
            assert spent.requests == spent.list + spent.get
            return spent.list, spent.get

        checkpoint = 2  # root and one part
        assert await cost(None) == (2, checkpoint + 7)
        assert await cost(10) == (3, checkpoint)
        assert await cost(19) == (3, checkpoint + 1)
        assert await cost(37) == (3, checkpoint + 2)
        await store.inner.delete(await root_at(store.inner, 20))  # type: ignore[arg-type]
        assert await cost(29) == (3, checkpoint + 2)

    asyncio.run(run())


async def root_at(store: MemoryStore, lsn: int) -> str:
    """Of the one checkpoint at that LSN."""
    entries = store.list(checkpoint_directory(lsn))
    (found,) = [entry.name async for entry in entries if entry.name.endswith("/root")]
    return found


def test_headers_come_from_packs_and_from_objects() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        await collected(store.inner)  # type: ignore[arg-type]
        before = store.counts()
        found = [header.lsn async for header in reader_of(store).headers(15, 42)]
        assert found == list(range(15, 43))
        spent = store.counts() - before
        assert (spent.list, spent.get, spent.get_range) == (1, 2, 12)
        with pytest.raises(ObjectMissing):
            [header async for header in reader_of(store).headers(9, 12)]

    asyncio.run(run())


def test_a_time_is_found_across_packs() -> None:
    """`history` commits LSN n + 2 at second n."""

    async def run() -> None:
        store = CountingStore(MemoryStore())
        snapshots = await collected(store.inner)  # type: ignore[arg-type]
        newest = _with_horizon(snapshots[-1], 12)
        reader = reader_of(store)
        for second in range(10, 41):
            for more_ms in (0, 999):
                assert await reader.lsn_at(second * 1_000 + more_ms, newest) == second + 2
        before = store.counts()
        await reader.lsn_at(25_000, newest)
        spent = store.counts() - before
        assert (spent.list, spent.requests - spent.get - spent.get_range) == (1, 1)
        assert spent.get <= 4
        with pytest.raises(InvalidRequest, match="the oldest is LSN 12"):
            await reader.lsn_at(9_999, newest)

    asyncio.run(run())


def _with_horizon(snapshot: Snapshot, lsn: int) -> Snapshot:
    return dataclasses.replace(snapshot, horizon=lsn)


def test_a_fence_that_came_late_is_ignored_where_a_pack_has_the_lsn() -> None:
    """An opener that slept between replay and fence creates a log object anew that was packed."""

    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 10, 20, 30, 35)
        late = {lsn: fence_at(await store.get(log_name(lsn)), lsn) for lsn in (11, 20, 25, 30)}
        await pack_log(store, 11, 30, 10)
        await delete_log(store, 1, 10)
        for lsn, fence in late.items():
            await store.create(log_name(lsn), fence)
            assert await reader_of(store).open(at_lsn=lsn) == snapshots[lsn - 1]
        for lsn in range(10, 43):
            assert await reader_of(store).open(at_lsn=lsn) == snapshots[lsn - 1]
        assert await reader_of(store).open() == snapshots[-1]
        headers = [header async for header in reader_of(store).headers(11, 42)]
        assert all(header.transactions for header in headers)

    asyncio.run(run())


def test_a_fence_that_came_late_far_below_is_no_part_of_the_log() -> None:
    """Nothing has what it took the place of: the version is gone."""

    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 10, 20, 30, 35)
        fence = fence_at(await store.get(log_name(5)), 5)
        await delete_log(store, 1, 10)
        await store.create(log_name(5), fence)
        for lsn in (4, 5, 6):
            with pytest.raises(CorruptData):
                await reader_of(store).open(at_lsn=lsn)
        assert await reader_of(store).open(at_lsn=12) == snapshots[11]

    asyncio.run(run())


def test_a_version_whose_object_is_gone_is_told_and_never_another() -> None:
    async def run() -> None:
        store = MemoryStore()
        await collected(store)
        await store.delete(log_name(38))
        with pytest.raises(ObjectMissing, match=log_name(38)):
            await reader_of(store).open(at_lsn=38)
        with pytest.raises(ObjectMissing, match=log_name(38)):
            await reader_of(store).open(at_lsn=39)
        for lsn in range(1, 10):
            with pytest.raises(CorruptData):
                await reader_of(store).open(at_lsn=lsn)
        await store.delete(pack_name(21, 30))
        with pytest.raises(ObjectMissing, match=log_name(25)):
            await reader_of(store).open(at_lsn=25)

    asyncio.run(run())


def test_a_damaged_pack_is_named() -> None:
    async def run() -> None:
        store = MemoryStore()
        await collected(store)
        await store.put(pack_name(11, 20), b"rubbish")
        with pytest.raises(CorruptData, match=pack_name(11, 20)):
            await reader_of(store).open(at_lsn=15)

    asyncio.run(run())


def test_the_newest_is_found_through_packs_where_newer_checkpoints_are_broken() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await collected(store)
        for lsn in (35, 30):
            await store.put(await root_at(store, lsn), b"rubbish")
        assert await reader_of(store).open() == snapshots[-1]

    asyncio.run(run())


def test_the_log_from_its_first_group_in_a_pack_stands_in_for_checkpoints() -> None:
    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, COMMITS)
        (info,) = await checkpointed(store, snapshots, 30)
        await pack_log(store, 1, 20)
        await store.put(info.name, b"rubbish")
        assert await reader_of(store).open() == snapshots[-1]
        await store.delete(pack_name(1, 20))
        with pytest.raises(CorruptData, match=re.escape(info.name)):
            await reader_of(store).open()

    asyncio.run(run())


def test_a_late_fence_right_behind_the_checkpoint_that_is_left() -> None:
    """Where the two newest are broken: the log goes on in a pack, whatever is listed beside it."""

    async def run() -> None:
        store = MemoryStore()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 20, 30, 35)
        fence = fence_at(await store.get(log_name(21)), 21)
        await pack_log(store, 12, 21)
        await store.create(log_name(21), fence)
        for lsn in (35, 30):
            await store.put(await root_at(store, lsn), b"rubbish")
        assert await reader_of(store).open() == snapshots[-1]

    asyncio.run(run())


def test_whether_a_snapshot_is_the_newest() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        snapshots = await history(store.inner, COMMITS)  # type: ignore[arg-type]
        reader = reader_of(store)
        before = store.counts()
        assert await reader.is_newest(snapshots[5])  # as far as checkpoints say
        assert (store.counts() - before).requests == 1
        await checkpointed(store.inner, snapshots, 20)  # type: ignore[arg-type]
        assert not await reader.is_newest(snapshots[18])
        assert await reader.is_newest(snapshots[19])
        assert await reader.is_newest(snapshots[20])

    asyncio.run(run())


# --- while it is collected ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "list"])
def test_a_checkpoint_that_goes_while_it_is_read(method: str) -> None:
    """Listed, and gone when its root, its part, or the log behind it is asked for."""

    async def run(place: str) -> None:
        store = Interrupted()
        snapshots = await history(store, COMMITS)
        (old,) = await checkpointed(store, snapshots, 20)

        async def collect() -> None:
            await checkpointed(store, snapshots, 30, 35)
            await gone(store, old)
            await delete_log(store, 1, 30)

        part = next(iter(old.parts.values()))[1].name
        store.hooks[method, {"root": old.name, "part": part, "log": "log/"}[place]] = collect
        assert await reader_of(store).open() == snapshots[-1]
        assert not store.hooks

    for place in ("root", "part") if method == "get" else ("log",):
        asyncio.run(run(place))


@pytest.mark.parametrize("lsn", [21, 27, 42])
def test_a_log_object_that_goes_while_it_is_read(lsn: int) -> None:
    async def run() -> None:
        store = Interrupted()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 20)

        async def collect() -> None:
            await checkpointed(store, snapshots, 41, 42)
            await delete_log(store, 1, 41)

        store.hooks["get", log_name(lsn)] = collect
        assert await reader_of(store).open() == snapshots[-1]

    asyncio.run(run())


@pytest.mark.parametrize("lsn", [21, 27, 30])
def test_a_log_object_that_is_packed_while_an_earlier_version_is_read(lsn: int) -> None:
    async def run() -> None:
        store = Interrupted()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 20, 35, 36)
        store.hooks["get", log_name(lsn)] = lambda: pack_log(store, 1, 35, 10)
        assert await reader_of(store).open(at_lsn=30) == snapshots[29]
        assert not store.hooks

    asyncio.run(run())


def test_packed_between_the_list_of_the_log_and_that_of_packs() -> None:
    async def run() -> None:
        store = Interrupted()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 20, 35, 36)
        store.hooks["list", "log/"] = lambda: pack_log(store, 1, 25)
        assert await reader_of(store).open(at_lsn=30) == snapshots[29]
        assert not store.hooks
        store.hooks["list", "logpack/"] = lambda: pack_log(store, 26, 34)
        assert await reader_of(store).open(at_lsn=30) == snapshots[29]
        assert not store.hooks

    asyncio.run(run())


@pytest.mark.parametrize("lsn", [10, 21, 25, 35])
def test_a_header_that_is_packed_while_headers_are_read(lsn: int) -> None:
    async def run() -> None:
        store = Interrupted()
        snapshots = await history(store, COMMITS)  # LSN n + 2 at second n
        await checkpointed(store, snapshots, 20, 36, 37)
        store.hooks["range", log_name(lsn)] = lambda: pack_log(store, 1, 35, 10)
        found = [header.lsn async for header in reader_of(store).headers(5, 42)]
        assert found == list(range(5, 43))
        assert not store.hooks

    asyncio.run(run())


def test_a_header_that_is_packed_while_a_time_is_looked_for() -> None:
    async def run() -> None:
        store = Interrupted()
        snapshots = await history(store, COMMITS)
        await checkpointed(store, snapshots, 20, 36, 37)
        newest = _with_horizon(snapshots[-1], 2)
        middle = (2 + newest.lsn - 1 + 1) // 2
        store.hooks["range", log_name(middle)] = lambda: pack_log(store, 1, 35, 10)
        assert await reader_of(store).lsn_at(11_000, newest) == 13
        assert not store.hooks
        await store.delete(log_name(39))
        with pytest.raises(ObjectMissing, match=log_name(39)):
            [header async for header in reader_of(store).headers(36, 42)]

    asyncio.run(run())


def test_a_pack_that_goes_while_it_is_read_is_told() -> None:
    """The version is below the horizon by then, or its pack was lost: no other is given."""

    async def run() -> None:
        store = Interrupted()
        await collected(store)
        store.hooks["get", pack_name(21, 30)] = lambda: store.delete(pack_name(21, 30))
        with pytest.raises(ObjectMissing, match=log_name(25)):
            await reader_of(store).open(at_lsn=25)

    asyncio.run(run())


def test_a_gap_that_nobody_explains_is_told_after_one_more_look() -> None:
    async def run() -> None:
        store = CountingStore(MemoryStore())
        snapshots = await history(store.inner, COMMITS)  # type: ignore[arg-type]
        await checkpointed(store.inner, snapshots, 20)  # type: ignore[arg-type]
        await store.inner.delete(log_name(30))
        with pytest.raises(ObjectMissing, match=log_name(30)):
            await reader_of(store).open()
        assert store.counts().list == 9

    asyncio.run(run())

"""The checkpoints that there are: read once, remembered while they are there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from storage.collection.roots import Roots
from storage.names import checkpoint_directory
from storage.objects import CountingStore, MemoryStore
from storage.snapshot.apply import tso_ms
from storage.snapshot.checkpoint import CheckpointInfo, write_checkpoint
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds
from tests.unit.storage.log.test_log_reader import history


def rooted(
    test: Callable[
        [CountingStore, list[Snapshot], list[CheckpointInfo]], Coroutine[Any, Any, None]
    ],
) -> None:
    """Run a test with checkpoints at LSN 5, 8 and 12, all with parts of their own."""

    async def run() -> None:
        store = CountingStore(MemoryStore(), record=True)
        snapshots = await history(store.inner, 12)  # type: ignore[arg-type]
        made = [
            await write_checkpoint(store.inner, snapshots[lsn - 1], CountedIds(f"{lsn}"))
            for lsn in (12, 5, 8)
        ]
        await test(store, snapshots, sorted(made, key=lambda info: info.lsn))

    asyncio.run(run())


def parts(info: CheckpointInfo) -> set[str]:
    return {part.name for _, part in info.parts.values()}


def test_they_are_listed_by_age_with_time_and_parts() -> None:
    async def test(
        store: CountingStore, snapshots: list[Snapshot], made: list[CheckpointInfo]
    ) -> None:
        found = await Roots(store).listed()
        assert [root.name for root in found.roots] == [info.name for info in made]
        for root, info in zip(found.roots, made, strict=True):
            assert root.lsn == info.lsn
            assert root.parts == parts(info)
            assert root.written_ms == tso_ms(snapshots[info.lsn - 1].tso)
        assert found.bad == frozenset()
        names = {info.name for info in made}.union(*(parts(info) for info in made))
        assert set(found.objects) == names

    rooted(test)


def test_each_root_is_read_once() -> None:
    async def test(
        store: CountingStore, snapshots: list[Snapshot], made: list[CheckpointInfo]
    ) -> None:
        roots = Roots(store)
        store.requests.clear()
        await roots.listed()
        assert [method for method, _ in store.requests] == ["list", "get", "get", "get"]
        store.requests.clear()
        first = await roots.listed()
        assert [method for method, _ in store.requests] == ["list"]
        new = await write_checkpoint(store.inner, snapshots[9], CountedIds("10"))
        await store.inner.delete(made[0].name)
        store.requests.clear()
        found = await roots.listed()
        assert store.requests == [("list", "checkpoint/"), ("get", new.name)]
        assert [root.lsn for root in found.roots] == [8, 10, 12]
        assert [root.lsn for root in first.roots] == [5, 8, 12]
        assert parts(made[0]) <= set(found.objects)  # which no root names any more

    rooted(test)


def test_those_that_do_not_decode_are_told_apart_and_tried_again() -> None:
    async def test(
        store: CountingStore, snapshots: list[Snapshot], made: list[CheckpointInfo]
    ) -> None:
        good = await store.inner.get(made[1].name)
        moved = f"{checkpoint_directory(9, 'e' * 32)}/root"
        await store.inner.put(made[1].name, b"rubbish")
        await store.inner.put(moved, good)  # says LSN 8
        roots = Roots(store)
        found = await roots.listed()
        assert [root.lsn for root in found.roots] == [5, 12]
        assert found.bad == {made[1].name, moved}
        await store.inner.put(made[1].name, good)
        found = await roots.listed()
        assert [root.lsn for root in found.roots] == [5, 8, 12]
        assert found.bad == {moved}

    rooted(test)


def test_whether_one_is_whole() -> None:
    async def test(
        store: CountingStore, snapshots: list[Snapshot], made: list[CheckpointInfo]
    ) -> None:
        roots = Roots(store)
        (first, second, third) = (await roots.listed()).roots
        store.requests.clear()
        assert await roots.is_whole(first)
        assert [method for method, _ in store.requests] == ["get", "get"]  # root and one part
        (damaged,), (missing,) = parts(made[0]), parts(made[1])
        await store.inner.put(damaged, b"rubbish")
        await store.inner.delete(missing)
        await store.inner.delete(made[2].name)
        assert not await roots.is_whole(first)
        assert not await roots.is_whole(second)
        assert not await roots.is_whole(third)

    rooted(test)


def test_names_of_somebody_else_are_none() -> None:
    async def test(
        store: CountingStore, snapshots: list[Snapshot], made: list[CheckpointInfo]
    ) -> None:
        for name in ("checkpoint/README", "checkpoint/x/root", "checkpoint/1-x/root"):
            await store.inner.put(name, b"x")
        found = await Roots(store).listed()
        assert len(found.roots) == 3
        assert (found.bad, len(found.objects)) == (frozenset(), 6)

    rooted(test)

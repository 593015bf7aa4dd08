"""The cache of whole files: fetched once, verified, bounded, never pulled from under a reader."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import xxhash

from storage.cache import FileCache, Lease, own_directory, remove_stale
from storage.errors import CorruptData, ObjectMissing, Unavailable
from storage.objects import CountingStore, Fault, FaultyStore, MemoryStore, scripted

SIZE_BYTES = 100


def content(name: str) -> bytes:
    return (name * SIZE_BYTES).encode()[:SIZE_BYTES]


def checksum(data: bytes) -> str:
    return xxhash.xxh3_128(data).hexdigest()


class Bench:
    """A cache for three files over a counted store."""

    def __init__(self, directory: Path, budget_bytes: int = 3 * SIZE_BYTES) -> None:
        self.inner = MemoryStore()
        self.store = CountingStore(self.inner, record=True)
        self.directory = directory / "cache"
        self.cache = FileCache(self.directory, budget_bytes, self.store)

    async def open(self, name: str) -> Lease:
        await self.inner.put(name, content(name))
        return await self.cache.open(name, checksum(content(name)), SIZE_BYTES)

    async def read(self, name: str) -> bool:
        with await self.open(name) as lease:
            assert lease.path.read_bytes() == content(name)
            return lease.hit

    def files(self) -> int:
        return len(list(self.directory.iterdir()))


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], None]:
    def start(body: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
        asyncio.run(body(Bench(tmp_path)))

    return start


Run = Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], None]


def test_a_file_is_fetched_once(run: Run) -> None:
    async def body(bench: Bench) -> None:
        assert await bench.read("a") is False
        assert await bench.read("a") is True
        assert bench.store.requests == [("fetch", "a")]
        assert bench.cache.used_bytes == SIZE_BYTES

    run(body)


def test_concurrent_readers_share_one_fetch(run: Run) -> None:
    async def body(bench: Bench) -> None:
        leases = await asyncio.gather(*(bench.open("a") for _ in range(20)))
        assert bench.store.requests == [("fetch", "a")]
        assert [lease.hit for lease in leases].count(False) == 1
        assert len({lease.path for lease in leases}) == 1
        for lease in leases:
            lease.release()
        assert bench.cache.used_bytes == SIZE_BYTES

    run(body)


def test_the_least_recently_opened_file_goes_first(run: Run) -> None:
    async def body(bench: Bench) -> None:
        for name in ("a", "b", "c", "a", "d"):
            await bench.read(name)
        assert bench.cache.used_bytes == 3 * SIZE_BYTES
        assert bench.files() == 3
        assert [await bench.read(name) for name in ("a", "c", "d")] == [True] * 3
        assert await bench.read("b") is False

    run(body)


def test_leased_files_stay_and_the_budget_holds_again_afterwards(run: Run) -> None:
    async def body(bench: Bench) -> None:
        leases = [await bench.open(name) for name in "abcde"]
        assert bench.cache.used_bytes == 5 * SIZE_BYTES
        for lease, name in zip(leases, "abcde", strict=True):
            assert lease.path.read_bytes() == content(name)
        leases[1].release()
        assert bench.cache.used_bytes == 4 * SIZE_BYTES
        assert not leases[1].path.exists()
        for lease in leases:
            lease.release()
            lease.release()
        assert bench.cache.used_bytes == 3 * SIZE_BYTES
        assert bench.files() == 3
        assert [await bench.read(name) for name in "cde"] == [True] * 3

    run(body)


def test_a_file_with_two_leases_stays_until_both_end(run: Run) -> None:
    async def body(bench: Bench) -> None:
        first, second = await bench.open("a"), await bench.open("a")
        first.release()
        for name in "bcde":
            await bench.read(name)
        assert second.path.read_bytes() == content("a")
        second.release()
        await bench.read("f")
        await bench.read("g")
        await bench.read("h")
        assert not second.path.exists()

    run(body)


def test_a_file_larger_than_the_budget_is_served_and_goes(tmp_path: Path) -> None:
    async def main() -> None:
        bench = Bench(tmp_path, budget_bytes=SIZE_BYTES - 1)
        lease = await bench.open("a")
        assert lease.path.read_bytes() == content("a")
        lease.release()
        assert bench.cache.used_bytes == 0
        assert bench.files() == 0

    asyncio.run(main())


def test_wrong_bytes_are_refused_and_not_kept(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.inner.put("a", b"x" * SIZE_BYTES)
        for size_bytes, told in ((SIZE_BYTES, "checksum"), (SIZE_BYTES + 1, "bytes")):
            with pytest.raises(CorruptData, match=f"'a'.*{told}"):
                await bench.cache.open("a", checksum(content("a")), size_bytes)
            assert bench.cache.used_bytes == 0
            assert bench.files() == 0
        assert await bench.read("a") is False

    run(body)


def test_every_waiter_learns_that_the_fetch_failed(run: Run) -> None:
    async def body(bench: Bench) -> None:
        outcomes = await asyncio.gather(
            *(bench.cache.open("absent", "0" * 32, 1) for _ in range(3)), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [ObjectMissing] * 3
        assert bench.store.counts().fetch == 1
        assert bench.cache.used_bytes == 0

    run(body)


def test_a_failed_fetch_is_asked_again_by_the_next_reader(tmp_path: Path) -> None:
    async def main() -> None:
        bench = Bench(tmp_path)
        faulty = FaultyStore(bench.inner, scripted({"fetch": [Fault.BEFORE, Fault.REPLY_LOST]}))
        bench.cache = FileCache(bench.directory, 3 * SIZE_BYTES, faulty)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await bench.open("a")
        assert await bench.read("a") is False
        assert bench.cache.used_bytes == SIZE_BYTES

    asyncio.run(main())


def gated(bench: Bench) -> tuple[asyncio.Event, asyncio.Event]:
    """Let fetches wait: (one has begun, let them go on)."""
    begun, go = asyncio.Event(), asyncio.Event()

    async def delay(_method: str, _name: str) -> None:
        begun.set()
        await go.wait()

    store = FaultyStore(bench.inner, scripted({}), delay=delay)
    bench.cache = FileCache(bench.directory, 3 * SIZE_BYTES, store)
    return begun, go


def test_a_cancelled_waiter_does_not_end_the_fetch_of_the_others(run: Run) -> None:
    async def body(bench: Bench) -> None:
        begun, go = gated(bench)
        first, second = (asyncio.create_task(bench.open("a")) for _ in range(2))
        await begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go.set()
        lease = await second
        assert lease.path.read_bytes() == content("a")
        lease.release()
        for name in "bcd":
            await bench.read(name)
        assert not lease.path.exists()

    run(body)


def test_close_ends_fetches_and_removes_files(run: Run) -> None:
    async def body(bench: Bench) -> None:
        begun, go = gated(bench)
        waiter = asyncio.create_task(bench.open("a"))
        await begun.wait()
        await bench.cache.close()
        with pytest.raises(Unavailable, match="closed"):
            await waiter
        go.set()
        await bench.read("b")
        await bench.cache.close()
        assert bench.cache.used_bytes == 0
        assert bench.files() == 0

    run(body)


def test_one_name_with_two_checksums_is_corrupt(run: Run) -> None:
    async def body(bench: Bench) -> None:
        await bench.read("a")
        with pytest.raises(CorruptData, match="never reused"):
            await bench.cache.open("a", "0" * 32, SIZE_BYTES)
        assert await bench.read("a") is True

    run(body)


def test_leftovers_of_an_earlier_process_are_removed_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    directory.mkdir()
    (directory / "000000000001.cached").write_bytes(b"half")
    (directory / "notes.txt").write_bytes(b"mine")
    cache = FileCache(directory, 100, MemoryStore())
    assert cache.used_bytes == 0
    assert [path.name for path in directory.iterdir()] == ["notes.txt"]


def test_caches_of_dead_processes_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    own = own_directory(tmp_path)
    assert own == tmp_path / f"cache-{os.getpid()}"
    gone = [tmp_path / f"cache-{process.pid}", tmp_path / f"cache-{process.pid}-columns"]
    kept = [own, tmp_path / f"cache-{os.getppid()}-columns", tmp_path / "cache-x", tmp_path / "b"]
    for directory in gone + kept:
        directory.mkdir()
        (directory / "file").write_bytes(b"1")
    assert remove_stale(tmp_path) == 2
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert remove_stale(tmp_path / "absent") == 0


def test_another_budget_holds_from_now_on(
    run: Callable[[Callable[[Bench], Coroutine[Any, Any, None]]], None],
) -> None:
    async def test(bench: Bench) -> None:
        for name in ("a", "b", "c"):
            await bench.read(name)
        with await bench.open("b") as lease:
            bench.cache.resize(SIZE_BYTES)
            assert bench.files() == 1
            assert lease.path.read_bytes() == content("b")
            bench.cache.resize(0)
            assert bench.cache.used_bytes == SIZE_BYTES  # it is being read
        assert bench.files() == 0
        bench.cache.resize(2 * SIZE_BYTES)
        assert bench.cache.budget_bytes == 2 * SIZE_BYTES
        for name in ("a", "b", "c"):
            await bench.read(name)
        assert bench.files() == 2

    run(test)

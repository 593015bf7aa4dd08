"""A worker: busy while anything of a fragment goes on, warmed ahead, its cache resized."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import xxhash

from actors.compute.worker import Worker
from actors.fragments import FileInput, Fragment, HotFile, QueryStats, ScanInput, Warmed
from actors.local_fleet import LocalWorker
from storage.errors import ObjectMissing
from storage.objects import CountingStore, MemoryStore
from storage.schema import Column, Kind, ScalarType
from tests.fakes import FakeClock

NUMBER = Column(id=1, name="n", type=ScalarType(kind=Kind.BIGINT))


class Program:
    """Gives three rows, once it may go on."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.done = threading.Event()

    def build(self, inputs: Any, space: Any) -> pl.LazyFrame:
        self.begun.set()
        self.go_on.wait(10)
        self.done.set()
        return pl.LazyFrame({"n": [1, 2, 3]})

    def arrow(self, frame: pl.DataFrame) -> pa.Table:
        return frame.to_arrow()

    def translated(self, error: Exception) -> Exception:
        return error


class Stage:
    def __init__(self, directory: Path) -> None:
        self.store = MemoryStore()
        self.counting = CountingStore(self.store)
        self.worker = Worker(
            self.counting, FakeClock(), cache_directory=directory / "cache", cache_bytes=1000
        )
        self.program = Program()
        self.directory = directory / "cache"

    def fragment(self, *files: HotFile) -> Fragment:
        inputs = tuple(
            FileInput(
                file_id=1,
                name=file.name,
                checksum=file.checksum,
                size_bytes=file.size_bytes,
                row_count=10,
                stripe_count=2,
                schema_version=1,
            )
            for file in files
        )
        scan = ScanInput(alias="t", columns=(NUMBER,), schemas={1: (NUMBER,)}, files=inputs)
        return Fragment(
            query_id="q", attempt=1, program=self.program, inputs=(scan,) if files else ()
        )

    async def file(self, name: str, size_bytes: int = 100) -> HotFile:
        data = name.encode() * size_bytes
        await self.store.put(name, data[:size_bytes])
        checksum = xxhash.xxh3_128(data[:size_bytes]).hexdigest()
        return HotFile(name=name, checksum=checksum, size_bytes=size_bytes)

    def cached(self) -> int:
        return len(list(self.directory.iterdir()))


Run = Callable[[Callable[[Stage], Awaitable[None]]], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def start(test: Callable[[Stage], Awaitable[None]]) -> None:
        async def bounded() -> None:
            stage = Stage(tmp_path)
            async with asyncio.timeout(20):
                await test(stage)
                await stage.worker.close()

        asyncio.run(bounded())

    return start


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.to_thread(lambda: None)


def test_it_is_busy_with_a_fragment(run: Run) -> None:
    async def test(stage: Stage) -> None:
        assert not stage.worker.busy
        running = asyncio.ensure_future(stage.worker.execute(stage.fragment()))
        await asyncio.to_thread(stage.program.begun.wait, 10)
        assert await LocalWorker(stage.worker).busy()
        stage.program.go_on.set()
        assert (await running).rows.num_rows == 3
        assert not await LocalWorker(stage.worker).busy()

    run(test)


def test_it_is_busy_as_long_as_a_thread_works_for_who_has_given_up(run: Run) -> None:
    async def test(stage: Stage) -> None:
        running = asyncio.ensure_future(stage.worker.execute(stage.fragment()))
        await asyncio.to_thread(stage.program.begun.wait, 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert stage.worker.busy
        stage.program.go_on.set()
        await until(lambda: not stage.worker.busy)
        assert stage.program.done.is_set()

    run(test)


def test_it_is_busy_with_a_stream_until_that_is_closed(run: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.program.go_on.set()
        rows = stage.worker.stream(stage.fragment())
        assert not stage.worker.busy
        await anext(rows)
        assert await LocalWorker(stage.worker).busy()
        await rows.aclose()
        assert not await LocalWorker(stage.worker).busy()

    run(test)


def test_it_is_busy_with_a_step_of_a_stream_that_was_given_up(run: Run) -> None:
    async def test(stage: Stage) -> None:
        rows = stage.worker.stream(stage.fragment())
        step = asyncio.ensure_future(anext(rows))
        await asyncio.to_thread(stage.program.begun.wait, 10)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert stage.worker.busy
        stage.program.go_on.set()
        await until(lambda: not stage.worker.busy)

    run(test)


def test_a_stream_tells_at_its_end_what_it_has_cost(run: Run) -> None:
    async def test(stage: Stage) -> None:
        stage.program.go_on.set()
        files = [await stage.file("a"), await stage.file("b")]
        await stage.worker.warm(files[:1])
        found = [item async for item in LocalWorker(stage.worker).stream(stage.fragment(*files))]
        *batches, stats = found
        assert sum(batch.num_rows for batch in batches) == 3
        assert isinstance(stats, QueryStats)
        assert (stats.files_scanned, stats.cache_hits, stats.stripes_scanned) == (2, 1, 4)
        assert (stats.bytes_fetched, stats.requests, stats.rows_scanned) == (100, 1, 20)

    run(test)


def test_files_are_fetched_ahead_and_what_cannot_be_is_left(run: Run) -> None:
    async def test(stage: Stage) -> None:
        files = [await stage.file("a"), await stage.file("b", 50)]
        gone = HotFile(name="gone", checksum="0" * 32, size_bytes=1)
        found = await stage.worker.warm([*files, gone])
        assert (found.files, found.read_bytes) == (2, 150)
        assert stage.cached() == 2
        again = await stage.worker.warm(files)
        assert again == Warmed(files=2, requests=0, read_bytes=0)

    run(test)


def test_a_smaller_cache_drops_files_at_once(run: Run) -> None:
    async def test(stage: Stage) -> None:
        await stage.worker.warm([await stage.file(name, 400) for name in ("a", "b")])
        stage.worker.resize_cache(500)
        assert stage.cached() == 1
        stage.worker.resize_cache(2000)
        await stage.worker.warm([await stage.file(name, 400) for name in ("a", "b", "c")])
        assert stage.cached() == 3

    run(test)


def test_a_file_that_is_missing_keeps_no_other_in_the_cache(run: Run) -> None:
    async def test(stage: Stage) -> None:
        there = await stage.file("a", 400)
        gone = HotFile(name="gone", checksum="0" * 32, size_bytes=1)
        with pytest.raises(ObjectMissing):
            await stage.worker.execute(stage.fragment(gone, there))
        stage.worker.resize_cache(0)
        assert stage.cached() == 0
        assert not stage.worker.busy

    run(test)

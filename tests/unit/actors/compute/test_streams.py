"""Streams: their ends, their timeouts, lost workers, and clients that went away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

import pyarrow as pa
import pytest

from actors.compute.morsels import MORSEL_ROWS, small_morsels
from actors.compute.pool import WorkerPool
from actors.compute.streams import BatchStream, OpenStreams, listed, stepwise
from actors.compute.workers import WorkerLost
from actors.fragments import Fragment, FragmentResult
from storage.errors import Cancelled, InvalidRequest, Unavailable
from tests.fakes import CountedIds, FakeClock
from tests.unit.actors.compute.test_worker_pool import FRAGMENT

SCHEMA = pa.schema([("n", pa.int64())])


def batch(number: int) -> pa.RecordBatch:
    return pa.record_batch([pa.array([number])], schema=SCHEMA)


def numbers(found: list[pa.RecordBatch]) -> list[int]:
    return [b["n"][0].as_py() for b in found]


class Source:
    """Gives batches 0, 1, …; knows how many were asked for and whether it was closed."""

    def __init__(self, fails_at: int = 3, error: Exception | None = None) -> None:
        self.made = 0
        self.closed = False
        self.fails_at = fails_at
        self.error = error

    async def batches(self) -> AsyncGenerator[pa.RecordBatch, None]:
        try:
            while self.made < self.fails_at:
                self.made += 1
                yield batch(self.made - 1)
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def rest(stream: BatchStream) -> list[pa.RecordBatch]:
    found = []
    while (one := await stream.next()) is not None:
        found.append(one)
    return found


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await test()

    asyncio.run(bounded())


def test_nothing_is_made_before_it_is_asked_for() -> None:
    async def test() -> None:
        source = Source()
        stream = BatchStream(SCHEMA, source.batches(), 1000)
        assert source.made == 0
        await stream.next()
        assert source.made == 1
        assert numbers(await rest(stream)) == [1, 2]
        assert source.closed
        assert await stream.next() is None

    run(test)


def test_closing_ends_the_source() -> None:
    async def test() -> None:
        source = Source()
        stream = BatchStream(SCHEMA, source.batches(), 1000)
        await stream.next()
        await stream.close()
        await stream.close()
        assert source.closed
        assert await stream.next() is None

    run(test)


def test_closing_ends_a_step_that_is_under_way() -> None:
    async def test() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def stuck() -> AsyncGenerator[pa.RecordBatch, None]:
            begun.set()
            try:
                await asyncio.Event().wait()
                yield batch(0)
            finally:
                ended.set()

        stream = BatchStream(SCHEMA, stuck(), 60_000)
        waiting = asyncio.ensure_future(stream.next())
        await begun.wait()
        await stream.close()
        assert await waiting is None
        assert ended.is_set()

    run(test)


def test_a_timeout_ends_the_stream() -> None:
    async def test() -> None:
        async def stuck() -> AsyncGenerator[pa.RecordBatch, None]:
            await asyncio.Event().wait()
            yield batch(0)

        stream = BatchStream(SCHEMA, stuck(), 1)
        with pytest.raises(Cancelled, match="more than 1 ms"):
            await stream.next()
        assert await stream.next() is None

    run(test)


def test_steps_run_in_a_thread_and_one_at_a_time() -> None:
    threads: list[int] = []

    def steps() -> Generator[int, None, None]:
        for number in range(3):
            threads.append(threading.get_ident())
            yield number

    async def test() -> None:
        made = stepwise(steps())
        assert await anext(made) == 0
        assert len(threads) == 1
        assert [number async for number in made] == [1, 2]
        assert threading.get_ident() not in threads

    run(test)


def test_steps_are_closed_also_while_one_is_under_way() -> None:
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def steps() -> Generator[int, None, None]:
        try:
            begun.set()
            go_on.wait(10)
            yield 0
        finally:
            closed.set()

    async def test() -> None:
        made = stepwise(steps())
        waiting = asyncio.ensure_future(anext(made))
        await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert not closed.is_set()
        go_on.set()
        assert await asyncio.to_thread(closed.wait, 10)

    run(test)


def test_an_error_in_a_step_is_raised() -> None:
    def steps() -> Generator[int, None, None]:
        yield 1
        raise InvalidRequest("bad")

    async def test() -> None:
        made = stepwise(steps())
        await anext(made)
        with pytest.raises(InvalidRequest, match="bad"):
            await anext(made)

    run(test)


# --- a pool ---------------------------------------------------------------------------------------


class Pool:
    """The n-th worker that starts streams from the n-th source; the last one from all others."""

    def __init__(self, size: int, *sources: Source) -> None:
        self.sources = list(sources)
        self.attempts: list[int] = []
        self.pool = WorkerPool(size, self.start, FakeClock())

    async def start(self) -> StreamingWorker:
        source = self.sources.pop(0) if len(self.sources) > 1 else self.sources[0]
        return StreamingWorker(self, source)


class StreamingWorker:
    pid = 1

    def __init__(self, pool: Pool, source: Source) -> None:
        self.pool = pool
        self.source = source

    def stream(self, fragment: Fragment) -> AsyncGenerator[pa.RecordBatch, None]:
        self.pool.attempts.append(fragment.attempt)
        self.source.made = 0
        return self.source.batches()

    async def execute(self, fragment: Fragment) -> FragmentResult:
        raise NotImplementedError

    def forget(self) -> None:
        """Nothing is held."""

    def kill(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def streamed(pool: WorkerPool) -> list[int]:
    return numbers([b async for b in pool.stream(FRAGMENT)])


def test_a_worker_that_is_lost_before_the_first_batch_is_replaced() -> None:
    async def test() -> None:
        pool = Pool(1, Source(fails_at=0, error=WorkerLost()), Source())
        assert await streamed(pool.pool) == [0, 1, 2]
        assert pool.attempts == [1, 2]
        await pool.pool.close()

    run(test)


def test_a_worker_that_is_lost_in_the_middle_is_an_error() -> None:
    async def test() -> None:
        pool = Pool(1, Source(fails_at=2, error=WorkerLost()), Source())
        with pytest.raises(Unavailable, match="in the middle of the rows; run it again"):
            await streamed(pool.pool)
        assert await streamed(pool.pool) == [0, 1, 2]
        assert pool.attempts == [1, 1]
        await pool.pool.close()

    run(test)


def test_workers_that_die_again_and_again_are_given_up() -> None:
    async def test() -> None:
        pool = Pool(1, Source(fails_at=0, error=WorkerLost()))
        with pytest.raises(Unavailable, match="died again and again"):
            await streamed(pool.pool)
        assert len(pool.attempts) == 7
        await pool.pool.close()

    run(test)


def test_the_worker_is_free_after_an_error_and_after_an_early_end() -> None:
    async def test() -> None:
        source = Source(error=InvalidRequest("bad"))
        pool = Pool(1, source)
        with pytest.raises(InvalidRequest, match="bad"):
            await streamed(pool.pool)
        stream = pool.pool.stream(FRAGMENT)
        await anext(stream)
        await stream.aclose()
        assert source.closed
        source.error = None
        assert await streamed(pool.pool) == [0, 1, 2]
        await pool.pool.close()

    run(test)


# --- clients in other processes -------------------------------------------------------------------


class Sleeps(FakeClock):
    """Sleeps end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = asyncio.Semaphore(0)
        self.slept = asyncio.Event()

    async def sleep_ms(self, duration_ms: float) -> None:
        self.slept.set()
        await self.turn.acquire()

    async def pass_ms(self, duration_ms: float) -> None:
        """Move on, and let who sleeps look once."""
        await self.slept.wait()
        self.slept.clear()
        self.moved_ms += duration_ms
        self.turn.release()
        for _ in range(10):
            await asyncio.sleep(0)


def test_a_stream_is_read_by_its_id_and_forgotten_at_its_end() -> None:
    async def test() -> None:
        streams = OpenStreams(Sleeps(), CountedIds())
        key = streams.add(BatchStream(SCHEMA, listed([batch(0), batch(1)]), 1000))
        assert numbers([await streams.next(key), await streams.next(key)]) == [0, 1]
        assert await streams.next(key) is None
        assert len(streams) == 0
        with pytest.raises(Cancelled, match="was closed"):
            await streams.next(key)
        await streams.close_all()

    run(test)


def test_a_stream_that_fails_is_forgotten() -> None:
    async def test() -> None:
        streams = OpenStreams(Sleeps(), CountedIds())
        source = Source(fails_at=0, error=InvalidRequest("bad"))
        key = streams.add(BatchStream(SCHEMA, source.batches(), 1000))
        with pytest.raises(InvalidRequest, match="bad"):
            await streams.next(key)
        assert len(streams) == 0
        await streams.close_all()

    run(test)


def test_a_stream_whose_client_is_gone_is_closed_and_a_kept_one_is_not() -> None:
    async def test() -> None:
        clock = Sleeps()
        streams = OpenStreams(clock, CountedIds())
        source = Source()
        key = streams.add(BatchStream(SCHEMA, source.batches(), 1000))
        await streams.next(key)
        for _ in range(4):
            await clock.pass_ms(30_000)
            streams.keep(key)
        assert not source.closed
        await clock.pass_ms(60_000)
        assert source.closed
        assert len(streams) == 0

    run(test)


def test_closing_all_ends_them() -> None:
    async def test() -> None:
        source = Source()
        streams = OpenStreams(Sleeps(), CountedIds())
        key = streams.add(BatchStream(SCHEMA, source.batches(), 1000))
        await streams.next(key)
        await streams.close_all()
        assert source.closed

    run(test)


def test_morsels_are_small_until_the_last_stream_ends() -> None:
    name = "POLARS_IDEAL_MORSEL_SIZE"
    with small_morsels():
        with small_morsels():
            pass
        assert os.environ[name] == str(MORSEL_ROWS)
    assert name not in os.environ

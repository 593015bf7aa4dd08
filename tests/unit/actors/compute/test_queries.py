"""The log of queries: a record of every one in every state, and a way to end it in each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pyarrow as pa
import pytest

from actors.compute.queries import QueryLog
from actors.compute.streams import BatchStream
from actors.fragments import Fragment, QueryStats
from actors.messages import Lookup, QueryReply, Session, Statement
from actors.observed import QueryRecord
from storage.errors import Cancelled, InvalidRequest, Unavailable
from tests.fakes import CountedIds, FakeClock
from tests.unit.warehouse.observed_records import query_record, warehouse_record

SCHEMA = pa.schema([("n", pa.int64())])
ROWS = pa.table({"n": [1, 2, 3]})


class Worker:
    def __init__(self, pid: int) -> None:
        self.pid = pid


class Stage:
    """A log, and queries that move when the test says so."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ended: list[QueryRecord] = []
        self.log = QueryLog("bi", self.clock, CountedIds(), self.ended.append)
        self.first: Any = Worker(11)
        self.second: Any = Worker(22)

    def fragment(self, query_id: str = "q") -> Fragment:
        return Fragment(query_id=query_id, attempt=1, program=None, inputs=())

    def ask(
        self, answer: Callable[[Statement], Awaitable[QueryReply]], query_id: str = "q"
    ) -> asyncio.Task[QueryReply]:
        asked = Statement(sql="SELECT 1", query_id=query_id, session=Session(id="s", user="ann"))
        return asyncio.ensure_future(self.log.answered(asked, answer))

    async def open(self, source: Source, query_id: str = "q", timeout_ms: int = 60_000) -> Any:
        asked = Statement(
            sql="SELECT 1", query_id=query_id, session=Session(id="s"), timeout_ms=timeout_ms
        )

        async def opened(statement: Statement) -> BatchStream:
            return BatchStream(SCHEMA, source.batches(), statement.timeout_ms)

        return await self.log.streamed(asked, opened)

    @property
    def record(self) -> QueryRecord:
        return self.log.records()[0]


class Source:
    """Rows of a stream; `stuck_at`: the batch that never comes."""

    def __init__(self, count: int = 2, stuck_at: int | None = None, fails: bool = False) -> None:
        self.count = count
        self.stuck_at = stuck_at
        self.fails = fails
        self.closed = False

    async def batches(self) -> AsyncGenerator[pa.RecordBatch, None]:
        try:
            for number in range(self.count):
                if number == self.stuck_at:
                    await asyncio.Event().wait()
                yield pa.record_batch([pa.array([number])], schema=SCHEMA)
            if self.fails:
                raise InvalidRequest("bad")
        finally:
            self.closed = True


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def playing(test: Callable[[Stage], Awaitable[None]]) -> None:
    async def run() -> None:
        stage = Stage()
        async with asyncio.timeout(10):
            await test(stage)
        await settle()
        assert len(stage.log) == 0
        records = stage.log.records()
        assert stage.log.total == len(records) == len(stage.ended)

    asyncio.run(run())


# --- records --------------------------------------------------------------------------------------


def test_a_query_is_seen_in_each_of_its_states() -> None:
    async def test(stage: Stage) -> None:
        turns = asyncio.Semaphore(0)
        log, fragment = stage.log, stage.fragment()

        async def answer(statement: Statement) -> QueryReply:
            await turns.acquire()
            log.planned("q", 41)
            log.waits(fragment)
            await turns.acquire()
            log.runs(fragment, stage.first, 7)
            await turns.acquire()
            log.left(fragment, stage.first)
            return QueryReply(
                rows=ROWS,
                stats=QueryStats(
                    requests=5,
                    bytes_fetched=60,
                    cache_hits=2,
                    files_scanned=3,
                    rows_scanned=9,
                    peak_memory_bytes=100,
                    spilled_bytes=10,
                    execute_ms=25.0,
                ),
            )

        asked = stage.ask(answer)
        await settle()
        stage.clock.moved_ms += 10
        record = stage.record
        assert (record.state, record.elapsed_ms, record.ended_at) == ("planning", 10.0, None)
        assert (record.query_id, record.warehouse, record.user_name) == ("q", "bi", "ann")
        assert (record.sql, record.worker_pid, record.attempts) == ("SELECT 1", None, 0)
        turns.release()
        await settle()
        stage.clock.moved_ms += 20
        record = stage.record
        assert (record.state, record.plan_ms, record.queued_ms) == ("queued", 10.0, 20.0)
        assert record.snapshot_lsn == 41
        turns.release()
        await settle()
        stage.clock.moved_ms += 30
        record = stage.record
        assert (record.state, record.queued_ms, record.execute_ms) == ("running", 20.0, 30.0)
        assert (record.cluster, record.worker_pid, record.worker_seconds) == (7, 11, 0.03)
        turns.release()
        await asked
        record = stage.record
        assert (record.state, record.ended_at, record.elapsed_ms) == ("succeeded", 60, 60.0)
        assert (record.execute_ms, record.worker_seconds, record.result_rows) == (25.0, 0.03, 3)
        assert (record.requests, record.bytes_fetched, record.cache_hits) == (5, 60, 2)
        assert (record.files_scanned, record.rows_scanned) == (3, 9)
        assert (record.peak_memory_bytes, record.spilled_bytes) == (100, 10)
        assert (record.error, record.sqlstate) == (None, None)
        assert stage.ended == [record]
        assert (log.worker_seconds, log.requests, log.read_bytes) == (0.03, 5, 60)

    playing(test)


def test_attempts_add_up() -> None:
    async def test(stage: Stage) -> None:
        log, fragment = stage.log, stage.fragment()

        async def answer(statement: Statement) -> QueryReply:
            for worker in (stage.first, stage.second):
                log.waits(fragment)
                stage.clock.moved_ms += 5
                log.runs(fragment, worker)
                stage.clock.moved_ms += 100
                log.left(fragment, worker)
            return QueryReply(rows=ROWS, stats=QueryStats())

        await stage.ask(answer)
        record = stage.record
        assert (record.attempts, record.worker_seconds, record.worker_pid) == (2, 0.2, 22)
        assert (record.queued_ms, record.execute_ms) == (10.0, 200.0)

    playing(test)


@pytest.mark.parametrize(
    ("error", "state", "text", "sqlstate"),
    [
        (InvalidRequest("bad", "22012"), "failed", "bad", "22012"),
        (Unavailable("away"), "failed", "away", "57P03"),
        (Cancelled("too late"), "cancelled", "too late", "57014"),
        (ValueError("odd"), "failed", "ValueError('odd')", "XX000"),
    ],
)
def test_a_query_that_fails_says_why(
    error: Exception, state: str, text: str, sqlstate: str
) -> None:
    async def test(stage: Stage) -> None:
        async def answer(statement: Statement) -> QueryReply:
            raise error

        with pytest.raises(type(error)) as found:
            await stage.ask(answer)
        assert found.value is error
        record = stage.record
        assert (record.state, record.error, record.sqlstate) == (state, text, sqlstate)
        assert record.ended_at is not None

    playing(test)


def test_a_query_without_an_id_gets_one_and_a_lookup_has_a_text() -> None:
    async def test(stage: Stage) -> None:
        seen: list[str] = []

        async def answer(asked: Lookup) -> QueryReply:
            seen.append(asked.query_id)
            return QueryReply(rows=object(), stats=QueryStats())

        await stage.log.answered(Lookup(schema="public", table="t", keys=[1]), answer)
        record = stage.record
        assert [record.query_id] == seen != [""]
        assert record.sql == "rows by key of public.t"
        assert record.result_rows is None

    playing(test)


def test_long_texts_are_cut_and_old_records_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.compute.queries.PAST_MAX", 3)

    async def answer(statement: Statement) -> QueryReply:
        return QueryReply(rows=ROWS, stats=QueryStats())

    async def run() -> None:
        stage = Stage()
        for number in range(5):
            statement = Statement(sql="x" * 20_000, query_id=f"q{number}")
            await stage.log.answered(statement, answer)
        records = stage.log.records()
        assert [record.query_id for record in records] == ["q4", "q3", "q2"]
        assert len(records[0].sql) == 10_000
        assert stage.log.total == 5

    asyncio.run(run())


def test_our_own_queries_are_seen_before_those_of_others() -> None:
    async def test(stage: Stage) -> None:
        async def others(kind: str) -> list[Any]:
            if kind != "queries":
                return [warehouse_record("bi")]
            return [query_record("q"), query_record("other")]

        async def answer(statement: Statement) -> QueryReply:
            seen = await stage.log.seen_first(others)("queries")
            states = [(q.query_id, q.state) for q in seen if isinstance(q, QueryRecord)]
            assert states == [("q", "planning"), ("other", "succeeded")]
            assert len(await stage.log.seen_first(others)("warehouses")) == 1
            return QueryReply(rows=ROWS, stats=QueryStats())

        await stage.ask(answer)

    playing(test)


# --- to end one -----------------------------------------------------------------------------------


async def stuck(statement: Statement) -> QueryReply:
    await asyncio.Event().wait()
    raise AssertionError


def test_a_query_is_ended_by_its_id() -> None:
    async def test(stage: Stage) -> None:
        asked = stage.ask(stuck)
        await settle()
        assert not stage.log.cancel("other", "why")
        assert stage.log.cancel("q", "somebody wished so")
        assert stage.log.cancel("q", "and somebody else")
        with pytest.raises(Cancelled, match="query q was ended: somebody wished so") as error:
            await asked
        assert error.value.__cause__ is None
        assert asked.cancelling() == 0
        record = stage.record
        assert (record.state, record.sqlstate) == ("cancelled", "57014")
        assert record.error == "query q was ended: somebody wished so"
        assert not stage.log.cancel("q", "too late")

    playing(test)


def test_a_caller_that_gives_up_is_cancelled_and_nothing_else() -> None:
    async def test(stage: Stage) -> None:
        asked = stage.ask(stuck)
        await settle()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert (stage.record.state, stage.record.error) == ("cancelled", "the caller gave up")

    playing(test)


def test_who_gives_up_while_it_is_ended_is_cancelled() -> None:
    async def test(stage: Stage) -> None:
        asked = stage.ask(stuck)
        await settle()
        stage.log.cancel("q", "somebody wished so")
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked

    playing(test)


def test_all_queries_of_a_session_end_with_it() -> None:
    async def test(stage: Stage) -> None:
        asked = [stage.ask(stuck, f"q{n}") for n in range(2)]
        other = asyncio.ensure_future(
            stage.log.answered(Statement(sql="x", query_id="o", session=Session(id="t")), stuck)
        )
        await settle()
        assert stage.log.cancel_session("s", "its client is gone") == 2
        for query in asked:
            with pytest.raises(Cancelled, match="its client is gone"):
                await query
        assert len(stage.log) == 1
        assert stage.log.cancel_all("stopping") == 1
        with pytest.raises(Cancelled, match="stopping"):
            await other

    playing(test)


def test_a_client_that_asks_again_ends_its_first_call() -> None:
    async def test(stage: Stage) -> None:
        first = stage.ask(stuck)
        await settle()
        stage.log.runs(stage.fragment(), stage.first)
        go_on = asyncio.Event()

        async def answer(statement: Statement) -> QueryReply:
            stage.log.runs(stage.fragment(), stage.second)
            await go_on.wait()
            stage.clock.moved_ms += 50
            stage.log.left(stage.fragment(), stage.second)
            return QueryReply(rows=ROWS, stats=QueryStats())

        second = stage.ask(answer)
        with pytest.raises(Cancelled, match="the client has asked again"):
            await first
        await settle()
        stage.log.left(stage.fragment(), stage.first)  # of the first: it takes nothing from it
        assert stage.record.state == "running"
        go_on.set()
        await second
        assert [record.state for record in stage.log.records()] == ["succeeded", "cancelled"]
        assert stage.record.worker_seconds == 0.05

    playing(test)


# --- streams --------------------------------------------------------------------------------------


def test_a_stream_is_over_when_its_rows_are() -> None:
    async def test(stage: Stage) -> None:
        source = Source(count=3)
        stream = await stage.open(source)
        assert stage.record.state == "planning"
        stage.log.cost(stage.fragment(), QueryStats(requests=4))
        while await stream.next() is not None:
            assert stage.record.ended_at is None
        assert (stage.record.state, stage.record.result_rows) == ("succeeded", 3)
        assert stage.record.requests == 4
        assert source.closed
        await stream.close()

    playing(test)


def test_a_stream_that_fails_says_why() -> None:
    async def test(stage: Stage) -> None:
        stream = await stage.open(Source(count=1, fails=True))
        await stream.next()
        with pytest.raises(InvalidRequest, match="bad"):
            await stream.next()
        assert (stage.record.state, stage.record.error) == ("failed", "bad")
        await stream.close()

    playing(test)


def test_a_stream_that_cannot_be_opened_is_over() -> None:
    async def test(stage: Stage) -> None:
        async def refused(statement: Statement) -> BatchStream:
            raise InvalidRequest("bad")

        with pytest.raises(InvalidRequest):
            await stage.log.streamed(Statement(sql="x", query_id="q"), refused)
        assert stage.record.state == "failed"

    playing(test)


@pytest.mark.parametrize("read", [0, 1])
def test_a_stream_that_is_closed_early_is_over_read_or_not(read: int) -> None:
    async def test(stage: Stage) -> None:
        source = Source()
        stream = await stage.open(source)
        for _ in range(read):
            await stream.next()
        await stream.close()
        assert source.closed is bool(read)  # it has never begun
        record = stage.record
        assert (record.state, record.error) == ("cancelled", "the client has read enough")
        await stream.close()

    playing(test)


def test_a_stream_that_is_closed_in_the_middle_of_a_step_is_over() -> None:
    async def test(stage: Stage) -> None:
        source = Source(stuck_at=0)
        stream = await stage.open(source)
        step = asyncio.ensure_future(stream.next())
        await settle()
        await stream.close()
        assert await step is None
        assert source.closed
        assert stage.record.state == "cancelled"

    playing(test)


def test_a_stream_is_ended_while_it_opens() -> None:
    async def test(stage: Stage) -> None:
        async def opening(statement: Statement) -> BatchStream:
            await asyncio.Event().wait()
            raise AssertionError

        opened = asyncio.ensure_future(
            stage.log.streamed(Statement(sql="x", query_id="q"), opening)
        )
        await settle()
        assert stage.log.cancel("q", "somebody wished so")
        with pytest.raises(Cancelled, match="somebody wished so"):
            await opened

    playing(test)


def test_a_stream_is_ended_while_a_batch_is_made() -> None:
    async def test(stage: Stage) -> None:
        source = Source(stuck_at=1)
        stream = await stage.open(source)
        await stream.next()
        step = asyncio.ensure_future(stream.next())
        await settle()
        assert stage.log.cancel("q", "somebody wished so")
        with pytest.raises(Cancelled, match="query q was ended: somebody wished so"):
            await step
        assert source.closed
        assert stage.record.error == "query q was ended: somebody wished so"
        assert await stream.next() is None
        await stream.close()

    playing(test)


def test_a_stream_that_nobody_reads_now_is_ended_at_once() -> None:
    async def test(stage: Stage) -> None:
        source = Source(count=9)
        stream = await stage.open(source)
        await stream.next()
        assert stage.log.cancel("q", "somebody wished so")
        await settle()
        assert source.closed
        assert len(stage.log) == 0
        assert stage.record.state == "cancelled"
        with pytest.raises(Cancelled, match="somebody wished so"):
            await stream.next()
        await stream.close()

    playing(test)


def test_a_stream_that_takes_too_long_says_so() -> None:
    async def test(stage: Stage) -> None:
        stream = await stage.open(Source(stuck_at=0), timeout_ms=1)
        with pytest.raises(Cancelled, match="more than 1 ms for the next rows"):
            await stream.next()
        assert stage.record.error == "the query took more than 1 ms for the next rows"

    playing(test)


def test_a_reader_that_gives_up_ends_its_stream() -> None:
    async def test(stage: Stage) -> None:
        source = Source(stuck_at=0)
        stream = await stage.open(source)
        step = asyncio.ensure_future(stream.next())
        await settle()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        assert source.closed
        assert stage.record.error == "the caller gave up"
        await stream.close()

    playing(test)

"""Reads of versions that are collected meanwhile: again at the newest, or told what is left."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any

import pyarrow as pa
import pytest

from actors.compute.queries import QueryLog
from actors.compute.runner import QueryRunner
from actors.fragments import Fragment, FragmentResult, QueryStats
from actors.messages import Lookup, QueryReply, Statement
from actors.planner import AtLsn, AtTimestamp, Latest, Parsed, Plan, PlannedScan, QueryPlan
from storage.errors import CorruptData, InvalidRequest, ObjectMissing, Unavailable
from storage.objects import MemoryStore
from storage.schema import Key
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.log.test_log_reader import history
from tests.unit.storage.snapshot.test_apply_changes import TABLE
from tests.unit.storage.snapshot.test_apply_changes import start as with_table

SCHEMA = pa.schema([("n", pa.int64())])
GONE = ObjectMissing("data/x: no such object")


class Program:
    def schema(self) -> pa.Schema:
        return SCHEMA


class Planner:
    """Its statements are the versions that they read; keeps the LSNs of all plans."""

    def __init__(self) -> None:
        self.planned: list[dict[Any, int]] = []

    def parse(self, statement: Statement) -> Parsed:
        words = statement.sql.split() if statement.sql.startswith(("at", "time")) else []
        versions = {
            AtLsn(int(word[2:])) if word.startswith("at") else AtTimestamp(int(word[4:]))
            for word in words
        }
        return Parsed(
            statement=statement,
            writes=False,
            versions=frozenset({Latest(), *versions}),
            tree=None,
        )

    def plan(self, parsed: Parsed, snapshots: Any, observed: Any) -> Plan:
        self.planned.append({version: found.lsn for version, found in snapshots.items()})
        tables = list(snapshots[Latest()].tables.values())
        scans = tuple(
            PlannedScan(alias="t", table=table, columns=table.columns, files=table.files)
            for table in tables[:1]
        )
        return QueryPlan(program=Program(), scans=scans, result_names=("n",))  # type: ignore[arg-type]


class Stage:
    """A runner whose workers fail as told. Args: newest: what is known; then what is looked for."""

    def __init__(self, newest: list[Snapshot], store: MemoryStore | None = None) -> None:
        self.newest = newest
        self.planner = Planner()
        self.failures: list[Exception] = []
        self.ran: list[str] = []
        self.looked = 0
        self.seen: list[int | None] = []  # the oldest version that is read, while workers run
        clock, ids = FakeClock(), CountedIds()
        self.queries = QueryLog("", clock, ids)
        self.runner = QueryRunner(
            planner=self.planner,  # type: ignore[arg-type]
            reader=reader_of(store or MemoryStore()),
            snapshots=self,
            pool=self,
            share=lambda rows: rows,
            clock=clock,
            ids=ids,
            queries=self.queries,
        )

    async def latest(self, min_lsn: int | None, timeout_ms: int) -> Snapshot:
        return self.newest[0]

    async def advance(self) -> Snapshot:
        self.looked += 1
        if len(self.newest) > 1:
            self.newest.pop(0)
        return self.newest[0]

    async def run(self, fragment: Fragment) -> FragmentResult:
        self.ran.append(fragment.query_id)
        self.seen.append(self.queries.oldest_lsn())
        if self.failures:
            raise self.failures.pop(0)
        return FragmentResult(rows=pa.table({"n": [1]}), stats=QueryStats())

    async def stream(self, fragment: Fragment) -> AsyncGenerator[Any, None]:
        yield pa.record_batch([[1]], schema=SCHEMA)
        if self.failures:
            raise self.failures.pop(0)

    async def answer(self, sql: str = "", newest: Snapshot | None = None) -> QueryReply:
        async def answered(statement: Statement) -> QueryReply:
            return await self.runner.answer(self.runner.parse(statement), newest)

        return await self.queries.answered(Statement(sql=sql), answered)

    @property
    def plans(self) -> list[int]:
        return [plan[Latest()] for plan in self.planner.planned]


def version(lsn: int, horizon: int) -> Snapshot:
    return Snapshot(database_id="d" * 32, branch_id="main", lsn=lsn, horizon=horizon)


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(test())


# --- a file that is gone --------------------------------------------------------------------------


def test_a_query_whose_file_was_collected_is_planned_again_at_the_newest() -> None:
    async def test() -> None:
        stage = Stage([version(5, 2), version(9, 8)])
        stage.failures = [GONE]
        reply = await stage.answer()
        assert reply.rows.to_pydict() == {"n": [1]}
        assert reply.stats.snapshot_lsn == 9
        assert stage.plans == [5, 9]
        assert (len(set(stage.ran)), len(stage.ran), stage.looked) == (1, 2, 1)
        assert stage.seen == [5, 9]  # and what it reads now is held
        assert stage.queries.oldest_lsn() is None

    run(test)


def test_as_often_as_the_horizon_moves() -> None:
    async def test() -> None:
        stage = Stage([version(5 * n, 5 * n - 1) for n in range(1, 6)])
        stage.failures = [GONE] * 3
        assert (await stage.answer()).stats.snapshot_lsn == 20
        assert stage.plans == [5, 10, 15, 20]

    run(test)


@pytest.mark.parametrize("later", [version(5, 2), version(9, 2)])
def test_not_if_the_horizon_has_not_moved(later: Snapshot) -> None:
    async def test() -> None:
        stage = Stage([version(5, 2), later])
        stage.failures = [GONE]
        with pytest.raises(CorruptData, match="data/x"):
            await stage.answer()
        assert (stage.plans, stage.looked) == ([5], 1)

    run(test)


def test_not_inside_a_transaction() -> None:
    """It reads one version from begin to end; the primary holds it."""

    async def test() -> None:
        stage = Stage([version(9, 8)])
        stage.failures = [GONE]
        with pytest.raises(CorruptData, match="data/x"):
            await stage.answer(newest=version(5, 2))
        assert (stage.plans, stage.looked) == ([5], 0)

    run(test)


def test_other_errors_are_told_at_once() -> None:
    async def test() -> None:
        stage = Stage([version(5, 2), version(9, 8)])
        stage.failures = [InvalidRequest("division by zero")]
        with pytest.raises(InvalidRequest, match="division"):
            await stage.answer()
        assert (stage.plans, stage.looked) == ([5], 0)

    run(test)


def test_a_stream_cannot_begin_again_and_says_why_it_ends() -> None:
    async def streamed(stage: Stage) -> None:
        stream = await stage.runner.stream(stage.runner.parse(Statement(sql="")))
        assert await stream.next() is not None
        await stream.next()

    async def test() -> None:
        stage = Stage([version(5, 2), version(9, 8)])
        stage.failures = [GONE]
        with pytest.raises(Unavailable, match="version 5, which was collected meanwhile"):
            await streamed(stage)
        stage = Stage([version(5, 2), version(9, 2)])
        stage.failures = [GONE]
        with pytest.raises(CorruptData, match="data/x"):
            await streamed(stage)

    run(test)


# --- rows by key ----------------------------------------------------------------------------------


def keyed(lsn: int, horizon: int) -> Snapshot:
    made = with_table()
    table = dataclasses.replace(
        made.tables[TABLE.id], keys=(Key(id=1, name="pk", column_ids=(1,), primary=True),)
    )
    return dataclasses.replace(made, lsn=lsn, horizon=horizon, tables={table.id: table})


def lookup(stage: Stage, newest: Snapshot | None = None) -> Awaitable[QueryReply]:
    async def got(asked: Lookup) -> QueryReply:
        return await stage.runner.get(asked, newest)

    return stage.queries.answered(Lookup(schema="public", table="t", keys=[1]), got)


def test_rows_by_key_are_looked_up_again_too() -> None:
    async def test() -> None:
        stage = Stage([keyed(5, 2), keyed(9, 8)])
        stage.failures = [GONE]
        assert (await lookup(stage)).stats.snapshot_lsn == 9
        assert stage.plans == [5, 9]
        stage = Stage([keyed(5, 2), keyed(9, 2)])
        stage.failures = [GONE]
        with pytest.raises(CorruptData, match="data/x"):
            await lookup(stage)
        stage = Stage([keyed(9, 8)])
        stage.failures = [GONE]
        with pytest.raises(CorruptData, match="data/x"):
            await lookup(stage, keyed(5, 2))

    run(test)


def test_a_lookup_holds_what_it_reads() -> None:
    async def test() -> None:
        stage = Stage([keyed(5, 2)])
        await lookup(stage)
        assert stage.seen == [5]
        assert stage.queries.oldest_lsn() is None

    run(test)


# --- AS OF ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lsn", [0, 1, 7])
def test_below_the_horizon_the_oldest_version_is_named(lsn: int) -> None:
    async def test() -> None:
        stage = Stage([version(9, 8)])
        with pytest.raises(InvalidRequest, match=f"LSN {lsn} is past .*oldest version is LSN 8"):
            await stage.answer(f"at{lsn}")
        assert stage.planner.planned == []

    run(test)


def test_an_earlier_version_is_held_and_read() -> None:
    async def test() -> None:
        store = MemoryStore()
        snapshots = await history(store, 8)
        stage = Stage([dataclasses.replace(snapshots[-1], horizon=4)], store)
        await stage.answer("at4 at6")
        assert stage.planner.planned == [{Latest(): 10, AtLsn(4): 4, AtLsn(6): 6}]
        assert stage.seen == [4]
        await stage.answer("at10")
        assert stage.seen == [4, 10]

    run(test)


def test_an_earlier_version_that_was_kept_is_refused_once_it_is_past() -> None:
    """What the runner remembers of it does not outlive the horizon."""

    async def test() -> None:
        store = MemoryStore()
        snapshots = await history(store, 8)
        newest = [dataclasses.replace(snapshots[-1], horizon=h) for h in (4, 6)]
        stage = Stage([newest[0]], store)
        await stage.answer("at5")
        stage.newest = newest
        stage.failures = [GONE]
        with pytest.raises(InvalidRequest, match=r"LSN 5 is past .*oldest version is LSN 6"):
            await stage.answer("at5")
        assert len(stage.ran) == 2

    run(test)


def test_a_time_before_the_horizon_is_refused() -> None:
    async def test() -> None:
        store = MemoryStore()
        snapshots = await history(store, 8)  # LSN n + 2 at second n
        stage = Stage([dataclasses.replace(snapshots[-1], horizon=5)], store)
        await stage.answer("time3000")
        assert list(stage.planner.planned[0].values()).count(5) == 1
        with pytest.raises(InvalidRequest, match="the oldest is LSN 5"):
            await stage.answer("time2999")

    run(test)


# --- what is held ---------------------------------------------------------------------------------


def test_only_queries_that_have_run_for_long_count() -> None:
    async def test() -> None:
        clock = FakeClock()
        log = QueryLog("bi", clock, CountedIds())
        inside: list[tuple[int | None, int | None]] = []

        async def slow(statement: Statement) -> QueryReply:
            log.reads(statement.query_id, 7)
            inside.append((log.oldest_lsn(), log.oldest_lsn(1_000)))
            clock.moved_ms += 999
            inside.append((log.oldest_lsn(), log.oldest_lsn(1_000)))
            clock.moved_ms += 1
            inside.append((log.oldest_lsn(), log.oldest_lsn(1_000)))

            async def young(other: Statement) -> QueryReply:
                log.reads(other.query_id, 3)
                inside.append((log.oldest_lsn(), log.oldest_lsn(1_000)))
                return QueryReply(rows=pa.table({}), stats=QueryStats())

            return await log.answered(Statement(sql=""), young)

        await log.answered(Statement(sql=""), slow)
        assert inside == [(7, None), (7, None), (7, 7), (3, 7)]
        assert log.oldest_lsn() is None

    run(test)

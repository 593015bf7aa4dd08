"""The runner asks for the records that a statement wants, when it plans it, each time anew."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from actors.compute.queries import QueryLog
from actors.compute.runner import QueryRunner
from actors.messages import QueryReply, Statement
from actors.observed import Observe, Observed, nothing_observed
from actors.planner import Latest, Parsed, RowsPlan
from storage.errors import Cancelled, Unavailable
from storage.objects import MemoryStore
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds, FakeClock
from tests.unit.storage.log.reigns import reader_of
from tests.unit.warehouse.observed_records import query_record, warehouse_record

SNAPSHOT = Snapshot(database_id="db", branch_id="main", lsn=1)
RECORDS: dict[str, Sequence[Observed]] = {
    "queries": [query_record("q1")],
    "warehouses": [warehouse_record("bi")],
}


class WantingPlanner:
    """Its statements are the names that they want; it keeps the records that it is given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def parse(self, statement: Statement) -> Parsed:
        words = frozenset(statement.sql.split())
        return Parsed(
            statement=statement,
            writes=False,
            versions=frozenset({Latest()}),
            tree=None,
            observes=words - {"files"},
            opens_files="files" in words,
        )

    def plan(self, parsed: Parsed, snapshots: Any, observed: Any) -> RowsPlan:
        self.given.append(observed)
        return RowsPlan(rows=pa.table({}))


async def recorded(name: str) -> Sequence[Observed]:
    return RECORDS[name]


def answered(planner: WantingPlanner, sql: str, observe: Observe, **fields: Any) -> QueryReply:
    class Known:
        async def latest(self, min_lsn: int | None, timeout_ms: int) -> Snapshot:
            return SNAPSHOT

        async def advance(self) -> Snapshot:
            return SNAPSHOT

    nobody: Any = None
    runner = QueryRunner(
        planner=planner,  # type: ignore[arg-type]
        reader=reader_of(MemoryStore()),
        snapshots=Known(),
        pool=nobody,
        share=lambda rows: rows,
        clock=FakeClock(),
        ids=CountedIds(),
        queries=QueryLog("", FakeClock(), CountedIds()),
        observe=observe,
    )
    return asyncio.run(runner.answer(planner.parse(Statement(sql=sql, **fields))))


@pytest.mark.parametrize("sql", ["queries warehouses", "queries warehouses files"])
def test_a_statement_is_planned_with_the_records_that_it_wants(sql: str) -> None:
    planner = WantingPlanner()
    answered(planner, sql, recorded)
    assert planner.given == [RECORDS]


def test_nobody_is_asked_for_what_no_statement_wants() -> None:
    async def never(name: str) -> Sequence[Observed]:
        raise AssertionError(name)

    planner = WantingPlanner()
    answered(planner, "", never)
    assert planner.given == [{}]


def test_where_nothing_runs_there_are_no_records() -> None:
    planner = WantingPlanner()
    answered(planner, "queries", nothing_observed)
    assert planner.given == [{"queries": ()}]


def test_whoever_should_tell_may_fail_or_be_slow() -> None:
    async def gone(name: str) -> Sequence[Observed]:
        raise Unavailable("the fleet does not answer")

    async def silent(name: str) -> Sequence[Observed]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(Unavailable):
        answered(WantingPlanner(), "queries", gone)
    with pytest.raises(Cancelled):
        answered(WantingPlanner(), "queries", silent, timeout_ms=10)

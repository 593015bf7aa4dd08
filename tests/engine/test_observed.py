"""What runs, asked in SQL: on the primary, before there is one, and on virtual warehouses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import warehouse
from actors.coordinator_service import CoordinatorService
from actors.observed import Observed
from actors.service import PrimaryService
from tests.unit.warehouse.observed_records import query_record, scaling_event, warehouse_record
from warehouse import Database

SLOW = "SELECT query_id, elapsed_ms FROM mobula.queries() WHERE elapsed_ms > 1000 ORDER BY 1"


class Fleet:
    """What is seen; grows by a query each time it is looked at."""

    def __init__(self) -> None:
        self.looks = 0

    async def observe(self, name: str) -> Sequence[Observed]:
        if name == "warehouses":
            return [warehouse_record("bi", clusters=1, workers=2, busy=1)]
        if name == "scaling_events":
            return [scaling_event("start")]
        self.looks += 1
        return [query_record(f"q{number}") for number in range(1, self.looks + 1)]


@pytest.fixture
def seen(root: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database in this process whose services see a fleet of ours."""
    fleet = Fleet()
    for service in (PrimaryService, CoordinatorService):
        monkeypatch.setattr(service, "open", watching(service.open, fleet))
    database = warehouse.connect(root, engine="local")
    yield database
    database.close()


def watching(opened: Any, fleet: Fleet) -> Any:
    def open_service(*args: Any, **kinds: Any) -> Any:
        return opened(*args, **{**kinds, "observe": fleet.observe})

    return open_service


def test_it_is_seen_before_there_is_a_primary_and_each_time_anew(seen: Database) -> None:
    assert seen.sql(SLOW).rows() == [("q1", 1500.0)]
    assert seen.sql(SLOW).rows() == [("q1", 1500.0), ("q2", 1500.0)]
    assert [row for batch in seen.stream(SLOW) for row in batch["query_id"].to_pylist()] == [
        "q1",
        "q2",
        "q3",
    ]


def test_primary_and_warehouses_see_it_and_join_it_with_tables(seen: Database) -> None:
    seen.sql("CREATE TABLE teams (warehouse TEXT, team TEXT)")
    seen.sql("INSERT INTO teams VALUES ('bi', 'sales')")
    bi = seen.create_virtual_warehouse("bi")
    joined = "SELECT team, count(*) FROM mobula.queries() JOIN teams USING (warehouse) GROUP BY 1"
    assert seen.sql(joined).rows() == [("sales", 1)]
    assert bi.sql(joined).rows() == [("sales", 2)]
    assert bi.sql("SELECT name, state FROM mobula.warehouses()").rows() == [("bi", "running")]
    plan = bi.sql(f"EXPLAIN ANALYZE {joined}")
    assert plan.rows()[0][0].startswith("scan mobula.queries at LSN")


def test_it_can_be_kept_in_tables(seen: Database) -> None:
    assert seen.sql("CREATE TABLE history AS SELECT * FROM mobula.queries()").tag == "SELECT 1"
    more = "INSERT INTO history SELECT * FROM mobula.queries() q WHERE q.query_id = 'q2'"
    assert seen.sql(more).tag == "INSERT 0 1"
    marked = (
        "UPDATE history h SET sql = q.sql || '!' FROM mobula.queries() q"
        " WHERE h.query_id = q.query_id"
    )
    assert seen.sql(marked).tag == "UPDATE 2"
    with seen.transaction() as tx:
        tx.sql("INSERT INTO history SELECT * FROM mobula.queries() WHERE query_id = 'q4'")
    kept = "SELECT query_id, sql, extract(epoch FROM ended_at - started_at) FROM history ORDER BY 1"
    assert seen.sql(kept).rows() == [
        ("q1", "SELECT 1!", 1.5),
        ("q2", "SELECT 1!", 1.5),
        ("q4", "SELECT 1", 1.5),
    ]


def test_where_nothing_runs_warehouses_are_stopped(root: str) -> None:
    with warehouse.connect(root, engine="local") as database:
        database.create_virtual_warehouse("bi")
    with warehouse.connect(root, engine="local") as database:
        assert database.sql("SELECT name, state FROM mobula.warehouses()").rows() == [
            ("bi", "stopped")
        ]
        shown = database.sql("SHOW WAREHOUSES").polars()
        assert shown["state"].to_list() == ["stopped"]

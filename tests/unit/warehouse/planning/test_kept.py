"""Plans of recent queries: used again, pruned anew after a commit, or made anew."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest

from actors.messages import Session
from actors.planner import AtLsn, Latest, QueryPlan
from storage.errors import UnknownObject
from storage.snapshot.model import Delta, Snapshot
from tests.unit.warehouse.planning.database import Database, program_of, snapshot_of
from warehouse.planning.kept import PLANS_MAX


def is_kept(one: QueryPlan, other: QueryPlan) -> bool:
    """Was the second made of the first, not planned anew?"""
    return program_of(one).query is program_of(other).query and one.scans is other.scans


def test_a_plan_is_used_again_until_a_commit_or_other_parameters(database: Database) -> None:
    sql = "SELECT a FROM items WHERE a = $1"
    first = database.query(sql, 1)
    assert is_kept(first, database.query(sql, 1))
    assert not is_kept(first, database.query(sql, Decimal("1")))
    assert not is_kept(database.query(sql, Decimal("1.0")), database.query(sql, Decimal("1")))
    assert not is_kept(first, database.query(f"{sql} ", 1))
    tables = database.snapshots[Latest()].tables.values()
    database.snapshots[Latest()] = snapshot_of(*tables, lsn=8)
    assert not is_kept(first, database.query(sql, 1))


def test_a_plan_is_used_only_on_the_very_same_snapshots(database: Database) -> None:
    sql = "SELECT a FROM items AS OF LSN 5"
    tables = database.snapshots[Latest()].tables.values()
    database.snapshots[AtLsn(5)] = snapshot_of(*tables, lsn=5)
    first = database.query(sql)
    assert is_kept(first, database.query(sql))
    database.snapshots[AtLsn(5)] = snapshot_of(*tables, lsn=5)  # equal, but another object
    assert not is_kept(first, database.query(sql))


def test_a_plan_belongs_to_the_session_it_was_made_for(database: Database) -> None:
    sql = "SELECT a FROM items"
    first = database.query(sql)
    other = Session(schema_path=("nowhere", "public"))
    assert not is_kept(first, database.query(sql, session=other))
    assert is_kept(first, database.query(sql))


def test_a_kept_plan_runs_at_the_time_of_the_statement(database: Database) -> None:
    sql = "SELECT now()"
    first = database.query(sql)
    database.clock.moved_ms += 5_000
    again = database.query(sql)
    assert is_kept(first, again)
    early, late = (database.run(plan)["now"][0].as_py() for plan in (first, again))
    assert late - early == datetime.timedelta(seconds=5)


def is_prepared_once(one: QueryPlan, other: QueryPlan) -> bool:
    """Was the second bound and optimised with the first, and pruned on its own?"""
    return program_of(one).query is program_of(other).query and one.scans is not other.scans


def with_table(snapshot: Snapshot, of: str, **changes: Any) -> Snapshot:
    """The next snapshot: one table differs."""
    table = snapshot.find_table(of)
    assert table is not None
    changed = dataclasses.replace(table, **changes)
    return dataclasses.replace(
        snapshot, lsn=snapshot.lsn + 1, tables={**snapshot.tables, table.id: changed}
    )


def grown(snapshot: Snapshot, name: str, row_count: int) -> Snapshot:
    """The next snapshot: `row_count` rows were appended."""
    table = snapshot.find_table(name)
    assert table is not None
    more = Delta(
        id=table.next_file_id, lsn=snapshot.lsn + 1, schema_version=1, row_count=row_count, rows=b""
    )
    return with_table(snapshot, name, deltas=(*table.deltas, more))


def test_a_commit_only_prunes_anew(database: Database) -> None:
    sql = "SELECT a FROM items WHERE b = $1"
    first = database.query(sql, 2**62)
    before = database.snapshots[Latest()]
    database.snapshots[Latest()] = grown(before, "items", 5)
    second = database.query(sql, 2**62)
    assert is_prepared_once(first, second)
    assert [len(plan.scans[0].table.deltas) for plan in (first, second)] == [1, 2]
    table = before.find_table("items")
    assert table is not None
    nothing = table.files.selected(pa.array([False] * len(table.files)))
    database.snapshots[Latest()] = with_table(before, "items", files=nothing)
    third = database.query(sql, 2**62)
    assert is_prepared_once(first, third)
    assert [len(plan.scans[0].files) for plan in (first, third)] == [1, 0]


def test_a_table_of_another_size_is_planned_anew(database: Database) -> None:
    sql = "SELECT a FROM items"
    first = database.query(sql)
    database.snapshots[Latest()] = grown(database.snapshots[Latest()], "items", 5_000)
    assert not is_prepared_once(first, database.query(sql))


def test_a_name_that_means_something_else_is_planned_anew(database: Database) -> None:
    sql = "SELECT a FROM items"
    first = database.query(sql)
    before = database.snapshots[Latest()]
    table = before.find_table("items")
    assert table is not None
    one, *others = table.columns
    schema = msgspec.structs.replace(table.schema, version=2, columns=(*others, one))
    database.snapshots[Latest()] = with_table(before, "items", schemas=(*table.schemas, schema))
    assert not is_prepared_once(first, database.query(sql))
    database.snapshots[Latest()] = with_table(before, "items", name="gone")
    with pytest.raises(UnknownObject, match="items"):
        database.query(sql)
    database.snapshots[Latest()] = dataclasses.replace(before, types={})
    assert not is_prepared_once(first, database.query(sql))


def test_what_asks_the_catalogue_is_planned_anew(database: Database) -> None:
    sql = "SELECT a, (SELECT count(*) FROM information_schema.tables) FROM items"
    first = database.query(sql)
    database.snapshots[Latest()] = grown(database.snapshots[Latest()], "items", 5)
    assert not is_prepared_once(first, database.query(sql))


def test_few_plans_are_kept(database: Database) -> None:
    first = database.query("SELECT 0")
    for number in range(1, PLANS_MAX + 1):
        database.query(f"SELECT {number}")
    assert not is_kept(first, database.query("SELECT 0"))

"""Which operators work on the disk: those with which a pipeline would hold too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from storage.spill_space import SpillLimits, SpillSpace
from tests.unit.warehouse.execution.relation_cases import Tables, agg, asc, eq, lit, query
from warehouse.algebra.expressions import WindowCall
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Join,
    Limit,
    Relation,
    Scan,
    Sort,
    Window,
)
from warehouse.algebra.types import BIGINT, INTEGER, TEXT
from warehouse.execution.lowered import Lowered
from warehouse.execution.spilling.choice import chosen, relations_of
from warehouse.execution.spilling.division import Side
from warehouse.execution.spilling.few_groups import has_few_groups
from warehouse.execution.value import Value

MEBIBYTE = 1 << 20
MEMORY = 256 * MEBIBYTE
LIMITS = SpillLimits(memory_bytes=MEMORY, disk_bytes=1 << 40)


def spilling(
    relation: Relation, rows: Mapping[int, float], limits: SpillLimits = LIMITS
) -> list[str]:
    """The kinds of the operators that are chosen, if these (by identity) have so many rows."""
    whole = query(relation)
    nodes = list(relations_of(whole))
    expected: Sequence[float] = [rows.get(id(node), 1.0) for node in nodes]
    spill = chosen(whole, expected, SpillSpace(Path("/nowhere"), limits))
    if spill is None:
        return []
    return [type(node).__name__ for node in nodes if id(node) in spill.operators]


@pytest.fixture
def tables() -> Tables:
    return Tables()


@pytest.fixture
def scan(tables: Tables) -> Scan:
    return tables.scan([(1, 2)], INTEGER, INTEGER)


def test_what_fits_stays_in_memory(tables: Tables, scan: Scan) -> None:
    sort = Sort(scan, (asc(scan.columns[0]),))
    assert spilling(sort, {id(sort): 1e4, id(scan): 1e4}) == []


def test_a_large_sort_goes_to_disk(tables: Tables, scan: Scan) -> None:
    sort = Sort(scan, (asc(scan.columns[0]),))
    counted = tables.aggregate(sort, [], agg("count(*)"))
    assert spilling(counted, {id(sort): 1e8}) == ["Sort"]


def test_the_first_rows_of_a_large_sort_do_not(tables: Tables, scan: Scan) -> None:
    """Polars keeps no more than it is asked for."""
    sort = Sort(scan, (asc(scan.columns[0]),))
    top = Limit(sort, lit(10, BIGINT))
    assert spilling(top, {id(sort): 1e8}) == []


def test_groups_count_not_rows(tables: Tables, scan: Scan) -> None:
    few = tables.aggregate(scan, [scan.columns[0]], agg("count(*)"))
    assert spilling(few, {id(scan): 1e9, id(few): 10.0}) == []
    assert spilling(few, {id(scan): 1e9, id(few): 1e7}) == ["Aggregate"]


def test_groups_that_keep_their_values_count_rows(tables: Tables, scan: Scan) -> None:
    number, key = scan.columns
    kept = tables.aggregate(scan, [key], agg("percentile_cont(float8, float8)", number))
    assert spilling(kept, {id(scan): 1e8, id(kept): 10.0}) == ["Aggregate"]


def test_of_an_inner_join_the_smaller_side_counts(tables: Tables, scan: Scan) -> None:
    other = tables.scan([(1, 2)], INTEGER, INTEGER)
    join = Join("inner", scan, other, eq(scan.columns[0], other.columns[0]))
    counted = tables.aggregate(join, [], agg("count(*)"))
    assert spilling(counted, {id(scan): 1e9, id(other): 1e3}) == []
    assert spilling(counted, {id(scan): 1e8, id(other): 1e8}) == ["Join"]


def test_operators_of_one_pipeline_add_up(tables: Tables, scan: Scan) -> None:
    """Each would fit by itself; the upper one goes, and the lower one then runs alone."""
    lower = Distinct(scan)
    upper = Sort(lower, (asc(scan.columns[0]),))
    counted = tables.aggregate(upper, [], agg("count(*)"))
    some = MEMORY / 2 / (2.5 * 16) * 0.7
    assert spilling(counted, {id(lower): some, id(upper): 1.0}) == []
    assert spilling(counted, {id(lower): some, id(upper): some}) == ["Sort"]


def test_a_large_result_leaves_less_room(tables: Tables, scan: Scan) -> None:
    rows = Distinct(scan)
    some = MEMORY / 2 / (2.5 * 16 + 8) * 0.9
    counted = tables.aggregate(rows, [], agg("count(*)"))
    assert spilling(counted, {id(rows): some}) == []
    assert spilling(rows, {id(rows): some}) == ["Distinct"]


def test_without_expectations_nothing_is_chosen(scan: Scan) -> None:
    whole = query(Distinct(scan))
    assert chosen(whole, (), SpillSpace(Path("/nowhere"), LIMITS)) is None


def test_forced_every_operator_is_that_can(tables: Tables, scan: Scan) -> None:
    rank = WindowCall(BIGINT, "rank()", (), (), (asc(scan.columns[0]),))
    window = Window(Distinct(scan), ((tables.column(BIGINT), rank),))
    forced = replace(LIMITS, forced=True)
    assert spilling(Limit(window, lit(1, BIGINT)), {}, forced) == ["Window", "Distinct"]


# --- few groups -----------------------------------------------------------------------------------


def few(values: pl.Series, limits: SpillLimits = LIMITS) -> bool:
    tables = Tables()
    rows = tables.scan([("a",)], TEXT)
    node: Aggregate = tables.aggregate(rows, [rows.columns[0]], agg("count(*)"))
    below = Lowered(values.to_frame("c1").lazy(), {1: Value(pl.col("c1"), TEXT)})
    space = SpillSpace(Path("/nowhere"), limits)
    return has_few_groups(node, below, Side((pl.col("c1"),)), space)


def test_few_groups_are_seen_in_the_first_rows() -> None:
    assert few(pl.Series(range(100_000)).cast(pl.Int64) % 7)


def test_groups_that_go_on_growing_are_many() -> None:
    assert not few(pl.Series(range(100_000)))


def test_groups_are_few_only_if_memory_has_room_for_them() -> None:
    values = pl.Series(range(100_000)).cast(pl.Int64) % 5_000
    assert few(values)
    assert not few(values, replace(LIMITS, memory_bytes=MEBIBYTE))

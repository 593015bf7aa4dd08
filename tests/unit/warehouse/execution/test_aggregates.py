"""GROUP BY: groups, sets, filters, and which work is shared. The functions have tests of theirs."""

from __future__ import annotations

import pytest

import warehouse.functions.arithmetic
from storage.errors import InvalidRequest
from tests.unit.warehouse.execution.relation_cases import Tables, agg, call, lit, ordered
from warehouse.algebra.relations import Aggregate, Empty
from warehouse.algebra.types import DOUBLE, INTEGER, INTERVAL, TEXT
from warehouse.execution.lowered import Context
from warehouse.execution.relations import lower_relation

assert warehouse.functions.arithmetic

COUNT = agg("count(*)")


def test_nulls_are_one_group_nans_another_and_zeros_a_third() -> None:
    tables = Tables()
    nan = float("nan")
    rows = tables.scan([(None,), (nan,), (0.0,), (None,), (-0.0,), (nan,)], DOUBLE)
    found = tables.run(tables.aggregate(rows, [rows.columns[0]], COUNT))
    assert sorted(count for _, count in found) == [2, 2, 2]


def test_intervals_of_equal_length_are_one_group() -> None:
    tables = Tables()
    rows = tables.scan([((1, 0, 0),), ((0, 30, 0),), ((0, 31, 0),)], INTERVAL)
    found = tables.run(tables.aggregate(rows, [rows.columns[0]], COUNT))
    assert sorted(count for _, count in found) == [1, 2]


def test_no_keys_are_one_group_even_of_nothing() -> None:
    tables = Tables()
    empty = tables.scan([], INTEGER)
    total = agg("sum(int4)", empty.columns[0])
    assert tables.run(tables.aggregate(empty, [], COUNT, total)) == [(0, None)]
    assert tables.run(tables.aggregate(empty, [])) == [()]
    assert tables.run(tables.aggregate(empty, [lit(1)], COUNT)) == []


def test_keys_are_expressions_and_may_be_constants() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (2,), (3,)], INTEGER)
    parity = call("%(int4,int4)", rows.columns[0], lit(2), kind=INTEGER)
    found = tables.set(tables.aggregate(rows, [parity, lit("x", TEXT)], COUNT))
    assert found == [(0, "x", 1), (1, "x", 2)]


def test_constant_arguments_count_once_per_row() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (2,), (3,)], INTEGER)
    calls = agg("sum(int4)", lit(5)), agg("count(any)", lit(5)), agg("count(any)", lit(None))
    assert tables.run(tables.aggregate(rows, [], *calls)) == [(15, 3, 0)]


def test_a_filter_decides_before_the_arguments_are_computed() -> None:
    tables = Tables()
    rows = tables.scan([(1, 0), (1, 2), (2, 0), (2, None)], INTEGER, INTEGER)
    key, divisor = rows.columns
    quotient = call("/(int4,int4)", lit(8), divisor, kind=INTEGER)
    kept = call("<>", divisor, lit(0))
    found = tables.aggregate(
        rows,
        [key],
        agg("sum(int4)", quotient, filter=kept),
        agg("count(*)", filter=kept),
        agg("min(int4)", quotient, filter=kept, kind=INTEGER),
    )
    assert tables.set(found) == [(1, 4, 1, 4), (2, None, 0, None)]
    with pytest.raises(InvalidRequest, match="division by zero"):
        tables.run(tables.aggregate(rows, [key], agg("sum(int4)", quotient)))


def test_grouping_sets_leave_absent_keys_null() -> None:
    tables = Tables()
    rows = tables.scan([(1, 1), (1, None), (2, 1)], INTEGER, INTEGER)
    sets = ((0, 1), (0,), (), ())
    grouped = tables.aggregate(rows, rows.columns, COUNT, sets=sets)
    keys = [key for key, _ in grouped.keys]
    marks = tables.column(INTEGER), agg("grouping", *keys, kind=INTEGER)
    grouped = Aggregate(input=rows, keys=grouped.keys, calls=(*grouped.calls, marks), sets=sets)
    assert tables.set(grouped) == ordered(
        [
            (1, 1, 1, 0),
            (1, None, 1, 0),
            (2, 1, 1, 0),
            (1, None, 2, 1),
            (2, None, 1, 1),
            (None, None, 3, 3),
            (None, None, 3, 3),
        ]
    )


def test_of_no_rows_only_the_empty_set_has_a_group() -> None:
    tables = Tables()
    empty = tables.scan([], INTEGER)
    keys = [empty.columns[0]]
    assert tables.run(tables.aggregate(empty, keys, COUNT, sets=((0,), ()))) == [(None, 0)]
    assert tables.run(tables.aggregate(Empty(), [], sets=((),))) == [()]


def test_equal_work_is_done_once() -> None:
    tables = Tables()
    rows = tables.scan([(1,), (3,)], INTEGER)
    column = rows.columns[0]
    grouped = tables.aggregate(
        rows,
        [],
        agg("sum(int4)", column),
        agg("avg(int4)", column, kind=DOUBLE),
        agg("count(any)", column),
    )
    text = lower_relation(grouped, Context(inputs=tables.inputs)).frame.explain()
    assert text.count(".sum()") == 1
    assert text.count(".count()") == 1
    assert tables.run(grouped) == [(4, 2.0, 2)]


def test_a_column_without_nulls_is_not_asked_for_them() -> None:
    tables = Tables()
    rows = tables.scan([(1, 1), (1, 3)], INTEGER, INTEGER, nullable=False)
    grouped = tables.aggregate(rows, [rows.columns[0]], agg("sum(int4)", rows.columns[1]))
    lowered = lower_relation(grouped, Context(inputs=tables.inputs))
    assert "count" not in lowered.frame.explain()
    assert tables.run(grouped) == [(1, 4)]

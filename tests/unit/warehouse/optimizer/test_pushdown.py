"""Where predicates end up, and which columns are left."""

from __future__ import annotations

import inspect

import pytest

from tests.unit.warehouse.optimizer import shapes
from tests.unit.warehouse.optimizer.plans import Plan, number
from tests.unit.warehouse.optimizer.plans import test as condition
from warehouse.algebra.expressions import AggregateCall, Call
from warehouse.algebra.relations import Aggregate, Cte, CteScan, Join, Query, SetOperation, Values
from warehouse.algebra.types import BIGINT, BOOLEAN
from warehouse.optimizer.columns import without_unused_columns
from warehouse.optimizer.pushdown import pushed_down
from warehouse.optimizer.render import render_query
from warehouse.optimizer.unnest import unnest


def check(query: Query, plan: str) -> None:
    """The plan is the expected one."""
    assert render_query(query) == inspect.cleandoc(plan)


def test_comma_join_gets_its_condition_and_its_filters() -> None:
    plan = Plan()
    first, r = plan.scan("r", "a b")
    second, s = plan.scan("s", "c d")
    parts = [condition("=", r["a"], s["c"]), condition(">", s["d"], number(1))]
    query = plan.query(plan.where(plan.cross(first, second), *parts))
    check(
        pushed_down(query),
        """
        Join inner on (a#1 = c#3)
          Scan r [a#1, b#2]
          Filter (d#4 > 1)
            Scan s [c#3, d#4]
        """,
    )


def test_what_may_fail_stays_above_the_join() -> None:
    plan = Plan()
    first, r = plan.scan("r", "a b")
    second, s = plan.scan("s", "c")
    quotient = Call(type=BIGINT, fn="/", args=(r["a"], r["b"]))
    parts = [condition(">", quotient, number(1)), condition("=", r["a"], s["c"])]
    query = plan.query(plan.where(plan.cross(first, second), *parts))
    check(
        pushed_down(query),
        """
        Filter ((a#1 / b#2) > 1)
          Join inner on (a#1 = c#3)
            Scan r [a#1, b#2]
            Scan s [c#3]
        """,
    )


def test_common_condition_of_an_or_joins_and_the_rest_filters_both_sides() -> None:
    plan = Plan()
    first, r = plan.scan("part", "p_key p_brand")
    second, s = plan.scan("lineitem", "l_part l_quantity")
    branches = [
        Call(
            type=BOOLEAN,
            fn="and",
            args=(
                condition("=", r["p_key"], s["l_part"]),
                condition("=", r["p_brand"], number(brand)),
                condition("<", s["l_quantity"], number(most)),
            ),
        )
        for brand, most in ((1, 10), (2, 20))
    ]
    query = plan.query(plan.where(plan.cross(first, second), condition("or", *branches)))
    residue = "(((p_brand#2 = 1) and (l_quantity#4 < 10)) or ((p_brand#2 = 2) and "
    check(
        pushed_down(query),
        f"""
        Join inner on ((p_key#1 = l_part#3) and {residue}(l_quantity#4 < 20))))
          Filter ((p_brand#2 = 1) or (p_brand#2 = 2))
            Scan part [p_key#1, p_brand#2]
          Filter ((l_quantity#4 < 10) or (l_quantity#4 < 20))
            Scan lineitem [l_part#3, l_quantity#4]
        """,
    )


@pytest.mark.parametrize(
    ("kind", "side", "expected"),
    [
        ("left", "d", "inner"),
        ("left", "b", "left"),
        ("right", "b", "inner"),
        ("full", "b", "left"),
        ("full", "d", "right"),
    ],
)
def test_outer_join_whose_missing_rows_are_dropped(kind: str, side: str, expected: str) -> None:
    plan = Plan()
    first, r = plan.scan("r", "a b")
    second, s = plan.scan("s", "c d")
    joined = Join(kind, first, second, condition("=", r["a"], s["c"]))
    kept = condition(">", {**r, **s}[side], number(1))
    assert f"Join {expected} " in render_query(pushed_down(plan.query(plan.where(joined, kept))))


def test_comparison_with_a_subquery_makes_its_join_inner() -> None:
    assert "Join inner on (#7 = l_part#1)" in render_query(pushed_down(unnest(shapes.q17())))


def test_conditions_on_keys_go_below_the_groups() -> None:
    plan = Plan()
    scan, r = plan.scan("r", "a b")
    key, total = plan.column("key"), plan.column("total")
    sums = Aggregate(scan, ((key, r["a"]),), ((total, AggregateCall(BIGINT, "sum", (r["b"],))),))
    parts = [condition("=", key, number(1)), condition(">", total, number(5))]
    check(
        pushed_down(plan.query(plan.where(sums, *parts))),
        """
        Filter (total#4 > 5)
          Aggregate by key#3 := a#1: total#4 := sum(b#2)
            Filter (a#1 = 1)
              Scan r [a#1, b#2]
        """,
    )


def test_false_stays_above_an_aggregate_without_keys() -> None:
    plan = Plan()
    scan, _ = plan.scan("r", "a")
    count = plan.aggregate(scan, "count(*)", None, "n")
    query = plan.query(plan.where(count, condition("=", number(1), number(2))))
    assert render_query(pushed_down(query)).startswith("Filter (1 = 2)\n  Aggregate")


def test_unused_columns_are_not_read_but_decide_about_distinct_rows() -> None:
    plan = Plan()
    first, r = plan.scan("r", "a b c")
    second, s = plan.scan("s", "d e f")
    union = SetOperation("union", False, first, second, tuple(map(plan.column, "xyz")))
    query = plan.query(plan.project(union, only=union.columns[0]))
    assert without_unused_columns(query) == query
    every = SetOperation("union", True, first, second, union.outputs)
    check(
        without_unused_columns(plan.query(plan.project(every, only=union.columns[0]))),
        """
        Project only#11 := x#7
          SetOperation union all [x#7]
            Scan r [a#1]
            Scan s [d#4]
        """,
    )
    assert r
    assert s


def test_counting_rows_needs_one_column() -> None:
    plan = Plan()
    scan, _ = plan.scan("r", "a b")
    count = plan.aggregate(scan, "count(*)", None, "n")
    one = plan.project(count, one=number(1))
    check(
        without_unused_columns(plan.query(one)),
        """
        Project one#4 := 1
          Aggregate n#3 := count(*)
            Scan r [a#1]
        """,
    )


def test_table_expression_keeps_what_any_reference_needs() -> None:
    plan = Plan()
    rows = Values(((number(1), number(2), number(3)),), tuple(map(plan.column, "abc")))
    scans = [CteScan(0, tuple(map(plan.column, names))) for names in ("def", "ghi")]
    joined = Join("inner", *scans, condition("=", scans[0].columns[0], scans[1].columns[0]))
    query = plan.query(plan.project(joined, last=scans[1].columns[2]))
    query = Query(query.relation, query.outputs, query.names, {0: Cte("w", rows)}, query.labels, 99)
    check(
        without_unused_columns(query),
        """
        cte 0 w:
          Values (1, 3) [a#1, c#3]
        Project last#10 := i#9
          Join inner on (d#4 = g#7)
            CteScan cte 0 [d#4, f#6]
            CteScan cte 0 [g#7, i#9]
        """,
    )

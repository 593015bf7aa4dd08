"""Plans of unnested queries: TPC-H needs no extra joins; the general way; what is refused."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from storage.errors import NotYet
from tests.unit.warehouse.optimizer import shapes
from tests.unit.warehouse.optimizer.plans import Plan, number
from tests.unit.warehouse.optimizer.plans import test as condition
from tests.unit.warehouse.optimizer.test_unnest_property import check_flat
from warehouse.algebra.expressions import AggregateCall, Call, ColumnRef, SortKey, Subquery
from warehouse.algebra.relations import (
    Aggregate,
    Distinct,
    Empty,
    Filter,
    Join,
    Limit,
    Query,
    Recursive,
    Relation,
    Sort,
    Unnest,
    WorkingTable,
)
from warehouse.algebra.types import BIGINT, BOOLEAN
from warehouse.algebra.walk import free_columns, nodes
from warehouse.optimizer.render import render_query
from warehouse.optimizer.unnest import unnest

PLANS = {
    "q2": """
        Project p_key#1, s_part#2, s_cost#3
          Filter (s_cost#3 = cheapest#6)
            Project p_key#1, s_part#2, s_cost#3, cheapest#6
              Join left on (p_key#1 = #7)
                Filter (p_key#1 = s_part#2)
                  Join inner
                    Scan part [p_key#1]
                    Scan partsupp [s_part#2, s_cost#3]
                Aggregate by #7 := i_part#4: cheapest#6 := min(i_cost#5)
                  Scan partsupp [i_part#4, i_cost#5]
    """,
    "q4": """
        Join semi on (l_order#2 = o_key#1)
          Scan orders [o_key#1]
          Filter (l_commit#3 < l_receipt#4)
            Scan lineitem [l_order#2, l_commit#3, l_receipt#4]
    """,
    "q17": """
        Project l_part#1, l_quantity#2
          Filter (l_quantity#2 < limit#6)
            Project l_part#1, l_quantity#2, limit#6 := (total#5 + total#5)
              Join left on (#7 = l_part#1)
                Scan lineitem [l_part#1, l_quantity#2]
                Aggregate by #7 := j_part#3: total#5 := sum(j_quantity#4)
                  Scan lineitem [j_part#3, j_quantity#4]
    """,
    "q20": """
        Join semi on (s_key#1 = supplier#12)
          Scan supplier [s_key#1]
          Project supplier#12 := ps_supplier#3
            Project ps_part#2, ps_supplier#3, ps_quantity#4
              Filter (ps_quantity#4 > sold#10)
                Project ps_part#2, ps_supplier#3, ps_quantity#4, sold#10
                  Join left on ((#13 = ps_part#2) and (#14 = ps_supplier#3))
                    Join semi on (ps_part#2 = part#11)
                      Scan partsupp [ps_part#2, ps_supplier#3, ps_quantity#4]
                      Project part#11 := p_key#5
                        Filter (p_name#6 = 1)
                          Scan part [p_key#5, p_name#6]
                    Aggregate by #13 := l_part#7, #14 := l_supplier#8: sold#10 := sum(l_quantity#9)
                      Scan lineitem [l_part#7, l_supplier#8, l_quantity#9]
    """,
    "q21": """
        Join anti on ((c_order#5 = a_order#1) and (c_supplier#6 <> a_supplier#2))
          Join semi on ((b_order#3 = a_order#1) and (b_supplier#4 <> a_supplier#2))
            Scan lineitem [a_order#1, a_supplier#2]
            Scan lineitem [b_order#3, b_supplier#4]
          Filter (c_late#7 = 1)
            Scan lineitem [c_order#5, c_supplier#6, c_late#7]
    """,
    "q22": """
        Project c_key#1, c_balance#2
          Filter (c_balance#2 > average#5)
            Join anti on (o_customer#4 = c_key#1)
              Join inner
                Scan customer [c_key#1, c_balance#2]
                Aggregate average#5 := avg(e_balance#3)
                  Filter (e_balance#3 > 0)
                    Scan customer [e_balance#3]
              Scan orders [o_customer#4]
    """,
}


def plan_of(query: Query) -> str:
    """The plan after unnesting."""
    flat = unnest(query)
    check_flat(flat)
    return render_query(flat)


def text(plan: str) -> str:
    """A plan written in a test."""
    return inspect.cleandoc(plan)


@pytest.mark.parametrize("name", PLANS)
def test_correlation_of_tpch_needs_no_domain(name: str) -> None:
    make: Callable[[], Query] = getattr(shapes, name)
    assert plan_of(make()) == text(PLANS[name])
    assert not [node for node in nodes(unnest(make()).relation) if isinstance(node, Distinct)]


def test_count_of_no_rows_is_zero() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, s = plan.scan("s", "b")
    rows = plan.where(inner, condition("=", s["b"], r["a"]))
    count = plan.scalar(plan.aggregate(rows, "count(*)", None, "count"))
    assert plan_of(plan.query(plan.project(outer, found=count))) == text("""
        Project found#4 := count#3
          Project a#1, count#3 := coalesce(count#6, 0)
            Join left on (#5 = a#1)
              Scan r [a#1]
              Aggregate by #5 := b#2: count#6 := count(*)
                Scan s [b#2]
    """)


def test_not_in_keeps_a_null_of_its_where_apart() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a b")
    inner, s = plan.scan("s", "c d")
    rows = plan.where(inner, condition("=", s["d"], r["b"]))
    member = plan.member(r["a"], plan.project(rows, c=s["c"]))
    assert plan_of(plan.query(plan.where(outer, condition("not", member)))) == text("""
        Join anti null-aware on (((d#4 = b#2) is true) and (a#1 = c#5))
          Scan r [a#1, b#2]
          Project c#5 := c#3, d#4
            Scan s [c#3, d#4]
    """)


def test_not_in_without_correlation_is_a_plain_null_aware_join() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, s = plan.scan("s", "c")
    every = Subquery(BOOLEAN, "all", inner, (s["c"],), (r["a"],), ("<>(int8,int8)",))
    assert plan_of(plan.query(plan.where(outer, every))) == text("""
        Join anti null-aware on (a#1 = c#2)
          Scan r [a#1]
          Scan s [c#2]
    """)


def test_subquery_under_or_becomes_a_mark() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, s = plan.scan("s", "c")
    member = plan.member(r["a"], inner)
    either = condition("or", member, condition("is null", r["a"]))
    assert plan_of(plan.query(plan.where(outer, either))) == text("""
        Project a#1
          Filter (#3 or (a#1 is null))
            Join mark null-aware #3 on (a#1 = c#2)
              Scan r [a#1]
              Scan s [c#2]
    """)
    assert s


def test_first_row_of_each_is_numbered_within_its_key() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, s = plan.scan("s", "b c")
    rows = plan.where(inner, condition("=", s["b"], r["a"]))
    first = Limit(Sort(rows, (SortKey(s["c"]),)), number(1))
    scalar = Subquery(BIGINT, "scalar", first, (s["c"],))
    assert plan_of(plan.query(plan.project(outer, first=scalar))) == text("""
        Project first#4 := c#3
          Join left on (b#2 = a#1)
            Scan r [a#1]
            Project b#2, c#3
              Filter (#5 <= 1)
                Window #5 := row_number() over (partition by b#2 order by c#3)
                  Scan s [b#2, c#3]
    """)


def test_scalar_subquery_of_many_rows_checks_them() -> None:
    plan = Plan()
    outer, _ = plan.scan("r", "a")
    inner, _ = plan.scan("s", "b")
    assert plan_of(plan.query(plan.project(outer, b=plan.scalar(inner)))) == text("""
        Project b#3 := b#2
          Join single
            Scan r [a#1]
            Scan s [b#2]
    """)


def test_comparison_with_an_aggregate_argument_goes_by_distinct_values() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a b")
    inner, s = plan.scan("s", "c")
    rows = plan.where(inner, condition("=", s["c"], r["a"]))
    weighed = Call(type=BIGINT, fn="*", args=(s["c"], r["b"]))
    total = plan.scalar(plan.aggregate(rows, "sum", weighed, "total"))
    assert plan_of(plan.query(plan.project(outer, total=total))) == text("""
        Project total#5 := total#4
          Project a#1, b#2, total#4
            Join inner on ((a#1 is not distinct from a#14) and (b#2 is not distinct from b#15))
              Scan r [a#1, b#2]
              Project total#4, a#14, b#15
                Join left on ((a#14 is not distinct from a#10) and (b#15 is not distinct from b#11))
                  Distinct
                    Project a#14 := a#12, b#15 := b#13
                      Scan r [a#12, b#13]
                  Aggregate by a#10 := a#8, b#11 := b#9: total#4 := sum((c#3 * b#9))
                    Project c#3, a#8, b#9
                      Join inner on (c#3 = a#8)
                        Distinct
                          Project a#8 := a#6, b#9 := b#7
                            Scan r [a#6, b#7]
                        Scan s [c#3]
    """)


def test_exists_within_exists_becomes_one_semi_join() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    middle, s = plan.scan("s", "b c")
    inner, t = plan.scan("t", "d e")
    deepest = plan.where(inner, condition("=", t["d"], r["a"]), condition("=", t["e"], s["c"]))
    query = plan.query(plan.where(outer, plan.exists(plan.where(middle, plan.exists(deepest)))))
    assert plan_of(query) == text("""
        Join semi on (d#4 = a#1)
          Scan r [a#1]
          Join inner on (e#5 = c#3)
            Scan s [b#2, c#3]
            Scan t [d#4, e#5]
    """)


def test_costly_left_side_is_computed_once() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a b")
    inner, s = plan.scan("s", "c")
    unique = Distinct(outer)
    larger = plan.aggregate(
        plan.where(inner, condition(">", s["c"], r["a"])), "count(*)", None, "larger"
    )
    flat = unnest(plan.query(plan.project(unique, larger=plan.scalar(larger))))
    check_flat(flat)
    assert list(flat.ctes) == [0]
    assert isinstance(flat.ctes[0].relation, Distinct)


def test_grouping_sets_keep_the_correlating_key() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, s = plan.scan("s", "b c d")
    rows = plan.where(inner, condition("=", s["b"], r["a"]))
    keys = tuple((plan.column(name), s[name]) for name in ("c", "d"))
    call = (plan.column("n"), AggregateCall(BIGINT, "count(*)", ()))
    groups = Aggregate(rows, keys, (call,), ((0,), (0, 1)))
    plan_text = plan_of(plan.query(Join("inner", outer, groups, lateral=True)))
    assert "sets [0, 2], [0, 1, 2]" in plan_text


def test_lateral_unnest_needs_no_join() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "items")
    element = plan.column("element")
    made = Unnest(Empty(), (((element,), r["items"]),))
    kept = Filter(made, condition(">", element, number(0)))
    assert plan_of(plan.query(Join("inner", outer, kept, lateral=True))) == text("""
        Filter (element#2 > 0)
          Unnest (element#2) := items#1
            Scan r [items#1]
    """)
    assert plan_of(plan.query(Join("left", outer, made, lateral=True))) == text("""
        Project items#1, element#2
          Unnest (element#2) := items#1 ordinality #3 outer
            Scan r [items#1]
    """)


def test_array_subquery_is_ordered_and_never_null() -> None:
    plan = Plan()
    outer, _ = plan.scan("r", "a")
    inner, s = plan.scan("s", "b c")
    rows = plan.project(Sort(inner, (SortKey(s["c"]),)), b=s["b"])
    array = Subquery(BIGINT, "array", rows, rows.columns)
    assert plan_of(plan.query(plan.project(outer, array=array))) == text("""
        Project array#5 := coalesce(#6, ())
          Join inner
            Scan r [a#1]
            Aggregate #6 := array_agg(b#4 order by c#3)
              Project b#4 := b#2, c#3
                Scan s [b#2, c#3]
    """)


def _correlated_recursion(plan: Plan) -> tuple[Relation, Recursive]:
    outer, r = plan.scan("r", "a")
    steps, _ = plan.scan("s", "b")
    working, own = plan.column("w"), plan.column("n")
    step = Filter(WorkingTable(1, (working,)), condition("<", working, r["a"]))
    return outer, Recursive(1, steps, step, (own,))


def test_the_rounds_of_a_correlated_recursion_hold_what_they_are_for() -> None:
    plan = Plan()
    outer, numbers = _correlated_recursion(plan)
    found = unnest(plan.query(Join("inner", outer, numbers, lateral=True))).relation
    (recursion,) = (node for node in nodes(found) if isinstance(node, Recursive))
    assert len(recursion.outputs) == len(recursion.base.columns) == 2
    assert not free_columns(found)


def test_a_limit_over_a_correlated_recursion_is_refused() -> None:
    plan = Plan()
    outer, numbers = _correlated_recursion(plan)
    first = Limit(numbers, number(1))
    with pytest.raises(NotYet, match="recursive"):
        unnest(plan.query(Join("inner", outer, first, lateral=True)))


def test_subquery_in_a_full_join_condition_is_refused() -> None:
    plan = Plan()
    left, _ = plan.scan("r", "a")
    right, _ = plan.scan("s", "b")
    inner, _ = plan.scan("t", "c")
    with pytest.raises(NotYet, match="FULL JOIN"):
        unnest(plan.query(Join("full", left, right, plan.exists(inner))))


def test_labels_follow_copied_columns() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, s = plan.scan("s", "b")
    larger = plan.aggregate(
        plan.where(inner, condition(">", s["b"], r["a"])), "count(*)", None, "larger"
    )
    flat = unnest(plan.query(plan.project(outer, larger=plan.scalar(larger))))
    scans = [node for node in nodes(flat.relation) if getattr(node, "input", None) == "r"]
    names = {flat.labels[column.id] for scan in scans for column in scan.columns}
    assert len(scans) > 1
    assert names == {"a"}


def test_a_condition_written_twice_is_joined_once_per_place() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    inner, _ = plan.scan("s", "b")
    twice: ColumnRef = r["a"]
    parts = [condition(">=", twice, plan.scalar(inner)), condition("<=", twice, plan.scalar(inner))]
    flat = unnest(plan.query(plan.where(outer, *parts)))
    check_flat(flat)
    assert len([node for node in nodes(flat.relation) if isinstance(node, Join)]) == 1


def test_exists_does_not_run_what_its_query_shows() -> None:
    plan = Plan()
    outer, r = plan.scan("r", "a")
    middle, s = plan.scan("s", "b")
    inner, _ = plan.scan("t", "c")
    shown = plan.project(
        plan.where(middle, condition("=", s["b"], r["a"])), many=plan.scalar(inner)
    )
    assert plan_of(plan.query(plan.where(outer, plan.exists(shown)))) == text("""
        Join semi on (b#2 = a#1)
          Scan r [a#1]
          Scan s [b#2]
    """)

"""Constant folding: what becomes a literal, what must not, and what keeps its error."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

import warehouse.functions.all  # noqa: F401 (registers every function)
from warehouse.algebra.expressions import Call, Case, Cast, Expr, InList, Literal
from warehouse.algebra.relations import Project
from warehouse.binder.context import Binding
from warehouse.binder.queries import bind_query
from warehouse.optimizer.fold import folded, folded_query
from warehouse.optimizer.optimize import optimized
from warehouse.optimizer.render import render_query
from warehouse.planning.catalogue import NoTables
from warehouse.planning.parse import parse_text


def bound(expression: str, source: str = "") -> Expr:
    sql = f"SELECT {expression}{source}"
    query = bind_query(parse_text(sql).tree, Binding(sql, NoTables()))
    assert isinstance(query.relation, Project)
    return query.relation.items[0][1]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7),
        ("5 / 2", 2),
        ("1.50 + 1", Decimal("2.50")),
        ("'a' || 'b' || 'c'", "abc"),
        ("upper('x')", "X"),
        ("'2026-01-31'::date + 1", datetime.date(2026, 2, 1)),
        ("DATE '2026-01-12' - INTERVAL '2' DAY", datetime.datetime(2026, 1, 10)),
        ("NULL::int + 1", None),
        ("CASE WHEN 1 = 1 THEN 2 ELSE 3 END", 2),
        ("3 IN (1, 2, 3)", True),
        ("NOT (1 > 2 OR NULL)", None),
        ("coalesce(NULL, 4)", 4),
        ("5 BETWEEN 1 AND 10", True),
        ("'abc' LIKE 'a%'", True),
        ("CAST(2.5 AS int)", 3),
    ],
)
def test_expressions_of_constants_become_literals(expression: str, value: Any) -> None:
    before = bound(expression)
    after = folded(before)
    assert isinstance(after, Literal)
    assert after.value == value
    assert after.type == before.type


@pytest.mark.parametrize(
    "expression",
    [
        "1 / 0",
        "CAST('x' || 'y' AS int)",
        "2147483647 + 1",
        "sqrt(-1)",
        "DATE '2026-01-31' + 2147483647",
    ],
)
def test_what_fails_stays_for_the_row_that_reaches_it(expression: str) -> None:
    before = bound(expression)
    after = folded(before)
    assert isinstance(after, Call | Cast)
    assert after.type == before.type


@pytest.mark.parametrize(
    "expression",
    ["now()", "current_date", "random()", "gen_random_uuid()", "clock_timestamp()",
     "'now'::text::date", "' Tomorrow '::text::date", "ARRAY[1, 2]", "ROW(1, 2)"],
)  # fmt: skip
def test_what_is_no_constant_stays(expression: str) -> None:
    assert not isinstance(folded(bound(expression)), Literal)


def test_constant_parts_fold_inside_what_is_not_constant() -> None:
    source = " FROM (VALUES (1)) v(x)"
    after = folded(bound("x + (1 + 2)", source))
    assert isinstance(after, Call)
    assert isinstance(after.args[1], Literal)
    assert after.args[1].value == 3
    kept = folded(bound("x IN (1 + 1, 5)", source))
    items = kept.items if isinstance(kept, InList) else kept.args  # type: ignore[attr-defined]
    assert all(not isinstance(item, Call) or item.fn == "=" for item in items)
    case = folded(bound("CASE WHEN x > 1 + 1 THEN 1 / 0 ELSE 2 END", source))
    assert isinstance(case, Case)
    assert isinstance(case.branches[0][1], Call)


def test_every_relation_is_folded() -> None:
    sql = "WITH q AS (SELECT 1 + 1 AS a) SELECT x.a FROM q x, q y WHERE x.a = 1 + 1 ORDER BY 2 + 3"
    sql = sql.replace("ORDER BY 2 + 3", "ORDER BY x.a + (2 + 3) LIMIT 1 + 1")
    query = folded_query(bind_query(parse_text(sql).tree, Binding(sql, NoTables())))
    assert "Call(" not in repr(query.ctes)
    assert "value=5" in repr(query.relation)


def test_constants_of_subqueries_fold_once_they_are_joins() -> None:
    sql = "SELECT 1 WHERE 1 IN (SELECT x FROM (VALUES (1), (2)) v(x) WHERE x < 1 + 1)"
    query = bind_query(parse_text(sql).tree, Binding(sql, NoTables()))
    assert "+" in render_query(optimized(query, {}, without=frozenset(["fold"])))
    assert "+" not in render_query(optimized(query, {}))

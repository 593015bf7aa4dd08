"""What the binder makes: casts where they belong, columns that mean what they should, places."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from storage.errors import InvalidRequest, MobulaError
from tests.unit.warehouse.binder.schema import answer, bind
from warehouse.algebra import types
from warehouse.algebra.expressions import Call, Cast, Expr, InList, Literal, Subquery
from warehouse.algebra.relations import (
    Aggregate,
    CteScan,
    Distinct,
    Filter,
    Join,
    Project,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Window,
)
from warehouse.algebra.walk import columns_used, free_columns, nodes
from warehouse.optimizer.render import render_expression


def outputs(sql: str, *parameters: Any) -> list[Expr]:
    """The expressions of the outermost SELECT."""
    (project, *_) = (n for n in nodes(bind(sql, *parameters).relation) if isinstance(n, Project))
    return [expr for _, expr in project.items]


def output(expression: str, source: str = "t") -> Expr:
    (found,) = outputs(f"SELECT {expression} FROM {source}")
    return found


def text(expression: str) -> str:
    sql = f"SELECT {expression} FROM t"
    query = bind(sql)
    (project, *_) = (n for n in nodes(query.relation) if isinstance(n, Project))
    return render_expression(project.items[0][1], query.labels)


def first(relation: Relation, kind: type[Relation]) -> Any:
    return next(node for node in nodes(relation) if isinstance(node, kind))


# --- casts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b", "(a#1 + b#2)"),
        ("a + 1.5", "(a#1::numeric + 1.5)"),
        ("a + f", "(a#1::double precision + f#6)"),
        ("a = 1.5", "(a#1 = 1.5)"),
        ("a = f", "(a#1::double precision = f#6)"),
        ("e = '2020-01-01'", "(e#5 = 2020-01-01)"),
        ("c = 'x'", "(c#3 = 'x')"),
        ("a = '5'", "(a#1 = 5)"),
        ("c || a", "(c#3 || a#1)"),
        ("coalesce(a, d)", "coalesce(a#1::numeric, d#4::numeric)"),
        ("a IN (1, 2)", "(a#1 in (1, 2))"),
        ("a NOT IN (1, 2)", "(a#1 not in (1, 2))"),
        ("a BETWEEN 1 AND 2", "((a#1 >= 1) and (a#1 <= 2))"),
        ("(a, b) = (1, 2)", "((a#1 = 1) and (b#2 = 2))"),
        ("(a, b) < (1, 2)", "((a#1 < 1) or ((a#1 = 1) and (b#2 < 2)))"),
        ("e + interval '1 day'", "(e#5 + (0, 1, 0))"),
    ],
)
def test_operators_get_arguments_of_their_types(expression: str, expected: str) -> None:
    assert text(expression) == expected


def test_a_list_of_constants_is_one_node_and_others_are_compared() -> None:
    assert isinstance(output("a IN (1, 2, NULL)"), InList)
    assert isinstance(output("b IN (1, 2)"), InList | Call)
    assert isinstance(output("a IN (1, b)"), Call)


def test_sides_of_a_union_are_cast_to_the_common_type() -> None:
    query = bind("SELECT a FROM t UNION ALL SELECT d FROM t")
    union = first(query.relation, SetOperation)
    kinds = {side.columns[0].type for side in (union.left, union.right)}
    assert len(kinds) == 1
    assert isinstance(first(union.left, Project).items[0][1], Cast)


# --- names ----------------------------------------------------------------------------------------


def test_every_reference_of_a_table_has_columns_of_its_own() -> None:
    query = bind("SELECT x.a, y.a FROM t x, t y")
    scans = [node for node in nodes(query.relation) if isinstance(node, Scan)]
    ids = [column.id for scan in scans for column in scan.outputs]
    assert len(ids) == len(set(ids)) == 16
    (left, right) = outputs("SELECT x.a, y.a FROM t x, t y")
    assert left != right


@pytest.mark.parametrize(
    ("join", "side"), [("JOIN", "left"), ("LEFT JOIN", "left"), ("RIGHT JOIN", "right")]
)
def test_the_column_of_using_is_that_of_the_side_that_is_kept(join: str, side: str) -> None:
    query = bind(f"SELECT a FROM t {join} u USING (a)")
    joined = first(query.relation, Join)
    ids = {column.id for column in getattr(joined, side).columns}
    project = first(query.relation, Project)
    assert columns_used(project.items[0][1]) <= ids


def test_the_column_of_a_full_join_is_of_either_side() -> None:
    (found,) = outputs("SELECT a FROM t FULL JOIN u USING (a)")
    assert isinstance(found, Call)
    assert found.fn == "coalesce"
    assert len(columns_used(found)) == 2


def test_a_correlated_subquery_looks_outwards_after_it_looked_inside() -> None:
    (found,) = outputs("SELECT (SELECT max(u.a) FROM u WHERE x = c) FROM t")
    assert isinstance(found, Subquery)
    query = bind("SELECT (SELECT max(u.a) FROM u WHERE x = c) FROM t")
    outer = {column.id for column in first(query.relation, Scan).outputs}
    (subquery,) = (expr for _, expr in first(query.relation, Project).items)
    assert free_columns(subquery.relation) <= outer
    (inner,) = outputs("SELECT (SELECT a FROM u LIMIT 1) FROM t")
    assert isinstance(inner, Subquery)
    assert not free_columns(inner.relation)


def is_grouped(relation: Relation) -> bool:
    """Without a look into subqueries."""
    return isinstance(relation, Aggregate) or any(map(is_grouped, relation.inputs))


def test_an_aggregate_belongs_to_the_query_of_its_columns() -> None:
    outer = bind("SELECT (SELECT max(t.a) FROM u LIMIT 1) FROM t").relation
    assert is_grouped(outer)
    inner = bind("SELECT (SELECT max(u.a + t.a) FROM u) FROM t").relation
    assert not is_grouped(inner)


def test_equal_aggregates_and_windows_are_computed_once() -> None:
    grouped = bind("SELECT sum(a), sum(a) + 1 FROM t HAVING sum(a) > 2 ORDER BY sum(a)").relation
    assert len(first(grouped, Aggregate).calls) == 1
    windowed = bind(
        "SELECT rank() OVER w, rank() OVER (ORDER BY a) FROM t WINDOW w AS (ORDER BY a)"
    )
    assert len(first(windowed.relation, Window).calls) == 1


def test_clauses_stand_in_the_order_of_sql() -> None:
    query = bind(
        "SELECT DISTINCT c, count(*) AS n, rank() OVER (ORDER BY count(*)) FROM t WHERE a > 1"
        " GROUP BY c HAVING count(*) > 2 ORDER BY n"
    )
    kinds = [type(node) for node in nodes(query.relation)]
    expected = [Sort, Distinct, Project, Window, Filter, Aggregate, Filter, Scan]
    assert kinds == expected


def test_table_expressions_are_kept_where_they_are_used_twice() -> None:
    once = bind("WITH q AS (SELECT a FROM t) SELECT * FROM q")
    twice = bind("WITH q AS (SELECT a FROM t) SELECT * FROM q x, q y")
    never = bind("WITH q AS (SELECT a FROM t) SELECT 1")
    assert (len(once.ctes), len(twice.ctes), len(never.ctes)) == (0, 1, 0)
    assert len([n for n in nodes(twice.relation) if isinstance(n, CteScan)]) == 2


def test_grouping_sets_are_sets_of_positions() -> None:
    grouped = first(bind("SELECT 1 FROM t GROUP BY a, ROLLUP (b, c)").relation, Aggregate)
    assert grouped.sets == ((0, 1, 2), (0, 1), (0,))
    cube = first(bind("SELECT 1 FROM t GROUP BY CUBE (a, b)").relation, Aggregate)
    assert sorted(cube.sets) == [(), (0,), (0, 1), (1,)]
    plain = first(bind("SELECT 1 FROM t GROUP BY a, b").relation, Aggregate)
    assert plain.sets is None


# --- parameters -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, types.BOOLEAN),
        (5, types.INTEGER),
        (2**40, types.BIGINT),
        (0.1, types.DOUBLE),
        ("x", types.TEXT),
        (b"x", types.BYTEA),
        (datetime.date(2026, 1, 2), types.DATE),
        (datetime.time(1, 2), types.TIME),
        (datetime.datetime(2026, 1, 2), types.TIMESTAMP),
        (datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), types.TIMESTAMPTZ),
        (datetime.timedelta(days=1), types.INTERVAL),
        (None, types.TEXT),
    ],
)
def test_parameters_are_typed_by_their_python_type(value: Any, kind: Any) -> None:
    (found,) = outputs("SELECT $1", value)
    assert isinstance(found, Literal)
    assert found.type == kind


def test_texts_and_nulls_take_the_type_that_their_place_gives() -> None:
    (found,) = outputs("SELECT e = $1 FROM t", "2026-01-02")
    assert isinstance(found, Call)
    assert found.args[1] == Literal(type=types.DATE, value=datetime.date(2026, 1, 2))
    (found,) = outputs("SELECT a + $1 FROM t", None)
    assert found.type == types.INTEGER


@pytest.mark.parametrize(
    ("sql", "parameters", "sqlstate", "message"),
    [
        ("SELECT $1, $3", (1, 2), "42P02", "there is no parameter $3: 2 were given"),
        ("SELECT $1", (), "42P02", "there is no parameter $1: 0 were given (line 1, column 8)"),
        ("SELECT $0", (1,), "42P02", "there is no parameter $0"),
        ("SELECT :x", (1,), "42P02", "there is no parameter $x"),
        ("SELECT $1", ({},), "22023", "a Python dict has no SQL type"),
        ("SELECT $1", (Decimal("Infinity"),), "22003", "DECIMAL has no Infinity"),
        ("SELECT a = $1 FROM t", ("x",), "22P02", 'type integer: "x"'),
    ],
)
def test_parameters_that_do_not_fit(
    sql: str, parameters: tuple[Any, ...], sqlstate: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        bind(sql, *parameters)
    assert caught.value.sqlstate == sqlstate
    assert message in str(caught.value)


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT aa FROM t", "column aa does not exist (line 1, column 8)"),
        ("SELECT\n  t.zz FROM t", "column t.zz does not exist (line 2, column 3)"),
        ("SELECT tt.a FROM t", "did you mean t?"),
        ("SELECT upperr(c) FROM t", "did you mean upper?"),
        ("SELECT a FROM t, u", '"a" is ambiguous (line 1, column 8): t and u have it'),
        ("SELECT a, sum(b) FROM t", 'column "t.a" must appear in the GROUP BY clause'),
        ("SELECT a + e FROM t WHERE a > g", "integer > boolean (line 1, column 29)"),
        ("SELECT 1 FROM t WHERE a", "argument of WHERE must be type boolean, not type integer"),
        ("SELECT 1 FROM t, t", 'table name "t" specified more than once'),
        ("SELECT 1 FROM t ORDER BY 2", "ORDER BY position 2 is not in select list"),
        ("SELECT 1::nope", 'type "nope" does not exist'),
        ("SELECT a::date FROM t", "cannot cast type integer to date"),
        ("SELECT CASE WHEN g THEN a ELSE c END FROM t", "CASE types integer and text cannot"),
        ("SELECT a FROM t UNION SELECT a, b FROM t", "UNION query must have the same number"),
        ("SELECT sum(sum(a)) FROM t", "aggregate function calls cannot be nested"),
        ("SELECT 1 FROM t JOIN u USING (z)", '"z" specified in USING clause does not exist'),
    ],
)
def test_errors_say_what_and_where(sql: str, message: str) -> None:
    with pytest.raises(MobulaError) as caught:
        bind(sql)
    assert message in str(caught.value)


def test_resolution_prefers_as_postgresql_does() -> None:
    assert answer("SELECT abs('1')") == "abs double precision"
    assert output("round(a)").type == types.DOUBLE
    assert answer("SELECT round(d, 1) FROM t") == "round numeric"
    assert output("power(2, 3)").type == types.DOUBLE
    assert output("a / 2").type == types.INTEGER
    assert answer("SELECT sum(b) FROM t") == "sum numeric"

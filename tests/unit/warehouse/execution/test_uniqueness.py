"""What is known of the rows of a relation from its form."""

from __future__ import annotations

from tests.unit.warehouse.execution.relation_cases import Tables, agg, call, eq, lit
from warehouse.algebra.relations import Distinct, Empty, Filter, Join, Limit, Sort, Values
from warehouse.algebra.types import BIGINT, INTEGER
from warehouse.execution.uniqueness import unique


def test_relations_of_one_row() -> None:
    tables = Tables()
    rows = tables.scan([], INTEGER)
    count = tables.aggregate(rows, [], agg("count(*)"))
    assert unique(Empty())
    assert unique(count)
    assert unique(tables.project(count, lit(1)))
    assert unique(Filter(input=count, predicate=call(">", count.columns[0], lit(1, BIGINT))))
    assert unique(Sort(input=count, keys=()))
    assert unique(Limit(input=rows, count=lit(1, BIGINT)))
    assert unique(Values(rows=((lit(1),),), outputs=(tables.column(INTEGER),)))
    assert unique(Join(kind="inner", left=count, right=Empty()))
    assert unique(Join(kind="semi", left=count, right=rows))


def test_relations_of_any_number_of_rows() -> None:
    tables = Tables()
    rows = tables.scan([], INTEGER)
    count = tables.aggregate(rows, [], agg("count(*)"))
    assert not unique(rows)
    assert not unique(tables.aggregate(rows, [rows.columns[0]], agg("count(*)")))
    assert not unique(tables.aggregate(rows, [], agg("count(*)"), sets=((), ())))
    assert not unique(Limit(input=rows, count=lit(2, BIGINT)))
    assert not unique(Limit(input=rows, count=lit(1, BIGINT), ties=(call,)))  # type: ignore[arg-type]
    assert not unique(Join(kind="left", left=count, right=rows))
    assert not unique(Join(kind="full", left=count, right=count))


def test_groups_are_told_apart_by_their_keys() -> None:
    tables = Tables()
    rows = tables.scan([], INTEGER, INTEGER)
    grouped = tables.aggregate(rows, rows.columns, agg("count(*)"))
    first, second = (key for key, _ in grouped.keys)
    assert unique(grouped, frozenset([first.id, second.id]))
    assert not unique(grouped, frozenset([first.id]))
    shown = tables.project(grouped, second, first)
    assert unique(shown, frozenset(column.id for column in shown.columns))
    once = Distinct(input=rows)
    assert unique(once, frozenset(column.id for column in rows.columns))
    assert not unique(once, frozenset([rows.columns[0].id]))
    assert eq(first, second).fn == "="

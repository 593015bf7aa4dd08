"""UNION, INTERSECT, EXCEPT and DISTINCT against counting in Python."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import pytest

from storage.schema import DecimalType
from tests.unit.warehouse.execution.relation_cases import (
    Row,
    Tables,
    agg,
    asc,
    desc,
    lit,
    ordered,
)
from warehouse.algebra.relations import Distinct, Relation, SetOperation
from warehouse.algebra.types import DOUBLE, INTEGER, INTERVAL


def operation(
    tables: Tables, kind: str, left: Relation, right: Relation, *, keep: bool
) -> SetOperation:
    outputs = tuple(tables.column(column.type) for column in left.columns)
    return SetOperation(kind=kind, all=keep, left=left, right=right, outputs=outputs)


def expected(kind: str, left: Counter[Row], right: Counter[Row], *, keep: bool) -> Counter[Row]:
    if not keep:
        left, right = Counter(set(left)), Counter(set(right))
    if kind == "intersect":
        return left & right
    if kind == "except":
        return left - right
    return left + right if keep else left | right


@pytest.mark.parametrize("kind", ["union", "intersect", "except"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_rows_are_counted_with_null_equal_to_null(kind: str, keep: bool, seed: int) -> None:
    chance = random.Random(seed)
    tables = Tables()
    sides = [
        [(chance.choice([None, 1, 2]), chance.choice([None, 1])) for _ in range(count)]
        for count in (9, chance.choice([0, 1, 9]))
    ]
    left, right = (tables.scan(rows, INTEGER, INTEGER) for rows in sides)
    wanted = expected(kind, Counter(sides[0]), Counter(sides[1]), keep=keep)
    found = tables.set(operation(tables, kind, left, right, keep=keep))
    assert found == ordered(wanted.elements()), f"seed {seed}"


@pytest.mark.parametrize("kind", ["union", "intersect", "except"])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("counts", [(3, 2), (0, 2), (3, 0), (2, 3)])
def test_rows_without_columns_are_all_equal(kind: str, keep: bool, counts: tuple[int, int]) -> None:
    tables = Tables()
    left, right = (tables.scan([(i,) for i in range(count)], INTEGER) for count in counts)
    found = operation(tables, kind, tables.project(left), tables.project(right), keep=keep)
    wanted = expected(kind, Counter([()] * counts[0]), Counter([()] * counts[1]), keep=keep)
    assert tables.run(found) == list(wanted.elements())


def test_narrow_and_wide_decimals_are_one_column() -> None:
    tables = Tables()
    kind = DecimalType(38, 2)
    narrow = tables.project(tables.scan([(1,)], INTEGER), lit(Decimal("1.50"), kind))
    wide = tables.scan([(Decimal("1.50"),), (Decimal(10) ** 30,)], kind)
    found = tables.set(operation(tables, "union", narrow, wide, keep=False))
    assert found == ordered([(Decimal("1.50"),), (Decimal("1000000000000000000000000000000.00"),)])


def test_distinct_follows_the_equality_of_the_type() -> None:
    tables = Tables()
    nan = float("nan")
    floats = tables.scan([(nan,), (nan,), (0.0,), (-0.0,), (None,), (None,)], DOUBLE)
    assert len(tables.run(Distinct(input=floats))) == 3
    spans = tables.scan([((1, 0, 0),), ((0, 30, 0),), ((0, 31, 0),)], INTERVAL)
    assert len(tables.run(Distinct(input=spans))) == 2
    assert len(tables.run(operation(tables, "except", spans, spans, keep=True))) == 0
    assert tables.run(Distinct(input=tables.project(spans))) == [()]


def test_distinct_on_keeps_the_first_row_of_the_order() -> None:
    tables = Tables()
    rows = tables.scan([(1, 5), (None, 2), (1, 7), (None, 9), (2, None)], INTEGER, INTEGER)
    key, value = rows.columns
    found = Distinct(input=rows, keys=(key,), order=(desc(key), asc(value)))
    assert tables.run(found) == [(None, 2), (2, None), (1, 5)]
    unordered = Distinct(input=rows, keys=(key,))
    assert sorted(str(row[0]) for row in tables.run(unordered)) == ["1", "2", "None"]


def test_a_union_knows_the_bounds_of_both_sides() -> None:
    tables = Tables()
    one, hundred = (tables.project(tables.scan([(0,)], INTEGER), lit(n)) for n in (1, 100))
    union = operation(tables, "union", one, hundred, keep=True)
    assert tables.run(tables.aggregate(union, [], agg("sum(int4)", union.columns[0]))) == [(101,)]

"""Joins of every kind against nested loops in Python, and the shapes of their plans."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from storage.errors import InternalError, InvalidRequest
from storage.schema import DecimalType
from tests.unit.warehouse.execution.relation_cases import (
    Row,
    Tables,
    agg,
    call,
    eq,
    every,
    lit,
    ordered,
)
from warehouse.algebra.expressions import ColumnRef, Expr
from warehouse.algebra.relations import Empty, Filter, Join, Limit, Relation, Scan, Sort
from warehouse.algebra.types import BIGINT, BOOLEAN, DATE, DOUBLE, INTEGER, INTERVAL, TIMESTAMP
from warehouse.execution.lowered import Context
from warehouse.execution.relations import lower_relation

Truth = bool | None
Condition = tuple[Expr | None, Callable[[Row, Row], Truth]]
NOTHING: Row = (None, None, None)


def compared(op: str, left: Any, right: Any) -> Truth:
    if op == "is not distinct":
        return bool(left == right)
    if left is None or right is None:
        return None
    found = {"=": left == right, "<>": left != right, "<": left < right, ">=": left >= right}
    return found[op]


def both(parts: list[Truth]) -> Truth:
    if False in parts:
        return False
    return None if None in parts else True


class Case:
    """Two random tables and a random condition over them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.tables = Tables()
        self.left_rows, self.right_rows = self._rows(8), self._rows(self.random.choice([0, 1, 9]))
        self.left = self.tables.scan(self.left_rows, INTEGER, INTEGER, INTEGER)
        self.right = self.tables.scan(self.right_rows, INTEGER, INTEGER, INTEGER)

    def _rows(self, count: int) -> list[Row]:
        return [tuple(self._value() for _ in range(3)) for _ in range(count)]

    def _value(self) -> int | None:
        return None if self.random.random() < 0.25 else self.random.randint(0, 3)

    def part(self, *ops: str) -> tuple[Expr, Callable[[Row, Row], Truth]]:
        op, i, j = self.random.choice(ops), self.random.randrange(3), self.random.randrange(3)
        left, right = self.left.columns[i], self.right.columns[j]
        match self.random.randrange(8):
            case 0:
                return call(">=", left, lit(2)), lambda a, b: compared(">=", a[i], 2)
            case 1:
                return call(">=", right, lit(2)), lambda a, b: compared(">=", b[j], 2)
            case 2:
                return call(op, right, left), lambda a, b: compared(op, b[j], a[i])
            case _:
                return call(op, left, right), lambda a, b: compared(op, a[i], b[j])

    def condition(self, *ops: str) -> Condition:
        parts = [self.part(*ops) for _ in range(self.random.randint(0, 3))]
        if not parts:
            return None, lambda a, b: True
        exprs = [expr for expr, _ in parts]
        whole = exprs[0] if len(exprs) == 1 else every(*exprs)
        return whole, lambda a, b: both([check(a, b) for _, check in parts])

    def join(self, kind: str, condition: Expr | None, **how: Any) -> Join:
        return Join(kind=kind, left=self.left, right=self.right, condition=condition, **how)

    def expected(self, kind: str, check: Callable[[Row, Row], Truth]) -> list[Row]:
        pairs = [
            (i, j)
            for i, a in enumerate(self.left_rows)
            for j, b in enumerate(self.right_rows)
            if check(a, b)
        ]
        left, right = {i for i, _ in pairs}, {j for _, j in pairs}
        if kind == "semi":
            return [row for i, row in enumerate(self.left_rows) if i in left]
        if kind == "anti":
            return [row for i, row in enumerate(self.left_rows) if i not in left]
        rows = [self.left_rows[i] + self.right_rows[j] for i, j in pairs]
        if kind in ("left", "full"):
            rows += [a + NOTHING for i, a in enumerate(self.left_rows) if i not in left]
        if kind in ("right", "full"):
            rows += [NOTHING + b for j, b in enumerate(self.right_rows) if j not in right]
        return rows

    def truths(self, check: Callable[[Row, Row], Truth]) -> list[Truth]:
        """Of each left row: true for some row, else NULL for some, else false."""
        found: list[Truth] = []
        for a in self.left_rows:
            each = [check(a, b) for b in self.right_rows]
            found.append(True if True in each else None if None in each else False)
        return found


@pytest.mark.parametrize("kind", ["inner", "left", "right", "full", "semi", "anti"])
@pytest.mark.parametrize("seed", range(40))
def test_a_join_is_its_nested_loops(kind: str, seed: int) -> None:
    case = Case(seed)
    expr, check = case.condition("=", "=", "=", "<>", "<", ">=", "is not distinct")
    found = case.tables.set(case.join(kind, expr))
    assert found == ordered(case.expected(kind, check)), f"seed {seed}: {expr}"


@pytest.mark.parametrize("ops", [("=",), ("=", "<>", "<", ">=", "is not distinct")])
@pytest.mark.parametrize("seed", range(60))
def test_mark_and_null_aware_anti_tell_null_from_false(seed: int, ops: tuple[str, ...]) -> None:
    case = Case(seed)
    expr, check = case.condition(*ops)
    truths = case.truths(check)
    marked = case.tables.mark(case.left, case.right, expr, null_aware=True)
    wanted = [(*row, truth) for row, truth in zip(case.left_rows, truths, strict=True)]
    assert case.tables.set(marked) == ordered(wanted), f"seed {seed}: {expr}"
    anti = case.join("anti", expr, null_aware=True)
    kept = [row for row, truth in zip(case.left_rows, truths, strict=True) if truth is False]
    assert case.tables.set(anti) == ordered(kept), f"seed {seed}: {expr}"
    plain = case.tables.mark(case.left, case.right, expr)
    wanted = [(*row, truth is True) for row, truth in zip(case.left_rows, truths, strict=True)]
    assert case.tables.set(plain) == ordered(wanted), f"seed {seed}: {expr}"


@pytest.mark.parametrize("seed", range(40))
def test_a_strict_part_of_a_null_aware_join_is_a_filter_of_the_right_side(seed: int) -> None:
    case = Case(seed)
    (inner, inner_check), (outer, outer_check) = case.part("="), case.part("=", "<", "<>")

    def check(a: Row, b: Row) -> Truth:
        return inner_check(a, b) if outer_check(a, b) is True else False

    expr = every(inner, call("is true", outer))
    marked = case.tables.mark(case.left, case.right, expr, null_aware=True)
    wanted = [(*row, truth) for row, truth in zip(case.left_rows, case.truths(check), strict=True)]
    assert case.tables.set(marked) == ordered(wanted), f"seed {seed}: {expr}"


@pytest.mark.parametrize("seed", range(60))
def test_single_joins_return_the_only_match_or_an_error(seed: int) -> None:
    case = Case(seed)
    expr, check = case.condition("=", "=", "<")
    counts = [sum(check(a, b) is True for b in case.right_rows) for a in case.left_rows]
    join = case.join("single", expr)
    if max(counts) > 1:
        with pytest.raises(InvalidRequest, match="more than one row returned") as caught:
            case.tables.run(join)
        assert caught.value.sqlstate == "21000"
    else:
        assert case.tables.set(join) == ordered(case.expected("left", check)), f"seed {seed}"


def test_several_rows_for_no_row_are_no_error() -> None:
    tables = Tables()
    left, right = tables.scan([], INTEGER), tables.scan([(1,), (2,)], INTEGER)
    assert tables.run(Join(kind="single", left=left, right=right)) == []


# --- keys -----------------------------------------------------------------------------------------


def pair(tables: Tables, left: list[Any], kind: Any, right: list[Any], other: Any) -> Join:
    one = tables.scan([(value,) for value in left], kind)
    two = tables.scan([(value,) for value in right], other)
    return Join(kind="inner", left=one, right=two, condition=eq(one.columns[0], two.columns[0]))


def test_decimals_of_different_scales_meet() -> None:
    tables = Tables()
    values = [Decimal("1.5"), Decimal("2.25")]
    join = pair(tables, values, DecimalType(10, 2), [Decimal("1.500")], DecimalType(12, 3))
    assert tables.run(join) == [(Decimal("1.50"), Decimal("1.500"))]


def test_wide_decimals_meet_narrow_ones_and_integers() -> None:
    tables = Tables()
    large = Decimal(10) ** 37
    join = pair(tables, [large, Decimal(7)], DecimalType(38, 0), [7, 8], BIGINT)
    assert tables.run(join) == [(Decimal(7), 7)]
    # 10^37 has no room for three more digits: it equals nothing, and wraps to nothing.
    join = pair(tables, [large, Decimal(7)], DecimalType(38, 0), [Decimal(7)], DecimalType(9, 3))
    assert tables.run(join) == [(Decimal(7), Decimal("7.000"))]


def test_floats_meet_as_postgresql_compares_them() -> None:
    tables = Tables()
    join = pair(tables, [float("nan"), -0.0, 1.0], DOUBLE, [float("nan"), 0.0, None], DOUBLE)
    assert repr(tables.set(join)) == "[(-0.0, 0.0), (nan, nan)]"


def test_intervals_meet_by_their_length() -> None:
    tables = Tables()
    join = pair(tables, [(1, 0, 0)], INTERVAL, [(0, 30, 0), (0, 31, 0)], INTERVAL)
    assert tables.run(join) == [((1, 0, 0), (0, 30, 0))]


def test_dates_meet_timestamps_at_midnight() -> None:
    from datetime import date, datetime

    tables = Tables()
    moments = [datetime(2024, 1, 2), datetime(2024, 1, 2, 1)]
    join = pair(tables, [date(2024, 1, 2)], DATE, moments, TIMESTAMP)
    assert tables.run(join) == [(date(2024, 1, 2), datetime(2024, 1, 2))]


def test_computed_keys_leave_no_column_behind() -> None:
    tables = Tables()
    left, right = tables.scan([(1,), (2,)], INTEGER), tables.scan([(2,), (3,)], INTEGER)
    doubled = call("coalesce", left.columns[0], lit(0), kind=INTEGER)
    join = Join(kind="full", left=left, right=right, condition=eq(doubled, right.columns[0]))
    assert tables.set(join) == ordered([(1, None), (2, 2), (None, 3)])


def test_rows_without_columns_are_still_rows() -> None:
    tables = Tables()
    three, two = (tables.scan([(i,) for i in range(count)], INTEGER) for count in (3, 2))
    product = Join(kind="inner", left=tables.project(three), right=tables.project(two))
    assert tables.run(product) == [()] * 6
    assert tables.run(Join(kind="inner", left=Empty(), right=two)) == [(0,), (1,)]


# --- plans ----------------------------------------------------------------------------------------


def plan(tables: Tables, relation: Relation) -> str:
    frame = lower_relation(relation, Context(inputs=tables.inputs)).frame
    text: str = frame.explain(optimizations=pl.QueryOptFlags(join_order=False))
    return text


def two(tables: Tables) -> tuple[Scan, Scan, ColumnRef, ColumnRef]:
    left, right = tables.scan([(1, 2)], INTEGER, INTEGER), tables.scan([(1, 2)], INTEGER, INTEGER)
    return left, right, left.columns[0], right.columns[0]


def test_predicates_reach_both_sides_of_a_join() -> None:
    tables = Tables()
    left, right, mine, yours = two(tables)
    join = Join(kind="inner", left=left, right=right, condition=eq(mine, yours))
    text = plan(tables, Filter(input=join, predicate=call(">", left.columns[1], lit(1))))
    assert text.index("INNER JOIN") < text.index("FILTER")


def test_a_product_with_one_row_is_a_hash_join() -> None:
    tables = Tables()
    left, right, mine, yours = two(tables)
    most = tables.aggregate(right, [], agg("max(int4)", yours, kind=INTEGER))
    condition = call(">", mine, most.columns[0])
    text = plan(tables, Join(kind="inner", left=left, right=most, condition=condition))
    assert "INNER JOIN" in text
    assert "RANGE JOIN" not in text
    assert "CROSS JOIN" not in text


def test_a_unique_right_side_needs_no_check() -> None:
    tables = Tables()
    left, right, mine, yours = two(tables)
    sums = tables.aggregate(right, [yours], agg("count(*)"))
    join = Join(kind="single", left=left, right=sums, condition=eq(mine, sums.columns[0]))
    assert "strict_cast(Int8)" not in plan(tables, join)
    top = Limit(input=Sort(input=right, keys=()), count=lit(1, BIGINT))
    assert "strict_cast(Int8)" not in plan(tables, Join(kind="single", left=left, right=top))


def test_lateral_joins_are_refused() -> None:
    tables = Tables()
    left, right, mine, yours = two(tables)
    join = Join(kind="inner", left=left, right=right, condition=eq(mine, yours), lateral=True)
    with pytest.raises(InternalError, match="lateral"):
        tables.run(join)


def test_conditions_without_columns_hold_for_all_pairs_or_none() -> None:
    tables = Tables()
    left, right, *_ = two(tables)
    for kind, rows in (("inner", 0), ("left", 1), ("right", 1), ("full", 2), ("anti", 1)):
        join = Join(kind=kind, left=left, right=right, condition=lit(False, BOOLEAN))
        assert len(tables.run(join)) == rows, kind

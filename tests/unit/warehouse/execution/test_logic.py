"""Three-valued logic, conditionals, rows and lists; expected values are PostgreSQL 16's."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from storage.errors import InternalError, InvalidRequest, NotYet
from storage.schema import ArrayType, DecimalType, StructType
from warehouse.algebra.expressions import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Parameter,
    WindowCall,
)
from warehouse.algebra.types import BOOLEAN, DOUBLE, INTEGER, INTERVAL, TEXT, AnyType, RecordType
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.literals import from_carrier
from warehouse.execution.value import Range, Value, raised

MONEY = DecimalType(12, 2)
LARGE = DecimalType(30, 4)


def lit(value: Any, kind: AnyType = INTEGER) -> Literal:
    return Literal(type=kind, value=value)


def call(fn: str, *args: Expr, kind: AnyType = BOOLEAN) -> Call:
    return Call(type=kind, fn=fn, args=args)


def constant(expr: Expr, **environment: Any) -> Any:
    value = lower(expr, Environment(columns={}, **environment))
    return from_carrier(pl.select(raised(value)).item(), value.type)


def row(*values: Any) -> Call:
    fields = tuple(lit(value) for value in values)
    return call("row", *fields, kind=RecordType(tuple(INTEGER for _ in values)))


def over(expr: Expr, *columns: tuple[AnyType, list[Any]]) -> list[Any]:
    """The expression over columns c0, c1, … of carriers."""
    frame = pl.DataFrame({f"c{i}": values for i, (_, values) in enumerate(columns)}, strict=False)
    offered = {i: Value(pl.col(f"c{i}"), kind) for i, (kind, _) in enumerate(columns)}
    value = lower(expr, Environment(columns=offered))
    rows = frame.lazy().select(raised(value).alias("result")).collect().to_series().to_list()
    return [from_carrier(item, value.type) for item in rows]


def column(index: int, kind: AnyType = INTEGER) -> ColumnRef:
    return ColumnRef(type=kind, id=index)


TRUTH = [True, False, None]


def test_connectives_have_three_values() -> None:
    left = [a for a in TRUTH for _ in TRUTH]
    right = TRUTH * 3
    operands = (BOOLEAN, left), (BOOLEAN, right)
    both = over(call("and", column(0, BOOLEAN), column(1, BOOLEAN)), *operands)
    assert both == [True, False, None, False, False, False, None, False, None]
    either = over(call("or", column(0, BOOLEAN), column(1, BOOLEAN)), *operands)
    assert either == [True, True, True, True, False, None, True, None, None]


@pytest.mark.parametrize(
    ("fn", "wanted"),
    [
        ("not", [False, True, None]),
        ("is null", [False, False, True]),
        ("is not null", [True, True, False]),
        ("is true", [True, False, False]),
        ("is not true", [False, True, True]),
        ("is false", [False, True, False]),
        ("is not false", [True, False, True]),
        ("is unknown", [False, False, True]),
        ("is not unknown", [True, True, False]),
    ],
)
def test_tests_of_truth(fn: str, wanted: list[bool | None]) -> None:
    assert over(call(fn, column(0, BOOLEAN)), (BOOLEAN, TRUTH)) == wanted


@pytest.mark.parametrize(
    ("op", "left", "right", "wanted"),
    [
        ("=", (1, None), (1, None), None),
        ("=", (1, None), (2, None), False),
        ("<>", (1, None), (2, None), True),
        ("<", (1, None), (2, None), True),
        ("<", (1, None), (1, 2), None),
        ("<=", (1, 2), (1, 2), True),
        (">=", (1, 2), (1, 3), False),
        ("<", (None, 1), (1, 2), None),
        ("is distinct", (1, None), (1, None), False),
        ("is not distinct", (1, None), (1, None), True),
    ],
)
def test_row_constructors_compare_field_by_field(
    op: str, left: tuple[Any, ...], right: tuple[Any, ...], wanted: bool | None
) -> None:
    assert constant(call(op, row(*left), row(*right))) is wanted


def test_stored_composites_compare_as_a_whole() -> None:
    kind = StructType("pair", (("a", INTEGER), ("b", INTEGER)))
    pairs = [{"a": 1, "b": None}, {"a": 1, "b": 2}, None]
    others = [{"a": 1, "b": None}, {"a": 1, "b": None}, {"a": 1, "b": 1}]
    operands = (kind, pairs), (kind, others)
    found = {
        op: over(call(op, column(0, kind), column(1, kind)), *operands)
        for op in ("=", "<>", "<", ">", "is distinct")
    }
    assert found == {
        "=": [True, False, None],
        "<>": [False, True, None],
        "<": [False, True, None],
        ">": [False, False, None],
        "is distinct": [False, True, True],
    }


def test_a_row_is_null_if_all_its_fields_are() -> None:
    assert constant(call("is null", row(1, None))) is False
    assert constant(call("is null", row(None, None))) is True
    assert constant(call("is not null", row(1, None))) is False
    assert constant(call("is not null", row(1, 2))) is True


def test_fields_by_name_and_number() -> None:
    pair = row(7, 8)
    assert constant(call("field", pair, lit("f2", TEXT), kind=INTEGER)) == 8
    assert constant(call("field", pair, lit(1), kind=INTEGER)) == 7
    with pytest.raises(InternalError, match="no field 'x'"):
        constant(call("field", pair, lit("x", TEXT), kind=INTEGER))


def test_greatest_and_least() -> None:
    nan = float("nan")
    assert constant(call("greatest", lit(1), lit(None), lit(3), kind=INTEGER)) == 3
    assert constant(call("least", lit(1), lit(None), lit(3), kind=INTEGER)) == 1
    assert constant(call("greatest", lit(None), lit(None), kind=INTEGER)) is None
    floats = lit(nan, DOUBLE), lit(1.0, DOUBLE), lit(None, DOUBLE)
    assert math.isnan(constant(call("greatest", *floats, kind=DOUBLE)))
    assert constant(call("least", *floats, kind=DOUBLE)) == 1.0
    spans = lit((1, 0, 0), INTERVAL), lit((0, 31, 0), INTERVAL)
    assert constant(call("greatest", *spans, kind=INTERVAL)) == (0, 31, 0)
    arrays = lit((1, 2), ArrayType(INTEGER)), lit((1, None), ArrayType(INTEGER))
    assert constant(call("greatest", *arrays, kind=ArrayType(INTEGER))) == (1, None)


def test_nullif_compares_exactly() -> None:
    nan = lit(float("nan"), DOUBLE)
    assert constant(call("nullif", nan, nan, kind=DOUBLE)) is None
    numbers = lit(Decimal("1.50"), MONEY), lit(Decimal("1.5"), DecimalType(2, 1))
    assert constant(call("nullif", *numbers, kind=MONEY)) is None
    assert constant(call("nullif", lit(1), lit(2), kind=INTEGER)) == 1


@pytest.mark.parametrize(
    ("value", "items", "wanted"),
    [(1, [1, None], True), (2, [1, None], None), (2, [1, 3], False), (None, [1], None)],
)
def test_in_a_list(value: int | None, items: list[int | None], wanted: bool | None) -> None:
    listed = tuple(lit(item) for item in items)
    for negated in (False, True):
        node = InList(type=BOOLEAN, arg=column(0), items=listed, negated=negated)
        opposite = wanted if wanted is None else wanted is not negated
        assert over(node, (INTEGER, [value])) == [opposite]


def test_in_a_list_of_numbers_of_another_scale() -> None:
    items = lit(Decimal("1.5"), DecimalType(2, 1)), lit(Decimal("0.125"), DecimalType(4, 3))
    node = InList(type=BOOLEAN, arg=column(0, MONEY), items=items)
    assert over(node, (MONEY, [150, 12, 13])) == [True, False, False]
    whole = InList(type=BOOLEAN, arg=column(0), items=items)
    assert over(whole, (INTEGER, [1, 0])) == [False, False]


def test_in_a_list_of_floats_intervals_and_rows() -> None:
    nan = float("nan")
    floats = InList(type=BOOLEAN, arg=column(0, DOUBLE), items=(lit(nan, DOUBLE),))
    assert over(floats, (DOUBLE, [nan, 1.0])) == [True, False]
    month = {"months": 1, "days": 0, "microseconds": 0}
    spans = InList(type=BOOLEAN, arg=column(0, INTERVAL), items=(lit((0, 30, 0), INTERVAL),))
    assert over(spans, (INTERVAL, [month])) == [True]


def test_branches_of_different_scale_meet() -> None:
    branch = lit(Decimal("0.005"), DecimalType(4, 3))
    kind = DecimalType(13, 3)
    expr = Case(
        type=kind,
        branches=((call(">", column(0), lit(0)), column(1, MONEY)),),
        default=branch,
    )
    found = over(expr, (INTEGER, [1, 0]), (MONEY, [125, None]))
    assert found == [Decimal("1.250"), Decimal("0.005")]
    mixed = call("coalesce", column(1, MONEY), column(0), kind=kind)
    assert over(mixed, (INTEGER, [1, 2]), (MONEY, [125, None])) == [
        Decimal("1.250"),
        Decimal("2.000"),
    ]


def test_a_wide_branch_makes_all_wide() -> None:
    environment = Environment(
        columns={
            0: Value(pl.col("c0"), MONEY, range=Range(0, 10)),
            1: Value(pl.col("c1"), LARGE, wide=True),
        }
    )
    value = lower(call("coalesce", column(0, MONEY), column(1, LARGE), kind=LARGE), environment)
    frame = pl.DataFrame({"c0": [7, None], "c1": [None, Decimal("1" * 26 + ".5")]}).with_columns(
        pl.col("c0").cast(pl.Int64()), pl.col("c1").cast(pl.Decimal(38, 4))
    )
    assert value.wide
    assert frame.select(value.expr).to_series().to_list() == [
        Decimal("0.0700"),
        Decimal("1" * 26 + ".5000"),
    ]


def test_the_range_of_branches_is_their_union() -> None:
    expr = Case(
        type=INTEGER,
        branches=((column(1, BOOLEAN), lit(5)), (column(0, BOOLEAN), lit(-3))),
        default=lit(None),
    )
    columns = {key: Value(pl.col(f"c{key}"), BOOLEAN) for key in (0, 1)}
    value = lower(expr, Environment(columns=columns))
    assert value.range == Range(-3, 5)


def test_branches_that_constants_decide_are_left_out() -> None:
    environment = Environment(columns={0: Value(pl.col("c0"), INTEGER)})

    def case(condition: bool | None) -> Value:
        branch = (lit(condition, BOOLEAN), lit(5))
        return lower(Case(type=INTEGER, branches=(branch,), default=column(0)), environment)

    assert case(False).expr.meta.is_column()
    assert case(None).expr.meta.is_column()
    assert (case(True).constant, case(True).literal) == (True, 5)
    first = lower(call("coalesce", lit(None), lit(7), column(0), kind=INTEGER), environment)
    assert (first.constant, first.literal) == (True, 7)
    second = lower(call("coalesce", column(0), lit(7), column(0), kind=INTEGER), environment)
    frame = pl.DataFrame({"c0": [None, 1]}, schema={"c0": pl.Int64()})
    assert frame.select(second.expr).to_series().to_list() == [7, 1]
    assert not second.nullable


def test_faults_count_only_where_sql_looks() -> None:
    broken = Cast(type=INTEGER, arg=column(0, TEXT), explicit=True)
    usable = call("=", column(1, BOOLEAN), lit(True, BOOLEAN))
    above = call(">", broken, lit(0))
    texts, flags = (TEXT, ["x", "1"]), (BOOLEAN, [False, True])
    assert over(call("and", usable, above), texts, flags) == [False, True]
    guarded = Case(type=INTEGER, branches=((usable, broken),), default=lit(0))
    assert over(guarded, texts, flags) == [0, 1]
    first = Case(type=INTEGER, branches=((usable, lit(9)),), default=lit(None))
    assert over(call("coalesce", first, broken, kind=INTEGER), (TEXT, ["1", "x"]), flags) == [1, 9]
    with pytest.raises(pl.exceptions.InvalidOperationError, match="invalid input syntax"):
        over(call("and", above, usable), texts, flags)


def test_arrays_of_several_dimensions_are_refused() -> None:
    inner = call("array", lit(1), kind=ArrayType(INTEGER))
    with pytest.raises(NotYet, match="several dimensions"):
        constant(call("array", inner, kind=ArrayType(ArrayType(INTEGER))))


def test_array_constructors() -> None:
    assert constant(call("array", lit(1), lit(None), kind=ArrayType(INTEGER))) == (1, None)
    assert constant(call("array", kind=ArrayType(TEXT))) == ()
    mixed = call("array", lit(1), lit(Decimal("2.5"), MONEY), kind=ArrayType(MONEY))
    assert constant(mixed) == (Decimal("1.00"), Decimal("2.50"))
    over_rows = call("array", column(0), lit(7), kind=ArrayType(INTEGER))
    assert over(over_rows, (INTEGER, [1, None])) == [(1, 7), (None, 7)]


def test_parameters() -> None:
    node = Parameter(type=INTEGER, index=2)
    assert constant(node, parameters=(("x", TEXT), (5, INTEGER))) == 5
    with pytest.raises(InvalidRequest, match=r"parameter \$2"):
        constant(node)


def test_what_is_not_scalar_is_our_mistake() -> None:
    with pytest.raises(InternalError, match="WindowCall"):
        constant(WindowCall(type=INTEGER, fn="row_number()", args=()))
    with pytest.raises(InternalError, match="no column 3"):
        constant(column(3))


def test_a_thousand_conditions_make_a_shallow_expression() -> None:
    column = ColumnRef(type=INTEGER, id=1)
    tests = tuple(call("=", column, lit(value)) for value in range(1_000))
    for fn in ("or", "and"):
        offered = {1: Value(pl.col("a"), INTEGER)}
        text = str(lower(call(fn, *tests), Environment(columns=offered)).expr)
        depth = deepest = 0
        for letter in text:
            depth += (letter in "([") - (letter in ")]")
            deepest = max(deepest, depth)
        assert deepest < 50

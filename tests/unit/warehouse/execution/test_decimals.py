"""Random expressions over DECIMALs and integers equal Python's `decimal`, or fail with 22003."""

from __future__ import annotations

import decimal
import random
from dataclasses import dataclass
from decimal import Decimal

import polars as pl
import pytest

from storage.schema import DecimalType
from warehouse.algebra.expressions import Call, Case, Cast, ColumnRef, Expr, Literal
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER, AnyType
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.literals import EXACT, from_carrier, to_carrier, unscaled
from warehouse.execution.ranges import bounds_of
from warehouse.execution.value import Range, Value, carrier
from warehouse.functions import arithmetic

ROWS = 40
RULES = {
    "+": arithmetic.decimal_sum,
    "-": arithmetic.decimal_sum,
    "*": arithmetic.decimal_product,
    "%": arithmetic.decimal_remainder,
}


@dataclass(frozen=True)
class Column:
    kind: AnyType
    values: list[Decimal | int | None]

    @property
    def scale(self) -> int:
        return self.kind.scale if isinstance(self.kind, DecimalType) else 0


def _column(rng: random.Random) -> Column:
    if rng.random() < 0.25:
        kind: AnyType = rng.choice([INTEGER, BIGINT])
        limit = 2**31 if kind == INTEGER else 2**63
        edges = [0, 1, -1, limit - 1, -limit, 10, -10]
        return Column(kind, [_pick(rng, edges, limit) for _ in range(ROWS)])
    precision = rng.choice([1, 3, 5, 9, 10, 15, 18, 19, 25, 38])
    scale = rng.randint(0, min(precision, 12))
    limit = 10**precision
    edges = [0, 1, -1, limit - 1, 1 - limit, limit // 2, 5]
    numbers = [_pick(rng, edges, limit) for _ in range(ROWS)]
    values = [None if n is None else Decimal(n).scaleb(-scale, EXACT) for n in numbers]
    return Column(DecimalType(precision, scale), list(values))


def _pick(rng: random.Random, edges: list[int], limit: int) -> int | None:
    choice = rng.random()
    if choice < 0.05:
        return None
    if choice < 0.4:
        return rng.choice(edges)
    small = rng.choice([100, limit])
    return rng.randint(max(-small, 1 - limit), min(small, limit - 1))


def _offered(column: Column, number: int, *, proven: bool) -> tuple[pl.Series, Value]:
    wide = isinstance(column.kind, DecimalType) and column.kind.precision > 18
    held = [to_carrier(value, column.kind) for value in column.values]
    series = pl.Series(f"c{number}", held, dtype=carrier(column.kind, wide=wide))
    bounds = None
    if proven and not wide:
        digits = [unscaled(value, column.scale) for value in column.values if value is not None]
        bounds = Range(min(digits), max(digits)) if digits else Range(0, 0)
    return series, Value(pl.col(f"c{number}"), column.kind, range=bounds, wide=wide)


def _expression(rng: random.Random, columns: list[Column], depth: int) -> Expr:
    if depth == 0 or rng.random() < 0.2:
        index = rng.randrange(len(columns))
        column: Expr = ColumnRef(type=columns[index].kind, id=index)
        if isinstance(column.type, DecimalType):
            return column
        digits = 10 if column.type == INTEGER else 19
        return Cast(type=DecimalType(digits, 0), arg=column)
    op = rng.choice(list(RULES))
    args = tuple(_expression(rng, columns, depth - 1) for _ in range(2))
    if sum(arg.type.scale for arg in args if isinstance(arg.type, DecimalType)) > 38:
        op = rng.choice("+-")
    return Call(type=RULES[op](args), fn=f"{op}(numeric,numeric)", args=args)


class _Error(Exception):
    pass


def _evaluated(expr: Expr, row: list[Decimal | int | None]) -> Decimal | None:
    """What Python's `decimal` says; _Error where there is no result of up to 38 digits."""
    if isinstance(expr, ColumnRef):
        value = row[expr.id]
        return None if value is None else Decimal(value)
    if isinstance(expr, Cast):
        return _evaluated(expr.arg, row)
    assert isinstance(expr, Call)
    left, right = (_evaluated(arg, row) for arg in expr.args)
    if left is None or right is None:
        return None
    assert isinstance(expr.type, DecimalType)
    with decimal.localcontext(EXACT):
        if expr.fn[0] == "%":
            if right == 0 or _over(left, expr.type.scale) or _over(right, expr.type.scale):
                raise _Error
            result = left % right
        else:
            result = {"+": left + right, "-": left - right, "*": left * right}[expr.fn[0]]
        aligned = expr.fn[0] in "+-" and any(_over(v, expr.type.scale) for v in (left, right))
        if aligned or _over(result, expr.type.scale):
            raise _Error
        return result


def _over(value: Decimal, scale: int) -> bool:
    return abs(value) * Decimal(10) ** scale >= Decimal(10) ** 38


@pytest.mark.parametrize("proven", [False, True], ids=["declared", "statistics"])
@pytest.mark.parametrize("seed", range(25))
def test_random_expressions_are_exact_or_an_error(seed: int, proven: bool) -> None:
    print("seed", seed)  # noqa: T201
    rng = random.Random(seed)
    columns = [_column(rng) for _ in range(4)]
    offered = [_offered(column, i, proven=proven) for i, column in enumerate(columns)]
    frame = pl.DataFrame([series for series, _ in offered])
    environment = Environment(columns={i: value for i, (_, value) in enumerate(offered)})
    for _ in range(5):
        expr = _expression(rng, columns, rng.randint(1, 3))
        value = lower(expr, environment)
        assert value.range is None or value.range == bounds_of(value)
        fault = pl.lit(None, dtype=pl.String()) if value.fault is None else value.fault
        found = frame.select(value.expr.alias("value"), fault.alias("fault"))
        for i, (got, error) in enumerate(found.iter_rows()):
            _check(expr, value, [column.values[i] for column in columns], got, error)


def _check(
    expr: Expr, value: Value, row: list[Decimal | int | None], got: object, error: str | None
) -> None:
    try:
        wanted = _evaluated(expr, row)
    except _Error:
        assert error is not None
        assert error[7:12] in ("22003", "22012")
        return
    assert error is None, (row, wanted)
    assert from_carrier(got, value.type) == wanted
    if wanted is not None and value.range is not None and isinstance(value.type, DecimalType):
        digits = unscaled(wanted, value.type.scale)
        assert value.range.low <= digits <= value.range.high


def _number(value: int) -> Literal:
    return Literal(type=INTEGER, value=value)


@pytest.mark.parametrize("divisors", [[1, 0, None, -2], [0, 0, 0, 0]])
def test_a_guarded_division_never_fails(divisors: list[int | None]) -> None:
    frame = pl.DataFrame({"c0": [7, 7, 7, None], "c1": divisors}, schema=["c0", "c1"])
    columns = {i: Value(pl.col(f"c{i}").cast(pl.Int64()), INTEGER) for i in range(2)}
    a, b = (ColumnRef(type=INTEGER, id=i) for i in range(2))
    quotient = Call(type=INTEGER, fn="/(int4,int4)", args=(a, b))
    unequal = Call(type=BOOLEAN, fn="<>", args=(b, _number(0)))
    nothing = Literal(type=INTEGER, value=None)
    large = Call(type=BOOLEAN, fn=">", args=(quotient, _number(1)))
    guarded: list[Expr] = [
        Case(type=INTEGER, branches=((unequal, quotient),), default=nothing),
        Call(type=BOOLEAN, fn="and", args=(unequal, large)),
        Call(type=BOOLEAN, fn="or", args=(Call(type=BOOLEAN, fn="not", args=(unequal,)), large)),
    ]
    for expr in guarded:
        value = lower(expr, Environment(columns=columns))
        assert value.fault is not None
        assert frame.select(value.fault).to_series().null_count() == len(frame)
    bare = lower(quotient, Environment(columns=columns))
    assert bare.fault is not None
    zeros = sum(divisor == 0 for divisor in divisors[:3])
    assert frame.select(bare.fault).to_series().drop_nulls().len() == zeros


def test_a_proven_result_carries_no_check() -> None:
    low = Value(pl.col("c0"), INTEGER, range=Range(0, 1000))
    high = Value(pl.col("c1"), INTEGER, range=Range(1, 1000))
    environment = Environment(columns={0: low, 1: high})
    a, b = (ColumnRef(type=INTEGER, id=i) for i in range(2))
    for op in "+-*/":
        value = lower(Call(type=INTEGER, fn=f"{op}(int4,int4)", args=(a, b)), environment)
        assert value.fault is None
    product = lower(Call(type=INTEGER, fn="*(int4,int4)", args=(a, b)), environment)
    assert product.range == Range(0, 1_000_000)


def test_nested_checks_do_not_multiply_the_expression() -> None:
    expr: Expr = ColumnRef(type=BIGINT, id=0)
    for _ in range(40):
        expr = Call(type=BIGINT, fn="*(int8,int8)", args=(expr, _number(1)))
    value = lower(expr, Environment(columns={0: Value(pl.col("c0"), BIGINT)}))
    assert len(str(value.expr)) < 10_000

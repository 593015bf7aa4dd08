"""AND, OR, NOT, tests for NULL and truth, CASE, COALESCE, NULLIF, GREATEST, LEAST.

Values follow SQL's three-valued logic, which is also Polars'. What needs care are faults: Polars
computes every branch for every row, so a fault only counts where SQL would have looked.

- AND: the fault of an argument counts where no argument before it is false (OR: true).
- CASE: that of a condition where no condition before it is true; of a result where it is taken.
- COALESCE: that of an argument where all before it are NULL.

`unified` gives the results of several branches one carrier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from storage.schema import ArrayType, DecimalType, StructType
from warehouse.algebra.types import (
    BOOLEAN,
    INTERVAL,
    JSONB,
    NUMERIC,
    AnyType,
    RecordType,
    is_float,
    is_integer,
)
from warehouse.execution.binding import shared
from warehouse.execution.comparison import compare
from warehouse.execution.kernels import rowwise
from warehouse.execution.ordering import ordering_key
from warehouse.execution.ranges import bounds_of
from warehouse.execution.scaled import as_float, finished, of, rescaled
from warehouse.execution.value import Range, Value, any_fault, carrier

__all__ = [
    "case",
    "coalesce",
    "conjunction",
    "disjunction",
    "extreme",
    "is_null",
    "is_truth",
    "negation",
    "nullif",
    "unified",
]


def conjunction(args: list[Value]) -> Value:
    """AND of one or more arguments, left to right."""
    return _connected(args, deciding=False)


def disjunction(args: list[Value]) -> Value:
    """OR of one or more arguments, left to right."""
    return _connected(args, deciding=True)


def _connected(args: list[Value], *, deciding: bool) -> Value:
    """`deciding`: the truth value of one argument that settles the result."""
    exprs, faults = [arg.expr for arg in args], [args[0].fault]
    for position, arg in enumerate(args[1:], 1):
        if arg.fault is not None:
            before = _balanced(exprs[:position], deciding=deciding)
            undecided = before.is_null() | (before.not_() if deciding else before)
            faults.append(pl.when(undecided).then(arg.fault))
    return Value(
        _balanced(exprs, deciding=deciding),
        BOOLEAN,
        nullable=any(arg.nullable for arg in args),
        fault=any_fault(faults),
    )


def _balanced(exprs: list[pl.Expr], *, deciding: bool) -> pl.Expr:
    """A flat tree: Polars takes time by the square of an expression's depth."""
    while len(exprs) > 1:
        pairs = zip(exprs[::2], exprs[1::2], strict=False)
        joined = [a | b if deciding else a & b for a, b in pairs]
        exprs = [*joined, *exprs[2 * len(joined) :]]
    return exprs[0]


def negation(arg: Value) -> Value:
    """NOT."""
    return arg.derived(arg.expr.not_(), BOOLEAN)


def is_null(arg: Value, *, negated: bool) -> Value:
    """IS [NOT] NULL; of a row: all its fields are NULL (negated: none is)."""
    parts = _fields(arg)
    if parts is None:
        expr = arg.expr.is_not_null() if negated else arg.expr.is_null()
    elif negated:
        expr = pl.all_horizontal([part.is_not_null() for part in parts])
    else:
        expr = pl.all_horizontal([part.is_null() for part in parts])
    return arg.derived(expr, BOOLEAN, nullable=False)


def _fields(arg: Value) -> list[pl.Expr] | None:
    kind: Any = carrier(arg.type)
    if not isinstance(kind, pl.Struct) or isinstance(arg.type, DecimalType):
        return None
    if arg.type == INTERVAL:
        return None
    return [arg.expr.struct.field(part.name) for part in kind.fields]


def is_truth(arg: Value, wanted: bool | None, *, negated: bool) -> Value:
    """IS [NOT] TRUE, FALSE, UNKNOWN."""
    if wanted is None:
        expr = arg.expr.is_null()
    elif wanted:
        expr = arg.expr.fill_null(False)
    else:
        expr = arg.expr.not_().fill_null(False)
    return arg.derived(expr.not_() if negated else expr, BOOLEAN, nullable=False)


def unified(values: list[Value], kind: AnyType) -> list[Value]:
    """The values, of types that `kind` has come from, with one carrier: that of `kind`.

    DECIMALs get its scale, and are all wide or none; the same holds for their ranges' use.
    """
    if is_integer(kind):
        return values
    if kind == NUMERIC:
        return [_as_numeric(value) for value in values]
    if not isinstance(kind, DecimalType):
        return values
    numbers = [rescaled(of(value), kind.scale) for value in values]
    made = [finished(n, kind, [value]) for n, value in zip(numbers, values, strict=True)]
    if not any(value.wide for value in made):
        return made
    return [_wide(value) for value in made]


def _as_numeric(value: Value) -> Value:
    if isinstance(value.type, DecimalType) or is_integer(value.type):
        return value.derived(as_float(of(value)), NUMERIC)
    return value


def _wide(value: Value) -> Value:
    if value.wide:
        return value
    assert isinstance(value.type, DecimalType)
    decimal = pl.Decimal(38, value.type.scale)
    expr = value.expr.cast(pl.Int128()).reinterpret(dtype=decimal)
    return replace(value, expr=expr, wide=True, range=None)


def case(branches: list[tuple[Value, Value]], default: Value, kind: AnyType) -> Value:
    """CASE WHEN … THEN … ELSE default END."""
    branches, default = _reachable(branches, default)
    *results, default = unified([*(result for _, result in branches), default], kind)
    if not results:
        return _alone(default, kind)
    conditions = [condition for condition, _ in branches]
    chain: Any = pl
    for condition, result in zip(conditions, results, strict=True):
        chain = chain.when(condition.expr).then(result.expr)
    whole = [*results, default]
    return Value(
        chain.otherwise(default.expr),
        kind,
        range=_range(whole),
        nullable=any(value.nullable for value in whole),
        wide=default.wide,
        fault=_case_fault(conditions, results, default),
    )


def _reachable(
    branches: list[tuple[Value, Value]], default: Value
) -> tuple[list[tuple[Value, Value]], Value]:
    """Without branches that constants exclude, and those after one that is always taken."""
    kept = []
    for condition, result in branches:
        if not condition.constant or condition.fault is not None:
            kept.append((condition, result))
        elif condition.literal is True:
            return kept, result
    return kept, default


def _alone(value: Value, kind: AnyType) -> Value:
    """The only value that a conditional expression of this type can have."""
    if value.type == kind:
        return value
    return replace(value, type=kind, constant=False, literal=None)


def _case_fault(conditions: list[Value], results: list[Value], default: Value) -> pl.Expr | None:
    if all(value.fault is None for value in (*conditions, *results, default)):
        return None
    nothing = pl.lit(None, dtype=pl.String())
    chain: Any = pl
    for condition, result in zip(conditions, results, strict=True):
        if condition.fault is not None:
            chain = chain.when(condition.fault.is_not_null()).then(condition.fault)
        chain = chain.when(condition.expr).then(nothing if result.fault is None else result.fault)
    made: pl.Expr = chain.otherwise(nothing if default.fault is None else default.fault)
    return made


def _range(values: list[Value]) -> Range | None:
    """Of any of these, which have one carrier."""
    kind = values[0].type
    if values[0].wide or not (is_integer(kind) or isinstance(kind, DecimalType)):
        return None
    found: Range | None = None
    for value in values:
        if value.constant and value.literal is None:
            continue
        bounds = bounds_of(value)
        found = bounds if found is None else found.union(bounds)
    return found or Range(0, 0)


def coalesce(args: list[Value], kind: AnyType) -> Value:
    """The first argument that is not NULL."""
    args = unified(_until_certain(args), kind)
    if len(args) == 1:
        return _alone(args[0], kind)
    faults = [args[0].fault]
    missing = args[0].expr.is_null()
    for arg in args[1:]:
        if arg.fault is not None:
            faults.append(pl.when(missing).then(arg.fault))
        missing = missing & arg.expr.is_null()
    return Value(
        pl.coalesce([arg.expr for arg in args]),
        kind,
        range=_range(args),
        nullable=all(arg.nullable for arg in args),
        wide=args[0].wide,
        fault=any_fault(faults),
    )


def _until_certain(args: list[Value]) -> list[Value]:
    """The arguments up to a constant that is not NULL, without constant NULLs."""
    kept: list[Value] = []
    for arg in args:
        if not arg.constant or arg.fault is not None:
            kept.append(arg)
        elif arg.literal is not None:
            return [*kept, arg]
    return kept or args[:1]


def nullif(left: Value, right: Value, kind: AnyType) -> Value:
    """`left`, or NULL where it equals `right`."""
    equal = compare("=", left, right)
    (value,) = unified([left], kind)
    expr = pl.when(equal.expr.fill_null(False).not_()).then(value.expr)
    return replace(value, expr=expr, nullable=True, fault=equal.fault, constant=False, literal=None)


def extreme(op: str, args: list[Value], kind: AnyType) -> Value:
    """GREATEST (`op` ">") or LEAST ("<"); NULLs do not take part."""
    args = unified(args, kind)
    if isinstance(kind, ArrayType | StructType | RecordType) or kind in (INTERVAL, JSONB):
        key = ordering_key(kind)
        choose = max if op == ">" else min

        def chosen(*values: Any) -> Any:
            present = [value for value in values if value is not None]
            return choose(present, key=key) if present else None

        made = rowwise(chosen, args, kind, strict=False)
        return replace(made, nullable=all(arg.nullable for arg in args))
    exprs = [arg.expr for arg in args]
    return Value(
        _extreme_float(op, exprs) if is_float(kind) or kind == NUMERIC else _extreme(op, exprs),
        kind,
        range=_range(args),
        nullable=all(arg.nullable for arg in args),
        wide=args[0].wide,
        fault=any_fault(arg.fault for arg in args),
    )


def _extreme(op: str, exprs: Sequence[pl.Expr]) -> pl.Expr:
    return pl.max_horizontal(exprs) if op == ">" else pl.min_horizontal(exprs)


def _extreme_float(op: str, exprs: list[pl.Expr]) -> pl.Expr:
    """Polars passes over NaN like NULL, which is right for the least of several numbers only."""
    if op == "<":
        return pl.min_horizontal(exprs)

    def greatest(*parts: pl.Expr) -> pl.Expr:
        undefined = pl.any_horizontal([part.is_nan() for part in parts])
        return pl.when(undefined).then(float("nan")).otherwise(pl.max_horizontal(parts))

    return shared(exprs, greatest)

"""Scalar expressions of the algebra as Polars expressions: `lower`.

Every node becomes a `Value`. What a kind of expression means is in the modules beside this one:
`literals`, `logic` (AND, CASE, COALESCE, …), `comparison`, `casts`; functions and operators are in
the registry. This module walks the tree, hands operands to those, and sees to what holds for all
strict functions: NULL if an argument is NULL, and the faults of the arguments.

A subtree of constants is computed here and now, once: its value is then a literal, whose exact
range serves the proofs and whose value Polars can push into a scan. If it fails, it stays an
expression, so that a CASE can still guard it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import polars as pl

from storage.errors import InternalError, InvalidRequest
from storage.schema import DecimalType
from warehouse.algebra.expressions import (
    Call,
    Case,
    Cast,
    ColumnRef,
    Expr,
    InList,
    Literal,
    Parameter,
)
from warehouse.algebra.types import NUMERIC, AnyType, is_float, is_integer
from warehouse.execution import comparison, constructors, logic
from warehouse.execution.binding import bound
from warehouse.execution.casts import cast
from warehouse.execution.literals import from_carrier, literal
from warehouse.execution.ranges import type_range
from warehouse.execution.scaled import as_float, of
from warehouse.execution.udfs import call_udf
from warehouse.execution.value import Value, carrier
from warehouse.functions.registry import Function, function

__all__ = ["Environment", "lower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What expressions refer to.

    Attributes:
        columns: by column id, what the input frame offers.
        parameters: values and types of `$1`, `$2`, …; values as `algebra.Literal` has them.
        udfs: by name, functions over Arrow arrays.
        now: the statement's timestamp in UTC, without a zone.
    """

    columns: Mapping[int, Value]
    parameters: tuple[tuple[Any, AnyType], ...] = ()
    udfs: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    now: datetime | None = None


def lower(expr: Expr, environment: Environment) -> Value:
    """The value of an expression over the environment's frame."""
    match expr:
        case ColumnRef():
            found = environment.columns.get(expr.id)
            if found is None:
                raise InternalError(f"no column {expr.id} in the input")
            return found
        case Literal():
            return literal(expr.value, expr.type)
        case Parameter():
            return _parameter(expr, environment)
        case Cast():
            arg = lower(expr.arg, environment)
            made = cast(arg, expr.type, explicit=expr.explicit, now=environment.now)
            return _folded(made, [arg])
        case Case():
            return _case(expr, environment)
        case InList():
            return _in_list(expr, environment)
        case Call():
            return _call(expr, environment)
        case _:
            raise InternalError(f"{type(expr).__name__} is not a scalar expression")


def _parameter(expr: Parameter, environment: Environment) -> Value:
    if not 1 <= expr.index <= len(environment.parameters):
        raise InvalidRequest(f"there is no value for parameter ${expr.index}", "08P01")
    value, kind = environment.parameters[expr.index - 1]
    made = literal(value, kind)
    return made if kind == expr.type else cast(made, expr.type)


def _in_list(expr: InList, environment: Environment) -> Value:
    arg = lower(expr.arg, environment)
    literals = [item for item in expr.items if isinstance(item, Literal)]
    if len(literals) == len(expr.items):
        found = comparison.in_literals(arg, literals, negated=expr.negated)
        if found is not None:
            return found
    items = [lower(item, environment) for item in expr.items]
    return comparison.in_list(arg, items, negated=expr.negated)


def _case(expr: Case, environment: Environment) -> Value:
    branches = [
        (lower(condition, environment), lower(result, environment))
        for condition, result in expr.branches
    ]
    return logic.case(branches, lower(expr.default, environment), expr.type)


def _call(expr: Call, environment: Environment) -> Value:
    special = _SPECIAL.get(expr.fn)
    if special is not None:
        args = [lower(arg, environment) for arg in expr.args]
        return _folded(special(expr, args), args)
    args = [lower(arg, environment) for arg in expr.args]
    if expr.fn.startswith("udf:"):
        return call_udf(expr.fn, args, expr.type, environment.udfs)
    entry = function(expr.fn)
    if entry.kind not in ("scalar", "table"):
        raise InternalError(f"{expr.fn} is not a scalar function")
    made = _applied(entry, args, expr.type, environment)
    return made if entry.volatile or entry.kind == "table" else _folded(made, args)


def _applied(entry: Function, args: list[Value], kind: AnyType, environment: Environment) -> Value:
    """A registered function of these arguments.

    An implementation with the attribute `propagates_null` sees to NULLs itself, and names its
    arguments as often as it wants; all others get them bound, and their result guarded.
    """
    implementation = entry.implementation
    if implementation is None:
        raise InternalError(f"{entry.signature.key} has no implementation")
    options = {"environment": environment} if _wants_environment(implementation) else {}

    def computed(values: list[Value]) -> Value:
        if entry.native:
            made = implementation(*(_native(value) for value in values), **options)
            result = _of_native(made, kind)
        else:
            result = implementation(*values, kind=kind, **options)
        nullable = [value for value in values if value.nullable]
        if not entry.strict or not nullable or hasattr(implementation, "propagates_null"):
            return result
        return _guarded(result, nullable)

    if hasattr(implementation, "propagates_null"):
        return computed(args)
    return bound(args, computed)


def _guarded(result: Value, nullable: list[Value]) -> Value:
    """NULL where one of these is."""
    present = pl.all_horizontal([value.expr.is_not_null() for value in nullable])
    fault = None if result.fault is None else pl.when(present).then(result.fault)
    expr = pl.when(present).then(result.expr)
    return replace(result, expr=expr, nullable=True, fault=fault)


@lru_cache(maxsize=4096)
def _wants_environment(implementation: Callable[..., Any]) -> bool:
    return "environment" in inspect.signature(implementation).parameters


def _native(arg: Value) -> pl.Expr:
    """The expression that native functions get: DECIMAL as a 64-bit float."""
    return as_float(of(arg)) if isinstance(arg.type, DecimalType) else arg.expr


def _of_native(expr: pl.Expr, kind: AnyType) -> Value:
    """What a native function gave, in the carrier of its type."""
    if isinstance(kind, DecimalType):
        return cast(Value(expr.cast(pl.Float64()), NUMERIC), kind)
    if is_integer(kind) or is_float(kind) or kind == NUMERIC:
        expr = expr.cast(carrier(kind), strict=False)
    return Value(expr, kind, range=type_range(kind))


def _folded(made: Value, args: list[Value]) -> Value:
    """The value computed at once, if the arguments are constants and it does not fail."""
    if made.constant or not all(arg.constant for arg in args):
        return made
    parts = [made.expr.alias("value")]
    if made.fault is not None:
        parts.append(made.fault.alias("fault"))
    try:
        row = pl.select(parts).row(0)
    except (ValueError, OverflowError):
        return made  # a moment beyond Python's years
    if len(row) > 1 and row[1] is not None:
        return made
    return literal(from_carrier(row[0], made.type), made.type)


_Special = Callable[[Call, list[Value]], Value]

_SPECIAL: dict[str, _Special] = {
    "and": lambda call, args: logic.conjunction(args),
    "or": lambda call, args: logic.disjunction(args),
    "not": lambda call, args: logic.negation(args[0]),
    "is null": lambda call, args: logic.is_null(args[0], negated=False),
    "is not null": lambda call, args: logic.is_null(args[0], negated=True),
    "is true": lambda call, args: logic.is_truth(args[0], True, negated=False),
    "is not true": lambda call, args: logic.is_truth(args[0], True, negated=True),
    "is false": lambda call, args: logic.is_truth(args[0], False, negated=False),
    "is not false": lambda call, args: logic.is_truth(args[0], False, negated=True),
    "is unknown": lambda call, args: logic.is_truth(args[0], None, negated=False),
    "is not unknown": lambda call, args: logic.is_truth(args[0], None, negated=True),
    "coalesce": lambda call, args: logic.coalesce(args, call.type),
    "nullif": lambda call, args: logic.nullif(args[0], args[1], call.type),
    "greatest": lambda call, args: logic.extreme(">", args, call.type),
    "least": lambda call, args: logic.extreme("<", args, call.type),
    "row": lambda call, args: constructors.row(args, call.type),
    "array": lambda call, args: constructors.array(args, call.type),
    "field": lambda call, args: constructors.field(args[0], call.args[1], call.type),
}


def _comparing(op: str) -> _Special:
    def compared(call: Call, args: list[Value]) -> Value:
        left, right = args
        by_field = all(isinstance(arg, Call) and arg.fn == "row" for arg in call.args)
        return comparison.compare(op, left, right, by_field=by_field)

    return compared


for _op in comparison.OPERATORS:
    _SPECIAL[_op] = _comparing(_op)

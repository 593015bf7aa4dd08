"""min, max, any_value, and the folds of Booleans and bits."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from storage.errors import UnknownObject
from storage.schema import ArrayType, VarCharType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import INTERVAL, NUMERIC, TEXT, AnyType, has_equality, is_float, shown
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.keys import is_nested, order_key
from warehouse.execution.value import Value, carrier
from warehouse.functions.registry import aggregate

__all__: list[str] = []

ORDERED = (
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "interval",
    "text",
    "bpchar",
    "anyenum",
    "anyarray",
)


def _same(args: Sequence[Expr]) -> AnyType:
    return args[0].type


def _extreme_type(args: Sequence[Expr]) -> AnyType:
    """The argument's type; of VARCHAR(n) it is TEXT, as PostgreSQL has min and max for texts."""
    kind = args[0].type
    if isinstance(kind, ArrayType) and not has_equality(kind.element):
        message = f"could not identify a comparison function for type {shown(kind.element)}"
        raise UnknownObject(message, "42883")
    return TEXT if isinstance(kind, VarCharType) else kind


@aggregate(*(f"min({kind}) -> {kind}" for kind in ORDERED), result=_extreme_type)
def _min(group: Group) -> Aggregated:
    return _extreme(group, greatest=False)


@aggregate(*(f"max({kind}) -> {kind}" for kind in ORDERED), result=_extreme_type)
def _max(group: Group) -> Aggregated:
    return _extreme(group, greatest=True)


def _extreme(group: Group, *, greatest: bool) -> Aggregated:
    arg = group.args[0]
    if arg.type == INTERVAL or is_nested(arg.type):
        return _extreme_by_key(group, greatest=greatest)
    if greatest and (is_float(arg.type) or arg.type == NUMERIC):
        return _max_of_floats(group)
    part = arg.expr.max() if greatest else arg.expr.min()
    return group.chosen(part)


def _max_of_floats(group: Group) -> Aggregated:
    """NaN is the greatest; Polars leaves it out as long as there is a number."""
    arg = group.args[0]
    parts = (arg.expr.max(), arg.expr.is_nan().any())

    def finish(most: pl.Expr, nan: pl.Expr) -> Value:
        found = pl.when(nan).then(pl.lit(float("nan"))).otherwise(most)
        return Value(found.cast(carrier(group.type)), group.type, nullable=not group.filled())

    return Aggregated(parts, finish)


def _extreme_by_key(group: Group, *, greatest: bool) -> Aggregated:
    arg = group.args[0]
    # Of equal values ('1 day', '24 hours') the last one.
    ordered = arg.expr.sort_by(
        order_key(arg), descending=not greatest, nulls_last=False, maintain_order=True
    )
    return group.chosen(ordered.last())


@aggregate("any_value(anyelement) -> anyelement", result=_same)
def _any_value(group: Group) -> Aggregated:
    arg = group.args[0]
    return group.chosen(arg.expr.drop_nulls().first())


@aggregate("bool_and(bool) -> bool", "every(bool) -> bool")
def _bool_and(group: Group) -> Aggregated:
    return group.plain(group.args[0].expr.min())


@aggregate("bool_or(bool) -> bool")
def _bool_or(group: Group) -> Aggregated:
    return group.plain(group.args[0].expr.max())


INTEGERS = ("int2", "int4", "int8")


@aggregate(*(f"bit_and({kind}) -> {kind}" for kind in INTEGERS))
def _bit_and(group: Group) -> Aggregated:
    return group.plain(group.args[0].expr.bitwise_and())


@aggregate(*(f"bit_or({kind}) -> {kind}" for kind in INTEGERS))
def _bit_or(group: Group) -> Aggregated:
    return group.plain(group.args[0].expr.bitwise_or())


@aggregate(*(f"bit_xor({kind}) -> {kind}" for kind in INTEGERS))
def _bit_xor(group: Group) -> Aggregated:
    return group.plain(group.values().bitwise_xor())

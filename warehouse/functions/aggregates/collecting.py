"""Aggregates that collect values: array_agg and string_agg.

Without ORDER BY the values come in the order of the rows, with DISTINCT in ascending order, as
PostgreSQL returns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from storage.errors import NotYet
from storage.schema import ArrayType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import TEXT, AnyType
from warehouse.execution.groups import Aggregated, Group, once
from warehouse.execution.keys import equality_key
from warehouse.execution.scaled import canonical
from warehouse.execution.value import Value
from warehouse.functions.registry import aggregate

__all__ = ["collected"]


def _array_of(args: Sequence[Expr]) -> AnyType:
    kind = args[0].type
    if isinstance(kind, ArrayType):
        raise NotYet("array_agg of arrays is not supported: arrays have one dimension")
    return ArrayType(kind)  # type: ignore[arg-type]


def collected(group: Group, value: Value) -> pl.Expr:
    """A column's values that FILTER keeps, in the order of the call; DISTINCT is done."""
    if not group.distinct:
        return group.rows(value.expr)
    kept = value.expr if group.kept is None else value.expr.filter(group.kept)
    key = equality_key(replace(value, expr=kept))
    descending = group.order.descending[0] if group.order.by else False
    nulls_last = group.order.nulls_last[0] if group.order.by else True
    if key is kept:
        return kept.unique().sort(descending=descending, nulls_last=nulls_last)
    found = once(kept, key)
    key = equality_key(replace(value, expr=found))
    return found.sort_by(key, descending=descending, nulls_last=nulls_last)


@aggregate("array_agg(anynonarray) -> anyarray", result=_array_of, strict=False)
@aggregate("array_agg(anyarray) -> anyarray", result=_array_of, strict=False)
def _array_agg(group: Group) -> Aggregated:
    element = canonical(group.args[0])
    part = collected(group, element).implode()

    def finish(found: pl.Expr) -> Value:
        return Value(pl.when(found.list.len() > 0).then(found), group.type)

    return Aggregated((part,), finish)


@aggregate("string_agg(text, text) -> text", strict=False)
def _string_agg(group: Group) -> Aggregated:
    text, delimiter = group.args
    if not delimiter.constant:
        return _string_agg_by_row(group)
    between = delimiter.literal or ""
    part = collected(group, text).drop_nulls().str.join(between)
    return _or_null(group, part)


def _or_null(group: Group, part: pl.Expr) -> Aggregated:
    present = group.args[0].expr.count()

    def finish(found: pl.Expr, count: pl.Expr) -> Value:
        return Value(pl.when(count > 0).then(found), group.type)

    return Aggregated((part, present), finish)


def _string_agg_by_row(group: Group) -> Aggregated:
    """Each value comes after its own delimiter, but the first one."""
    if group.distinct:
        raise NotYet("string_agg(DISTINCT …) needs a constant delimiter")
    text, delimiter = (arg.expr for arg in group.args)
    led = pl.concat_str([delimiter.fill_null(""), text])  # NULL where the text is
    first = group.rows(text).drop_nulls().first()
    rest = group.rows(led).drop_nulls().slice(1)
    return _or_null(group, first + rest.str.join(""))


@aggregate("string_agg(bytea, bytea) -> bytea", strict=False)
def _bytes_agg(group: Group) -> Aggregated:
    """By way of hexadecimal texts, which Polars can join."""
    as_text = Group(
        type=TEXT,
        args=tuple(
            Value(
                arg.expr.bin.encode("hex"),
                TEXT,
                nullable=arg.nullable,
                constant=arg.constant,
                literal=None if arg.literal is None else arg.literal.hex(),
            )
            for arg in group.args
        ),
        kept=group.kept,
        distinct=group.distinct,
        order=group.order,
    )
    found = _string_agg(as_text)

    def finish(*parts: pl.Expr) -> Value:
        return Value(found.finish(*parts).expr.str.decode("hex"), group.type)

    return Aggregated(found.parts, finish)

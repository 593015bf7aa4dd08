"""Calculations in stages, each computed once although the next one names it several times.

As `execution.binding`, and for stages inside of stages: what was computed from the fields of a
struct around, or from constants, is packed as well. All operands but literals become fields of one
struct, so that they have one length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from warehouse.execution.value import Value, any_fault

__all__ = ["once", "staged"]


def _named(operands: Sequence[pl.Expr]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """What to call the operands inside, and the fields for it (none if all are simple)."""
    if all(operand.meta.is_literal() or operand.meta.is_column() for operand in operands):
        return list(operands), []
    names, packed = [], []
    for i, operand in enumerate(operands):
        if operand.meta.is_literal():
            names.append(operand)
        else:
            names.append(pl.field(f"a{i}"))
            packed.append(operand.alias(f"a{i}"))
    return names, packed


def _let(packed: list[pl.Expr], result: pl.Expr) -> pl.Expr:
    if not packed:
        return result
    made = pl.struct(packed).struct.with_fields(result.alias("result"))
    return made.struct.field("result")


def once(operands: Sequence[pl.Expr], build: Callable[..., pl.Expr]) -> pl.Expr:
    """`build(*operands)`. Inside, only the operands may be used."""
    names, packed = _named(operands)
    return _let(packed, build(*names))


def staged(values: Sequence[Value], build: Callable[[list[Value]], Value]) -> Value:
    """`build(values)`, with the faults of the values put before its own."""
    names, packed = _named([value.expr for value in values])
    inner = [replace(v, expr=name, fault=None) for v, name in zip(values, names, strict=True)]
    made = build(inner)
    own = None if made.fault is None else _let(packed, made.fault)
    faults = [*(value.fault for value in values), own]
    return replace(made, expr=_let(packed, made.expr), fault=any_fault(faults))

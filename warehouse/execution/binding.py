"""Operands computed once, though an expression uses them several times.

A check or a guard names its operand again: `when(x > limit)`, `when(x.is_not_null()).then(f(x))`.
Polars finds common subexpressions itself, so an operand is written out again as long as it is
short. In a deeply nested expression each level would multiply the tree, exponentially in the depth:
`shared` packs long operands into a struct and lets the expression refer to its fields:

    struct(a0 = x).with_fields(result = … field(a0) … field(a0) …).field(result)

Inside `build` only what it was given may be used of another `shared` around it: the fields of an
outer struct are not visible in an inner one. Polars does not rename columns inside such an
expression when it moves a filter: `relations.filtered` computes it as a column first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from warehouse.execution.value import Value, any_fault

__all__ = ["bound", "packs", "shared"]


CHARACTERS_MAX = 2_000  # of an operand's text, below which it is written out again


def _simple(expr: pl.Expr) -> bool:
    """Short, or a constant: a struct of constants alone would be one row."""
    if expr.meta.is_column():
        return True
    text = str(expr)
    return len(text) < CHARACTERS_MAX or (not expr.meta.root_names() and "field(" not in text)


def packs(expr: pl.Expr) -> bool:
    """Does the expression hold a struct that `shared` made?"""
    return ".struct.with_fields(" in str(expr)


def shared(operands: Sequence[pl.Expr], build: Callable[..., pl.Expr]) -> pl.Expr:
    """`build(*operands)`, with every operand computed once."""
    names, packed = _packed(operands)
    if not packed:
        return build(*operands)
    return _let(packed, build(*names))


def _packed(operands: Sequence[pl.Expr]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """What to call the operands, and those that need a field."""
    names, packed = [], []
    for i, operand in enumerate(operands):
        if _simple(operand):
            names.append(operand)
        else:
            names.append(pl.field(f"a{i}"))
            packed.append(operand.alias(f"a{i}"))
    return names, packed


def _let(packed: list[pl.Expr], result: pl.Expr) -> pl.Expr:
    made = pl.struct(packed).struct.with_fields(result.alias("result"))
    return made.struct.field("result")


def bound(values: Sequence[Value], build: Callable[[list[Value]], Value]) -> Value:
    """`build(values)`, with every value computed once and the values' own faults put before."""
    names, packed = _packed([value.expr for value in values])
    faults = [value.fault for value in values]
    quiet = [replace(v, expr=name, fault=None) for v, name in zip(values, names, strict=True)]
    made = build(quiet)
    if packed:
        own = None if made.fault is None else _let(packed, made.fault)
        made = replace(made, expr=_let(packed, made.expr), fault=own)
    return replace(made, fault=any_fault([*faults, made.fault]))

"""OVERLAPS: do two periods have a moment in common?

A period is given by its two ends in any order, or by one end and a length. One end may be NULL: as
long as the known ends decide, the answer is not NULL. A period of no length is a moment.

Source: the standard's definition of the predicate in three-valued logic (SQL:2016, 8.14).
"""

from __future__ import annotations

import itertools

import polars as pl

from warehouse.algebra.types import INTERVAL, TIME, AnyType
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar
from warehouse.functions.stages import staged
from warehouse.functions.times import time_plus
from warehouse.functions.timestamps import moment_plus

__all__: list[str] = []

_Period = tuple[pl.Expr, pl.Expr]


def _ordered(start: pl.Expr, end: pl.Expr) -> _Period:
    """The known end first, the smaller of two known ones."""
    swapped = start.is_null() | (start > end).fill_null(False)
    return (
        pl.when(swapped).then(end).otherwise(start),
        pl.when(swapped).then(start).otherwise(end),
    )


def overlap(first: _Period, second: _Period) -> pl.Expr:
    """Of ends as given."""
    (start1, end1), (start2, end2) = _ordered(*first), _ordered(*second)
    second_is_over = (start1 >= end2) & (end1 >= end2)
    first_is_over = (start2 >= end1) & (end2 >= end1)
    return (
        ((start1 > start2) & ~second_is_over)
        | ((start2 > start1) & ~first_is_over)
        | ((start1 == start2) & ((end1 != end2) | (end1 == end2)))
    )


def _end(start: Value, length: Value) -> Value:
    if length.type != INTERVAL:
        return length
    plus = time_plus if start.type == TIME else moment_plus
    return plus(start, length, kind=start.type)


def _forms() -> list[str]:
    forms = []
    for kind in ("time", "timestamp", "timestamptz"):
        for first, second in itertools.product((kind, "interval"), repeat=2):
            forms.append(f"overlaps({kind},{first},{kind},{second}) -> bool")
    return forms


@scalar(*_forms(), native=False, strict=False)
def overlaps(start1: Value, end1: Value, start2: Value, end2: Value, *, kind: AnyType) -> Value:
    """See the module."""

    def decided(given: list[Value]) -> Value:
        first, last, second, end = (value.expr for value in given)
        return Value(expr=overlap((first, last), (second, end)), type=kind)

    return staged([start1, _end(start1, end1), start2, _end(start2, end2)], decided)

"""ROW(…), ARRAY[…] and the fields of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from storage.errors import InternalError, NotYet
from storage.schema import ArrayType
from warehouse.algebra.expressions import Expr, Literal
from warehouse.algebra.types import AnyType
from warehouse.execution.comparison import field_of
from warehouse.execution.literals import fields_of
from warehouse.execution.logic import unified
from warehouse.execution.scaled import canonical
from warehouse.execution.value import Value, any_fault, carrier

__all__ = ["array", "field", "row"]


def row(args: list[Value], kind: AnyType) -> Value:
    """A row of these fields; of a composite type if `kind` is one."""
    fields = fields_of(kind)
    if fields is None:
        raise InternalError(f"a row of type {kind}")
    if not args:
        raise NotYet("ROW() without fields is not supported")
    held = [canonical(arg) for arg in args]
    pairs = zip(fields, held, strict=True)
    packed = pl.struct([arg.expr.alias(name) for (name, _), arg in pairs])
    return Value(packed, kind, nullable=False, fault=any_fault(arg.fault for arg in args))


def array(args: list[Value], kind: AnyType) -> Value:
    """An array of these elements."""
    if not isinstance(kind, ArrayType):
        raise InternalError(f"an array of type {kind}")
    if isinstance(kind.element, ArrayType):
        raise NotYet("arrays of several dimensions are not supported")
    if not args:
        return Value(pl.lit([], dtype=carrier(kind)), kind, nullable=False)
    held = [canonical(arg) for arg in unified(args, kind.element)]
    packed = pl.concat_list([arg.expr for arg in held]).cast(carrier(kind))
    return Value(packed, kind, nullable=False, fault=any_fault(arg.fault for arg in args))


def field(value: Value, which: Expr, kind: AnyType) -> Value:
    """A field of a row by its name or its number from 1."""
    if not isinstance(which, Literal):
        raise InternalError("a field is named by a constant")
    position = _position(value.type, which.value)
    found = field_of(value, position)
    if found.type != kind:
        found = replace(found, type=kind)
    return found


def _position(kind: AnyType, which: Any) -> int:
    if isinstance(which, int):
        return which - 1
    names = [name for name, _ in fields_of(kind) or []]
    if which not in names:
        raise InternalError(f"{kind} has no field {which!r}")
    return names.index(which)

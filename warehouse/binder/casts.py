"""CAST and `::`, where more than the two types decides: arrays element by element, `numeric`
without a scale, intervals with fields, seconds with a precision.

What is cast as `interval year to month` loses what is below months; the literal's text is also
read by the fields (PostgreSQL's AdjustIntervalForTypmod and intervaltypmodin in timestamp.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from storage.errors import InvalidRequest, NotYet
from storage.schema import ArrayType, DecimalType, ScalarType, plain_type
from storage.seconds import PRECISION_MAX
from warehouse.algebra import types
from warehouse.algebra.expressions import Call, Expr, Literal
from warehouse.algebra.types import (
    INTEGER,
    INTERVAL,
    NUMERIC,
    TEXT,
    UNKNOWN,
    AnyType,
    base_name,
    is_integer,
)
from warehouse.binder.coercion import agreed, beside, coerce, stored_element
from warehouse.binder.constants import number
from warehouse.binder.objects import OBJECT_TYPES, number_of
from warehouse.binder.types import integer_as_decimal, resolve_type
from warehouse.execution.interval_input import parse_interval
from warehouse.syntax import tree

if TYPE_CHECKING:
    from warehouse.binder.context import Binding

__all__ = ["CastBinder"]

_EXACT = ("numeric", "int2", "int4", "int8")
_SMALLEST = DecimalType(precision=1, scale=0)
_FULL_RANGE, _FULL_PRECISION = 0x7FFF, 0xFFFF
_FIELD_BITS = {"month": 1, "year": 2, "day": 3, "hour": 10, "minute": 11, "second": 12}
_FIELD_PAIRS = frozenset(
    (
        "year to month", "day to hour", "day to minute", "day to second", "hour to minute",
        "hour to second", "minute to second",
    )
)  # fmt: skip


class CastBinder:
    """The part of `ExpressionBinder` that knows casts."""

    if TYPE_CHECKING:
        binding: Binding

        def bind(self, node: Any) -> Expr: ...

    def type_of(self, name: tree.TypeName, *, precise: bool = False) -> AnyType:
        """Raises UnknownObject, NotYet, InvalidRequest as `resolve_type`."""
        catalogue = self.binding.catalogue
        return resolve_type(name, catalogue.types, catalogue.path, precise=precise)

    def cast(self, node: tree.TypeCast) -> Expr:
        """CAST(arg AS type)."""
        name = node.type
        system = self.binding.catalogue.system if name.name[-1] in OBJECT_TYPES else None
        if system is not None and not name.dimensions:
            return system.object(name.name[-1], self.bind(node.arg))
        if name.name == ("interval",) and not name.dimensions and (name.fields or name.modifiers):
            return self._as_interval(node)
        if name.name == ("numeric",) and name.dimensions == 1 and not name.modifiers:
            return self._as_numerics(node)
        if name.name == ("char",) and not name.dimensions:
            return self._as_char(node)
        kind = self.type_of(name, precise=not name.dimensions)
        if isinstance(kind, ScalarType) and kind.precision is not None:
            return _rounded(coerce(self.bind(node.arg), plain_type(kind), explicit=True), kind)
        if isinstance(node.arg, tree.Constant) and node.arg.kind == "bytes" and is_integer(kind):
            return coerce(number(str(int(node.arg.value or "0", 16))), kind, explicit=True)
        if isinstance(node.arg, tree.ArrayExpr) and isinstance(kind, ArrayType):
            return Call(type=kind, fn="array", args=tuple(self._items(node.arg, kind.element)))
        if is_integer(kind) and _is_char(node.arg):
            raise NotYet('casts of "char" to integers are not available; use ascii()')
        arg = self.bind(node.arg)
        if is_integer(kind):
            arg = number_of(arg)
        if kind == NUMERIC and base_name(arg.type) in _EXACT:
            return _exact(arg)
        if (
            base_name(kind) in ("varchar", "bpchar")
            and isinstance(arg, Literal)
            and arg.type == UNKNOWN
        ):
            return coerce(coerce(arg, TEXT), kind, explicit=True)
        return coerce(arg, kind, explicit=True)

    def _as_char(self, node: tree.TypeCast) -> Expr:
        """`::"char"`: a byte."""
        arg = self.bind(node.arg)
        if is_integer(arg.type):
            raise NotYet('casts of integers to "char" are not available; use chr()')
        return Call(type=TEXT, fn="char(text)", args=(coerce(arg, TEXT, explicit=True),))

    # --- arrays -----------------------------------------------------------------------------------

    def _items(self, node: tree.ArrayExpr, kind: AnyType) -> list[Expr]:
        """`ARRAY[…]::kind[]`: every item is cast by itself, as in PostgreSQL."""
        items = [self.bind(item) for item in node.items]
        if any(isinstance(item.type, ArrayType) for item in items):
            raise NotYet("arrays of more than one dimension are not available")
        return [coerce(item, kind, explicit=True) for item in items]

    def _as_numerics(self, node: tree.TypeCast) -> Expr:
        """`::numeric[]`: exact elements keep their scales, others are NUMERIC without one."""
        if isinstance(node.arg, tree.ArrayExpr):
            bound = [beside(self.bind(item), _SMALLEST) for item in node.arg.items]
            items = [_as_numeric(item) for item in bound]
            items, element = agreed(items, "ARRAY")
            element = stored_element(element)
            kind = ArrayType(element=element)  # type: ignore[arg-type]
            return Call(type=kind, fn="array", args=tuple(coerce(i, element) for i in items))
        arg = self.bind(node.arg)
        if arg.type == UNKNOWN:
            return beside(arg, ArrayType(element=_SMALLEST))
        if isinstance(arg.type, ArrayType) and base_name(arg.type.element) == "numeric":
            return arg
        if isinstance(arg.type, ArrayType) and is_integer(arg.type.element):
            return coerce(arg, ArrayType(element=integer_as_decimal(arg.type.element)))
        return coerce(arg, ArrayType(element=types.DOUBLE), explicit=True)

    # --- intervals --------------------------------------------------------------------------------

    def _as_interval(self, node: tree.TypeCast) -> Expr:
        name = node.type
        modifier = self._interval_modifier(name)
        if isinstance(node.arg, tree.Constant) and node.arg.kind == "string" and name.fields:
            parts = parse_interval(node.arg.value, name.fields)
            arg: Expr = Literal(type=INTERVAL, value=parts)
        else:
            arg = coerce(self.bind(node.arg), INTERVAL, explicit=True)
        which = Literal(type=INTEGER, value=modifier)
        return Call(type=INTERVAL, fn="interval(interval,int4)", args=(arg, which))

    def _interval_modifier(self, name: tree.TypeName) -> int:
        """Fields and precision as PostgreSQL's type modifier has them."""
        fields = name.fields.split(" to ") if name.fields else []
        if len(fields) == 2 and name.fields not in _FIELD_PAIRS:
            raise InvalidRequest(
                f"syntax error: no interval has the fields {name.fields.upper()}"
                f"{self.binding.place(name)}",
                "42601",
            )
        if name.modifiers and fields and fields[-1] != "second":
            raise InvalidRequest(
                f"syntax error: only seconds have a precision{self.binding.place(name)}", "42601"
            )
        if any(digits < 0 for digits in name.modifiers):
            raise InvalidRequest(f"INTERVAL({name.modifiers[0]}): must not be negative", "22023")
        bits = list(_FIELD_BITS) if not fields else _between(fields)
        mask = sum(1 << _FIELD_BITS[field] for field in bits) if fields else _FULL_RANGE
        precision = min(name.modifiers[0], 6) if name.modifiers else _FULL_PRECISION
        return mask << 16 | precision


def _rounded(moment: Expr, kind: ScalarType) -> Expr:
    """TIME(p) and TIMESTAMP(p) as casts: the function that PostgreSQL runs for them."""
    if kind.precision == PRECISION_MAX:
        return moment
    digits = Literal(type=INTEGER, value=kind.precision)
    base = base_name(moment.type)
    return Call(type=moment.type, fn=f"{base}({base},int4)", args=(moment, digits))


def _is_char(node: Any) -> bool:
    return isinstance(node, tree.TypeCast) and node.type.name == ("char",)


def _between(fields: list[str]) -> list[str]:
    """`day`, `minute` -> day, hour, minute."""
    order = ["year", "month", "day", "hour", "minute", "second"]
    return order[order.index(fields[0]) : order.index(fields[-1]) + 1]


def _as_numeric(arg: Expr) -> Expr:
    return _exact(arg) if base_name(arg.type) in _EXACT else coerce(arg, NUMERIC, explicit=True)


def _exact(arg: Expr) -> Expr:
    """`::numeric`: an exact number keeps its scale."""
    if base_name(arg.type) in ("int2", "int4", "int8"):
        return coerce(arg, integer_as_decimal(arg.type))
    return arg

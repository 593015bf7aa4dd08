"""Arrays and rows: element by element, field by field, and their texts `{1,NULL,"a b"}`, `(1,a)`.

A conversion of elements is the scalar one, evaluated inside the list; the first fault of a list is
the fault of its row. Texts are split and put together by Python functions per row, as lists and
rows of texts, whose parts are then converted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import polars as pl

from storage.errors import InvalidRequest, NotYet
from storage.schema import ArrayType, StructType
from warehouse.algebra.types import BOOLEAN, TEXT, AnyType, RecordType
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import fields_of
from warehouse.execution.scaled import canonical, held
from warehouse.execution.value import Value, any_fault, carrier

__all__ = ["Cast", "array_text", "between", "from_text", "split_array", "split_row", "to_text"]

Cast = Callable[[Value, AnyType], Value]
"""The conversion of the parts, handed in because it is what calls this module."""


def between(value: Value, kind: AnyType, cast: Cast) -> Value | None:
    """An array as an array of other elements, a row as one of other fields; else None."""
    source = value.type
    if isinstance(source, ArrayType) and isinstance(kind, ArrayType):
        return _elements(value, kind, cast)
    fields, targets = fields_of(source), fields_of(kind)
    if fields is None or targets is None:
        return None
    if len(fields) != len(targets):
        message = f"cannot cast a row of {len(fields)} fields to one of {len(targets)}"
        raise InvalidRequest(message, "42846")
    return _rebuilt(value, fields, targets, kind, cast)


def _elements(value: Value, kind: ArrayType, cast: Cast) -> Value:
    assert isinstance(value.type, ArrayType)
    element = canonical(cast(held(pl.element(), value.type.element), kind.element))
    made = value.derived(value.expr.list.eval(element.expr).cast(carrier(kind)), kind)
    if element.fault is None:
        return made
    own = value.expr.list.eval(element.fault).list.drop_nulls().list.first()
    return replace(made, fault=any_fault([value.fault, own]))


def _rebuilt(
    value: Value,
    fields: Sequence[tuple[str, AnyType]],
    targets: Sequence[tuple[str, AnyType]],
    kind: AnyType,
    cast: Cast,
) -> Value:
    parts: list[pl.Expr] = []
    faults = [value.fault]
    for (name, inner), (new_name, target) in zip(fields, targets, strict=True):
        part = canonical(cast(held(value.expr.struct.field(name), inner), target))
        parts.append(part.expr.alias(new_name))
        faults.append(part.fault)
    packed = pl.when(value.expr.is_not_null()).then(pl.struct(parts))
    return value.derived(packed, kind, fault=any_fault(faults))


def to_text(value: Value, cast: Cast) -> Value:
    """An array or row as text."""
    source = value.type
    if isinstance(source, ArrayType):
        texts = _text_elements(value, source, cast)
        return rowwise(array_text, [texts], TEXT)
    fields = fields_of(source)
    assert fields is not None
    parts: list[pl.Expr] = []
    faults = [value.fault]
    for name, inner in fields:
        part = _part_text(held(value.expr.struct.field(name), inner), cast)
        parts.append(part.expr.alias(f"f{len(parts) + 1}"))
        faults.append(part.fault)
    kind = RecordType(tuple(TEXT for _ in fields))
    packed = pl.when(value.expr.is_not_null()).then(pl.struct(parts))
    texts = value.derived(packed, kind, fault=any_fault(faults))
    return rowwise(_row_text, [texts], TEXT)


def _text_elements(value: Value, source: ArrayType, cast: Cast) -> Value:
    element = _part_text(held(pl.element(), source.element), cast)
    kind = ArrayType(TEXT)
    return value.derived(value.expr.list.eval(element.expr).cast(carrier(kind)), kind)


def _part_text(value: Value, cast: Cast) -> Value:
    """A part's text: that of the output function, which for Booleans is not the cast's."""
    if value.type == BOOLEAN:
        expr = pl.when(value.expr).then(pl.lit("t")).when(value.expr.not_()).then(pl.lit("f"))
        return value.derived(expr, TEXT)
    return cast(value, TEXT)


def array_text(items: Sequence[str | None]) -> str:
    """`{a,"b c",NULL}`."""
    return "{" + ",".join(map(_array_item, items)) + "}"


def _array_item(item: str | None) -> str:
    if item is None:
        return "NULL"
    if item and not re.search(r'[{},"\\\s]', item) and item.upper() != "NULL":
        return item
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _row_text(items: Sequence[str | None]) -> str:
    return "(" + ",".join(map(_row_item, items)) + ")"


def _row_item(item: str | None) -> str:
    if item is None:
        return ""
    if item and not re.search(r'[(),"\\\s]', item):
        return item
    doubled = item.replace("\\", "\\\\").replace('"', '""')
    return f'"{doubled}"'


def from_text(value: Value, kind: ArrayType | StructType, cast: Cast) -> Value:
    """A text as an array or a composite."""
    if isinstance(kind, ArrayType):
        parts = rowwise(split_array, [value], ArrayType(TEXT))
        return parts if kind.element == TEXT else _elements(parts, kind, cast)
    texts = RecordType(tuple(TEXT for _ in kind.fields))
    split = rowwise(partial(split_row, count=len(kind.fields)), [value], texts)
    return _rebuilt(split, fields_of(texts) or [], kind.fields, kind, cast)


def split_array(text: str) -> tuple[str | None, ...]:
    """The elements of `{…}` as texts. Raises InvalidRequest (22P02)."""
    body = text.strip()
    if re.match(r"\[[\d:\[\]+-]+\]\s*=", body):
        raise NotYet("array literals with bounds are not supported")
    if not (body.startswith("{") and body.endswith("}") and len(body) > 1):
        raise _malformed(text)
    items: list[str | None] = []
    inner = body[1:-1].strip()
    if not inner:
        return ()
    if inner.startswith("{"):
        raise NotYet("arrays of several dimensions are not supported")
    place = 0
    while True:
        item, place = _element(inner, place, text)
        items.append(item)
        if place == len(inner):
            return tuple(items)
        place += 1


_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"\s*(?=,|$)', re.DOTALL)
_BARE = re.compile(r'\s*((?:[^,{}"\\]|\\.)+?)\s*(?=,|$)', re.DOTALL)


def _element(inner: str, place: int, text: str) -> tuple[str | None, int]:
    found = _QUOTED.match(inner, place)
    if found is not None:
        return re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL), found.end()
    found = _BARE.match(inner, place)
    if found is None or not found[1].strip():
        raise _malformed(text)
    item = found[1]
    if item.upper() == "NULL":
        return None, found.end()
    return re.sub(r"\\(.)", r"\1", item, flags=re.DOTALL), found.end()


def _malformed(text: str) -> InvalidRequest:
    return InvalidRequest(f'malformed array literal: "{text}"', "22P02")


def split_row(text: str, *, count: int) -> tuple[str | None, ...]:
    """The fields of `(…)` as texts. Raises InvalidRequest (22P02)."""
    body = text.strip()
    error = InvalidRequest(f'malformed record literal: "{text}"', "22P02")
    if not (body.startswith("(") and body.endswith(")") and len(body) > 1):
        raise error
    inner, items, place = body[1:-1], list[str | None](), 0
    while True:
        item, place = _field(inner, place, error)
        items.append(item)
        if place >= len(inner):
            break
        place += 1
    if len(items) != count:
        raise error
    return tuple(items)


def _field(inner: str, place: int, error: InvalidRequest) -> tuple[str | None, int]:
    """One field: quoted and bare stretches until a comma; NULL if there is nothing at all."""
    made: list[str] = []
    start, quoted = place, False
    while place < len(inner) and (quoted or inner[place] != ","):
        char = inner[place]
        if char == "\\":
            if place + 1 == len(inner):
                raise error
            made.append(inner[place + 1])
            place += 1
        elif char != '"':
            if char in "()" and not quoted:
                raise error
            made.append(char)
        elif quoted and inner[place + 1 : place + 2] == '"':
            made.append('"')
            place += 1
        else:
            quoted = not quoted
        place += 1
    if quoted:
        raise error
    return (None if place == start else "".join(made)), place

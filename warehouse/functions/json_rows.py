"""Rows out of JSON: elements of arrays, members and keys of objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from storage.errors import InvalidRequest
from storage.schema import ArrayType
from warehouse.algebra.expressions import Expr
from warehouse.algebra.types import JSON, JSONB, TEXT, AnyType, RecordType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.json_scan import elements, kind_of, members, text_of
from warehouse.functions.registry import table_function

__all__: list[str] = []


def _rule(kind: AnyType) -> Callable[[Sequence[Expr]], AnyType]:
    """An array of (key, value) rows."""
    return lambda args: ArrayType(element=RecordType(fields=(TEXT, kind)))  # type: ignore[arg-type]


def _register_elements(name: str, source: str, target: str) -> None:
    shown: Callable[[str], Any] = text_of if target == "text" else str

    @table_function(f"{name}({source}) -> {target}", native=False, names=("from_json",))
    def array_elements(value: Value, *, kind: AnyType) -> Value:
        """The elements."""

        def rows(text: str) -> tuple[Any, ...]:
            found = kind_of(text)
            if found == "array":
                return tuple(map(shown, elements(text)))
            if source == "jsonb":
                what = "an object" if found == "object" else "a scalar"
                raise InvalidRequest(f"cannot extract elements from {what}", "22023")
            what = "non-array" if found == "object" else "scalar"
            raise InvalidRequest(f"cannot call {name} on a {what}", "22023")

        return rowwise(rows, [value], kind)


for _short in ("json", "jsonb"):
    _register_elements(f"{_short}_array_elements", _short, _short)
    _register_elements(f"{_short}_array_elements_text", _short, "text")


def _pairs(text: str) -> list[tuple[str, str]]:
    found = kind_of(text)
    if found == "object":
        return members(text)
    if found == "array":
        raise InvalidRequest("cannot deconstruct an array as an object", "22023")
    raise InvalidRequest("cannot deconstruct a scalar", "22023")


def _each(value: Value, kind: AnyType, shown: Callable[[str], Any], name: str) -> Value:
    def rows(text: str) -> tuple[tuple[str, Any], ...]:
        if value.type == JSONB and kind_of(text) != "object":
            raise InvalidRequest(f"cannot call {name} on a non-object", "22023")
        return tuple((key, shown(inner)) for key, inner in _pairs(text))

    return rowwise(rows, [value], kind)


def _register_each(name: str, source: AnyType, target: AnyType) -> None:
    short = "json" if source == JSON else "jsonb"

    @table_function(
        f"{name}({short}) -> record",
        native=False,
        result=_rule(target),
        outputs=(("key", TEXT), ("value", target)),
        names=("from_json",),
    )
    def each(value: Value, *, kind: AnyType) -> Value:
        """The members, as rows of key and value."""
        return _each(value, kind, text_of if target == TEXT else str, name)


for _name, _source, _target in (
    ("json_each", JSON, JSON),
    ("json_each_text", JSON, TEXT),
    ("jsonb_each", JSONB, JSONB),
    ("jsonb_each_text", JSONB, TEXT),
):
    _register_each(_name, _source, _target)


def _register_keys(name: str, source: str) -> None:
    @table_function(f"{name}({source}) -> text", native=False)
    def keys(value: Value, *, kind: AnyType) -> Value:
        """The keys, as they come."""

        def rows(text: str) -> tuple[str, ...]:
            found = kind_of(text)
            if found != "object":
                what = "an array" if found == "array" else "a scalar"
                raise InvalidRequest(f"cannot call {name} on {what}", "22023")
            return tuple(key for key, _ in members(text))

        return rowwise(rows, [value], kind)


_register_keys("json_object_keys", "json")
_register_keys("jsonb_object_keys", "jsonb")

"""JSON made of SQL values: to_json, row_to_json, json_build_object, … and their JSONB forms.

Numbers and Booleans are JSON's, JSON stays what it is, arrays and rows become arrays and objects
(keys `f1`, `f2`, … where fields have no names), everything else a string of its text; dates and
times in ISO 8601. The JSONB forms are the same, normalised.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from storage.errors import InvalidRequest
from storage.schema import ArrayType, DecimalType, StructType
from warehouse.algebra.types import (
    BOOLEAN,
    BYTEA,
    INTERVAL,
    JSON,
    JSONB,
    NUMERIC,
    REAL,
    TIMESTAMPTZ,
    AnyType,
    RecordType,
    is_float,
    is_integer,
)
from warehouse.execution.json_text import normalised_jsonb
from warehouse.execution.kernels import rowwise
from warehouse.execution.literals import EXACT, literal
from warehouse.execution.moment_text import interval_text
from warehouse.execution.value import Value
from warehouse.functions.registry import scalar

__all__ = ["json_writer"]

_Writer = Callable[[Any], str]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _float_text(value: float, limit: int, shortest: str) -> str:
    """As PostgreSQL's float8out: an exponent below 1e-4 and from 10^limit on."""
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"Infinity"' if value > 0 else '"-Infinity"'
    number = Decimal(shortest).normalize()
    if number == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    sign, digits, _ = number.as_tuple()
    power = number.adjusted()
    if -4 <= power < limit:
        return format(number, "f")
    mantissa = "".join(map(str, digits))
    point = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    exponent = f"{'-' if power < 0 else '+'}{abs(power):02d}"
    return f"{'-' if sign else ''}{mantissa[0]}{point}e{exponent}"


def _double(value: float) -> str:
    return _float_text(value, 15, repr(value))


def _real(value: float) -> str:
    import numpy as np

    return _float_text(value, 6, str(np.float32(value)))


def _numeric(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return _double(value)
    return format(Decimal(repr(value)).normalize() + 0, "f")


def _timestamp(value: datetime.datetime, zone: str) -> str:
    text = value.isoformat()
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return f'"{text}{zone}"'


def _other(value: Any) -> str:
    match value:
        case datetime.datetime():
            return _timestamp(value, "")
        case datetime.time():
            text = value.isoformat()
            return f'"{text.rstrip("0") if "." in text else text}"'
        case _:
            return _quoted(str(value))


def json_writer(kind: AnyType) -> _Writer:
    """The function from a value of the type (as `algebra.Literal` has it), or None, to JSON."""
    write = _writer(kind)
    return lambda value: "null" if value is None else write(value)


def _writer(kind: AnyType) -> _Writer:
    match kind:
        case ArrayType(element):
            inner = json_writer(element)
            return lambda items: f"[{','.join(map(inner, items))}]"
        case StructType(_, fields):
            return _object_writer(fields)
        case RecordType(parts):
            return _object_writer([(f"f{i}", part) for i, part in enumerate(parts, 1)])
        case DecimalType(_, scale):
            unit = Decimal(1).scaleb(-scale)
            return lambda value: format(Decimal(value).quantize(unit, context=EXACT), "f")
        case _ if is_integer(kind):
            return str
        case _ if is_float(kind) or kind == NUMERIC:
            return _numeric if kind == NUMERIC else _real if kind == REAL else _double
        case _ if kind in (JSON, JSONB):
            return lambda value: value
        case _:
            return _scalar_writer(kind)


def _scalar_writer(kind: AnyType) -> _Writer:
    if kind == BOOLEAN:
        return lambda value: "true" if value else "false"
    if kind == INTERVAL:
        return lambda value: _quoted(interval_text(value))
    if kind == BYTEA:
        return lambda value: _quoted("\\x" + value.hex())
    if kind == TIMESTAMPTZ:
        return lambda value: _timestamp(value, "+00:00")
    return _other


def _object_writer(fields: Sequence[tuple[str, AnyType]]) -> _Writer:
    writers = [json_writer(kind) for _, kind in fields]
    keys = [_quoted(name) for name, _ in fields]

    def write(values: Any) -> str:
        parts = zip(keys, writers, values, strict=True)
        return "{" + ",".join(f"{key}:{inner(value)}" for key, inner, value in parts) + "}"

    return write


def _finished(kind: AnyType, write: Callable[..., str]) -> Callable[..., str]:
    """For JSONB, the text in its form."""
    return (lambda *args: normalised_jsonb(write(*args))) if kind == JSONB else write


@scalar(
    "to_json(anyelement) -> json",
    "to_jsonb(anyelement) -> jsonb",
    "row_to_json(record) -> json",
    "array_to_json(anyarray) -> json",
    native=False,
)
def to_json(value: Value, *, kind: AnyType) -> Value:
    """See the module."""
    if value.type in (JSON, JSONB) and value.type == kind:
        return value.derived(value.expr, kind)
    return rowwise(_finished(kind, json_writer(value.type)), [value], kind)


def _key_writer(kind: AnyType) -> _Writer:
    """A key's text: that of the value, without quotes."""
    if isinstance(kind, ArrayType | StructType | RecordType) or kind in (JSON, JSONB):
        raise InvalidRequest("key value must be scalar, not array, composite, or json", "22023")
    write = _writer(kind)

    def text(value: Any) -> str:
        written = write(value)
        return written if written.startswith('"') else _quoted(written)

    return text


def _null_key(kind: AnyType, position: int) -> InvalidRequest:
    if kind == JSONB:
        return InvalidRequest(f"argument {position}: key must not be null", "22023")
    return InvalidRequest("null value not allowed for object key", "22004")


@scalar("json_build_object() -> json", "jsonb_build_object() -> jsonb", native=False, strict=False)
@scalar(
    "json_build_object(variadic any) -> json",
    "jsonb_build_object(variadic any) -> jsonb",
    native=False,
    strict=False,
)
def build_object(*given: Value, kind: AnyType) -> Value:
    """Keys and values in turn."""
    if not given:
        return literal("{}", kind)
    if len(given) % 2:
        raise InvalidRequest("argument list must have even number of elements", "22023")
    keys = [_key_writer(value.type) for value in given[::2]]
    writers = [json_writer(value.type) for value in given[1::2]]

    def write(*values: Any) -> str:
        parts = []
        for i, (key, write_value) in enumerate(zip(keys, writers, strict=True)):
            if values[2 * i] is None:
                raise _null_key(kind, 2 * i + 1)
            parts.append(f"{key(values[2 * i])} : {write_value(values[2 * i + 1])}")
        return "{" + ", ".join(parts) + "}"

    return rowwise(_finished(kind, write), given, kind, strict=False)


@scalar("json_build_array() -> json", "jsonb_build_array() -> jsonb", native=False, strict=False)
@scalar(
    "json_build_array(variadic any) -> json",
    "jsonb_build_array(variadic any) -> jsonb",
    native=False,
    strict=False,
)
def build_array(*given: Value, kind: AnyType) -> Value:
    """The values."""
    if not given:
        return literal("[]", kind)
    writers = [json_writer(value.type) for value in given]

    def write(*values: Any) -> str:
        parts = zip(writers, values, strict=True)
        return "[" + ", ".join(inner(value) for inner, value in parts) + "]"

    return rowwise(_finished(kind, write), given, kind, strict=False)


def _element_type(array: Value) -> AnyType:
    assert isinstance(array.type, ArrayType)
    return array.type.element


@scalar(
    "variadic json_build_object(anyarray) -> json",
    "variadic jsonb_build_object(anyarray) -> jsonb",
    native=False,
)
def build_object_of_array(array: Value, *, kind: AnyType) -> Value:
    """Keys and values in turn, of one array."""
    key, write_value = _key_writer(_element_type(array)), json_writer(_element_type(array))

    def write(items: tuple[Any, ...]) -> str:
        if len(items) % 2:
            raise InvalidRequest("argument list must have even number of elements", "22023")
        for position, item in enumerate(items[::2]):
            if item is None:
                raise _null_key(kind, 2 * position + 1)
        pairs = zip(items[::2], items[1::2], strict=True)
        return "{" + ", ".join(f"{key(a)} : {write_value(b)}" for a, b in pairs) + "}"

    return rowwise(_finished(kind, write), [array], kind)


@scalar(
    "variadic json_build_array(anyarray) -> json",
    "variadic jsonb_build_array(anyarray) -> jsonb",
    native=False,
)
def build_array_of_array(array: Value, *, kind: AnyType) -> Value:
    """The values, of one array."""
    write_value = json_writer(_element_type(array))

    def write(items: tuple[Any, ...]) -> str:
        return "[" + ", ".join(map(write_value, items)) + "]"

    return rowwise(_finished(kind, write), [array], kind)


def _object_of(keys: tuple[Any, ...], values: tuple[Any, ...]) -> str:
    if None in keys:
        raise InvalidRequest("null value not allowed for object key", "22004")
    parts = [
        f"{_quoted(key)} : {'null' if value is None else _quoted(value)}"
        for key, value in zip(keys, values, strict=True)
    ]
    return "{" + ", ".join(parts) + "}"


def _object_of_pairs(items: tuple[Any, ...]) -> str:
    if len(items) % 2:
        raise InvalidRequest("array must have even number of elements", "2202E")
    return _object_of(items[::2], items[1::2])


def _object_of_two(keys: tuple[Any, ...], values: tuple[Any, ...]) -> str:
    if len(keys) != len(values):
        raise InvalidRequest("mismatched array dimensions", "2202E")
    return _object_of(keys, values)


@scalar("json_object(_text) -> json", "jsonb_object(_text) -> jsonb", native=False)
def object_of_pairs(items: Value, *, kind: AnyType) -> Value:
    """Keys and values in turn, as strings."""
    return rowwise(_finished(kind, _object_of_pairs), [items], kind)


@scalar("json_object(_text,_text) -> json", "jsonb_object(_text,_text) -> jsonb", native=False)
def object_of_two(keys: Value, values: Value, *, kind: AnyType) -> Value:
    """Keys and values side by side, as strings."""
    return rowwise(_finished(kind, _object_of_two), [keys, values], kind)

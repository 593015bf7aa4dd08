"""Reading JSON and JSONB: `->`, `->>`, paths, lengths, types, and what is in what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.json_scan import (
    at_path,
    element,
    elements,
    kind_of,
    member,
    members,
    parsed,
    text_of,
)
from warehouse.functions.registry import scalar

__all__: list[str] = []

_BOTH = ("json", "jsonb")


def _both(template: str) -> list[str]:
    """The signature for JSON and for JSONB: `@` stands for the type's name."""
    return [template.replace("@", name) for name in _BOTH]


def _as_text(find: Callable[..., str | None]) -> Callable[..., str | None]:
    return lambda *args: text_of(find(*args))


def _found(find: Callable[..., str | None], value: Value, key: Value, kind: AnyType) -> Value:
    """`find(text, key)` of each row; texts without escapes cannot fail, and take a shorter way."""
    if not key.constant or key.literal is None:
        return rowwise(find, [value, key], kind)
    wanted = key.literal

    def run(texts: pl.Series) -> pl.Series:
        found = [None if text is None else find(text, wanted) for text in texts]
        return pl.Series(texts.name, found, dtype=pl.String)

    escaped = value.expr.str.contains("\\u", literal=True)
    plain = pl.when(escaped.not_()).then(value.expr)
    fast = plain.map_batches(run, return_dtype=pl.String(), is_elementwise=True)
    rest = value.derived(pl.when(escaped).then(value.expr), value.type)
    slow = rowwise(find, [rest, key], kind)
    return slow.derived(pl.when(escaped).then(slow.expr).otherwise(fast), kind)


@scalar(*_both("->(@,text) -> @"), native=False)
def field(value: Value, key: Value, *, kind: AnyType) -> Value:
    """The value of a key."""
    return _found(member, value, key, kind)


@scalar(*_both("->>(@,text) -> text"), native=False)
def field_text(value: Value, key: Value, *, kind: AnyType) -> Value:
    """The value of a key as text."""
    return _found(_as_text(member), value, key, kind)


@scalar(*_both("->(@,int4) -> @"), native=False)
def item(value: Value, index: Value, *, kind: AnyType) -> Value:
    """The element at an index from 0, or from the end."""
    return _found(element, value, index, kind)


@scalar(*_both("->>(@,int4) -> text"), native=False)
def item_text(value: Value, index: Value, *, kind: AnyType) -> Value:
    """The element at an index as text."""
    return _found(_as_text(element), value, index, kind)


@scalar(*_both("#>(@,_text) -> @"), native=False)
def path(value: Value, steps: Value, *, kind: AnyType) -> Value:
    """The value at a path."""
    return _found(at_path, value, steps, kind)


@scalar(*_both("#>>(@,_text) -> text"), native=False)
def path_text(value: Value, steps: Value, *, kind: AnyType) -> Value:
    """The value at a path as text."""
    return _found(_as_text(at_path), value, steps, kind)


def _steps(find: Callable[..., str | None]) -> Callable[..., str | None]:
    return lambda text, *steps: find(text, steps)


@scalar(
    "json_extract_path(json,variadic text) -> json",
    "jsonb_extract_path(jsonb,variadic text) -> jsonb",
    native=False,
)
def extract_path(value: Value, *steps: Value, kind: AnyType) -> Value:
    """As `#>`."""
    return rowwise(_steps(at_path), [value, *steps], kind)


@scalar(
    "json_extract_path_text(json,variadic text) -> text",
    "jsonb_extract_path_text(jsonb,variadic text) -> text",
    native=False,
)
def extract_path_text(value: Value, *steps: Value, kind: AnyType) -> Value:
    """As `#>>`."""
    return rowwise(_as_text(_steps(at_path)), [value, *steps], kind)


@scalar("json_typeof(json) -> text", "jsonb_typeof(jsonb) -> text", native=False)
def type_of(value: Value, *, kind: AnyType) -> Value:
    """object, array, string, number, boolean or null."""
    return rowwise(kind_of, [value], kind)


def _length(text: str) -> int:
    found = kind_of(text)
    if found == "array":
        return len(elements(text))
    what = "non-array" if found == "object" else "scalar"
    raise InvalidRequest(f"cannot get array length of a {what}", "22023")


@scalar("json_array_length(json) -> int4", "jsonb_array_length(jsonb) -> int4", native=False)
def array_length(value: Value, *, kind: AnyType) -> Value:
    """The number of elements."""
    return rowwise(_length, [value], kind)


# --- JSONB: what is in what -----------------------------------------------------------------------


def _equal(left: Any, right: Any) -> bool:
    """Scalars of one type; Python's True would equal 1."""
    return type(left) is type(right) and left == right


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


def _covers(whole: Any, part: Any) -> bool:
    """PostgreSQL's JsonbDeepContains, of two values that are not both scalars at the top."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and _covers(whole[key], value) for key, value in part.items())
    if isinstance(whole, list) and isinstance(part, list):
        return all(_has(whole, wanted) for wanted in part)
    return not _is_nested(whole) and not _is_nested(part) and _equal(whole, part)


def _has(items: list[Any], wanted: Any) -> bool:
    if _is_nested(wanted):
        return any(_is_nested(item) and _covers(item, wanted) for item in items)
    return any(_equal(item, wanted) for item in items)


def _contains(whole_text: str, part_text: str) -> bool:
    whole, part = parsed(whole_text), parsed(part_text)
    if isinstance(whole, list) and not _is_nested(part):
        return _has(whole, part)  # only at the top: an array contains a scalar
    return _covers(whole, part)


@scalar("@>(jsonb,jsonb) -> bool", native=False)
def contains(whole: Value, part: Value, *, kind: AnyType) -> Value:
    """Structure and values of the right side are in the left."""
    return rowwise(_contains, [whole, part], kind)


@scalar("<@(jsonb,jsonb) -> bool", native=False)
def contained(part: Value, whole: Value, *, kind: AnyType) -> Value:
    """Structure and values of the left side are in the right."""
    return rowwise(_contains, [whole, part], kind)


def _keys(text: str) -> set[str]:
    """The keys of an object, the strings of an array, or a string."""
    value = parsed(text)
    items = value if _is_nested(value) else [value]
    return {item for item in items if isinstance(item, str)}


@scalar("?(jsonb,text) -> bool", native=False)
def has_key(value: Value, key: Value, *, kind: AnyType) -> Value:
    """A key of the object, or a string in the array."""
    return rowwise(lambda text, wanted: wanted in _keys(text), [value, key], kind)


@scalar("?|(jsonb,_text) -> bool", native=False)
def has_any_key(value: Value, keys: Value, *, kind: AnyType) -> Value:
    """Any of the keys; NULLs do not count."""

    def some(text: str, wanted: tuple[str | None, ...]) -> bool:
        return not _keys(text).isdisjoint(wanted)

    return rowwise(some, [value, keys], kind)


@scalar("?&(jsonb,_text) -> bool", native=False)
def has_all_keys(value: Value, keys: Value, *, kind: AnyType) -> Value:
    """All of the keys; NULLs do not count."""

    def every(text: str, wanted: tuple[str | None, ...]) -> bool:
        return {key for key in wanted if key is not None} <= _keys(text)

    return rowwise(every, [value, keys], kind)


# --- other forms ----------------------------------------------------------------------------------


def _pretty(value: str, indent: str) -> str:
    inner = indent + "    "
    found = kind_of(value)
    if found == "array":
        lines = [f"{inner}{_pretty(item, inner)}" for item in elements(value)]
        brackets = "[]"
    elif found == "object":
        lines = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_pretty(item, inner)}"
            for key, item in members(value)
        ]
        brackets = "{}"
    else:
        return value
    body = "".join(f"{line},\n" for line in lines[:-1]) + "".join(f"{x}\n" for x in lines[-1:])
    return f"{brackets[0]}\n{body}{indent}{brackets[1]}"


@scalar("jsonb_pretty(jsonb) -> text", native=False)
def pretty(value: Value, *, kind: AnyType) -> Value:
    """Indented by four blanks."""
    return rowwise(lambda text: _pretty(text, ""), [value], kind)

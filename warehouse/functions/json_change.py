"""JSONB made of JSONB: `||`, `-`, `#-`, jsonb_set, jsonb_insert, strip_nulls."""

from __future__ import annotations

import json
import re
from typing import Any

from storage.errors import InvalidRequest
from warehouse.algebra.types import AnyType
from warehouse.execution.json_text import jsonb_text
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.json_scan import elements, kind_of, members, parsed, text_of
from warehouse.functions.registry import scalar

__all__: list[str] = []

_Path = tuple[str | None, ...]
_INTEGER = re.compile(r"[ \t\n\r\v\f]*[+-]?[0-9]+")


def _joined(left_text: str, right_text: str) -> str:
    left, right = parsed(left_text), parsed(right_text)
    if isinstance(left, dict) and isinstance(right, dict):
        return jsonb_text({**left, **right})
    first = left if isinstance(left, list) else [left]
    return jsonb_text([*first, *(right if isinstance(right, list) else [right])])


@scalar("||(jsonb,jsonb) -> jsonb", "jsonb_concat(jsonb,jsonb) -> jsonb", native=False)
def concat(left: Value, right: Value, *, kind: AnyType) -> Value:
    """Members of two objects (the right one's win), else elements; others count as elements."""
    return rowwise(_joined, [left, right], kind)


def _without(text: str, keys: _Path) -> str:
    value = parsed(text)
    if isinstance(value, dict):
        return jsonb_text({key: inner for key, inner in value.items() if key not in keys})
    if isinstance(value, list):
        kept = [x for x in value if not (isinstance(x, str) and x in keys)]
        return jsonb_text(kept)
    raise InvalidRequest("cannot delete from scalar", "22023")


@scalar("-(jsonb,text) -> jsonb", native=False)
def without_key(value: Value, key: Value, *, kind: AnyType) -> Value:
    """Without a key, or such strings of an array."""
    return rowwise(lambda text, name: _without(text, (name,)), [value, key], kind)


@scalar("-(jsonb,_text) -> jsonb", native=False)
def without_keys(value: Value, keys: Value, *, kind: AnyType) -> Value:
    """Without these keys, or such strings of an array."""
    return rowwise(_without, [value, keys], kind)


def _without_element(text: str, index: int) -> str:
    value = parsed(text)
    if isinstance(value, dict):
        raise InvalidRequest("cannot delete from object using integer index", "22023")
    if not isinstance(value, list):
        raise InvalidRequest("cannot delete from scalar", "22023")
    if -len(value) <= index < len(value):
        del value[index]
    return jsonb_text(value)


@scalar("-(jsonb,int4) -> jsonb", native=False)
def without_element(value: Value, index: Value, *, kind: AnyType) -> Value:
    """Without the element at an index from 0, or from the end."""
    return rowwise(_without_element, [value, index], kind)


# --- paths ----------------------------------------------------------------------------------------

_Edit = Any  # a function (container, key or index) -> None


def _index(step: str, position: int) -> int:
    if not _INTEGER.fullmatch(step):
        text = f'path element at position {position} is not an integer: "{step}"'
        raise InvalidRequest(text, "22P02")
    return int(step)


def _edited(value: Any, path: _Path, edit: _Edit) -> None:
    """Follow the path and call `edit` with the last container and step, if it leads there."""
    for position, step in enumerate(path, 1):
        if not isinstance(value, dict | list):
            return
        if step is None:
            raise InvalidRequest(f"path element at position {position} is null", "22004")
        key: Any = _index(step, position) if isinstance(value, list) else step
        if position == len(path):
            edit(value, key)
            return
        if isinstance(value, dict):
            if key not in value:
                return
        elif not -len(value) <= key < len(value):
            return
        value = value[key]


def _removed(container: Any, key: Any) -> None:
    inside = key in container if isinstance(container, dict) else _is_inside(container, key)
    if inside:
        del container[key]


def _is_inside(items: list[Any], index: int) -> bool:
    return -len(items) <= index < len(items)


def _without_path(text: str, path: _Path) -> str:
    value = parsed(text)
    if not isinstance(value, dict | list):
        raise InvalidRequest("cannot delete path in scalar", "22023")
    _edited(value, path, _removed)
    return jsonb_text(value)


@scalar("#-(jsonb,_text) -> jsonb", "jsonb_delete_path(jsonb,_text) -> jsonb", native=False)
def without_path(value: Value, path: Value, *, kind: AnyType) -> Value:
    """Without what is at the end of a path."""
    return rowwise(_without_path, [value, path], kind)


def _set(text: str, path: _Path, new_text: str, create: bool = True) -> str:
    value, new = parsed(text), parsed(new_text)
    if not isinstance(value, dict | list):
        raise InvalidRequest("cannot set path in scalar", "22023")

    def edit(container: Any, key: Any) -> None:
        if isinstance(container, dict):
            if create or key in container:
                container[key] = new
        elif _is_inside(container, key):
            container[key] = new
        elif create:
            container.insert(0 if key < 0 else len(container), new)

    _edited(value, path, edit)
    return jsonb_text(value)


@scalar("jsonb_set(jsonb,_text,jsonb) -> jsonb", native=False)
@scalar(
    "jsonb_set(jsonb,_text,jsonb,bool) -> jsonb",
    native=False,
    names=("jsonb_in", "path", "replacement", "create_if_missing"),
    defaults=(True,),
)
def set_path(*given: Value, kind: AnyType) -> Value:
    """With another value at the end of a path."""
    return rowwise(_set, given, kind)


def _inserted(text: str, path: _Path, new_text: str, after: bool = False) -> str:
    value, new = parsed(text), parsed(new_text)
    if not isinstance(value, dict | list):
        raise InvalidRequest("cannot set path in scalar", "22023")

    def edit(container: Any, key: Any) -> None:
        if isinstance(container, dict):
            if key in container:
                raise InvalidRequest("cannot replace existing key", "22023")
            container[key] = new
        elif _is_inside(container, key):
            container.insert(key % len(container) + after, new)
        else:
            container.insert(0 if key < 0 else len(container), new)

    _edited(value, path, edit)
    return jsonb_text(value)


@scalar("jsonb_insert(jsonb,_text,jsonb) -> jsonb", native=False)
@scalar(
    "jsonb_insert(jsonb,_text,jsonb,bool) -> jsonb",
    native=False,
    names=("jsonb_in", "path", "replacement", "insert_after"),
    defaults=(False,),
)
def insert_path(*given: Value, kind: AnyType) -> Value:
    """With a new value at the end of a path; in an array before (or after) the one there."""
    return rowwise(_inserted, given, kind)


def _stripped(text: str, colon: str, comma: str) -> str:
    found = kind_of(text)
    if found == "array":
        inner = (_stripped(item, colon, comma) for item in elements(text))
        return f"[{comma.join(inner)}]"
    if found == "string":
        return json.dumps(text_of(text), ensure_ascii=False)
    if found != "object":
        return text.strip()
    kept = [
        f"{json.dumps(key, ensure_ascii=False)}{colon}{_stripped(value, colon, comma)}"
        for key, value in members(text)
        if kind_of(value) != "null"
    ]
    return "{" + comma.join(kept) + "}"


@scalar("jsonb_strip_nulls(jsonb) -> jsonb", native=False)
def strip_nulls(value: Value, *, kind: AnyType) -> Value:
    """Without the members of objects that are null."""
    return rowwise(lambda text: _stripped(text, ": ", ", "), [value], kind)


@scalar("json_strip_nulls(json) -> json", native=False)
def strip_nulls_of_text(value: Value, *, kind: AnyType) -> Value:
    """Without the members of objects that are null, and without blanks."""
    return rowwise(lambda text: _stripped(text, ":", ","), [value], kind)

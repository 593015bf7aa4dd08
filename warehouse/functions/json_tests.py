"""`IS JSON [VALUE | ARRAY | OBJECT | SCALAR] [WITH UNIQUE KEYS]`: is a text JSON, and of what kind?

JSON and JSONB are valid, so that only their kind is looked at, and of JSON repeated keys.
"""

from __future__ import annotations

import json
from typing import Any

from storage.errors import InvalidRequest
from warehouse.algebra.types import JSONB, AnyType
from warehouse.execution.json_text import checked_json
from warehouse.execution.kernels import rowwise
from warehouse.execution.value import Value
from warehouse.functions.json_scan import kind_of
from warehouse.functions.registry import scalar

__all__: list[str] = []


class _Repeated(Exception):
    """A key that comes twice in one object."""


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({key for key, _ in pairs}) < len(pairs):
        raise _Repeated


_UNIQUE = json.JSONDecoder(object_pairs_hook=_unique, parse_float=str, parse_int=str)


def _is_kind(text: str, kind: str) -> bool:
    found = kind_of(text)
    if kind == "scalar":
        return found not in ("array", "object")
    return kind in ("value", found)


def _has_unique_keys(text: str) -> bool:
    try:
        _UNIQUE.decode(text)
    except _Repeated:
        return False
    return True


def _is_json(text: str, kind: str, unique: bool) -> bool:
    try:
        checked_json(text)
    except InvalidRequest as error:
        if error.sqlstate == "54001":
            raise
        return False
    return _is_kind(text, kind) and (not unique or _has_unique_keys(text))


def _is_json_bytes(value: bytes, kind: str, unique: bool) -> bool:
    try:
        return _is_json(value.decode(), kind, unique)
    except UnicodeDecodeError:
        return False


@scalar("is json(text,text,bool) -> bool", "is json(json,text,bool) -> bool", native=False)
def is_json(text: Value, wanted: Value, unique: Value, *, kind: AnyType) -> Value:
    """Of texts, and of JSON."""
    return rowwise(_is_json, [text, wanted, unique], kind)


@scalar("is json(jsonb,text,bool) -> bool", native=False)
def is_jsonb(value: Value, wanted: Value, unique: Value, *, kind: AnyType) -> Value:
    """Of JSONB, whose keys are unique."""
    assert value.type == JSONB
    return rowwise(_is_kind, [value, wanted], kind)


@scalar("is json(bytea,text,bool) -> bool", native=False)
def is_json_bytes(value: Value, wanted: Value, unique: Value, *, kind: AnyType) -> Value:
    """Of bytes, as UTF-8."""
    return rowwise(_is_json_bytes, [value, wanted, unique], kind)

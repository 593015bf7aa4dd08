"""json_agg, json_object_agg and their JSONB forms.

Polars collects the values of a group in a list, and one Python call per group writes it: the texts
are those of `to_json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import polars as pl

from storage.errors import InvalidRequest, NotYet
from storage.schema import ArrayType, StructType
from warehouse.algebra.types import JSON, JSONB, AnyType, RecordType
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.json_text import normalised_jsonb
from warehouse.execution.kernels import rowwise
from warehouse.execution.keys import is_nested
from warehouse.execution.scaled import canonical
from warehouse.execution.value import Value
from warehouse.functions.aggregates.collecting import collected
from warehouse.functions.json_build import json_writer
from warehouse.functions.registry import aggregate

__all__: list[str] = []

Writer = Callable[..., str]


def _list(found: pl.Expr, element: AnyType) -> Value:
    """A list of values; NULL if there are none."""
    return Value(pl.when(found.list.len() > 0).then(found), ArrayType(element))  # type: ignore[arg-type]


def _finished(group: Group, write: Writer) -> Writer:
    if group.type != JSONB:
        return write
    return lambda *args: normalised_jsonb(write(*args))


@aggregate("json_agg(anyelement) -> json", "jsonb_agg(anyelement) -> jsonb", strict=False)
def _json_agg(group: Group) -> Aggregated:
    value = canonical(group.args[0])
    inner = json_writer(value.type)
    # PostgreSQL begins a line for each array or object.
    led = ", \n " if is_nested(value.type) else ", "

    def write(items: tuple[Any, ...]) -> str:
        texts = [inner(item) for item in items]
        between = [", " if item is None else led for item in items[1:]]
        pairs = zip(between, texts[1:], strict=True)
        return "[" + texts[0] + "".join(gap + text for gap, text in pairs) + "]"

    def finish(found: pl.Expr) -> Value:
        return rowwise(_finished(group, write), [_list(found, value.type)], group.type)

    return Aggregated((collected(group, value).implode(),), finish)


@aggregate("json_object_agg(any, any) -> json", "jsonb_object_agg(any, any) -> jsonb", strict=False)
def _json_object_agg(group: Group) -> Aggregated:
    if group.distinct:
        raise NotYet("DISTINCT in json_object_agg is not supported")
    key, value = (canonical(arg) for arg in group.args)
    key_text, inner = _key_writer(key.type, group.type), json_writer(value.type)

    def write(keys: tuple[Any, ...], items: tuple[Any, ...]) -> str:
        pairs = zip(keys, items, strict=True)
        return "{ " + ", ".join(f"{key_text(k)} : {inner(item)}" for k, item in pairs) + " }"

    def finish(keys: pl.Expr, items: pl.Expr) -> Value:
        lists = [_list(keys, key.type), _list(items, value.type)]
        return rowwise(_finished(group, write), lists, group.type)

    return Aggregated(tuple(group.rows(arg.expr).implode() for arg in (key, value)), finish)


def _key_writer(kind: AnyType, result: AnyType) -> Callable[[Any], str]:
    """The key in quotes."""
    if isinstance(kind, ArrayType | StructType | RecordType) or kind in (JSON, JSONB):
        raise InvalidRequest("key value must be scalar, not array, composite, or json", "22023")
    write = json_writer(kind)

    def text(value: Any) -> str:
        if value is None:
            if result == JSONB:
                raise InvalidRequest("field name must not be null", "22023")
            raise InvalidRequest("null value not allowed for object key", "22004")
        written = write(value)
        return written if written.startswith('"') else json.dumps(written, ensure_ascii=False)

    return text

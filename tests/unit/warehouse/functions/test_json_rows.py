"""Rows out of JSON against PostgreSQL."""

from __future__ import annotations

import polars as pl

from storage.schema import ArrayType
from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.algebra.expressions import Call, ColumnRef
from warehouse.algebra.types import JSON, JSONB, TEXT, RecordType
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.value import Value, raised
from warehouse.functions.registry import function

TABLE = r"""
json_array_elements(json) ¦ [1, {"a" : 2},"x", null] => {1,"{\"a\" : 2}","\"x\"","null"}
json_array_elements(json) ¦ {"a":1} => !22023 cannot call json_array_elements on a non-array
json_array_elements(json) ¦ 1 => !22023 cannot call json_array_elements on a scalar
json_array_elements(json) ¦ [] => {}
json_array_elements(json) ¦ NULL => NULL
jsonb_array_elements(jsonb) ¦ [1, {"a": 2}, "x", null] => {1,"{\"a\": 2}","\"x\"","null"}
jsonb_array_elements(jsonb) ¦ {"a": 1} => !22023 cannot extract elements from an object
jsonb_array_elements(jsonb) ¦ 1 => !22023 cannot extract elements from a scalar
json_array_elements_text(json) ¦ [1, {"a" : 2},"x", null] => {1,"{\"a\" : 2}",x,NULL}
jsonb_array_elements_text(jsonb) ¦ [1, {"a": 2}, "x", null] => {1,"{\"a\": 2}",x,NULL}
json_object_keys(json) ¦ {"b":1,"a":2,"b":3} => {b,a,b}
json_object_keys(json) ¦ [1] => !22023 cannot call json_object_keys on an array
json_object_keys(json) ¦ 1 => !22023 cannot call json_object_keys on a scalar
jsonb_object_keys(jsonb) ¦ {"a": 2, "b": 1} => {a,b}
jsonb_object_keys(jsonb) ¦ [1] => !22023 cannot call jsonb_object_keys on an array
jsonb_object_keys(jsonb) ¦ 1 => !22023 cannot call jsonb_object_keys on a scalar
jsonb_array_elements_text(jsonb) ¦ {"a": 1} => !22023 cannot extract elements from an object
json_array_elements_text(json) ¦ 1 => !22023 cannot call json_array_elements_text on a scalar
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def _each(key: str, text: str) -> list[tuple[str, str | None]]:
    entry = function(key)
    kind = JSON if "(json)" in key else JSONB
    assert entry.result is not None
    assert entry.outputs is not None
    made = entry.result(())
    assert made == ArrayType(element=RecordType(fields=tuple(k for _, k in entry.outputs)))  # type: ignore[arg-type]
    call = Call(type=made, fn=key, args=(ColumnRef(type=kind, id=0),))
    value = lower(call, Environment(columns={0: Value(pl.col("j"), kind)}))
    rows = pl.LazyFrame({"j": [text]}).select(raised(value).alias("x")).collect()["x"][0]
    return [(row["f1"], row["f2"]) for row in rows]


def test_members_come_as_rows() -> None:
    text = '{"b" : [1, 2], "a":"x\\n", "b":null}'
    assert _each("json_each(json)", text) == [
        ("b", "[1, 2]"),
        ("a", '"x\\n"'),
        ("b", "null"),
    ]
    assert _each("json_each_text(json)", text) == [("b", "[1, 2]"), ("a", "x\n"), ("b", None)]
    normal = '{"a": "x", "b": {"c": 1.50}}'
    assert _each("jsonb_each(jsonb)", normal) == [("a", '"x"'), ("b", '{"c": 1.50}')]
    assert _each("jsonb_each_text(jsonb)", normal) == [("a", "x"), ("b", '{"c": 1.50}')]


def test_outputs_are_named_key_and_value() -> None:
    assert function("json_each_text(json)").outputs == (("key", TEXT), ("value", TEXT))

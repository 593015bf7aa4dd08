"""JSON made of values, against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

import datetime
import uuid

from storage.schema import EnumType, StructType
from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.algebra.types import INTEGER, TEXT, TIMESTAMP, UUID, RecordType
from warehouse.functions.json_build import json_writer

TABLE = r"""
to_json(anyelement) ¦ int4:1 => json:1
to_json(anyelement) ¦ int4[]:{1,NULL,2} => json:[1,null,2]
to_json(anyelement) ¦ text:a"b\c/é => json:"a\"b\\c/é"
to_json(anyelement) ¦ text[]:{a,NULL,"b c"} => json:["a",null,"b c"]
to_json(anyelement) ¦ decimal:1.50 => json:1.50
to_json(anyelement) ¦ wide:-12345678901234567890.05 => json:-12345678901234567890.05
to_json(anyelement) ¦ bool:t => json:true
to_json(anyelement) ¦ float8:NaN => json:"NaN"
to_json(anyelement) ¦ float8:1e15 => json:1e+15
to_json(anyelement) ¦ float8:123456789012345 => json:123456789012345
to_json(anyelement) ¦ float8:-0.00001234 => json:-1.234e-05
to_json(anyelement) ¦ float8:0.1 => json:0.1
to_json(anyelement) ¦ float8:100 => json:100
to_json(anyelement) ¦ float8:-0 => json:-0
to_json(anyelement) ¦ float4:0.1 => json:0.1
to_json(anyelement) ¦ float4:1234567.5 => json:1.2345675e+06
to_json(anyelement) ¦ timestamp:2000-01-01 00:00:01.5 => json:"2000-01-01T00:00:01.5"
to_json(anyelement) ¦ timestamp:2000-01-01 00:00:00 => json:"2000-01-01T00:00:00"
to_json(anyelement) ¦ timestamptz:2000-01-01 00:00:10 => json:"2000-01-01T00:00:10+00:00"
to_json(anyelement) ¦ date:2000-01-01 => json:"2000-01-01"
to_json(anyelement) ¦ time:10:00:00.120 => json:"10:00:00.12"
to_json(anyelement) ¦ interval:1 day 02:00:00 => json:"1 day 02:00:00"
to_json(anyelement) ¦ json:{"a" : 1} => json:{"a" : 1}
to_json(anyelement) ¦ jsonb:{"a": 1} => json:{"a": 1}
to_json(anyelement) ¦ text:NULL => json:NULL
to_jsonb(anyelement) ¦ float8:1e20 => jsonb:100000000000000000000
to_jsonb(anyelement) ¦ float8:NaN => jsonb:"NaN"
to_jsonb(anyelement) ¦ decimal:1.50 => jsonb:1.50
to_jsonb(anyelement) ¦ int4[]:{1,NULL,2} => jsonb:[1, null, 2]
to_jsonb(anyelement) ¦ json:{"b" : 1, "a":1.0e1} => jsonb:{"a": 10, "b": 1}
array_to_json(anyarray) ¦ int4[]:{1,2} => json:[1,2]
~ json_build_object(variadic any) ¦ text:a ¦ int4:1 ¦ text:b ¦ int4[]:{1,2} ¦ int4:2 ¦ text:NULL => {"a" : 1, "b" : [1,2], "2" : null}
~ json_build_object(variadic any) ¦ text:a ¦ int4:1 => {"a" : 1}
~ json_build_object(variadic any) ¦ text:NULL ¦ int4:1 => !22004 null value not allowed for object key
~ json_build_object(variadic any) ¦ bool:t ¦ json:{"x" : 1} => {"true" : {"x" : 1}}
~ json_build_object(variadic any) ¦ text:a => !22023 argument list must have even number of elements
~ json_build_object(variadic any) ¦ json:{} ¦ int4:1 => !22023 key value must be scalar, not array, composite, or json
~ jsonb_build_object(variadic any) ¦ text:b ¦ int4:1 ¦ text:a ¦ int4[]:{1,2} => {"a": [1, 2], "b": 1}
~ jsonb_build_object(variadic any) ¦ text:NULL ¦ int4:1 => !22023 argument 1: key must not be null
json_build_object() => {}
jsonb_build_array() => []
json_build_array(variadic any) ¦ int4:1 ¦ text:a ¦ text:NULL ¦ json:{"a" : 1} => [1, "a", null, {"a" : 1}]
jsonb_build_array(variadic any) ¦ int4:1 ¦ text:a ¦ text:NULL ¦ json:{"a" : 1} => [1, "a", null, {"a": 1}]
json_object(_text) ¦ {a,1,b,NULL} => {"a" : "1", "b" : null}
json_object(_text) ¦ {a,1,b} => !2202E array must have even number of elements
json_object(_text) ¦ {NULL,1} => !22004 null value not allowed for object key
json_object(_text,_text) ¦ {a,b} ¦ {1,2} => {"a" : "1", "b" : "2"}
json_object(_text,_text) ¦ {a,b} ¦ {1} => !2202E mismatched array dimensions
jsonb_object(_text) ¦ {b,1,a,NULL} => {"a": null, "b": "1"}
jsonb_object(_text,_text) ¦ {b,a} ¦ {1,2} => {"a": "2", "b": "1"}
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def test_rows_become_objects() -> None:
    point = StructType(name="point", fields=(("x", INTEGER), ("at", TIMESTAMP)))
    moment = datetime.datetime(2000, 1, 1, 0, 0, 0, 500_000)
    assert json_writer(point)((1, moment)) == '{"x":1,"at":"2000-01-01T00:00:00.5"}'
    row = RecordType(fields=(INTEGER, TEXT, point))
    assert json_writer(row)((1, None, None)) == '{"f1":1,"f2":null,"f3":null}'


def test_other_types_become_strings() -> None:
    assert json_writer(EnumType(name="mood", labels=("sad",)))("sad") == '"sad"'
    assert json_writer(UUID)(uuid.UUID(int=1)) == '"00000000-0000-0000-0000-000000000001"'

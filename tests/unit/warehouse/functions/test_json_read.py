"""Reading JSON and JSONB against PostgreSQL."""

from __future__ import annotations

import pytest

from storage.errors import InvalidRequest
from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.functions.json_scan import elements, kind_of, member, members, parsed

TABLE = r"""
->(json,text) ¦ {"a": [1, 2 ] } ¦ a => [1, 2 ]
->(json,text) ¦ {"a": 1, "a" : 2} ¦ a => 2
->(json,text) ¦ {"a": null} ¦ a => null
->(json,text) ¦ {"a": 1} ¦ b => NULL
->(json,text) ¦ {"a": 1} ¦ NULL => NULL
->(json,text) ¦ [1] ¦ a => NULL
->(json,text) ¦ 3 ¦ a => NULL
->(json,text) ¦ { "\u0061b" : 1.0e2 } ¦ ab => 1.0e2
->(json,int4) ¦ [1, 2,3] ¦ -1 => 3
->(json,int4) ¦ [1, 2,3] ¦ -4 => NULL
->(json,int4) ¦ [1, 2,3] ¦ 3 => NULL
->(json,int4) ¦ {"a": 1} ¦ 0 => NULL
->(jsonb,text) ¦ {"a": [1, 2]} ¦ a => [1, 2]
->(jsonb,text) ¦ "a" ¦ a => NULL
->(jsonb,int4) ¦ ["x", {"y": 1}] ¦ 1 => {"y": 1}
->>(json,text) ¦ {"a": "x\u0041 \u00e9"} ¦ a => xA é
->>(json,text) ¦ {"a": "\u0000"} ¦ a => !22P05 unsupported Unicode escape sequence
->>(json,text) ¦ {"a": "\ud83d\ude00"} ¦ a => 😀
->>(json,text) ¦ {"a": "\ud83d"} ¦ a => !22P02 invalid input syntax for type json
->>(json,text) ¦ {"a": null} ¦ a => NULL
->>(json,text) ¦ {"a": 1.50e1} ¦ a => 1.50e1
->>(json,text) ¦ {"a": true} ¦ a => true
->>(json,text) ¦ {"a": [1 ,2]} ¦ a => [1 ,2]
->>(jsonb,text) ¦ {"a": "q\"\\"} ¦ a => q"\
->>(jsonb,text) ¦ {"a": 15.0} ¦ a => 15.0
->>(json,int4) ¦ ["a", null] ¦ 0 => a
->>(json,int4) ¦ ["a", null] ¦ 1 => NULL
->>(jsonb,int4) ¦ ["a", {"b": 1}] ¦ -1 => {"b": 1}
#>(json,_text) ¦ {"a":[1,{"b":null}]} ¦ {a,1,b} => null
#>(json,_text) ¦ {"a":[1,{"b":null}]} ¦ {a,-1} => {"b":null}
#>(json,_text) ¦ {"a":[1,{"b":null}]} ¦ {a,x} => NULL
#>(json,_text) ¦ {"a":[1,{"b":null}]} ¦ {} => {"a":[1,{"b":null}]}
#>(json,_text) ¦ {"a":[1,{"b":null}]} ¦ {a,NULL} => NULL
#>(jsonb,_text) ¦ {"a": [1, {"b": null}]} ¦ {a,1} => {"b": null}
#>(jsonb,_text) ¦ {"a": 1} ¦ {a,b} => NULL
#>>(json,_text) ¦ {"a":[1,{"b":null}]} ¦ {a,1,b} => NULL
#>>(json,_text) ¦ "abc" ¦ {} => abc
#>>(jsonb,_text) ¦ {"a": [1, {"b": "x"}]} ¦ {a,1,b} => x
json_extract_path(json,variadic text) ¦ {"a":[1,2]} ¦ a ¦ 1 => 2
json_extract_path_text(json,variadic text) ¦ {"a":[1,"x"]} ¦ a ¦ 1 => x
jsonb_extract_path(jsonb,variadic text) ¦ {"a": [1, 2]} ¦ a => [1, 2]
jsonb_extract_path_text(jsonb,variadic text) ¦ {"a": [1, null]} ¦ a ¦ 1 => NULL
json_typeof(json) ¦  null => null
json_typeof(json) ¦ -1 => number
json_typeof(json) ¦ "x" => string
json_typeof(json) ¦ true => boolean
jsonb_typeof(jsonb) ¦ {} => object
jsonb_typeof(jsonb) ¦ [] => array
json_array_length(json) ¦ [1, [2, 3], {"a":[4]}] => 3
json_array_length(json) ¦ {} => !22023 cannot get array length of a non-array
json_array_length(json) ¦ 3 => !22023 cannot get array length of a scalar
jsonb_array_length(jsonb) ¦ [] => 0
jsonb_array_length(jsonb) ¦ {} => !22023 cannot get array length of a non-array
@>(jsonb,jsonb) ¦ ["abc"] ¦ "abc" => t
@>(jsonb,jsonb) ¦ "abc" ¦ ["abc"] => f
@>(jsonb,jsonb) ¦ "abc" ¦ "abc" => t
@>(jsonb,jsonb) ¦ [1, [2, 3]] ¦ [[3]] => t
@>(jsonb,jsonb) ¦ [1, [2, 3]] ¦ [3] => f
@>(jsonb,jsonb) ¦ [1.0] ¦ [1] => t
@>(jsonb,jsonb) ¦ [1] ¦ [true] => f
@>(jsonb,jsonb) ¦ [1, 1] ¦ [1, 1, 1] => t
@>(jsonb,jsonb) ¦ {"a": 1, "b": {"c": [1, 2]}} ¦ {"b": {"c": [2]}} => t
@>(jsonb,jsonb) ¦ {"a": {"b": 1}} ¦ {"b": 1} => f
@>(jsonb,jsonb) ¦ {"a": [1]} ¦ {"a": 1} => f
@>(jsonb,jsonb) ¦ {} ¦ [] => f
@>(jsonb,jsonb) ¦ [{"a": 1, "b": 2}] ¦ [{"a": 1}] => t
@>(jsonb,jsonb) ¦ [null] ¦ null => t
<@(jsonb,jsonb) ¦ {"a": 1} ¦ {"a": 1, "b": 2} => t
?(jsonb,text) ¦ "abc" ¦ abc => t
?(jsonb,text) ¦ ["abc", 1] ¦ abc => t
?(jsonb,text) ¦ ["abc", 1] ¦ 1 => f
?(jsonb,text) ¦ {"a": 1} ¦ a => t
?(jsonb,text) ¦ {"a": {"b": 1}} ¦ b => f
?|(jsonb,_text) ¦ {"a": 1} ¦ {a,b} => t
?|(jsonb,_text) ¦ {"a": 1} ¦ {c,NULL} => f
?|(jsonb,_text) ¦ {"a": 1} ¦ {} => f
?&(jsonb,_text) ¦ {"a": 1} ¦ {a,b} => f
?&(jsonb,_text) ¦ {"a": 1} ¦ {a,NULL} => t
?&(jsonb,_text) ¦ {"a": 1} ¦ {} => t
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def test_deep_nesting_is_an_error() -> None:
    with pytest.raises(InvalidRequest, match="stack depth") as caught:
        parsed("[" * 100_000 + "]" * 100_000)
    assert caught.value.sqlstate == "54001"


def test_parts_keep_their_text() -> None:
    text = ' { "a" :\t[1 ,2] , "b":{ } , "a": "\\ud800" } '
    assert members(text) == [("a", "[1 ,2]"), ("b", "{ }"), ("a", '"\\ud800"')]
    assert member(text, "a") == '"\\ud800"'
    assert elements(' [ 1.50e1 , "\\udc00", [ ] ]') == ["1.50e1", '"\\udc00"', "[ ]"]
    assert kind_of("\n -1") == "number"

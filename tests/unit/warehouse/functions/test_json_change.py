"""Changes of JSONB against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
||(jsonb,jsonb) ¦ {"a": 1, "b": 2} ¦ {"b": 3} => {"a": 1, "b": 3}
||(jsonb,jsonb) ¦ {"a": 1} ¦ [2] => [{"a": 1}, 2]
||(jsonb,jsonb) ¦ {"a": 1} ¦ 3 => [{"a": 1}, 3]
||(jsonb,jsonb) ¦ 3 ¦ "x" => [3, "x"]
||(jsonb,jsonb) ¦ [1] ¦ [2, [3]] => [1, 2, [3]]
||(jsonb,jsonb) ¦ null ¦ [] => [null]
jsonb_concat(jsonb,jsonb) ¦ {"a": 1} ¦ {"aa": 1.50, "b": 2} => {"a": 1, "b": 2, "aa": 1.50}
-(jsonb,text) ¦ 3 ¦ a => !22023 cannot delete from scalar
-(jsonb,text) ¦ ["a", "b", "a", 1] ¦ a => ["b", 1]
-(jsonb,text) ¦ {"a": 1, "b": 2} ¦ a => {"b": 2}
-(jsonb,_text) ¦ {"a": 1, "b": 2} ¦ {a,c} => {"b": 2}
-(jsonb,_text) ¦ ["a", "b"] ¦ {a,c,NULL} => ["b"]
-(jsonb,int4) ¦ {"a": 1} ¦ 1 => !22023 cannot delete from object using integer index
-(jsonb,int4) ¦ 3 ¦ 1 => !22023 cannot delete from scalar
-(jsonb,int4) ¦ ["a", "b"] ¦ -1 => ["a"]
-(jsonb,int4) ¦ ["a", "b"] ¦ 7 => ["a", "b"]
-(jsonb,int4) ¦ ["a", "b"] ¦ 0 => ["b"]
#-(jsonb,_text) ¦ 3 ¦ {a} => !22023 cannot delete path in scalar
#-(jsonb,_text) ¦ {"a": [1, 2]} ¦ {a,-1} => {"a": [1]}
#-(jsonb,_text) ¦ {"a": [1, 2]} ¦ {a,x} => !22P02 path element at position 2 is not an integer: "x"
#-(jsonb,_text) ¦ {"a": [1, 2]} ¦ {a,9} => {"a": [1, 2]}
#-(jsonb,_text) ¦ {"a": [1, 2]} ¦ {} => {"a": [1, 2]}
#-(jsonb,_text) ¦ {"a": [1, 2]} ¦ {a,NULL} => !22004 path element at position 2 is null
#-(jsonb,_text) ¦ {"a": {"b": 1}} ¦ {a,b} => {"a": {}}
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {a,5} ¦ 9 => {"a": [1, 2, 9]}
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {a,-5} ¦ 9 => {"a": [9, 1, 2]}
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {a,x} ¦ 9 => !22P02 path element at position 2 is not an integer: "x"
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {a,NULL} ¦ 9 => !22004 path element at position 2 is null
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {b,c} ¦ 9 => {"a": [1, 2]}
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {b} ¦ {"x": 1} => {"a": [1, 2], "b": {"x": 1}}
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, 2]} ¦ {} ¦ 9 => {"a": [1, 2]}
jsonb_set(jsonb,_text,jsonb) ¦ 3 ¦ {b} ¦ 9 => !22023 cannot set path in scalar
jsonb_set(jsonb,_text,jsonb) ¦ {"a": 3} ¦ {a,b} ¦ 9 => {"a": 3}
jsonb_set(jsonb,_text,jsonb) ¦ {"a": [1, {"b": 2}]} ¦ {a,1,b} ¦ null => {"a": [1, {"b": null}]}
jsonb_set(jsonb,_text,jsonb,bool) ¦ {"a": [1, 2]} ¦ {b} ¦ 9 ¦ f => {"a": [1, 2]}
jsonb_set(jsonb,_text,jsonb,bool) ¦ {"a": [1, 2]} ¦ {a,7} ¦ 9 ¦ f => {"a": [1, 2]}
jsonb_set(jsonb,_text,jsonb,bool) ¦ {"a": [1, 2]} ¦ {a,0} ¦ 9 ¦ NULL => NULL
jsonb_insert(jsonb,_text,jsonb) ¦ {"a": [0, 1, 2]} ¦ {a,1} ¦ "n" => {"a": [0, "n", 1, 2]}
jsonb_insert(jsonb,_text,jsonb) ¦ {"a": [0, 1, 2]} ¦ {a,-1} ¦ "n" => {"a": [0, 1, "n", 2]}
jsonb_insert(jsonb,_text,jsonb) ¦ {"a": [0, 1, 2]} ¦ {a,-9} ¦ "n" => {"a": ["n", 0, 1, 2]}
jsonb_insert(jsonb,_text,jsonb) ¦ {"a": 1} ¦ {a} ¦ 2 => !22023 cannot replace existing key
jsonb_insert(jsonb,_text,jsonb) ¦ {"a": 1} ¦ {b} ¦ 2 => {"a": 1, "b": 2}
jsonb_insert(jsonb,_text,jsonb,bool) ¦ {"a": [0, 1, 2]} ¦ {a,1} ¦ "n" ¦ t => {"a": [0, 1, "n", 2]}
jsonb_insert(jsonb,_text,jsonb,bool) ¦ {"a": [0, 1, 2]} ¦ {a,-1} ¦ "n" ¦ t => {"a": [0, 1, 2, "n"]}
jsonb_insert(jsonb,_text,jsonb,bool) ¦ {"a": [0, 1, 2]} ¦ {a,9} ¦ "n" ¦ t => {"a": [0, 1, 2, "n"]}
json_strip_nulls(json) ¦ {"a": 1, "b" : null, "c":[null, {"d":null}]} => {"a":1,"c":[null,{}]}
json_strip_nulls(json) ¦ { "a" : 1.50e1 , "x" : "\u00e9\/" } => {"a":1.50e1,"x":"é/"}
jsonb_strip_nulls(jsonb) ¦ {"a": 1, "b": null, "c": [null, {"d": null}]} => {"a": 1, "c": [null, {}]}
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

"""Elements, slices and lengths of arrays, against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
subscript(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 1 => int4:1
subscript(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 0 => int4:NULL
subscript(anyarray,int4) ¦ int4[]:{1,2,3} ¦ -1 => int4:NULL
subscript(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 4 => int4:NULL
subscript(anyarray,int4) ¦ text[]:{a,NULL,c} ¦ 2 => text:NULL
subscript(anyarray,int4) ¦ text[]:{a,NULL,c} ¦ NULL => text:NULL
slice(anyarray,int4,int4) ¦ int4[]:{1,2,3} ¦ 0 ¦ 2 => int4[]:{1,2}
slice(anyarray,int4,int4) ¦ int4[]:{1,2,3} ¦ 2 ¦ 9 => int4[]:{2,3}
slice(anyarray,int4,int4) ¦ int4[]:{1,2,3} ¦ 3 ¦ 2 => int4[]:{}
slice(anyarray,int4,int4) ¦ int4[]:{1,2,3} ¦ -5 ¦ -2 => int4[]:{}
array_length(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 1 => int4:3
array_length(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 2 => int4:NULL
array_length(anyarray,int4) ¦ int4[]:{} ¦ 1 => int4:NULL
array_length(anyarray,int4) ¦ int4[]:NULL ¦ 1 => int4:NULL
array_upper(anyarray,int4) ¦ text[]:{a,b} ¦ 1 => int4:2
array_lower(anyarray,int4) ¦ text[]:{a,b} ¦ 1 => int4:1
array_lower(anyarray,int4) ¦ text[]:{a,b} ¦ 0 => int4:NULL
array_lower(anyarray,int4) ¦ text[]:{} ¦ 1 => int4:NULL
array_ndims(anyarray) ¦ text[]:{} => int4:NULL
array_ndims(anyarray) ¦ text[]:{NULL} => int4:1
array_dims(anyarray) ¦ text[]:{a,b} => text:[1:2]
array_dims(anyarray) ¦ text[]:{} => text:NULL
cardinality(anyarray) ¦ text[]:{} => int4:0
cardinality(anyarray) ¦ text[]:{a,NULL} => int4:2
||(anycompatiblearray,anycompatiblearray) ¦ int4[]:{1,2} ¦ int4[]:{3,NULL} => int4[]:{1,2,3,NULL}
||(anycompatiblearray,anycompatiblearray) ¦ int4[]:{} ¦ int4[]:{3,NULL} => int4[]:{3,NULL}
array_cat(anycompatiblearray,anycompatiblearray) ¦ int4[]:{1,2} ¦ int4[]:NULL => int4[]:{1,2}
array_cat(anycompatiblearray,anycompatiblearray) ¦ int4[]:NULL ¦ int4[]:NULL => int4[]:NULL
||(anycompatiblearray,anycompatible) ¦ int4[]:{1,2} ¦ int4:NULL => int4[]:{1,2,NULL}
||(anycompatiblearray,anycompatible) ¦ int4[]:NULL ¦ int4:7 => int4[]:{7}
||(anycompatible,anycompatiblearray) ¦ text:x ¦ text[]:{a,b} => text[]:{x,a,b}
array_append(anycompatiblearray,anycompatible) ¦ text[]:{a,b} ¦ text:x => text[]:{a,b,x}
array_append(anycompatiblearray,anycompatible) ¦ interval[]:{1 day} ¦ interval:1 mon => interval[]:{"1 day","1 mon"}
array_prepend(anycompatible,anycompatiblearray) ¦ int4:1 ¦ int4[]:NULL => int4[]:{1}
trim_array(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 2 => int4[]:{1}
trim_array(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 3 => int4[]:{}
trim_array(anyarray,int4) ¦ int4[]:{1,2,3} ¦ 4 => !2202E number of elements to trim must be between 0 and 3
trim_array(anyarray,int4) ¦ int4[]:{1,2,3} ¦ -1 => !2202E number of elements to trim must be between 0 and 3
~ array_fill(anyelement,_int4) ¦ int4:7 ¦ int4[]:{3} => int4[]:{7,7,7}
~ array_fill(anyelement,_int4) ¦ int4:NULL ¦ int4[]:{2} => int4[]:{NULL,NULL}
~ array_fill(anyelement,_int4) ¦ text:x ¦ int4[]:{0} => text[]:{}
~ array_fill(anyelement,_int4) ¦ int4:7 ¦ int4[]:{-1} => !54000 array size exceeds the maximum allowed (134217727)
~ array_fill(anyelement,_int4) ¦ int4:7 ¦ int4[]:{NULL} => !22004 dimension values cannot be null
~ array_fill(anyelement,_int4) ¦ int4:7 ¦ int4[]:{} => int4[]:{}
generate_subscripts(anyarray,int4) ¦ text[]:{a,b,c} ¦ 1 => {1,2,3}
generate_subscripts(anyarray,int4) ¦ text[]:{a,b,c} ¦ 2 => {}
generate_subscripts(anyarray,int4) ¦ text[]:{} ¦ 1 => {}
generate_subscripts(anyarray,int4,bool) ¦ text[]:{a,b,c} ¦ 1 ¦ t => {3,2,1}
generate_subscripts(anyarray,int4,bool) ¦ text[]:{a,b,c} ¦ 1 ¦ f => {1,2,3}
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

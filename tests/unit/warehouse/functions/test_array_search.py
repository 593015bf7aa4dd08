"""Positions, removal and replacement in arrays, against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
array_position(anycompatiblearray,anycompatible) ¦ int4[]:{1,NULL,3} ¦ int4:NULL => int4:2
array_position(anycompatiblearray,anycompatible) ¦ int4[]:{1,NULL,3} ¦ int4:3 => int4:3
array_position(anycompatiblearray,anycompatible) ¦ int4[]:{1,NULL,3} ¦ int4:4 => int4:NULL
array_position(anycompatiblearray,anycompatible) ¦ int4[]:NULL ¦ int4:4 => int4:NULL
array_position(anycompatiblearray,anycompatible) ¦ float8[]:{1,NaN} ¦ float8:NaN => int4:2
array_position(anycompatiblearray,anycompatible) ¦ interval[]:{1 day,30 days} ¦ interval:1 mon => int4:2
array_position(anycompatiblearray,anycompatible,int4) ¦ int4[]:{1,2,3,2} ¦ int4:2 ¦ 3 => int4:4
array_position(anycompatiblearray,anycompatible,int4) ¦ int4[]:{1,2,3,2} ¦ int4:2 ¦ 0 => int4:2
array_position(anycompatiblearray,anycompatible,int4) ¦ int4[]:{1,2,3,2} ¦ int4:2 ¦ NULL => !22004 initial position must not be null
array_positions(anycompatiblearray,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:2 => int4[]:{2,4}
array_positions(anycompatiblearray,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:NULL => int4[]:{3}
array_positions(anycompatiblearray,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:5 => int4[]:{}
array_remove(anycompatiblearray,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:2 => int4[]:{1,NULL}
array_remove(anycompatiblearray,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:NULL => int4[]:{1,2,2}
array_remove(anycompatiblearray,anycompatible) ¦ text[]:{a,b} ¦ text:b => text[]:{a}
array_replace(anycompatiblearray,anycompatible,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:2 ¦ int4:NULL => int4[]:{1,NULL,NULL,NULL}
array_replace(anycompatiblearray,anycompatible,anycompatible) ¦ int4[]:{1,2,NULL,2} ¦ int4:NULL ¦ int4:9 => int4[]:{1,2,9,2}
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

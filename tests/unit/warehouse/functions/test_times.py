"""Arithmetic of times against PostgreSQL."""

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
+(time,interval) ¦ 10:00:00 ¦ 1 day 25:00:00 => 11:00:00
+(interval,time) ¦ -11:00:00 ¦ 10:00:00 => 23:00:00
-(time,interval) ¦ 10:00:00 ¦ 11:00:00.5 => 22:59:59.5
-(time,interval) ¦ 10:00:00 ¦ 1 mon 1 day -00:00:00.000001 => 10:00:00.000001
-(time,time) ¦ 10:00:00 ¦ 11:00:00.25 => -01:00:00.25
make_time(int4,int4,float8) ¦ 8 ¦ 15 ¦ 23.5 => 08:15:23.5
make_time(int4,int4,float8) ¦ 8 ¦ 15 ¦ 60 => 08:16:00
make_time(int4,int4,float8) ¦ 25 ¦ 0 ¦ 0 => !22008 time field value out of range: 25:00:00
make_time(int4,int4,float8) ¦ 8 ¦ 61 ¦ 5 => !22008 time field value out of range: 8:61:05
make_time(int4,int4,float8) ¦ 8 ¦ 6 ¦ -1 => !22008 time field value out of range: 8:06:-1
make_time(int4,int4,float8) ¦ 23 ¦ 59 ¦ 60.5 => !22008 time field value out of range: 23:59:60.5
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

"""Arithmetic of dates against PostgreSQL."""

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
+(date,int4) ¦ 2000-02-28 ¦ 1 => 2000-02-29
+(date,int4) ¦ 2000-02-28 ¦ NULL => NULL
+(date,int4) ¦ 2000-01-01 ¦ 2147483647 => !22008 date out of range
+(int4,date) ¦ -60 ¦ 2000-03-01 => 2000-01-01
-(date,int4) ¦ 2001-03-01 ¦ 1 => 2001-02-28
-(date,int4) ¦ 2001-03-01 ¦ 2147483647 => !22008 date out of range
-(date,date) ¦ 2024-03-01 ¦ 2023-03-01 => 366
-(date,date) ¦ 0001-01-01 ¦ 9999-12-31 => -3652058
+(date,time) ¦ 2000-01-01 ¦ 23:59:59.999999 => 2000-01-01 23:59:59.999999
+(time,date) ¦ 10:00:00 ¦ 1900-02-28 => 1900-02-28 10:00:00
make_date(int4,int4,int4) ¦ 2024 ¦ 2 ¦ 29 => 2024-02-29
make_date(int4,int4,int4) ¦ 2023 ¦ 2 ¦ 29 => !22008 date field value out of range: 2023-02-29
make_date(int4,int4,int4) ¦ 1900 ¦ 2 ¦ 29 => !22008 date field value out of range: 1900-02-29
make_date(int4,int4,int4) ¦ 0 ¦ 3 ¦ 15 => !22008 date field value out of range: 0-03-15
make_date(int4,int4,int4) ¦ 2023 ¦ 13 ¦ 1 => !22008 date field value out of range: 2023-13-01
make_date(int4,int4,int4) ¦ 2023 ¦ 1 ¦ 0 => !22008 date field value out of range: 2023-01-00
make_date(int4,int4,int4) ¦ 2023 ¦ NULL ¦ 0 => NULL
make_date(int4,int4,int4) ¦ -44 ¦ 13 ¦ 1 => !22008 date field value out of range: -43-13-01
isfinite(date) ¦ 2000-01-01 => t
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

"""Arithmetic of intervals against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.functions.registry import function

TABLE = r"""
isfinite(interval) ¦ 1 day => t
+(interval,interval) ¦ 1 mon 1 day 01:00:00 ¦ -2 mons 3 days -02:30:00 => -1 mons +4 days -01:30:00
+(interval,interval) ¦ 178956970 years ¦ 1 year => !22008 interval out of range
+(interval,interval) ¦ 2562047788:00:54.775807 ¦ 00:00:00.000001 => !22008 interval out of range
-(interval,interval) ¦ 1 mon 1 day 01:00:00 ¦ 1 year 2 days 02:30:00 => -11 mons -1 days -01:30:00
-(interval,interval) ¦ -178956970 years ¦ 10 years => !22008 interval out of range
-(interval) ¦ 1 mon -1 days 01:00:00 => -1 mons +1 day -01:00:00
*(interval,float8) ¦ 1 mon ¦ 1.5 => 1 mon 15 days
*(interval,float8) ¦ 1 mon ¦ -0.3333333 => -9 days -23:59:59.9136
*(interval,float8) ¦ 1 year 2 mons 3 days 04:05:06.7 ¦ 2.7 => 3 years 1 mon 32 days 13:25:48.09
*(interval,float8) ¦ 1 day ¦ 0.1 => 02:24:00
*(interval,float8) ¦ 1 mon ¦ 1e20 => !22008 interval out of range
*(interval,float8) ¦ 1 mon ¦ NaN => !22008 interval out of range
*(interval,float8) ¦ 01:00:00 ¦ 1e12 => !22008 interval out of range
*(interval,float8) ¦ 00:00:00.000001 ¦ 0.5 => 00:00:00
*(interval,float8) ¦ 00:00:00.000003 ¦ 0.5 => 00:00:00.000002
*(float8,interval) ¦ 0.7 ¦ 1 mon 1 day => 21 days 16:48:00
*(float8,interval) ¦ NULL ¦ 1 mon 1 day => NULL
/(interval,float8) ¦ 1 mon 1 day ¦ 7 => 4 days 10:17:08.546743
/(interval,float8) ¦ 10 years 3 mons -4 days 00:00:01 ¦ -13.37 => -9 mons -5 days -16:36:15.719312
/(interval,float8) ¦ 1 mon ¦ 0 => !22012 division by zero
/(interval,float8) ¦ 1 mon ¦ 1e-20 => !22008 interval out of range
/(interval,float8) ¦ 01:00:00 ¦ 3 => 00:20:00
justify_hours(interval) ¦ 27:00:00 => 1 day 03:00:00
justify_hours(interval) ¦ 1 day -01:00:00 => 23:00:00
justify_hours(interval) ¦ -1 days 25:00:00 => 01:00:00
justify_hours(interval) ¦ -1 days 49:00:00 => 1 day 01:00:00
justify_days(interval) ¦ 35 days => 1 mon 5 days
justify_days(interval) ¦ 1 mon -35 days => -5 days
justify_days(interval) ¦ -1 mons 35 days 25:00:00 => 5 days 25:00:00
justify_interval(interval) ¦ 1 mon -01:00:00 => 29 days 23:00:00
justify_interval(interval) ¦ 5 mons 29 days 25:00:00 => 6 mons 01:00:00
justify_interval(interval) ¦ -1 mons 29 days 25:00:00 => 01:00:00
justify_interval(interval) ¦ 1 mon -30 days -25:00:00 => -1 days -01:00:00
justify_interval(interval) ¦ 3 mons -61 days 00:00:01 => 29 days 00:00:01
make_interval(int4,int4,int4,int4,int4,int4,float8) ¦ 1 ¦ 2 ¦ 3 ¦ 4 ¦ 5 ¦ 6 ¦ 7.5 => 1 year 2 mons 25 days 05:06:07.5
make_interval(int4,int4,int4,int4,int4,int4,float8) ¦ 0 ¦ 0 ¦ 0 ¦ 0 ¦ -5 ¦ 6 ¦ -7.1234567 => -04:54:07.123457
make_interval(int4,int4) ¦ 0 ¦ 13 => 1 year 1 mon
make_interval() => 00:00:00
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def test_arguments_of_make_interval_have_names_and_defaults() -> None:
    entry = function("make_interval(int4,int4,int4,int4,int4,int4,float8)")
    assert entry.names == ("years", "months", "weeks", "days", "hours", "mins", "secs")
    assert len(entry.defaults) == len(entry.names)

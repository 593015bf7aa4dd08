"""Arithmetic of timestamps against PostgreSQL, and at the ends of the calendar."""

# ruff: noqa: E501

from __future__ import annotations

import datetime

import polars as pl
import pytest

from storage.errors import InvalidRequest
from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.algebra.expressions import Call, ColumnRef, Literal
from warehouse.algebra.types import INTERVAL, TIMESTAMP
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.value import Value, fault_of, raised
from warehouse.functions.calendar import MICROSECONDS_FIRST, MICROSECONDS_LAST

TABLE = r"""
isfinite(timestamp) ¦ NULL => NULL
+(date,interval) ¦ 2000-01-31 ¦ 1 mon => 2000-02-29 00:00:00
+(date,interval) ¦ 2001-01-31 ¦ 1 mon -1 day => 2001-02-27 00:00:00
+(date,interval) ¦ 2000-02-29 ¦ 1 year => 2001-02-28 00:00:00
+(date,interval) ¦ 2000-02-29 ¦ -4 years => 1996-02-29 00:00:00
+(date,interval) ¦ 2000-03-31 ¦ -1 mons => 2000-02-29 00:00:00
+(date,interval) ¦ 2000-03-31 ¦ 36:00:00.5 => 2000-04-01 12:00:00.5
+(interval,date) ¦ 1 year 2 mons 3 days 04:05:06 ¦ 1999-12-31 => 2001-03-03 04:05:06
-(date,interval) ¦ 1998-12-01 ¦ 90 days => 1998-09-02 00:00:00
-(date,interval) ¦ 1998-12-01 ¦ 10000 years => !22008 timestamp out of range
-(date,interval) ¦ 1998-12-31 ¦ 1 mon => 1998-11-30 00:00:00
+(timestamp,interval) ¦ 2000-12-31 23:59:59.999999 ¦ 00:00:00.000001 => 2001-01-01 00:00:00
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ 13 mons => 2001-02-28 12:30:00
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ -2 mons -12:30:01 => 1999-11-29 23:59:59
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ 178000000 years => !22008 timestamp out of range
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ 2147483647 days => !22008 timestamp out of range
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ 2562047788:00:54.775807 => !22008 timestamp out of range
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ -2562047788:00:54.775807 => !22008 timestamp out of range
+(timestamp,interval) ¦ 2000-01-31 12:30:00 ¦ NULL => NULL
+(interval,timestamp) ¦ 1 day ¦ 2000-02-28 12:30:00 => 2000-02-29 12:30:00
-(timestamp,interval) ¦ 2000-03-31 12:30:00 ¦ 1 mon 1 day => 2000-02-28 12:30:00
+(timestamptz,interval) ¦ 2000-03-31 12:30:00+00 ¦ 1 mon 1 day => 2000-05-01 12:30:00+00
+(interval,timestamptz) ¦ 1 mon ¦ 2000-03-31 12:30:00+00 => 2000-04-30 12:30:00+00
-(timestamptz,interval) ¦ 2000-03-31 12:30:00+00 ¦ 1 mon => 2000-02-29 12:30:00+00
date_add(timestamptz,interval) ¦ 2000-03-31 12:30:00+00 ¦ 1 mon => 2000-04-30 12:30:00+00
date_subtract(timestamptz,interval) ¦ 2000-03-31 12:30:00+00 ¦ 1 mon => 2000-02-29 12:30:00+00
-(timestamp,timestamp) ¦ 2000-03-01 00:00:00 ¦ 2000-02-28 12:00:00 => 1 day 12:00:00
-(timestamp,timestamp) ¦ 2000-02-28 12:00:00 ¦ 2000-03-01 00:00:00.5 => -1 days -12:00:00.5
-(timestamptz,timestamptz) ¦ 9999-12-31 23:59:59 ¦ 0001-01-01 00:00:00 => 3652058 days 23:59:59
age(timestamp,timestamp) ¦ 2001-04-10 00:00:00 ¦ 1957-06-13 00:00:00 => 43 years 9 mons 27 days
age(timestamp,timestamp) ¦ 1957-06-13 00:00:00 ¦ 2001-04-10 00:00:00 => -43 years -9 mons -27 days
age(timestamp,timestamp) ¦ 2000-03-01 00:00:00 ¦ 2000-01-31 00:00:01 => 1 mon 23:59:59
age(timestamp,timestamp) ¦ 2000-03-01 10:00:00 ¦ 2000-01-31 11:00:00.25 => 1 mon 22:59:59.75
age(timestamp,timestamp) ¦ 2000-01-31 11:00:00.25 ¦ 2000-03-01 10:00:00 => -1 mons -22:59:59.75
age(timestamp,timestamp) ¦ 2000-01-31 11:00:00.25 ¦ 2000-01-31 11:00:00.25 => 00:00:00
age(timestamp,timestamp) ¦ 2001-02-28 00:00:00 ¦ 2000-02-29 00:00:00 => 11 mons 28 days
age(timestamptz,timestamptz) ¦ 2023-01-01 00:00:00 ¦ 2022-12-31 23:59:59 => 00:00:01
date_bin(interval,timestamp,timestamp) ¦ 00:15:00 ¦ 2020-02-11 15:44:17 ¦ 2001-01-01 00:00:00 => 2020-02-11 15:30:00
date_bin(interval,timestamp,timestamp) ¦ 00:15:00 ¦ 1999-01-01 01:23:00 ¦ 2000-01-01 00:02:30 => 1999-01-01 01:17:30
date_bin(interval,timestamp,timestamp) ¦ 7 days ¦ 2000-01-01 00:00:00 ¦ 2000-01-01 00:00:00 => 2000-01-01 00:00:00
date_bin(interval,timestamp,timestamp) ¦ 1 mon ¦ 2000-01-01 00:00:00 ¦ 2000-01-01 00:00:00 => !0A000 timestamps cannot be binned into intervals containing months or years
date_bin(interval,timestamp,timestamp) ¦ 00:00:00 ¦ 2000-01-01 00:00:00 ¦ 2000-01-01 00:00:00 => !22008 stride must be greater than zero
date_bin(interval,timestamp,timestamp) ¦ -1 days ¦ 2000-01-01 00:00:00 ¦ 2000-01-01 00:00:00 => !22008 stride must be greater than zero
date_bin(interval,timestamptz,timestamptz) ¦ 1 day 12:00:00 ¦ 1970-01-01 00:00:00 ¦ 2000-01-01 00:00:00 => 1969-12-31 12:00:00+00
make_timestamp(int4,int4,int4,int4,int4,float8) ¦ 2013 ¦ 7 ¦ 15 ¦ 8 ¦ 15 ¦ 23.5 => 2013-07-15 08:15:23.5
make_timestamp(int4,int4,int4,int4,int4,float8) ¦ 2013 ¦ 7 ¦ 15 ¦ 24 ¦ 0 ¦ 0 => 2013-07-16 00:00:00
make_timestamp(int4,int4,int4,int4,int4,float8) ¦ 2013 ¦ 7 ¦ 15 ¦ 8 ¦ 61 ¦ 23.5 => !22008 time field value out of range: 8:61:23.5
make_timestamp(int4,int4,int4,int4,int4,float8) ¦ 2013 ¦ 2 ¦ 30 ¦ 8 ¦ 1 ¦ 23.5 => !22008 date field value out of range: 2013-02-30
make_timestamptz(int4,int4,int4,int4,int4,float8) ¦ 2013 ¦ 7 ¦ 15 ¦ 8 ¦ 15 ¦ 1.55555555 => 2013-07-15 08:15:01.555556+00
to_timestamp(float8) ¦ 0 => 1970-01-01 00:00:00+00
to_timestamp(float8) ¦ 1284352323 => 2010-09-13 04:32:03+00
to_timestamp(float8) ¦ 1.1234567 => 1970-01-01 00:00:01.123457+00
to_timestamp(float8) ¦ -1.5 => 1969-12-31 23:59:58.5+00
to_timestamp(float8) ¦ NaN => !22008 timestamp cannot be NaN
to_timestamp(float8) ¦ NULL => NULL
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def _moved(microseconds: int, interval: tuple[int, int, int]) -> int:
    frame = pl.LazyFrame({"t": [microseconds]}).select(pl.col("t").cast(pl.Datetime("us")))
    moment = ColumnRef(type=TIMESTAMP, id=0)
    args = (moment, Literal(type=INTERVAL, value=interval))
    call = Call(type=TIMESTAMP, fn="+(timestamp,interval)", args=args)
    value = lower(call, Environment(columns={0: Value(pl.col("t"), TIMESTAMP)}))
    try:
        found = frame.select(raised(value).alias("x").cast(pl.Int64)).collect().item()
    except pl.exceptions.PolarsError as error:
        raise fault_of(error) or error from None
    assert isinstance(found, int)
    return found


def test_first_and_last_moment_can_be_reached_and_not_passed() -> None:
    assert _moved(MICROSECONDS_FIRST + 5, (0, 0, -5)) == MICROSECONDS_FIRST
    assert _moved(MICROSECONDS_LAST - 5, (0, 0, 5)) == MICROSECONDS_LAST
    for start, step in ((MICROSECONDS_FIRST, -1), (MICROSECONDS_LAST, 1)):
        for interval in ((0, 0, step), (0, step, 0), (step, 0, 0), (0, 0, step * (2**63 - 1))):
            with pytest.raises(InvalidRequest, match="timestamp out of range"):
                _moved(start, interval)


def test_months_move_through_years_before_christ() -> None:
    # 0002-02-28 BC and 0001-02-29 BC: the year 0 of the proleptic calendar is a leap year.
    day = 86_400_000_000
    february = -719_468 * day - day  # 0000-02-29
    assert _moved(february, (-12, 0, 0)) == february - 366 * day
    assert _moved(february, (12, 0, 0)) == february + 365 * day


def test_every_month_end_moves_as_the_calendar_says() -> None:
    epoch = datetime.datetime(1970, 1, 1)
    for year in (1899, 1900, 1999, 2000):
        for month in range(1, 13):
            first = datetime.datetime(year + month // 12, month % 12 + 1, 1)
            last = first - datetime.timedelta(days=1)
            following = datetime.datetime(last.year + last.month // 12, last.month % 12 + 1, 1)
            length = ((following + datetime.timedelta(days=31)).replace(day=1) - following).days
            expected = following.replace(day=min(last.day, length))
            found = _moved((last - epoch) // datetime.timedelta(microseconds=1), (1, 0, 0))
            assert epoch + datetime.timedelta(microseconds=found) == expected

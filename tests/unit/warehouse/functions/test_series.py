"""generate_series against PostgreSQL; a series of constants is never written out."""

# ruff: noqa: E501

from __future__ import annotations

from storage.schema import ArrayType
from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.algebra.expressions import Call, Literal
from warehouse.algebra.types import INTEGER
from warehouse.execution.expressions import Environment, lower

TABLE = r"""
generate_series(int4,int4) ¦ 1 ¦ 5 => {1,2,3,4,5}
generate_series(int4,int4) ¦ 5 ¦ 1 => {}
generate_series(int4,int4) ¦ 1 ¦ NULL => NULL
generate_series(int4,int4) ¦ 2147483645 ¦ 2147483647 => {2147483645,2147483646,2147483647}
generate_series(int4,int4,int4) ¦ 1 ¦ 6 ¦ 2 => {1,3,5}
generate_series(int4,int4,int4) ¦ 5 ¦ 1 ¦ -2 => {5,3,1}
generate_series(int4,int4,int4) ¦ 5 ¦ 1 ¦ 2 => {}
generate_series(int4,int4,int4) ¦ 5 ¦ 6 ¦ 0 => !22023 step size cannot equal zero
generate_series(int4,int4,int4) ¦ -2147483646 ¦ -2147483648 ¦ -1 => {-2147483646,-2147483647,-2147483648}
generate_series(int8,int8) ¦ 9223372036854775805 ¦ 9223372036854775807 => {9223372036854775805,9223372036854775806,9223372036854775807}
generate_series(int8,int8,int8) ¦ 9223372036854775804 ¦ 9223372036854775807 ¦ 2 => {9223372036854775804,9223372036854775806}
generate_series(int8,int8,int8) ¦ -9223372036854775804 ¦ -9223372036854775808 ¦ -3 => {-9223372036854775804,-9223372036854775807}
generate_series(numeric,numeric,numeric) ¦ 3 ¦ 1 ¦ -0.5 => {3,2.5,2.0,1.5,1.0}
generate_series(numeric,numeric,numeric) ¦ 0 ¦ 1 ¦ 0.1 => {0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0}
generate_series(numeric,numeric,numeric) ¦ 3 ¦ 1 ¦ 0 => !22023 step size cannot equal zero
generate_series(numeric,numeric,numeric) ¦ NaN ¦ 1 ¦ 1 => !22023 start value cannot be NaN
generate_series(numeric,numeric) ¦ 1.5 ¦ 4 => {1.5,2.5,3.5}
generate_series(numeric,numeric) ¦ decimal:1.50 ¦ decimal:4.00 => {1.50,2.50,3.50}
generate_series(numeric,numeric,numeric) ¦ decimal:1.00 ¦ decimal:2.00 ¦ decimal:0.25 => {1.00,1.25,1.50,1.75,2.00}
generate_series(numeric,numeric,numeric) ¦ wide:1.00 ¦ decimal:2.00 ¦ decimal:-0.25 => {}
generate_series(numeric,numeric,numeric) ¦ wide:1.00 ¦ decimal:2.00 ¦ wide:0.75 => {1.00,1.75}
generate_series(timestamp,timestamp,interval) ¦ 2000-01-31 00:00:00 ¦ 2000-06-01 00:00:00 ¦ 1 mon => {"2000-01-31 00:00:00","2000-02-29 00:00:00","2000-03-29 00:00:00","2000-04-29 00:00:00","2000-05-29 00:00:00"}
generate_series(timestamp,timestamp,interval) ¦ 2000-01-31 00:00:00 ¦ 1999-10-01 00:00:00 ¦ -1 mons => {"2000-01-31 00:00:00","1999-12-31 00:00:00","1999-11-30 00:00:00","1999-10-30 00:00:00"}
generate_series(timestamp,timestamp,interval) ¦ 2000-01-01 00:00:00 ¦ 2000-01-02 00:00:00 ¦ 1 mon -30 days => !22023 step size cannot equal zero
generate_series(timestamp,timestamp,interval) ¦ 2000-01-01 00:00:00 ¦ 2000-01-02 00:00:00 ¦ 10:00:00 => {"2000-01-01 00:00:00","2000-01-01 10:00:00","2000-01-01 20:00:00"}
generate_series(timestamp,timestamp,interval) ¦ 2000-01-02 00:00:00 ¦ 2000-01-01 00:00:00 ¦ -1 days 14:00:00 => {"2000-01-02 00:00:00","2000-01-01 14:00:00","2000-01-01 04:00:00"}
generate_series(timestamp,timestamp,interval) ¦ 2000-01-01 00:00:00 ¦ 2000-01-02 00:00:00 ¦ 00:00:00 => !22023 step size cannot equal zero
generate_series(timestamp,timestamp,interval) ¦ 2000-12-31 00:00:00 ¦ 2008-03-01 00:00:00 ¦ 1 year 2 mons => {"2000-12-31 00:00:00","2002-02-28 00:00:00","2003-04-28 00:00:00","2004-06-28 00:00:00","2005-08-28 00:00:00","2006-10-28 00:00:00","2007-12-28 00:00:00"}
generate_series(timestamptz,timestamptz,interval) ¦ 2000-01-01 00:00:00 ¦ 2000-01-02 00:00:00 ¦ 1 day => {"2000-01-01 00:00:00+00","2000-01-02 00:00:00+00"}
generate_series(timestamptz,timestamptz,interval,text) ¦ 2021-03-13 12:00:00 ¦ 2021-03-16 00:00:00 ¦ 1 day ¦ America/New_York => {"2021-03-13 12:00:00+00","2021-03-14 11:00:00+00","2021-03-15 11:00:00+00"}
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def test_series_of_constants_is_not_written_out() -> None:
    args = tuple(Literal(type=INTEGER, value=value) for value in (1, 5_000_000))
    call = Call(type=ArrayType(element=INTEGER), fn="generate_series(int4,int4)", args=args)
    value = lower(call, Environment(columns={}))
    assert value.constant
    assert value.literal == range(1, 5_000_001)

"""`date_trunc` against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
date_trunc(text,interval) ¦ hour ¦ 1 day 25:26:27.5 => 1 day 25:00:00
date_trunc(text,interval) ¦ minute ¦ -1 days -25:26:27.5 => -1 days -25:26:00
date_trunc(text,interval) ¦ milliseconds ¦ 25:26:27.123456 => 25:26:27.123
date_trunc(text,interval) ¦ day ¦ 1 mon 40 days 25:00:00 => 1 mon 40 days
date_trunc(text,interval) ¦ month ¦ 1 mon 40 days 25:00:00 => 1 mon
date_trunc(text,interval) ¦ quarter ¦ 3 years 5 mons => 3 years 3 mons
date_trunc(text,interval) ¦ year ¦ -3 years -5 mons => -3 years
date_trunc(text,interval) ¦ decade ¦ 1234 years 5 mons => 1230 years
date_trunc(text,interval) ¦ century ¦ -1234 years => -1200 years
date_trunc(text,interval) ¦ millennium ¦ 1234 years => 1000 years
date_trunc(text,interval) ¦ week ¦ 1 day => !0A000 unit "week" not supported for type interval
date_trunc(text,interval) ¦ foo ¦ 1 day => !22023 unit "foo" not recognized for type interval
date_trunc(text,interval) ¦ now ¦ 1 day => !22023 unit "now" not recognized for type interval
date_trunc(text,timestamp) ¦ microseconds ¦ 1999-12-31 23:59:58.123456 => 1999-12-31 23:59:58.123456
date_trunc(text,timestamp) ¦ milliseconds ¦ 1999-12-31 23:59:58.123456 => 1999-12-31 23:59:58.123
date_trunc(text,timestamp) ¦ second ¦ 1999-12-31 23:59:58.123456 => 1999-12-31 23:59:58
date_trunc(text,timestamp) ¦ minute ¦ 1999-12-31 23:59:58.123456 => 1999-12-31 23:59:00
date_trunc(text,timestamp) ¦ hour ¦ 1999-12-31 23:59:58.123456 => 1999-12-31 23:00:00
date_trunc(text,timestamp) ¦ day ¦ 1999-12-31 23:59:58.123456 => 1999-12-31 00:00:00
date_trunc(text,timestamp) ¦ week ¦ 1999-12-31 23:59:58.123456 => 1999-12-27 00:00:00
date_trunc(text,timestamp) ¦ month ¦ 1999-12-31 23:59:58.123456 => 1999-12-01 00:00:00
date_trunc(text,timestamp) ¦ quarter ¦ 1999-12-31 23:59:58.123456 => 1999-10-01 00:00:00
date_trunc(text,timestamp) ¦ year ¦ 1999-12-31 23:59:58.123456 => 1999-01-01 00:00:00
date_trunc(text,timestamp) ¦ decade ¦ 1999-12-31 23:59:58.123456 => 1990-01-01 00:00:00
date_trunc(text,timestamp) ¦ century ¦ 1999-12-31 23:59:58.123456 => 1901-01-01 00:00:00
date_trunc(text,timestamp) ¦ millennium ¦ 1999-12-31 23:59:58.123456 => 1001-01-01 00:00:00
date_trunc(text,timestamp) ¦ dow ¦ 1999-12-31 23:59:58.123456 => !22023 unit "dow" not recognized for type timestamp without time zone
date_trunc(text,timestamp) ¦ foo ¦ 1999-12-31 23:59:58.123456 => !22023 unit "foo" not recognized for type timestamp without time zone
date_trunc(text,timestamp) ¦ timezone ¦ 1999-12-31 23:59:58.123456 => !0A000 unit "timezone" not supported for type timestamp without time zone
date_trunc(text,timestamp) ¦ week ¦ 1901-01-01 00:00:00.000001 => 1900-12-31 00:00:00
date_trunc(text,timestamp) ¦ month ¦ 1901-01-01 00:00:00.000001 => 1901-01-01 00:00:00
date_trunc(text,timestamp) ¦ year ¦ 1901-01-01 00:00:00.000001 => 1901-01-01 00:00:00
date_trunc(text,timestamp) ¦ millennium ¦ 1901-01-01 00:00:00.000001 => 1001-01-01 00:00:00
date_trunc(text,timestamp) ¦ century ¦ 1901-01-01 00:00:00.000001 => 1901-01-01 00:00:00
date_trunc(text,timestamp) ¦ decade ¦ 1901-01-01 00:00:00.000001 => 1900-01-01 00:00:00
date_trunc(text,timestamp) ¦ quarter ¦ 1901-01-01 00:00:00.000001 => 1901-01-01 00:00:00
date_trunc(text,timestamp) ¦ hour ¦ 1901-01-01 00:00:00.000001 => 1901-01-01 00:00:00
date_trunc(text,timestamptz) ¦ day ¦ 2000-01-01 03:00:00 => 2000-01-01 00:00:00+00
date_trunc(text,timestamptz) ¦ foo ¦ 2000-01-01 03:00:00 => !22023 unit "foo" not recognized for type timestamp with time zone
date_trunc(text,timestamptz,text) ¦ day ¦ 2000-01-01 03:00:00 ¦ America/New_York => 1999-12-31 05:00:00+00
date_trunc(text,timestamptz,text) ¦ foo ¦ 2000-01-01 03:00:00 ¦ America/New_York => !22023 unit "foo" not recognized for type timestamp with time zone
date_trunc(text,timestamptz,text) ¦ month ¦ 2000-03-31 22:30:00 ¦ Europe/Berlin => 2000-03-31 22:00:00+00
date_trunc(text,timestamptz,text) ¦ month ¦ 2000-03-31 22:30:00 ¦ Nowhere => !22023 time zone "Nowhere" not recognized
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

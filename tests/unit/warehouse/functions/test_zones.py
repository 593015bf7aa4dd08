"""AT TIME ZONE against PostgreSQL, with gaps, repetitions and years that Polars does not know."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
timezone(text,timestamptz) ¦ America/New_York ¦ 2000-07-01 00:00:00 => 2000-06-30 20:00:00
timezone(text,timestamptz) ¦ america/new_york ¦ 2150-07-01 00:00:00 => 2150-06-30 20:00:00
timezone(text,timestamptz) ¦ America/New_York ¦ 1800-07-01 00:00:00 => 1800-06-30 19:03:58
timezone(text,timestamp) ¦ America/New_York ¦ 2021-03-14 02:30:00 => 2021-03-14 07:30:00+00
timezone(text,timestamp) ¦ America/New_York ¦ 2021-11-07 01:30:00 => 2021-11-07 06:30:00+00
timezone(text,timestamp) ¦ America/New_York ¦ 2151-11-07 01:30:00 => 2151-11-07 06:30:00+00
timezone(text,timestamp) ¦ CET ¦ 2000-07-01 00:00:00 => 2000-06-30 23:00:00+00
timezone(text,timestamp) ¦ +03:00 ¦ 2000-07-01 00:00:00 => 2000-07-01 03:00:00+00
timezone(text,timestamp) ¦ UTC+3 ¦ 2000-07-01 00:00:00 => 2000-07-01 03:00:00+00
timezone(text,timestamp) ¦ -05:30 ¦ 2000-07-01 00:00:00 => 2000-06-30 18:30:00+00
timezone(text,timestamp) ¦ EST5EDT ¦ 2000-07-01 00:00:00 => 2000-07-01 04:00:00+00
timezone(text,timestamp) ¦ Nowhere/Land ¦ 2000-07-01 00:00:00 => !22023 time zone "Nowhere/Land" not recognized
timezone(text,timestamp) ¦ UTC ¦ NULL => NULL
timezone(interval,timestamp) ¦ 03:30:00 ¦ 2000-07-01 00:00:00 => 2000-06-30 20:30:00+00
timezone(interval,timestamptz) ¦ 03:30:00 ¦ 2000-07-01 00:00:00 => 2000-07-01 03:30:00
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

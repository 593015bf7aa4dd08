"""OVERLAPS with open ends, against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ 2001-02-16 00:00:00 ¦ 2001-12-21 00:00:00 ¦ 2001-10-30 00:00:00 ¦ 2002-10-30 00:00:00 => t
overlaps(timestamp,interval,timestamp,interval) ¦ 2001-02-16 00:00:00 ¦ 100 days ¦ 2001-10-30 00:00:00 ¦ 365 days => f
overlaps(timestamp,interval,timestamp,interval) ¦ 2001-10-29 00:00:00 ¦ 1 day ¦ 2001-10-30 00:00:00 ¦ 1 day => f
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ 2001-10-30 00:00:00 ¦ 2001-10-30 00:00:00 ¦ 2001-10-30 00:00:00 ¦ 2001-10-31 00:00:00 => t
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ 2001-10-30 00:00:00 ¦ NULL ¦ 2001-10-30 00:00:00 ¦ 2001-10-31 00:00:00 => NULL
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ 2001-10-31 00:00:00 ¦ NULL ¦ 2001-10-30 00:00:00 ¦ 2001-11-30 00:00:00 => t
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ NULL ¦ 2001-10-29 00:00:00 ¦ 2001-10-30 00:00:00 ¦ 2001-11-30 00:00:00 => NULL
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ 2001-10-28 00:00:00 ¦ 2001-10-29 00:00:00 ¦ 2001-10-30 00:00:00 ¦ NULL => NULL
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ NULL ¦ NULL ¦ 2001-10-30 00:00:00 ¦ NULL => NULL
overlaps(timestamp,timestamp,timestamp,timestamp) ¦ 2001-12-30 00:00:00 ¦ 2001-10-29 00:00:00 ¦ 2001-11-30 00:00:00 ¦ 2001-11-01 00:00:00 => t
overlaps(time,time,time,time) ¦ 10:00:00 ¦ 11:00:00 ¦ 10:59:59 ¦ 12:00:00 => t
overlaps(time,interval,time,interval) ¦ 23:00:00 ¦ 02:00:00 ¦ 10:59:59 ¦ 12:00:00 => t
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

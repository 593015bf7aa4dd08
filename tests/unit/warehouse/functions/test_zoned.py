"""Timestamps moved and made in a zone, against PostgreSQL."""

# ruff: noqa: E501

from __future__ import annotations

from tests.unit.warehouse.functions.postgres_table import differences

TABLE = r"""
date_add(timestamptz,interval,text) ¦ 2021-10-30 22:00:00+00 ¦ 1 day ¦ Europe/Warsaw => 2021-10-31 23:00:00+00
date_subtract(timestamptz,interval,text) ¦ 2021-10-31 23:00:00+00 ¦ 14 days ¦ Europe/Warsaw => 2021-10-17 22:00:00+00
date_add(timestamptz,interval,text) ¦ 2021-03-13 07:30:00+00 ¦ 1 day 01:00:00 ¦ America/New_York => 2021-03-14 08:30:00+00
make_timestamptz(int4,int4,int4,int4,int4,float8,text) ¦ 2013 ¦ 7 ¦ 15 ¦ 8 ¦ 15 ¦ 23.5 ¦ America/New_York => 2013-07-15 12:15:23.5+00
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []

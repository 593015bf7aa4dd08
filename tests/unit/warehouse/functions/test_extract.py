"""`extract` and `date_part` against PostgreSQL, and units that differ by row."""

# ruff: noqa: E501

from __future__ import annotations

import datetime

import polars as pl
import pytest

from storage.errors import InvalidRequest
from storage.schema import DecimalType
from tests.unit.warehouse.functions.postgres_table import differences
from warehouse.algebra.expressions import Call, ColumnRef, Literal
from warehouse.algebra.types import DATE, NUMERIC, TEXT, TIMESTAMP
from warehouse.execution.expressions import Environment, lower
from warehouse.execution.value import Value, fault_of, raised
from warehouse.functions.registry import function

TABLE = r"""
extract(text,interval) ¦ epoch ¦ 1 year 1 mon 1 day 00:00:01.5 => 34236001.500000
extract(text,interval) ¦ epoch ¦ -1 years -13 mons 1 day -00:00:01.5 => -65620801.500000
extract(text,interval) ¦ second ¦ -00:01:01.5 => -1.500000
extract(text,interval) ¦ milliseconds ¦ 00:01:01.5 => 1500.000
extract(text,interval) ¦ microseconds ¦ -00:01:01.5 => -1500000
extract(text,interval) ¦ minute ¦ -05:06:07.5 => -6
extract(text,interval) ¦ hour ¦ -105:06:07.5 => -105
extract(text,interval) ¦ day ¦ 1 mon 45 days => 45
extract(text,interval) ¦ month ¦ -3 years -2 mons => -2
extract(text,interval) ¦ quarter ¦ -3 years -5 mons => 0
extract(text,interval) ¦ quarter ¦ 3 years 11 mons => 4
extract(text,interval) ¦ year ¦ -3 years -2 mons => -3
extract(text,interval) ¦ decade ¦ -33 years => -3
extract(text,interval) ¦ century ¦ 1234 years => 12
extract(text,interval) ¦ millennium ¦ -1234 years => -1
extract(text,interval) ¦ dow ¦ 1 day => !0A000 unit "dow" not supported for type interval
extract(text,interval) ¦ week ¦ 1 day => !0A000 unit "week" not supported for type interval
extract(text,interval) ¦ Foo ¦ 1 day => !22023 unit "foo" not recognized for type interval
extract(text,interval) ¦ now ¦ 1 day => !22023 unit "now" not recognized for type interval
date_part(text,interval) ¦ epoch ¦ 1 year 1 mon 1 day 00:00:01.5 => 34236001.5
date_part(text,interval) ¦ seconds ¦ 00:00:01.5 => 1.5
extract(text,date) ¦ day ¦ 2021-01-03 => 3
extract(text,date) ¦ week ¦ 2021-01-03 => 53
extract(text,date) ¦ month ¦ 2021-01-03 => 1
extract(text,date) ¦ quarter ¦ 2021-01-03 => 1
extract(text,date) ¦ year ¦ 2021-01-03 => 2021
extract(text,date) ¦ decade ¦ 2021-01-03 => 202
extract(text,date) ¦ century ¦ 2021-01-03 => 21
extract(text,date) ¦ millennium ¦ 2021-01-03 => 3
extract(text,date) ¦ dow ¦ 2021-01-03 => 0
extract(text,date) ¦ isodow ¦ 2021-01-03 => 7
extract(text,date) ¦ doy ¦ 2021-01-03 => 3
extract(text,date) ¦ isoyear ¦ 2021-01-03 => 2020
extract(text,date) ¦ epoch ¦ 2021-01-03 => 1609632000
extract(text,date) ¦ julian ¦ 2021-01-03 => 2459218
extract(text,date) ¦ hour ¦ 2021-01-03 => !0A000 unit "hour" not supported for type date
extract(text,date) ¦ Foo ¦ 2021-01-03 => !22023 unit "foo" not recognized for type date
extract(text,date) ¦ timezone ¦ 2021-01-03 => !0A000 unit "timezone" not supported for type date
extract(text,date) ¦ now ¦ 2021-01-03 => !0A000 unit "now" not supported for type date
extract(text,date) ¦ week ¦ 2000-12-31 => 52
extract(text,date) ¦ week ¦ 2016-01-01 => 53
extract(text,date) ¦ week ¦ 0001-01-01 => 1
extract(text,date) ¦ isoyear ¦ 2000-12-31 => 2000
extract(text,date) ¦ isoyear ¦ 2016-01-01 => 2015
extract(text,date) ¦ isoyear ¦ 0001-01-01 => 1
extract(text,date) ¦ century ¦ 2000-12-31 => 20
extract(text,date) ¦ century ¦ 2016-01-01 => 21
extract(text,date) ¦ century ¦ 0001-01-01 => 1
extract(text,date) ¦ decade ¦ 2000-12-31 => 200
extract(text,date) ¦ decade ¦ 2016-01-01 => 201
extract(text,date) ¦ decade ¦ 0001-01-01 => 0
extract(text,date) ¦ millennium ¦ 2000-12-31 => 2
extract(text,date) ¦ millennium ¦ 2016-01-01 => 3
extract(text,date) ¦ millennium ¦ 0001-01-01 => 1
extract(text,date) ¦ doy ¦ 2000-12-31 => 366
extract(text,date) ¦ doy ¦ 2016-01-01 => 1
extract(text,date) ¦ doy ¦ 0001-01-01 => 1
extract(text,timestamp) ¦ microsecond ¦ 1969-12-31 23:59:58.123456 => 58123456
extract(text,timestamp) ¦ milliseconds ¦ 1969-12-31 23:59:58.123456 => 58123.456
extract(text,timestamp) ¦ second ¦ 1969-12-31 23:59:58.123456 => 58.123456
extract(text,timestamp) ¦ minute ¦ 1969-12-31 23:59:58.123456 => 59
extract(text,timestamp) ¦ hour ¦ 1969-12-31 23:59:58.123456 => 23
extract(text,timestamp) ¦ day ¦ 1969-12-31 23:59:58.123456 => 31
extract(text,timestamp) ¦ week ¦ 1969-12-31 23:59:58.123456 => 1
extract(text,timestamp) ¦ month ¦ 1969-12-31 23:59:58.123456 => 12
extract(text,timestamp) ¦ quarter ¦ 1969-12-31 23:59:58.123456 => 4
extract(text,timestamp) ¦ year ¦ 1969-12-31 23:59:58.123456 => 1969
extract(text,timestamp) ¦ decade ¦ 1969-12-31 23:59:58.123456 => 196
extract(text,timestamp) ¦ century ¦ 1969-12-31 23:59:58.123456 => 20
extract(text,timestamp) ¦ millennium ¦ 1969-12-31 23:59:58.123456 => 2
extract(text,timestamp) ¦ dow ¦ 1969-12-31 23:59:58.123456 => 3
extract(text,timestamp) ¦ isodow ¦ 1969-12-31 23:59:58.123456 => 3
extract(text,timestamp) ¦ doy ¦ 1969-12-31 23:59:58.123456 => 365
extract(text,timestamp) ¦ isoyear ¦ 1969-12-31 23:59:58.123456 => 1970
extract(text,timestamp) ¦ epoch ¦ 1969-12-31 23:59:58.123456 => -1.876544
extract(text,timestamp) ¦ timezone ¦ 1969-12-31 23:59:58.123456 => !0A000 unit "timezone" not supported for type timestamp without time zone
extract(text,timestamptz) ¦ timezone_hour ¦ 2000-01-01 00:00:00 => 0
extract(text,timestamptz) ¦ epoch ¦ 2000-01-01 00:00:00.5 => 946684800.500000
extract(text,timestamptz) ¦ epoch ¦ NULL => NULL
extract(text,time) ¦ microsecond ¦ 23:59:58.123456 => 58123456
extract(text,time) ¦ milliseconds ¦ 23:59:58.123456 => 58123.456
extract(text,time) ¦ second ¦ 23:59:58.123456 => 58.123456
extract(text,time) ¦ minute ¦ 23:59:58.123456 => 59
extract(text,time) ¦ hour ¦ 23:59:58.123456 => 23
extract(text,time) ¦ epoch ¦ 23:59:58.123456 => 86398.123456
extract(text,time) ¦ year ¦ 23:59:58.123456 => !0A000 unit "year" not supported for type time without time zone
extract(text,time) ¦ week ¦ 23:59:58.123456 => !0A000 unit "week" not supported for type time without time zone
extract(text,time) ¦ foo ¦ 23:59:58.123456 => !22023 unit "foo" not recognized for type time without time zone
extract(text,time) ¦ now ¦ 23:59:58.123456 => !22023 unit "now" not recognized for type time without time zone
date_part(text,date) ¦ hour ¦ 2000-03-01 => 0
date_part(text,date) ¦ epoch ¦ 2000-03-01 => 951868800
date_part(text,date) ¦ doy ¦ 2000-03-01 => 61
date_part(text,date) ¦ julian ¦ 2000-03-01 => 2451605
date_part(text,date) ¦ timezone ¦ 2000-03-01 => !0A000 unit "timezone" not supported for type timestamp without time zone
date_part(text,date) ¦ foo ¦ 2000-03-01 => !22023 unit "foo" not recognized for type timestamp without time zone
date_part(text,timestamp) ¦ epoch ¦ 2000-03-01 12:34:56.789 => 951914096.789
date_part(text,timestamp) ¦ second ¦ 2000-03-01 12:34:56.789 => 56.789
date_part(text,timestamp) ¦ julian ¦ 2000-03-01 12:34:56.789 => 2451605.524268391
date_part(text,timestamp) ¦ hour ¦ 2000-03-01 12:34:56.789 => 12
date_part(text,timestamp) ¦ milliseconds ¦ 2000-03-01 12:34:56.789 => 56789
date_part(text,time) ¦ epoch ¦ 23:59:58.123456 => 86398.123456
date_part(text,timestamptz) ¦ timezone_m ¦ 2000-03-01 12:34:56.789 => 0
"""


def test_answers_are_those_of_postgresql() -> None:
    assert differences(TABLE) == []


def _by_row(units: list[str | None]) -> list[float | None]:
    moment = datetime.datetime(2001, 2, 16, 20, 38, 40, 120_000)
    frame = pl.LazyFrame({"unit": units, "moment": [moment] * len(units)})
    columns = {0: Value(pl.col("unit"), TEXT), 1: Value(pl.col("moment"), TIMESTAMP)}
    args = (ColumnRef(type=TEXT, id=0), ColumnRef(type=TIMESTAMP, id=1))
    call = Call(type=NUMERIC, fn="extract(text,timestamp)", args=args)
    value = lower(call, Environment(columns=columns))
    found: list[float | None] = frame.select(raised(value).alias("x")).collect()["x"].to_list()
    return found


def test_unit_may_differ_by_row() -> None:
    found = _by_row(["YEAR", "second", None, "doy", "julian", "msec"])
    assert found == [2001.0, 40.12, None, 47.0, pytest.approx(2451957.8601865741), 40120.0]


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("foo", 'unit "foo" not recognized for type timestamp without time zone'),
        ("timezone", 'unit "timezone" not supported for type timestamp without time zone'),
    ],
)
def test_unit_of_a_row_that_is_none_is_its_fault(unit: str, message: str) -> None:
    with pytest.raises(pl.exceptions.PolarsError) as caught:
        _by_row(["year", unit])
    found = fault_of(caught.value)
    assert found is not None
    assert found.message == message


def test_type_has_the_digits_of_the_unit() -> None:
    rule = function("extract(text,timestamp)").result
    assert rule is not None
    moment = ColumnRef(type=TIMESTAMP, id=1)
    scales = {"year": 0, "millisecond": 3, "second": 6, "epoch": 6, "us": 0}
    for unit, scale in scales.items():
        kind = rule((Literal(type=TEXT, value=unit), moment))
        assert isinstance(kind, DecimalType), unit
        assert kind.scale == scale, unit
    assert rule((ColumnRef(type=TEXT, id=0), moment)) == NUMERIC
    with pytest.raises(InvalidRequest, match="not supported for type date"):
        rule((Literal(type=TEXT, value="hour"), ColumnRef(type=DATE, id=1)))

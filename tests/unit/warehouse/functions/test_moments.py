"""`now()` and its relatives: the environment's moment, nothing else."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.unit.warehouse.functions.postgres_table import NOW, kind_of
from warehouse.algebra.expressions import Call, Literal
from warehouse.algebra.types import INTEGER, INTERVAL, TIMESTAMP
from warehouse.execution.expressions import Environment, lower
from warehouse.functions.registry import function


def _answer(key: str, *args: Literal) -> Any:
    kind = kind_of(function(key).signature.returns)
    return lower(Call(type=kind, fn=key, args=args), Environment(columns={}, now=NOW)).literal


@pytest.mark.parametrize(
    "name",
    [
        "now",
        "current_timestamp",
        "transaction_timestamp",
        "statement_timestamp",
        "clock_timestamp",
        "localtimestamp",
    ],
)
def test_timestamps_are_the_moment(name: str) -> None:
    assert _answer(f"{name}()") == NOW


def test_dates_and_times_are_parts_of_the_moment() -> None:
    assert _answer("current_date()") == NOW.date()
    assert _answer("current_time()") == _answer("localtime()") == NOW.time()


@pytest.mark.parametrize(("digits", "microsecond"), [(0, 0), (1, 700_000), (3, 679_000)])
def test_precision_rounds(digits: int, microsecond: int) -> None:
    # PostgreSQL rounds 15.678901 seconds to 16, 15.7 and 15.679.
    expected = NOW.replace(microsecond=microsecond) + datetime.timedelta(seconds=digits == 0)
    assert _answer("current_timestamp(int4)", Literal(type=INTEGER, value=digits)) == expected


def test_age_counts_from_midnight() -> None:
    birth = Literal(type=TIMESTAMP, value=datetime.datetime(2000, 2, 29, 12))
    assert function("age(timestamp)").signature.returns == "interval"
    assert kind_of("interval") == INTERVAL
    assert _answer("age(timestamp)", birth) == (23 * 12 + 11, 28, 12 * 3_600_000_000)

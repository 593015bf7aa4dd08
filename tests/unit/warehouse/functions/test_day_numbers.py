"""Julian days, within Python's dates and far beyond them."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from warehouse.functions.day_numbers import civil, julian, week_start

YEARS = st.integers(-6_000_000, 6_000_000)
CYCLE_DAYS = 400 * 365 + 97


def test_days_that_are_known() -> None:
    assert julian(-4713, 11, 24) == 0
    assert julian(1970, 1, 1) == 2_440_588
    assert julian(2000, 1, 1) == 2_451_545
    assert civil(0) == (-4713, 11, 24)
    assert civil(2_451_604) == (2000, 2, 29)


@given(st.dates())
def test_python_s_dates_are_counted_as_python_does(day: date) -> None:
    number = julian(day.year, day.month, day.day)
    assert number - julian(1, 1, 1) == day.toordinal() - 1
    assert civil(number) == (day.year, day.month, day.day)
    assert number % 7 == day.weekday()


@given(st.integers(-(2**31), 2**31))
def test_a_day_of_any_year_comes_back(number: int) -> None:
    year, month, day = civil(number)
    assert julian(year, month, day) == number
    assert civil(number + CYCLE_DAYS) == (year + 400, month, day)


@given(YEARS, st.integers(1, 12), st.integers(-1000, 1000))
def test_days_beyond_a_month_count_on(year: int, month: int, days: int) -> None:
    assert julian(year, month, 1 + days) == julian(year, month, 1) + days


@given(YEARS)
def test_the_first_week_has_most_of_its_days_in_its_year(year: int) -> None:
    monday = week_start(year)
    assert monday % 7 == 0
    assert civil(monday + 3)[0] == year
    assert civil(monday - 4)[0] == year - 1


@given(st.integers(2, 9999))
def test_the_first_week_is_python_s(year: int) -> None:
    first = date.fromisocalendar(year, 1, 1)
    assert week_start(year) == julian(first.year, first.month, first.day)

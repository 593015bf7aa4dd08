"""Aggregates that pick, count, fold or collect values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import warehouse.functions.all
from storage.errors import InvalidRequest, NotYet
from storage.schema import ArrayType, CharType, DecimalType, EnumType
from tests.unit.warehouse.execution.relation_cases import Tables, agg, asc, call, desc, lit
from warehouse.algebra.expressions import AggregateCall, Expr
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    SMALLINT,
    TEXT,
    AnyType,
)
from warehouse.functions.registry import function

assert warehouse.functions.all

NAN = float("nan")
LARGE = Decimal("100000000000000000000.5")
MOOD = EnumType("mood", ("sad", "ok", "happy"))


class One:
    """One column, and the aggregates of all its rows."""

    def __init__(self, kind: AnyType, *values: Any) -> None:
        self._tables = Tables()
        self._rows = self._tables.scan([(value,) for value in values], kind)
        self.column: Expr = self._rows.columns[0]

    def __call__(self, fn: str, result: AnyType, *more: Expr, **how: Any) -> Any:
        return self.of(agg(fn, self.column, *more, kind=result, **how))

    def of(self, found: AggregateCall) -> Any:
        [(value,)] = self._tables.run(self._tables.aggregate(self._rows, [], found))
        return value


@pytest.mark.parametrize(
    ("name", "kind", "values", "least", "most"),
    [
        ("int4", INTEGER, [3, None, -2], -2, 3),
        ("float8", DOUBLE, [1.0, NAN, -5.0], -5.0, NAN),
        ("float8", DOUBLE, [NAN, None], NAN, NAN),
        ("text", TEXT, ["b", "Z", "é", None], "Z", "é"),
        ("bpchar", CharType(3), ["b", "a"], "a", "b"),
        ("date", DATE, [date(2024, 1, 2), date(2023, 1, 1)], date(2023, 1, 1), date(2024, 1, 2)),
        ("interval", INTERVAL, [(1, 0, 0), (0, 31, 0), None], (1, 0, 0), (0, 31, 0)),
        ("anyenum", MOOD, ["ok", "sad", "happy"], "sad", "happy"),
        ("numeric", DecimalType(30, 1), [LARGE, None, Decimal("1.5")], Decimal("1.5"), LARGE),
        ("int4", INTEGER, [None], None, None),
        ("int4", INTEGER, [], None, None),
    ],
)
def test_min_and_max(name: str, kind: AnyType, values: list[Any], least: Any, most: Any) -> None:
    one = One(kind, *values)
    assert repr(one(f"min({name})", kind)) == repr(least)
    assert repr(one(f"max({name})", kind)) == repr(most)


def test_counts() -> None:
    one = One(DOUBLE, 1.0, None, NAN, NAN, 0.0, -0.0)
    assert one("count(any)", BIGINT) == 5
    assert one("count(any)", BIGINT, distinct=True) == 3
    assert One(INTERVAL, (1, 0, 0), (0, 30, 0))("count(any)", BIGINT, distinct=True) == 1


def test_booleans() -> None:
    some = One(BOOLEAN, True, None, False)
    assert some("bool_and(bool)", BOOLEAN) is False
    assert some("bool_or(bool)", BOOLEAN) is True
    assert One(BOOLEAN, True, None)("every(bool)", BOOLEAN) is True
    assert One(BOOLEAN, None)("bool_or(bool)", BOOLEAN) is None


def test_bits() -> None:
    one = One(SMALLINT, 12, None, 10, 10)
    assert one("bit_and(int2)", SMALLINT) == 8
    assert one("bit_or(int2)", SMALLINT) == 14
    assert one("bit_xor(int2)", SMALLINT) == 12
    assert one("bit_xor(int2)", SMALLINT, distinct=True) == 6
    assert One(SMALLINT)("bit_and(int2)", SMALLINT) is None


def test_any_value_is_not_null_if_it_can_be() -> None:
    assert One(TEXT, None, "x", None)("any_value(anyelement)", TEXT) == "x"
    assert One(TEXT, None)("any_value(anyelement)", TEXT) is None


# --- collecting -----------------------------------------------------------------------------------


def test_arrays_keep_nulls_and_follow_the_order() -> None:
    one = One(INTEGER, 2, None, 1)
    array = ArrayType(INTEGER)
    assert one("array_agg(anynonarray)", array) == (2, None, 1)
    assert one("array_agg(anynonarray)", array, order=(desc(one.column),)) == (None, 2, 1)
    assert One(INTEGER)("array_agg(anynonarray)", array) is None
    kept = call(">", one.column, lit(1))
    assert one("array_agg(anynonarray)", array, filter=kept) == (2,)
    none = call(">", one.column, lit(9))
    assert one("array_agg(anynonarray)", array, filter=none) is None


def test_distinct_arrays_are_sorted() -> None:
    array = ArrayType(INTEGER)
    assert One(INTEGER, 2, None, 1, 2)("array_agg(anynonarray)", array, distinct=True) == (
        1,
        2,
        None,
    )
    spans = One(INTERVAL, (0, 31, 0), (1, 0, 0), (0, 30, 0))
    found = spans("array_agg(anynonarray)", ArrayType(INTERVAL), distinct=True)
    assert len(found) == 2
    assert found[1] == (0, 31, 0)


def test_wide_decimals_are_elements() -> None:
    kind = DecimalType(30, 1)
    one = One(kind, Decimal(10**20))
    assert one("array_agg(anynonarray)", ArrayType(kind)) == (Decimal(10**20),)


def test_arrays_of_arrays_wait() -> None:
    rule = function("array_agg(anyarray)").result
    assert rule is not None
    with pytest.raises(NotYet):
        rule([lit((1,), ArrayType(INTEGER))])


def test_strings_are_joined() -> None:
    one = One(TEXT, "b", None, "a", "b")
    comma = lit(",", TEXT)
    assert one("string_agg(text,text)", TEXT, comma) == "b,a,b"
    assert one("string_agg(text,text)", TEXT, comma, order=(asc(one.column),)) == "a,b,b"
    assert one("string_agg(text,text)", TEXT, comma, distinct=True) == "a,b"
    assert one("string_agg(text,text)", TEXT, lit(None, TEXT)) == "bab"
    assert One(TEXT, None)("string_agg(text,text)", TEXT, comma) is None
    assert One(TEXT, "")("string_agg(text,text)", TEXT, comma) == ""


def test_each_string_may_bring_its_delimiter() -> None:
    one = One(TEXT, "b", None, "a", "c")
    found = one("string_agg(text,text)", TEXT, one.column, order=(desc(one.column),))
    assert found == "cbbaa"


def test_bytes_are_joined() -> None:
    one = One(BYTEA, b"\x00", b"\xff")
    assert one("string_agg(bytea,bytea)", BYTEA, lit(b"-", BYTEA)) == b"\x00-\xff"


# --- ordered sets ---------------------------------------------------------------------------------


def within(fn: str, fraction: Any, key: Any, kind: AnyType) -> AggregateCall:
    direct = () if fraction is None else (fraction,)
    return agg(fn, *direct, kind=kind, within=(key,))


def test_percentiles() -> None:
    one = One(DOUBLE, 4.0, None, 1.0, 2.0)
    key, half = asc(one.column), lit(0.5, DOUBLE)
    assert one.of(within("percentile_cont(float8,float8)", half, key, DOUBLE)) == 2.0
    assert one.of(within("percentile_cont(float8,float8)", lit(0.75, DOUBLE), key, DOUBLE)) == 3.0
    down = within("percentile_cont(float8,float8)", lit(0.25, DOUBLE), desc(one.column), DOUBLE)
    assert one.of(down) == 3.0
    assert one.of(within("percentile_disc(float8,anyelement)", half, key, DOUBLE)) == 2.0
    empty = One(DOUBLE, None)
    found = within("percentile_cont(float8,float8)", half, asc(empty.column), DOUBLE)
    assert empty.of(found) is None


def test_several_percentiles_at_once() -> None:
    array = ArrayType(DOUBLE)
    one = One(DOUBLE, 4.0, None, 1.0, 2.0)
    fractions = lit((0.0, None, 1.0), array)
    found = within("percentile_cont(_float8,float8)", fractions, asc(one.column), array)
    assert one.of(found) == (1.0, None, 4.0)


def test_fractions_are_between_zero_and_one() -> None:
    one = One(DOUBLE, 4.0)
    found = within("percentile_cont(float8,float8)", lit(1.5, DOUBLE), asc(one.column), DOUBLE)
    with pytest.raises(InvalidRequest, match=r"percentile value 1.5 is not between 0 and 1"):
        one.of(found)


def test_the_mode_is_the_first_of_the_most_frequent() -> None:
    one = One(TEXT, "b", "a", None, None, None, "b", "a", "c")
    assert one.of(within("mode(anyelement)", None, asc(one.column), TEXT)) == "a"
    assert one.of(within("mode(anyelement)", None, desc(one.column), TEXT)) == "b"


def test_hypothetical_rows_stand_among_the_others() -> None:
    one = One(INTEGER, 1, 1, 3, None)
    key = asc(one.column)
    assert one.of(within("rank(variadic any)", lit(2), key, BIGINT)) == 3
    assert one.of(within("dense_rank(variadic any)", lit(2), key, BIGINT)) == 2
    assert one.of(within("percent_rank(variadic any)", lit(2), key, DOUBLE)) == 0.5
    assert one.of(within("cume_dist(variadic any)", lit(1), key, DOUBLE)) == 0.6
    assert one.of(within("rank(variadic any)", lit(None), key, BIGINT)) == 4
    assert one.of(within("rank(variadic any)", lit(None), desc(one.column), BIGINT)) == 1

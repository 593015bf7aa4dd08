"""Rows to partitions: hashes that never change, ranges and lists of every type, NULL, NaN."""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.partitions.routing import by_partition, hash_partition, partitions_of
from storage.partitions.scheme import Bound, Partition, Partitioning
from storage.partitions.values import bound_value, value_text
from storage.primary_key import keys_of
from storage.schema import (
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    VarCharType,
    arrow_type,
)

D = decimal.Decimal
MIN, MAX = Bound(side=-1), Bound(side=1)
U = [uuid.UUID(int=n).bytes for n in (0, 1, 1 << 100, (1 << 128) - 1)]
DAY = datetime.date(2026, 1, 1)
MOMENT = datetime.datetime(2026, 1, 1, 12, 30, 0, 5)
ASCENDING: list[tuple[SqlType, list[Any]]] = [
    (ScalarType(Kind.SMALLINT), [-32768, -1, 0, 7, 32767]),
    (ScalarType(Kind.INTEGER), [-(1 << 31), -1, 0, 1, (1 << 31) - 1]),
    (ScalarType(Kind.BIGINT), [-(1 << 63), -1, 0, 1 << 53, (1 << 63) - 1]),
    (DecimalType(10, 2), [D("-10.50"), D("0.00"), D("0.01"), D("2.00"), D("10.00")]),
    (DecimalType(38, 4), [D("-1e20"), D(0), D("0.0001"), D("1e10"), D("1e30")]),
    (ScalarType(Kind.BOOLEAN), [False, True]),
    (ScalarType(Kind.REAL), [-math.inf, -1.5, 0.0, 0.25, math.inf, math.nan]),
    (ScalarType(Kind.DOUBLE), [-math.inf, -1e300, 0.0, 5e-324, 1e300, math.nan]),
    (ScalarType(Kind.TEXT), ["", "Z", "a", "aa", "b", "ä", "\uffff", "\U00010000"]),
    (VarCharType(5), ["", "a", "ab", "b"]),
    (CharType(3), ["", "a", "b"]),
    (ScalarType(Kind.BYTEA), [b"", b"\0", b"\0\0", b"a", b"\xff"]),
    (ScalarType(Kind.UUID), U),
    (ScalarType(Kind.DATE), [datetime.date(1, 1, 1), DAY, datetime.date(9999, 12, 31)]),
    (ScalarType(Kind.TIME), [datetime.time(0), datetime.time(1, 2, 3, 4)]),
    (
        ScalarType(Kind.TIMESTAMP),
        [datetime.datetime(1, 1, 1), MOMENT, datetime.datetime(9999, 1, 1)],
    ),
    (ScalarType(Kind.TIMESTAMPTZ), [MOMENT.replace(tzinfo=datetime.UTC)]),
]


def _column(kind: SqlType, number: int = 1) -> Column:
    return Column(id=number, name=f"c{number}", type=kind)


def _table(columns: list[Column], values: list[list[Any]]) -> pa.Table:
    arrays = [pa.array(v, arrow_type(c.type)) for c, v in zip(columns, values, strict=True)]
    return pa.table(arrays, names=[c.name for c in columns])


def _bound(value: Any, kind: SqlType) -> Bound:
    return Bound(value=bound_value(pa.array([value], arrow_type(kind)), kind))


def _hash(count: int, columns: int = 1) -> Partitioning:
    parts = tuple(Partition(id=i + 1, name=f"p{i}") for i in range(count))
    ids = tuple(range(1, columns + 1))
    return Partitioning(kind="hash", column_ids=ids, parts=parts, next_id=count + 1)


@pytest.mark.parametrize(("kind", "values"), ASCENDING, ids=lambda x: str(x)[:40])
def test_ranges_between_neighbouring_values_take_one_value_each(
    kind: SqlType, values: list[Any]
) -> None:
    bounds = [_bound(value, kind) for value in values]
    ends = [*bounds[1:], MAX]
    parts = tuple(
        Partition(id=i, name=f"p{i}", low=(low,), high=(high,))
        for i, (low, high) in enumerate(zip(bounds, ends, strict=True), 1)
    )
    ranges = Partitioning(kind="range", column_ids=(1,), parts=parts, next_id=99)
    rows = _table([_column(kind)], [[*values, None]])
    found = partitions_of(ranges, rows, [_column(kind)]).tolist()
    assert found == [*range(1, len(values) + 1), 0]


@pytest.mark.parametrize(("kind", "values"), ASCENDING, ids=lambda x: str(x)[:40])
def test_a_list_takes_its_values_and_no_other(kind: SqlType, values: list[Any]) -> None:
    listed = [*values[::2], None]
    part = Partition(id=4, name="p", values=tuple((_bound(value, kind).value,) for value in listed))
    lists = Partitioning(kind="list", column_ids=(1,), parts=(part,), next_id=5)
    rows = _table([_column(kind)], [[*values, None]])
    found = partitions_of(lists, rows, [_column(kind)]).tolist()
    assert found == [4 if i % 2 == 0 else 0 for i in range(len(values))] + [4]


@pytest.mark.parametrize(("kind", "values"), ASCENDING, ids=lambda x: str(x)[:40])
def test_the_text_of_a_value_is_a_literal(kind: SqlType, values: list[Any]) -> None:
    texts = [value_text(_bound(value, kind).value, kind) for value in [*values, None]]
    assert len(set(texts)) == len(texts)
    assert texts[-1] == "NULL"


HASHED: list[tuple[SqlType, list[Any], list[int]]] = [
    (ScalarType(Kind.INTEGER), [0, 1, -1, 7, None], [1, 7, 1, 3, 7]),
    (ScalarType(Kind.BIGINT), [0, 1, -1, 7, None], [1, 7, 1, 3, 7]),
    (ScalarType(Kind.TEXT), ["", "a", "ab", None], [5, 5, 4, 7]),
    (ScalarType(Kind.BOOLEAN), [False, True, None], [5, 5, 7]),
    (ScalarType(Kind.DOUBLE), [0.0, -0.0, 1.5, math.nan], [1, 1, 2, 4]),
    (ScalarType(Kind.UUID), U, [7, 3, 7, 7]),
    (DecimalType(38, 4), [D(0), D("1.5")], [7, 3]),
    (ScalarType(Kind.DATE), [DAY, None], [2, 7]),
]


@pytest.mark.parametrize(("kind", "values", "expected"), HASHED, ids=lambda x: str(x)[:40])
def test_hashes_are_for_ever(kind: SqlType, values: list[Any], expected: list[int]) -> None:
    found = partitions_of(_hash(7), _table([_column(kind)], [values]), [_column(kind)])
    assert found.tolist() == expected


def test_columns_with_nulls_hash_by_which_are_null() -> None:
    columns = [_column(ScalarType(Kind.INTEGER), 1), _column(ScalarType(Kind.TEXT), 2)]
    rows = _table(columns, [[1, None, 1, None], ["x", "x", None, None]])
    found = partitions_of(_hash(1000, 2), rows, columns).tolist()
    assert found == [540, 285, 192, 857]


def test_the_words_of_a_key_say_its_partition() -> None:
    columns = (_column(ScalarType(Kind.BIGINT), 1), _column(ScalarType(Kind.TEXT), 2))
    rows = _table(list(columns), [list(range(100)), [str(i) for i in range(100)]])
    found = partitions_of(_hash(16, 2), rows, columns)
    assert found.tolist() == hash_partition(keys_of(rows, columns), _hash(16, 2)).tolist()
    assert set(found.tolist()) == set(range(1, 17))


def test_several_columns_compare_from_the_first() -> None:
    columns = [_column(ScalarType(Kind.INTEGER), 1), _column(ScalarType(Kind.TEXT), 2)]
    ten, m = Bound(value=10), Bound(value="m")
    parts = (
        Partition(id=1, name="a", low=(MIN, MIN), high=(ten, m)),
        Partition(id=2, name="b", low=(ten, m), high=(Bound(value=20), MIN)),
        Partition(id=3, name="d", default=True),
    )
    ranges = Partitioning(kind="range", column_ids=(1, 2), parts=parts, next_id=4)
    rows = _table(columns, [[10, 10, 10, 19, 20, None], ["l", "m", "z", "", "", "m"]])
    assert partitions_of(ranges, rows, columns).tolist() == [1, 2, 2, 2, 3, 3]


Point = tuple[int | None, int | None]
_POINT = st.tuples(st.none() | st.integers(0, 6), st.none() | st.integers(0, 6))


@given(
    cuts=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=2), rows=st.lists(_POINT)
)
def test_ranges_are_as_tuples_compare(cuts: set[tuple[int, int]], rows: list[Point]) -> None:
    ordered = sorted(cuts)
    pairs = list(zip(ordered[::2], ordered[1::2], strict=False))
    parts = tuple(
        Partition(
            id=i,
            name=f"p{i}",
            low=tuple(Bound(value=v) for v in low),
            high=tuple(Bound(value=v) for v in high),
        )
        for i, (low, high) in enumerate(pairs, 1)
    )
    ranges = Partitioning(kind="range", column_ids=(1, 2), parts=parts, next_id=99)
    columns = [_column(ScalarType(Kind.BIGINT), 1), _column(ScalarType(Kind.SMALLINT), 2)]
    table = _table(columns, [[a for a, _ in rows], [b for _, b in rows]])

    def expected(row: Point) -> int:
        if None in row:
            return 0
        return next((i for i, (low, high) in enumerate(pairs, 1) if low <= row < high), 0)

    assert partitions_of(ranges, table, columns).tolist() == [expected(row) for row in rows]


@given(values=st.lists(st.lists(_POINT, min_size=1), min_size=1, max_size=4), rows=st.lists(_POINT))
def test_lists_are_as_tuples_are_equal(values: list[list[Point]], rows: list[Point]) -> None:
    owner: dict[Point, int] = {}
    for number, points in enumerate(values, 1):
        for point in points:
            owner.setdefault(point, number)
    parts = tuple(
        Partition(id=i, name=f"p{i}", values=tuple(p for p, o in owner.items() if o == i))
        for i in range(1, len(values) + 1)
        if i in owner.values()
    )
    lists = Partitioning(kind="list", column_ids=(1, 2), parts=parts, next_id=99)
    columns = [_column(ScalarType(Kind.BIGINT), 1), _column(ScalarType(Kind.INTEGER), 2)]
    table = _table(columns, [[a for a, _ in rows], [b for _, b in rows]])
    found = partitions_of(lists, table, columns).tolist()
    assert found == [owner.get(row, 0) for row in rows]


def test_an_enum_is_listed_by_its_labels() -> None:
    kind = EnumType(name="mood", labels=("sad", "glad"))
    part = Partition(id=1, name="p", values=(("glad",),))
    lists = Partitioning(kind="list", column_ids=(1,), parts=(part,), next_id=2)
    rows = _table([_column(kind)], [["sad", "glad", None]])
    assert partitions_of(lists, rows, [_column(kind)]).tolist() == [0, 1, 0]


def test_rows_of_a_partition_keep_their_order() -> None:
    found = by_partition(np.array([2, 1, 2, 0, 1], np.int64))
    assert [(number, at.tolist()) for number, at in found] == [(0, [3]), (1, [1, 4]), (2, [0, 2])]


def test_no_rows_have_no_partitions() -> None:
    column = _column(ScalarType(Kind.TEXT))
    empty = _table([column], [[]])
    part = Partition(id=1, name="p", low=(MIN,), high=(MAX,))
    ranges = Partitioning(kind="range", column_ids=(1,), parts=(part,), next_id=2)
    assert partitions_of(ranges, empty, [column]).tolist() == []
    assert partitions_of(_hash(4), empty, [column]).tolist() == []

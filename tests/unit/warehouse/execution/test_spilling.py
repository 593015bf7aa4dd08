"""Operators on the disk give what they give in memory: keys of all types, skew, refusals."""

from __future__ import annotations

import datetime
import math
import random
import struct
import uuid
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from storage.errors import InvalidRequest, OutOfMemory
from storage.schema import ArrayType, DecimalType, EnumType, StructType
from storage.spill_space import SpillSpace
from tests.spilling import FORCED
from tests.unit.warehouse.execution.relation_cases import (
    Row,
    Tables,
    agg,
    asc,
    call,
    desc,
    eq,
    every,
    lit,
    ordered,
    query,
)
from warehouse.algebra.expressions import WindowCall
from warehouse.algebra.relations import (
    Distinct,
    Filter,
    Join,
    Relation,
    SetOperation,
    Sort,
    Window,
)
from warehouse.algebra.types import (
    BIGINT,
    BOOLEAN,
    BYTEA,
    DATE,
    DOUBLE,
    INTEGER,
    INTERVAL,
    JSONB,
    REAL,
    TEXT,
    TIME,
    TIMESTAMP,
    TIMESTAMPTZ,
    UUID,
    AnyType,
)
from warehouse.execution.spilling.choice import chosen
from warehouse.execution.spilling.parts import needed_bytes
from warehouse.execution.spilling.rows_on_disk import StoredFile, StoredRows
from warehouse.execution.value import fault_of

OTHER_NAN = struct.unpack("d", struct.pack("Q", 0xFFF8_0000_0000_0001))[0]
DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
PAIR = StructType("pair", (("a", INTEGER), ("b", TEXT)))

# Values of a key: some equal, some that only look different.
VALUES: dict[str, tuple[AnyType, list[Any]]] = {
    "integers": (INTEGER, [0, 1, -1, 2**31 - 1, -(2**31), 7, 8, 9]),
    "bigints": (BIGINT, [0, 2**63 - 1, -(2**63), 5, 6, 7]),
    "decimals": (DecimalType(8, 2), [Decimal("1.50"), Decimal("-1.50"), Decimal("0.00")]),
    "wide_decimals": (DecimalType(30, 3), [Decimal("1.500"), Decimal("1e20"), Decimal(0)]),
    "doubles": (DOUBLE, [0.0, -0.0, math.nan, OTHER_NAN, math.inf, -math.inf, 1.5]),
    "reals": (REAL, [0.0, -0.0, math.nan, 1.5, -2.5]),
    "texts": (TEXT, ["", "a", "A", "é", "日本", "a longer text than twelve bytes"]),
    "bytes": (BYTEA, [b"", b"\x00", b"\xff", b"ab"]),
    "uuids": (UUID, [uuid.UUID(int=n) for n in (0, 1, 2**127)]),
    "booleans": (BOOLEAN, [True, False]),
    "dates": (DATE, [DAY, datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
    "times": (TIME, [datetime.time(0), datetime.time(23, 59, 59, 999999)]),
    "timestamps": (TIMESTAMP, [MOMENT, datetime.datetime(1, 1, 1)]),
    "zoned": (TIMESTAMPTZ, [MOMENT, datetime.datetime(1970, 1, 1)]),
    "intervals": (INTERVAL, [(1, 0, 0), (0, 30, 0), (0, 0, 2_592_000_000_000), (0, 1, 0)]),
    "jsons": (JSONB, ["1", "1.0", '{"a": 1}', '{"a": 1.00}', "[]"]),
    "enums": (EnumType("mood", ("sad", "ok")), ["sad", "ok"]),
    "arrays": (ArrayType(INTEGER), [(), (1,), (1, None), (None,), (1, 2)]),
    "arrays_of_doubles": (ArrayType(DOUBLE), [(0.0,), (-0.0,), (math.nan,), ()]),
    "composites": (PAIR, [(1, "a"), (1, None), (None, None), (2, "a")]),
}
ALL_TYPES = pytest.mark.parametrize("name", VALUES)
Made = tuple[Tables, Relation]


@pytest.fixture
def space(tmp_path: Path) -> SpillSpace:
    return SpillSpace(tmp_path / "spill", FORCED)


def spilled(tables: Tables, relation: Relation, space: SpillSpace) -> list[Row]:
    """The rows when every operator that can works on the disk."""
    spill = chosen(query(relation), (), space)
    assert spill is not None
    try:
        rows = tables.run(relation, {"spill": spill})
    except pl.exceptions.PolarsError as error:  # operators run while the frame is made
        raise fault_of(error) or error from None
    assert space.spilled_bytes
    return rows


def keyed_rows(name: str, count: int, seed: int) -> list[Row]:
    """(number, key) with NULLs."""
    rng = random.Random(f"{name}:{seed}")
    _, values = VALUES[name]
    keys = [rng.choice([None, *values]) for _ in range(count)]
    return [(number, key) for number, key in enumerate(keys)]


def same(tables: Tables, relation: Relation, space: SpillSpace) -> None:
    assert sorted(shown(spilled(tables, relation, space))) == sorted(shown(tables.run(relation)))


def shown(rows: list[Row]) -> list[str]:
    """As texts, in which NaN equals itself; -0 and 0 are one value, of which either is there."""
    return [repr(tuple(map(_unsigned, row))) for row in rows]


def _unsigned(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_unsigned, value))
    return value + 0.0 if isinstance(value, float) else value


# --- keys of all types ----------------------------------------------------------------------------


@ALL_TYPES
def test_groups(name: str, space: SpillSpace) -> None:
    tables = Tables()
    rows = tables.scan(keyed_rows(name, 60, 1), INTEGER, VALUES[name][0])
    number, key = rows.columns
    calls = (agg("count(*)"), agg("max(int4)", number, kind=INTEGER))
    grouped = tables.aggregate(rows, [key], *calls)
    found = [row[1:] for row in spilled(tables, grouped, space)]
    # Which of equal values a group shows is open, as of INTERVAL and JSONB.
    assert ordered(found) == ordered(row[1:] for row in tables.run(grouped))


@ALL_TYPES
@pytest.mark.parametrize("kind", ["inner", "left", "right", "full", "semi", "anti"])
@pytest.mark.parametrize("null_safe", [False, True])
def test_joins(name: str, kind: str, *, null_safe: bool, space: SpillSpace) -> None:
    tables = Tables()
    left = tables.scan(keyed_rows(name, 25, 1), INTEGER, VALUES[name][0])
    right = tables.scan(keyed_rows(name, 20, 2), INTEGER, VALUES[name][0])
    keys = (left.columns[1], right.columns[1])
    condition = call("is not distinct", *keys) if null_safe else eq(*keys)
    same(tables, Join(kind, left, right, condition), space)


@ALL_TYPES
@pytest.mark.parametrize("kind", ["union", "intersect", "except"])
@pytest.mark.parametrize("with_all", [False, True])
def test_set_operations(name: str, kind: str, *, with_all: bool, space: SpillSpace) -> None:
    tables = Tables()
    sides = [
        tables.project(rows, rows.columns[1])
        for seed in (1, 2)
        for rows in [tables.scan(keyed_rows(name, 25, seed), INTEGER, VALUES[name][0])]
    ]
    output = tables.column(VALUES[name][0])
    whole = SetOperation(kind, with_all, sides[0], sides[1], (output,))
    ordinary = tables.run(whole)
    if kind == "union" and with_all:
        return
    assert len(spilled(tables, whole, space)) == len(ordinary)


@ALL_TYPES
def test_windows(name: str, space: SpillSpace) -> None:
    tables = Tables()
    rows = tables.scan(keyed_rows(name, 60, 1), INTEGER, VALUES[name][0])
    number, key = rows.columns
    calls = (
        (tables.column(BIGINT), WindowCall(BIGINT, "row_number()", (), (key,), (asc(number),))),
        (tables.column(BIGINT), WindowCall(BIGINT, "count(*)", (), (key,))),
        (tables.column(BIGINT), WindowCall(BIGINT, "rank()", (), (), (desc(number),))),
    )
    same(tables, Window(rows, calls), space)


@ALL_TYPES
@pytest.mark.parametrize("order", [asc, desc], ids=["ascending", "descending"])
@pytest.mark.parametrize("memory_bytes", [64 << 20, pytest.param(3_000, marks=pytest.mark.slow)])
def test_sorts(name: str, order: Callable[..., Any], memory_bytes: int, tmp_path: Path) -> None:
    tables = Tables()
    kind = VALUES[name][0]
    rows = tables.scan(keyed_rows(name, 300, 1), INTEGER, kind)
    number, key = rows.columns
    limits = replace(FORCED, memory_bytes=memory_bytes)
    space = SpillSpace(tmp_path / "spill", limits)
    sort = Sort(rows, (order(key), order(number)))
    found = spilled(tables, sort, space)
    assert [row[0] for row in found] == [row[0] for row in tables.run(sort)]


@ALL_TYPES
def test_distinct_on(name: str, space: SpillSpace) -> None:
    """Its rows come in the order that says which are the first."""
    tables = Tables()
    rows = tables.scan(keyed_rows(name, 60, 1), INTEGER, VALUES[name][0])
    number, key = rows.columns
    first = Distinct(rows, (key,), (asc(key), desc(number)))
    assert shown(spilled(tables, first, space)) == shown(tables.run(first))


# --- joins that need more than equal keys ---------------------------------------------------------


def two_sides(tables: Tables, *, nulls: bool = True) -> tuple[Any, Any]:
    rng = random.Random(7)
    choices = [*range(6), *([None] if nulls else [])]
    left = [(n, rng.choice(choices), rng.choice(choices)) for n in range(40)]
    right = [(n, rng.choice(choices), rng.choice(choices)) for n in range(12)]
    kinds = (INTEGER, INTEGER, INTEGER)
    return tables.scan(left, *kinds), tables.scan(right, *kinds)


@pytest.mark.parametrize("kind", ["inner", "left", "right", "full", "semi", "anti"])
@pytest.mark.parametrize("blocks", [False, True])
def test_joins_with_more_conditions(kind: str, tmp_path: Path, *, blocks: bool) -> None:
    tables = Tables()
    left, right = two_sides(tables)
    condition = every(
        eq(left.columns[1], right.columns[1]),
        call("<", left.columns[2], right.columns[2]),
        call(">", left.columns[0], lit(3)),
    )
    limits = replace(FORCED, partitions=1) if blocks else FORCED
    same(tables, Join(kind, left, right, condition), SpillSpace(tmp_path / "spill", limits))


@pytest.mark.parametrize("keys", [1, 2])
@pytest.mark.parametrize("wanted", ["all", "no right rows", "no NULL on the right"])
def test_not_in_knows_of_every_null(keys: int, wanted: str, space: SpillSpace) -> None:
    """A NULL on the right makes `x NOT IN` NULL for each x without a match, in all parts; any row
    there does for a NULL on the left."""
    tables = Tables()
    kinds = (INTEGER, INTEGER)
    left = tables.scan([*((n, n % 3) for n in range(20)), (None, 0), (None, 1)], *kinds)
    right = tables.scan([(1, 1), (2, 2), (None, 1), (17, None), (None, None)], *kinds)
    pairs = zip(left.columns[:keys], right.columns[:keys], strict=True)
    equal = [eq(one, other) for one, other in pairs]
    condition = every(*equal) if keys > 1 else equal[0]
    below: Relation = right
    if wanted == "no right rows":
        below = Filter(right, call("=", right.columns[0], lit(-1)))
    elif wanted != "all":
        known = [call("not", call("is null", c), kind=BOOLEAN) for c in right.columns]
        below = Filter(right, every(*known))
    anti = Join("anti", left, below, condition, null_aware=True)
    if wanted == "all":
        assert tables.run(anti) == []
    same(tables, anti, space)
    same(tables, tables.mark(left, below, condition, null_aware=True), space)


def test_a_second_match_of_a_scalar_subquery_is_an_error(space: SpillSpace) -> None:
    tables = Tables()
    left = tables.scan([(n, n) for n in range(20)], INTEGER, INTEGER)
    right = tables.scan([(3, 3), (3, 4), (5, 6)], INTEGER, INTEGER)
    single = Join("single", left, right, eq(left.columns[0], right.columns[0]))
    with pytest.raises(InvalidRequest, match="more than one row") as raised:
        spilled(tables, single, space)
    assert raised.value.sqlstate == "21000"


# --- groups ---------------------------------------------------------------------------------------


def test_grouping_sets(space: SpillSpace) -> None:
    tables = Tables()
    left, _ = two_sides(tables)
    number, first, second = left.columns
    calls = (agg("sum(int4)", number), agg("grouping", first, second, kind=INTEGER))
    sets = ((0, 1), (0,), (1,), ())
    grouped = tables.aggregate(left, [first, second], calls[0], sets=sets)
    same(tables, grouped, space)


def test_distinct_values_are_counted_without_groups(space: SpillSpace) -> None:
    tables = Tables()
    left, _ = two_sides(tables)
    _, first, second = left.columns
    once = agg("count(any)", first, distinct=True)
    same(tables, tables.aggregate(left, [], once), space)
    same(tables, tables.aggregate(left, [second], once), space)


def test_ordered_aggregates_keep_the_order_of_a_subquery(space: SpillSpace) -> None:
    tables = Tables()
    left, _ = two_sides(tables)
    number, first, _ = left.columns
    kind = ArrayType(INTEGER)
    collected = agg("array_agg(anynonarray)", number, kind=kind)
    backwards = tables.aggregate(Sort(left, (desc(number),)), [first], collected)
    found = dict(spilled(tables, backwards, space))
    assert found == dict(tables.run(backwards))
    assert all(list(values) == sorted(values, reverse=True) for values in found.values())


def test_rows_of_no_group_are_one_group(space: SpillSpace) -> None:
    tables = Tables()
    rows = tables.scan([], INTEGER, INTEGER)
    assert spilled(tables, tables.aggregate(rows, [], agg("count(*)")), space) == [(0,)]
    assert tables.run(tables.aggregate(rows, [rows.columns[0]], agg("count(*)"))) == []


# --- parts that are too large ---------------------------------------------------------------------

TIGHT = replace(FORCED, memory_bytes=20_000, partitions=2)


def numbers(tables: Tables, keys: Callable[[int], int], count: int = 4_000) -> Any:
    return tables.scan([(n, keys(n)) for n in range(count)], INTEGER, INTEGER)


def test_a_part_that_is_too_large_is_divided_again(tmp_path: Path) -> None:
    tables = Tables()
    space = SpillSpace(tmp_path / "spill", TIGHT)
    rows = numbers(tables, lambda n: n % 2_000)
    grouped = tables.aggregate(rows, [rows.columns[1]], agg("count(*)"))
    same(tables, grouped, space)
    once = 4_000 * 2  # compressed bytes of one division, at least
    assert space.spilled_bytes > 2 * once


def test_groups_need_room_for_their_state_however_narrow_the_key() -> None:
    """Measured: 40 bytes for each BIGINT with its count, which is there once more."""
    tables = Tables()
    rows = tables.scan([(1,)], BIGINT)
    file = StoredFile(Path("/nowhere"), row_count=1_000, size_bytes=8_000)
    inputs = (StoredRows(pl.Schema({"x": pl.Int64}), (file,)),)
    keys = [rows.columns[0]]
    counted = tables.aggregate(rows, keys, agg("count(*)"))
    assert needed_bytes(Distinct(rows), inputs) >= 28_000
    assert needed_bytes(counted, inputs) >= 40_000
    wider = tables.aggregate(rows, keys, agg("count(*)"), agg("count(*)"))
    assert needed_bytes(wider, inputs) > needed_bytes(counted, inputs)


@pytest.mark.parametrize("kind", ["inner", "left", "semi", "anti", "right"])
def test_a_join_of_one_key_goes_by_blocks(kind: str, tmp_path: Path) -> None:
    """The side whose rows are all looked at is small; the other one may have any size."""
    tables = Tables()
    space = SpillSpace(tmp_path / "spill", replace(TIGHT, memory_bytes=400_000))
    large = numbers(tables, lambda n: 1, 30_000)
    small = numbers(tables, lambda n: 1, 3)
    sides = (small, large) if kind == "right" else (large, small)
    condition = eq(sides[0].columns[1], sides[1].columns[1])
    same(tables, Join(kind, *sides, condition), space)


def test_groups_of_one_key_fold_whatever_their_number_of_rows(tmp_path: Path) -> None:
    tables = Tables()
    rows = numbers(tables, lambda n: 1)
    grouped = tables.aggregate(rows, [rows.columns[1]], agg("sum(int4)", rows.columns[0]))
    same(tables, grouped, SpillSpace(tmp_path / "spill", TIGHT))


@pytest.mark.parametrize("what", ["group", "window", "join", "whole"])
def test_rows_that_must_be_together_and_do_not_fit_are_refused(what: str, tmp_path: Path) -> None:
    tables = Tables()
    rows = numbers(tables, lambda n: 1)
    number, key = rows.columns
    other = numbers(tables, lambda n: 1)
    kind = ArrayType(INTEGER)
    rank = WindowCall(BIGINT, "rank()", (), (key,), (asc(number),))
    relations: dict[str, Relation] = {
        "group": tables.aggregate(rows, [key], agg("array_agg(anynonarray)", number, kind=kind)),
        "window": Window(rows, ((tables.column(BIGINT), rank),)),
        "join": Join("full", rows, other, eq(key, other.columns[1])),
        "whole": Join("left", rows, other, call("<", number, other.columns[0])),
    }
    with pytest.raises(OutOfMemory, match="use a virtual warehouse") as raised:
        spilled(tables, relations[what], SpillSpace(tmp_path / "spill", TIGHT))
    assert raised.value.sqlstate == "53200"


def test_a_sort_of_one_key_goes_by_the_next_one(tmp_path: Path) -> None:
    tables = Tables()
    rows = numbers(tables, lambda n: 1)
    number, key = rows.columns
    sort = Sort(rows, (asc(key), desc(number)))
    found = spilled(tables, sort, SpillSpace(tmp_path / "spill", TIGHT))
    assert found == tables.run(sort)


def test_a_disk_without_room_is_an_error(tmp_path: Path) -> None:
    tables = Tables()
    rows = numbers(tables, lambda n: n)
    space = SpillSpace(tmp_path / "spill", replace(FORCED, disk_bytes=1_000))
    with pytest.raises(OutOfMemory, match="bytes of 1,000 are in use") as raised:
        spilled(tables, Distinct(rows), space)
    assert raised.value.sqlstate == "53100"

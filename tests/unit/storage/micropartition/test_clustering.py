"""Both orders keep every row, sort stably, and put NULLs last."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest

from storage.errors import InvalidRequest
from storage.micropartition.clustering import sort


def with_rows(**columns: object) -> pa.Table:
    table = pa.table(columns)
    return table.append_column("row", pa.array(range(table.num_rows)))


def test_lexical_order_is_stable_with_nan_and_null_last() -> None:
    table = with_rows(a=[2.0, None, 1.0, math.nan, 2.0, 1.0], b=["x", "a", "z", "a", "b", "z"])
    assert sort(table, ["a"], "lexical")["row"].to_pylist() == [2, 5, 0, 4, 3, 1]
    assert sort(table, ["a", "b"], "lexical")["row"].to_pylist() == [2, 5, 4, 0, 3, 1]


def test_the_schema_stays() -> None:
    schema = pa.schema(
        [
            pa.field("t", pa.large_string(), False, {"column_id": "1"}),
            pa.field("d", pa.decimal128(30, 2)),
            pa.field("b", pa.large_binary()),
            pa.field("at", pa.timestamp("us")),
            pa.field("i", pa.int16()),
        ]
    )
    table = pa.Table.from_pylist(
        [{"t": "b"}, {"t": "a", "d": 1, "b": b"x", "at": 5, "i": 3}], schema
    )
    for order in ("lexical", "zorder"):
        found = sort(table, ["t", "i"], order)
        assert found.schema.equals(schema, check_metadata=True)
        assert found["t"].to_pylist() == ["a", "b"]


def test_zorder_of_a_grid_is_the_morton_curve() -> None:
    grid = [(x, y) for x in range(4) for y in range(4)]
    table = pa.table({"x": [x for x, _ in grid], "y": [y for _, y in grid]})
    found = sort(table, ["x", "y"], "zorder").to_pydict()
    expected = sorted(grid, key=lambda p: [(p[0] >> 1) & 1, (p[1] >> 1) & 1, p[0] & 1, p[1] & 1])
    assert list(zip(found["x"], found["y"], strict=True)) == expected


@pytest.mark.parametrize("count", [2, 3, 4, 8])
def test_zorder_narrows_every_column(count: int) -> None:
    random = np.random.default_rng(5)
    table = with_rows(**{f"c{n}": random.permutation(1 << 12) for n in range(count)})
    names = [f"c{n}" for n in range(count)]
    found = sort(table, names, "zorder")
    assert sorted(found["row"].to_pylist()) == list(range(1 << 12))
    half = found.slice(0, 1 << 11)
    assert max(half["c0"].to_pylist()) < 1 << 11
    if count <= 4:
        sixteenth = found.slice(0, 1 << 6)
        for name in names:
            assert max(sixteenth[name].to_pylist()) <= 3 << 10


def test_zorder_takes_any_type_nulls_last_and_is_repeatable() -> None:
    table = with_rows(
        a=["b", None, "a", None], b=[None, b"x", None, b"y"], c=pa.array([None] * 4, pa.date32())
    )
    found = sort(table, ["a", "b", "c"], "zorder")
    assert found.equals(sort(table, ["a", "b", "c"], "zorder"))
    assert sorted(found["row"].to_pylist()) == [0, 1, 2, 3]
    assert sort(table, ["a"], "zorder")["row"].to_pylist() == [2, 0, 1, 3]


def test_no_rows_stay_no_rows() -> None:
    empty = with_rows(a=pa.array([], pa.int8()), b=pa.array([], pa.int8()))
    assert sort(empty, ["a", "b"], "zorder").num_rows == 0


def test_bad_requests() -> None:
    table = with_rows(a=[1])
    with pytest.raises(InvalidRequest, match="order 'hilbert'"):
        sort(table, ["a"], "hilbert")
    with pytest.raises(InvalidRequest, match="by 0 columns"):
        sort(table, [], "lexical")
    with pytest.raises(InvalidRequest, match="by 9 columns"):
        sort(table, ["a"] * 9, "zorder")

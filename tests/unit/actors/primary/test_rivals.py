"""Rows to insert that have keys in common: which stay, and in which batches."""

from __future__ import annotations

import pyarrow as pa
import pytest

from actors.primary.changed_rows import first_of_each
from actors.primary.rivals import kept_by_order, without_rivals

KEYS = (("a",), ("b", "c"))
Row = tuple[object, object, object]


def rows(*found: Row) -> pa.Table:
    columns = zip(*found, strict=True) if found else ((), (), ())
    types = (pa.int32(), pa.large_string(), pa.large_list(pa.int32()))
    arrays = [pa.array(list(c), t) for c, t in zip(columns, types, strict=True)]
    return pa.Table.from_arrays(arrays, names=["a", "b", "c"])


@pytest.mark.parametrize(
    ("found", "kept", "batches"),
    [
        ((), [], []),
        (((1, "x", [1]), (2, "x", [2]), (3, "y", [1])), [0, 1, 2], [[1, 2, 3]]),
        # The second has the first one's `a`; the third has the second one's (b, c).
        (((1, "x", [1]), (1, "y", [1]), (3, "y", [1])), [0, 2], [[1], [1], [3]]),
        # Equal in all keys: never inserted, whatever becomes of the first.
        (((1, "x", [1]), (1, "x", [1]), (2, "z", [1])), [0, 2], [[1, 2]]),
        # NULL equals nothing.
        (((None, "x", [1]), (None, "x", [2]), (None, None, [2])), [0, 1, 2], [[None] * 3]),
        (((None, None, None), (None, None, None)), [0, 1], [[None, None]]),
    ],
)
def test_rivals(found: tuple[Row, ...], kept: list[int], batches: list[list[object]]) -> None:
    table = rows(*found)
    assert kept_by_order(table, KEYS).tolist() == kept
    parts = without_rivals(table, KEYS)
    assert [part.column("a").to_pylist() for part in parts] == batches


def test_the_first_of_equal_rows() -> None:
    table = rows((1, "x", [1]), (1, "x", [1]), (None, "x", [1]), (None, "x", [1]), (1, "y", [1]))
    assert first_of_each(table).tolist() == [True, False, True, True, True]
    assert first_of_each(rows()).tolist() == []

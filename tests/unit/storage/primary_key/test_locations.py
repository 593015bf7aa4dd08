"""Locations, and which of them are there."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from storage.delete_bitmap import DeleteBitmap, positions_of
from storage.primary_key.locations import (
    MISSING,
    LiveIds,
    LiveRows,
    bitmaps_by_file,
    by_file,
    file_ids_of,
    locations_in,
    rows_of,
)
from storage.schema import TableSchema
from storage.snapshot.files import FileSet
from storage.snapshot.model import Delta, TableState

ID = st.integers(0, 40)


def bitmap(file_id: int, positions: Set[int]) -> DeleteBitmap:
    return DeleteBitmap(file_id, 2**21, FrozenBitMap(positions))


def test_a_location_is_a_file_and_a_row() -> None:
    locations = locations_in(3, np.array([0, 2**21 - 1]))
    assert locations.tolist() == [3 << 21, (4 << 21) - 1]
    assert file_ids_of(locations).tolist() == [3, 3]
    assert rows_of(locations).tolist() == [0, 2**21 - 1]
    assert locations_in(2**43 - 2, np.array([2**21 - 1]))[0] < MISSING


@given(st.lists(st.integers(0, 3) | st.integers(0, 2**42)))
def test_locations_are_told_apart_by_file(ids: list[int]) -> None:
    locations = np.array([file_id << 21 for file_id in ids], np.uint64)
    found = {file_id: positions.tolist() for file_id, positions in by_file(locations)}
    assert list(found) == sorted(set(ids))
    assert all([i for i, known in enumerate(ids) if known == f] == p for f, p in found.items())


@given(st.sets(st.tuples(st.integers(0, 3) | st.integers(0, 2**42), st.integers(0, 2**21 - 1))))
def test_rows_are_gathered_in_a_bitmap_of_each_file(pairs: set[tuple[int, int]]) -> None:
    locations = np.array([file_id << 21 | row for file_id, row in pairs], np.uint64)
    found = {file_id: set(rows) for file_id, rows in bitmaps_by_file(locations)}
    assert list(found) == sorted({file_id for file_id, _ in pairs})
    assert {(file_id, row) for file_id, rows in found.items() for row in rows} == pairs


@given(st.sets(ID), st.lists(st.tuples(st.sets(ID), st.sets(ID)), max_size=4))
def test_live_ids_are_a_set(first: set[int], changes: list[tuple[set[int], set[int]]]) -> None:
    live, expected = LiveIds.of(first), set(first)
    for added, removed in changes:
        live, expected = live.changed(added, removed), (expected | added) - removed
    asked = np.arange(-2, 45)
    assert live.contains(asked).tolist() == [file_id in expected for file_id in asked.tolist()]
    for least in range(0, 40, 7):
        for most in range(least, 42, 5):
            expects = set(range(least, most + 1)) <= expected
            assert live.contains_all(least, most) is expects


def test_ids_that_were_live_before_stay_so_in_the_older_value() -> None:
    before = LiveIds.of([1, 2])
    after = before.changed([3], [1, 2])
    assert before.contains(np.array([1, 2, 3])).tolist() == [True, True, False]
    assert after.contains(np.array([1, 2, 3])).tolist() == [False, False, True]


def test_deleted_rows_are_not_there() -> None:
    rows = LiveRows(LiveIds.of([1, 2]), {1: bitmap(1, {0, 7}), 2: bitmap(2, set())})
    asked = np.concatenate([locations_in(f, np.array([0, 6, 7, 8])) for f in (1, 2, 3)])
    expected = [False, True, False, True] + [True] * 4 + [False] * 4
    assert rows.contains(asked).tolist() == expected
    assert rows.contains(asked[:8], (1, 2)).tolist() == expected[:8]
    assert rows.contains(asked, (1, 3)).tolist() == expected


@pytest.mark.parametrize("files", [1, 5, 200])
@pytest.mark.parametrize("deleted", [0, 3, 4_000])
@pytest.mark.parametrize("asked", [0, 40, 3_000])
def test_deleted_rows_are_found_however_many_there_are(
    files: int, deleted: int, asked: int
) -> None:
    """Few rows of many files, many of few, few or many deleted: each is looked up in its way."""
    random = np.random.default_rng([files, deleted, asked])
    chosen = {f: random.choice(20_000, deleted, replace=False) for f in range(1, files + 1)}
    bitmaps = {f: DeleteBitmap(f, 20_000, positions_of(rows)) for f, rows in chosen.items()}
    ids, rows = random.integers(0, files + 2, asked), random.integers(0, 20_000, asked)
    if asked and deleted:
        ids[0], rows[0] = 1, chosen[1][0]
    expected = [
        row in chosen.get(f, ()) for f, row in zip(ids.tolist(), rows.tolist(), strict=True)
    ]
    live = LiveRows(LiveIds.of(range(files + 2)), bitmaps)
    locations = ids.astype(np.uint64) << np.uint64(21) | rows.astype(np.uint64)
    assert live.deleted(locations).tolist() == expected
    assert bool(asked and deleted) is any(expected)


def test_the_rows_of_a_table_are_those_of_its_files_and_deltas() -> None:
    files = FileSet(pa.table({"file_id": pa.array([2, 5], pa.int64())}))
    deltas = tuple(Delta(id=n, lsn=1, schema_version=1, row_count=9, rows=b"") for n in (3, 4))
    schema = TableSchema(version=1, columns=())
    state = TableState(
        id=2,
        schema_id=1,
        name="t",
        schemas=(schema,),
        next_column_id=1,
        deltas=deltas,
        files=files,
        bitmaps={5: bitmap(5, {1})},
    )
    rows = LiveRows.of(state)
    asked = np.concatenate([locations_in(f, np.array([1])) for f in range(1, 7)])
    assert rows.contains(asked).tolist() == [False, True, True, True, False, False]


def test_many_rows_are_deleted_or_not_in_the_order_asked() -> None:
    random = np.random.default_rng(1)
    positions = {int(p) for p in random.integers(0, 2**16, 9000)}
    rows = random.integers(0, 2**21, 4096)
    rows[:2048] >>= 5
    live = LiveRows(LiveIds.of([1, 2]), {1: bitmap(1, positions), 2: bitmap(2, set())})
    expected = [row in positions for row in rows.tolist()]
    assert live.deleted(locations_in(1, rows)).tolist() == expected
    assert not live.deleted(locations_in(2, rows)).any()

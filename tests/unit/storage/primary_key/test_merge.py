"""Merging runs, and finding a key that two of them have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroaring import FrozenBitMap

from storage.delete_bitmap import DeleteBitmap
from storage.errors import InternalError
from storage.primary_key import merge as merging
from storage.primary_key.keys import Keys
from storage.primary_key.locations import LiveIds, LiveRows, locations_in
from storage.primary_key.merge import find_duplicate, merge
from storage.primary_key.run import open_run
from storage.primary_key.run_writer import write_run
from tests.unit.storage.primary_key.entries_of import HIGH, LOW, Pair, run_of

PAIR = st.tuples(st.sampled_from(HIGH), st.sampled_from(LOW))
IN_TMP = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few entries make many slices."""
    monkeypatch.setattr(merging, "SLICE_ENTRIES", 4)
    monkeypatch.setattr(merging, "_RELEASE_SLICES", 2)


def is_there(location: int) -> bool:
    """Of the rows of the tests: file 2 is gone, and odd rows of file 3 are deleted."""
    file_id, row = location >> 21, location & (2**21 - 1)
    return file_id != 2 and not (file_id == 3 and row % 2)


def rows_there(file_ids: list[int]) -> LiveRows:
    odd = FrozenBitMap(range(1, 1000, 2))
    live = LiveIds.of([file_id for file_id in file_ids if file_id != 2])
    return LiveRows(live, {3: DeleteBitmap(3, 1000, odd)})


@IN_TMP
@given(st.lists(st.lists(PAIR, unique=True), min_size=1, max_size=6), st.booleans())
def test_a_merge_keeps_the_newest_row_that_is_there(
    tmp_path: Path, batches: list[list[Pair]], exact: bool
) -> None:
    runs, expected = [], dict[Pair, int]()
    for file_id, batch in enumerate(batches, 1):
        pairs = dict.fromkeys((high, 0 if exact else low) for high, low in batch)
        entries = {pair: row for row, pair in enumerate(pairs)}
        runs.insert(0, run_of(tmp_path / "run", entries, exact, first_file_id=file_id))
        moved = {pair: (file_id << 21) + row for pair, row in entries.items()}
        expected |= {pair: at for pair, at in moved.items() if is_there(at)}
    written = merge(runs, tmp_path / "merged", rows_there(list(range(1, 7))))
    run = open_run(tmp_path / "merged")
    run.verify(written.checksum)
    keys = run.entries.keys()
    low = [0] * len(run) if keys.low is None else keys.low.tolist()
    pairs = list(zip(keys.high.tolist(), low, strict=True))
    assert pairs == sorted(expected)
    assert run.find(keys).tolist() == [expected[pair] for pair in pairs]


@IN_TMP
@given(st.lists(st.lists(PAIR, unique=True), min_size=1, max_size=6), st.booleans())
def test_a_key_in_two_runs_is_found(tmp_path: Path, batches: list[list[Pair]], exact: bool) -> None:
    maps = []
    for batch in batches:
        pairs = dict.fromkeys((high, 0 if exact else low) for high, low in batch)
        maps.append({pair: row for row, pair in enumerate(pairs)})
    found = find_duplicate([run_of(tmp_path / "run", pairs, exact) for pairs in maps])
    count = sum(len(pairs) for pairs in maps)
    if len({pair for pairs in maps for pair in pairs}) == count:
        assert found is None
        return
    assert found is not None
    assert found.first_run < found.second_run
    where = [{row: pair for pair, row in pairs.items()} for pairs in maps]
    first = where[found.first_run][found.first_location]
    assert first == where[found.second_run][found.second_location]


@pytest.mark.parametrize("exact", [True, False])
def test_many_runs_become_one(tmp_path: Path, exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "SLICE_ENTRIES", 1 << 10)
    random = np.random.default_rng(1)
    high = random.integers(0, 2**64 - 1, (20, 5000), np.uint64, True)
    runs = []
    for batch in high:
        keys = Keys(batch, None if exact else ~batch)
        write_run(tmp_path / "run", keys, locations_in(0, np.arange(5000)))
        runs.append(open_run(tmp_path / "run", first_file_id=len(runs)))
        (tmp_path / "run").unlink()
    written = merge(runs, tmp_path / "merged", LiveRows(LiveIds.of(range(20))))
    assert written.key_count == 100_000
    run = open_run(tmp_path / "merged")
    for file_id, batch in enumerate(high):
        found = run.find(Keys(batch, None if exact else ~batch))
        assert found.tolist() == locations_in(file_id, np.arange(5000)).tolist()


def test_runs_of_different_kinds_are_not_merged(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / "run", {(1, 1): 1}, exact) for exact in (True, False)]
    with pytest.raises(InternalError, match="2 kinds"):
        find_duplicate(runs)
    with pytest.raises(InternalError, match="0 runs"):
        merge([], tmp_path / "merged", LiveRows(LiveIds.of([])))


def test_nothing_left_is_an_empty_run(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", {(1, 1): 1}, True)
    written = merge([run], tmp_path / "merged", LiveRows(LiveIds.of([])))
    assert written.key_count == 0
    assert len(open_run(tmp_path / "merged")) == 0

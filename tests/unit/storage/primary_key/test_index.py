"""An index of memory and runs: what is there is found, what is gone is not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from storage.errors import InternalError
from storage.primary_key.index import KeyIndex, PlacedRun
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, LiveRows, locations_in
from storage.primary_key.merge import merge
from storage.primary_key.pages import MappedPages
from storage.primary_key.run import Run, open_run
from tests.unit.storage.primary_key.entries_of import run_of
from tests.unit.storage.primary_key.test_locations import bitmap


def keys(*high: int) -> Keys:
    return Keys(np.array(high, np.uint64))


def placed(directory: Path, generation: int, file_id: int, *high: int) -> PlacedRun:
    """A run of one file whose rows have these keys."""
    pairs = {(word, 0): row for row, word in enumerate(high)}
    run = run_of(directory / f"run-{generation}", pairs, True, first_file_id=file_id)
    return PlacedRun(run=run, generation=generation)


def find(index: KeyIndex, rows: LiveRows, *high: int) -> list[int | None]:
    found = index.find(keys(*high), rows).tolist()
    return [None if location == int(MISSING) else location for location in found]


def at(file_id: int, row: int) -> int:
    return (file_id << 21) + row


def test_memory_is_asked_before_runs_and_newer_runs_before_older(tmp_path: Path) -> None:
    runs = [placed(tmp_path, 5, 1, 10, 20, 30), placed(tmp_path, 9, 2, 20, 30)]
    index = KeyIndex(exact=True).with_runs(runs)
    index = index.added(keys(30, 40), locations_in(3, np.arange(2)))
    rows = LiveRows(LiveIds.of([1, 2, 3]))
    found = find(index, rows, 40, 30, 20, 10, 50)
    assert found == [at(3, 1), at(3, 0), at(2, 0), at(1, 0), None]


def test_a_run_that_comes_late_stands_where_its_generation_says(tmp_path: Path) -> None:
    index = KeyIndex(exact=True).with_runs([placed(tmp_path, 9, 2, 20)])
    index = index.with_runs([placed(tmp_path, 5, 1, 20)])
    assert [run.generation for run in index.runs] == [9, 5]
    assert find(index, LiveRows(LiveIds.of([1, 2])), 20) == [at(2, 0)]


def test_what_is_gone_or_deleted_is_asked_further_down(tmp_path: Path) -> None:
    runs = [placed(tmp_path, n, n, 10, 20) for n in (1, 2, 3)]
    index = KeyIndex(exact=True).with_runs(runs)
    index = index.added(keys(10), locations_in(4, np.arange(1)))
    rows = LiveRows(LiveIds.of([1, 2, 4]), {4: bitmap(4, {0}), 2: bitmap(2, {0})})
    assert find(index, rows, 10, 20) == [at(1, 0), at(2, 1)]
    assert find(index, LiveRows(LiveIds.of([])), 10, 20) == [None, None]


def test_changes_leave_the_older_index_as_it_is(tmp_path: Path) -> None:
    run = placed(tmp_path, 1, 1, 10)
    before = KeyIndex(exact=True).with_runs([run])
    rows = LiveRows(LiveIds.of([1, 2]))
    after = before.added(keys(20), locations_in(2, np.arange(1))).without_runs([run.run.name])
    assert find(before, rows, 10, 20) == [at(1, 0), None]
    assert find(after, rows, 10, 20) == [None, at(2, 0)]
    assert find(after.only(LiveIds.of([1])), rows, 20) == [None]


def test_merges_are_due_when_there_are_many_runs(tmp_path: Path) -> None:
    runs = [placed(tmp_path, n, n, 10) for n in range(1, 5)]
    index = KeyIndex(exact=True).with_runs(runs[:3])
    assert index.due_merges() == ()
    index = index.with_runs(runs[3:])
    (group,) = index.due_merges()
    assert [run.generation for run in group] == [4, 3, 2, 1]


def test_a_run_that_a_long_flush_adds_late_is_neither_shadowed_nor_merged_away(
    tmp_path: Path,
) -> None:
    # key 10 moved from file 1 to a delta, whose flush read at 5 and ends last, as file 2; before,
    # the run of file 3 came and was merged with that of file 1
    runs = [placed(tmp_path, 1, 1, 10).run, placed(tmp_path, 9, 3, 30).run]
    rows = LiveRows(LiveIds.of([1, 2, 3]), {1: bitmap(1, {0})})
    merge(runs[::-1], tmp_path / "early", LiveRows(LiveIds.of([1, 3])))
    early = PlacedRun(run=open_run(tmp_path / "early"), generation=9)
    late = placed(tmp_path, 5, 2, 10)
    index = KeyIndex(exact=True).with_runs([early]).with_runs([late])
    assert [run.generation for run in index.runs] == [9, 5]
    assert find(index, rows, 10, 30) == [at(2, 0), at(3, 0)]
    merge([run.run for run in index.runs], tmp_path / "all", rows)
    index = index.with_runs([PlacedRun(run=open_run(tmp_path / "all"), generation=9)])
    index = index.without_runs([early.run.name, late.run.name])
    assert len(index.runs) == 1
    assert find(index, rows, 10, 30) == [at(2, 0), at(3, 0)]


def test_a_row_of_a_load_whose_key_is_there_is_a_conflict(tmp_path: Path) -> None:
    index = KeyIndex(exact=True).added(keys(10, 20), locations_in(1, np.arange(2)))
    rows = LiveRows(LiveIds.of([1]), {1: bitmap(1, {0})})
    assert index.first_conflict(placed(tmp_path, 9, 7, 10, 30).run, rows) is None
    found = index.first_conflict(placed(tmp_path, 9, 7, 30, 20).run, rows)
    assert found == (at(7, 1), at(1, 1))


def test_keys_of_another_kind_are_a_mistake_of_ours(tmp_path: Path) -> None:
    index = KeyIndex(exact=False)
    with pytest.raises(InternalError, match="another kind"):
        index.find(keys(1), LiveRows(LiveIds.of([])))
    with pytest.raises(InternalError, match="another kind"):
        index.added(keys(1), locations_in(1, np.arange(1)))
    with pytest.raises(InternalError, match="another kind"):
        index.with_runs([placed(tmp_path, 1, 1, 10)])


def test_pages_are_let_go_when_searches_touched_more_than_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[Run] = []
    monkeypatch.setattr(Run, "release", lambda run, count=None: released.append(run))
    many = tuple(range(0, 2**64, 2**64 // 9999))
    runs = [placed(tmp_path, n, n, *many) for n in (1, 2)]
    size = runs[0].run.size_bytes
    pages = MappedPages(3 * size)
    index = KeyIndex(exact=True, pages=pages).with_runs(runs)
    rows = LiveRows(LiveIds.of([2]))
    for _ in range(5):
        assert find(index, rows, many[1], 1) == [at(2, 1), None]
    assert size < pages.mapped_bytes < 3 * size
    assert released == []
    small = KeyIndex(exact=True, pages=MappedPages(size)).with_runs(runs)
    for _ in range(size // (4 << 10)):  # of a run larger than the budget, pages come one by one
        assert find(small, rows, many[1], 1) == [at(2, 1), None]
    assert runs[0].run in released


def divided(directory: Path) -> tuple[KeyIndex, list[PlacedRun]]:
    """Two runs in partition 1, one in partition 2."""
    made = [
        placed(directory, 1, 1, 10, 20),
        placed(directory, 2, 2, 11),
        placed(directory, 3, 3, 30),
    ]
    runs = [
        dataclasses.replace(run, partition=number)
        for run, number in zip(made, (1, 1, 2), strict=True)
    ]
    index = KeyIndex(exact=True).with_runs(runs)
    return index.added(keys(40), locations_in(4, np.arange(1))), runs


def test_a_key_is_looked_up_in_the_runs_of_its_partition(tmp_path: Path) -> None:
    index, _ = divided(tmp_path)
    rows = LiveRows(LiveIds.of([1, 2, 3, 4]))
    wanted, partitions = keys(30, 10, 40, 11, 30), np.array([2, 1, 9, 1, 1])
    found = index.find(wanted, rows, partitions).tolist()
    assert found[:4] == [at(3, 0), at(1, 0), at(4, 0), at(2, 0)]
    assert found[4] == int(MISSING), "it is in the run of another partition"
    assert index.find(wanted, rows).tolist()[4] == at(3, 0), "where no partition is said, in all"
    gone = LiveRows(LiveIds.of([1, 3, 4]))
    assert index.find(keys(11), gone, np.array([1])).tolist() == [int(MISSING)]
    assert index.find(keys(40), rows, np.array([1])).tolist() == [at(4, 0)], "all are in memory"
    assert index.find(keys(), rows, np.zeros(0, np.int64)).tolist() == []


def test_runs_are_merged_within_their_partition(tmp_path: Path) -> None:
    made = [placed(tmp_path, n, n, n * 10, n * 10 + 1) for n in range(1, 13)]
    runs = [dataclasses.replace(run, partition=run.generation % 3) for run in made]
    due = KeyIndex(exact=True).with_runs(runs).due_merges()
    assert [{run.partition for run in group} for group in due] == [{0}, {2}, {1}]
    assert [len(group) for group in due] == [4, 4, 4]

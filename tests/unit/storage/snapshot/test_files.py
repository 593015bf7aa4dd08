"""A table's files as Arrow columns: statistics as numbers, and selections that are remembered."""

from __future__ import annotations

import datetime
import random

import numpy as np
import pytest

from storage.schema import Column, Kind, ScalarType
from storage.snapshot import files as subject
from storage.snapshot.files import ColumnStatistics, FileRow, FileSet

KINDS = {1: Kind.INTEGER, 2: Kind.DATE, 3: Kind.TIMESTAMP, 4: Kind.TEXT, 5: Kind.DOUBLE}
COLUMNS = tuple(
    Column(id=number, name=f"c{number}", type=ScalarType(kind=kind), nullable=True)
    for number, kind in KINDS.items()
)
DAY = datetime.date(1970, 1, 3)
MOMENT = datetime.datetime(1970, 1, 1, 0, 0, 2)
LOWEST = {1: 7, 2: DAY, 3: MOMENT, 4: "x", 5: 1.5}


def a_file(number: int, partition: str | None = None) -> FileRow:
    return FileRow(
        name=f"f{number}",
        checksum="0" * 32,
        size_bytes=10 * (number + 1),
        tail_bytes=1,
        row_count=number + 1,
        stripe_count=1,
        schema_version=1,
        level=0,
        partition=partition,
        statistics={}
        if number == 0
        else {c: ColumnStatistics(min=low, max=low) for c, low in LOWEST.items()},
    )


def file_set(count: int = 3) -> FileSet:
    """Of the first file nothing is known, of the others everything."""
    rows = [a_file(number) for number in range(count)]
    return FileSet.of(rows, COLUMNS, first_id=5, lsn=1)


@pytest.mark.parametrize(("column", "number"), [(1, 7), (2, 2), (3, 2_000_000)])
def test_statistics_are_numbers_and_say_where_they_are_known(column: int, number: int) -> None:
    found = file_set().statistic(f"min_{column}")
    assert found is not None
    values, known = found
    assert known is not None
    assert known.tolist() == [False, True, True]
    assert values[known].tolist() == [number, number]


def test_counts_are_known_of_every_file_that_has_them() -> None:
    files = file_set().selected(np.array([False, True, True]))
    assert files.ids == (6, 7)
    found = files.statistic("null_count_1")
    assert found is not None
    values, known = found
    assert (values.tolist(), known) == ([0, 0], None)


@pytest.mark.parametrize("name", ["min_4", "max_5", "min_9", "name"])
def test_others_are_no_numbers(name: str) -> None:
    assert file_set().statistic(name) is None


def test_a_few_files_are_the_same_object_again() -> None:
    files = file_set()
    mask = np.array([True, False, True])
    first = files.selected(mask)
    assert (first.names, first.ids, first.row_count) == (["f0", "f2"], (5, 7), 4)
    assert files.selected(mask.copy()) is first
    assert files.selected(~mask).names == ["f1"]
    assert files.selected(np.zeros(3, np.bool_)).names == []


def test_selections_are_few_and_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "SELECTION_FILES_MAX", 2)
    monkeypatch.setattr(subject, "SELECTIONS_MAX", 2)
    files = file_set()
    everything = np.ones(3, np.bool_)
    assert files.selected(everything) is not files.selected(everything)
    assert files.selected(everything).names == ["f0", "f1", "f2"]
    for number in range(3):
        assert files.selected(np.arange(3) == number).names == [f"f{number}"]
    assert len(files.memo["selections"]) <= 2


# --- partitions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_what_is_known_of_partitions_is_kept_through_changes(seed: int) -> None:
    source = random.Random(seed)
    files, count = FileSet.empty(), 0
    for _ in range(40):
        before = files.by_partition()
        changed: set[int] = set()
        if source.random() < 0.6 or not len(files):
            parts = [source.randrange(1, 6) for _ in range(source.choice([1, 1, 3]))]
            rows = [a_file(count + i, str(part)) for i, part in enumerate(parts)]
            files = files.added(FileSet.of(rows, COLUMNS, first_id=count + 1, lsn=1))
            count += len(parts)
            changed |= set(parts)
        else:
            gone = source.sample(files.ids, source.randrange(1, min(len(files), 4) + 1))
            numbers = dict(zip(files.ids, files.partitions.tolist(), strict=True))
            changed |= {numbers[i] for i in gone}
            files = files.removed(gone)
        found, anew = files.by_partition(), FileSet(files.table).by_partition()
        assert list(found) == list(anew)
        for number, part in found.items():
            assert part.table.to_pylist() == anew[number].table.to_pylist()
            if len(before) > 1 and len(found) > 1 and number not in changed:
                assert part is before[number]

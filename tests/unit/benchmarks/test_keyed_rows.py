"""Data of the benchmarks of writes: the same from the same seed, and keys as batches promise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks import keyed_rows
from benchmarks.keyed_rows import batch, batch_files, batch_keys, expected, table_files


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed_rows, "FILE_ROWS", 1000)
    monkeypatch.setattr(keyed_rows, "ROW_GROUP_ROWS", 300)


def test_a_table_has_every_key_once_and_in_order(tmp_path: Path) -> None:
    files = table_files(tmp_path, 2500, seed=1)
    assert len(files) == 3
    assert pl.read_parquet(files)["id"].to_list() == list(range(2500))


def test_a_larger_table_begins_with_the_files_of_a_smaller_one(tmp_path: Path) -> None:
    small = table_files(tmp_path, 2000, seed=1)
    made = [path.stat().st_mtime_ns for path in small]
    assert table_files(tmp_path, 4000, seed=1)[:2] == small
    assert [path.stat().st_mtime_ns for path in small] == made


def test_the_same_seed_makes_the_same_rows_and_another_makes_others(tmp_path: Path) -> None:
    first, again, other = (
        pl.read_parquet(table_files(tmp_path / name, 1500, seed))
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first.equals(again)
    assert not first.equals(other)
    assert batch(1500, 100, 3, seed=1).equals(batch(1500, 100, 3, seed=1))


def test_half_of_a_batch_is_of_the_table_and_half_is_new() -> None:
    keys = batch_keys(np.random.default_rng(1), 1000, 100, number=0)
    assert len(set(keys)) == 100
    assert sorted(key for key in keys if key >= 1000) == list(range(1000, 1050))
    assert list(keys) != sorted(keys)


def test_new_keys_go_on_where_the_batch_before_ended() -> None:
    keys = batch_keys(np.random.default_rng(1), 1000, 100, number=2)
    assert min(key for key in keys if key >= 1000) == 1100


def test_a_table_smaller_than_half_a_batch_gives_all_its_keys() -> None:
    keys = batch_keys(np.random.default_rng(1), 10, 100, number=0)
    assert sorted(keys) == list(range(100))


def test_expected_rows_are_those_of_a_dictionary(tmp_path: Path) -> None:
    tables = table_files(tmp_path, 1500, seed=1)
    batches = batch_files(tmp_path, 1500, 400, 5, seed=1)
    rows = {}
    for path in [*tables, *batches]:
        rows |= dict(pl.read_parquet(path, columns=["id", "a"]).iter_rows())
    assert expected(tuple(tables), tuple(batches)) == (len(rows), sum(rows.values()))

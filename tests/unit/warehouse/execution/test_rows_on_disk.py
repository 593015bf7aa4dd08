"""Rows in files: as they were, in their order, and gone for good when the query has failed."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from storage.errors import OutOfMemory
from storage.spill_space import SpillSpace
from tests.spilling import FORCED
from warehouse.execution.spilling.rows_on_disk import FILE_BYTES_MIN, divided, stored

ROWS = pl.DataFrame({"n": range(50_000), "text": ["some text", None] * 25_000})
SMALL = replace(FORCED, memory_bytes=FILE_BYTES_MIN)  # so that there are many files


@pytest.fixture
def space(tmp_path: Path) -> SpillSpace:
    return SpillSpace(tmp_path / "spill", SMALL)


def test_rows_keep_their_order_over_many_files(space: SpillSpace) -> None:
    rows = stored(ROWS.lazy(), space)
    assert len(rows.files) > 5
    assert rows.row_count == ROWS.height
    assert rows.frame().collect().equals(ROWS)


def test_rows_of_one_number_keep_their_order(space: SpillSpace) -> None:
    numbered = ROWS.with_columns((pl.col("n") % 3).cast(pl.Int32).alias("part"))
    found = divided(numbered.lazy(), pl.col("part"), space)
    assert list(found) == [0, 1, 2]
    for number, rows in found.items():
        own = rows.frame().collect()["n"]
        assert own.equals(ROWS["n"].filter(ROWS["n"] % 3 == number))


def test_blocks_are_whole_files_and_all_of_them(space: SpillSpace) -> None:
    rows = stored(ROWS.lazy(), space)
    blocks = rows.blocks(rows.size_bytes // 3)
    assert 3 <= len(blocks) <= 5
    files = itertools.chain.from_iterable(block.files for block in blocks)
    assert tuple(files) == rows.files


def test_no_rows_are_a_frame_without_rows(space: SpillSpace) -> None:
    rows = stored(ROWS.head(0).lazy(), space)
    assert rows.frame().collect().schema == ROWS.schema
    assert rows.row_count == 0


def test_sizes_are_about_those_in_memory(space: SpillSpace) -> None:
    rows = stored(ROWS.lazy(), space)
    assert rows.size_bytes == pytest.approx(ROWS.estimated_size(), rel=0.5)


def test_a_sink_that_has_failed_makes_no_more_files(tmp_path: Path) -> None:
    """Its threads do not know at once: many sinks, so that one is still at it."""
    for number in range(20):
        space = SpillSpace(tmp_path / f"{number}", replace(SMALL, disk_bytes=1_000))
        numbered = ROWS.with_columns((pl.col("n") % 31).cast(pl.Int32).alias("part"))
        with pytest.raises(OutOfMemory, match="of 1,000 are in use"):
            divided(numbered.lazy(), pl.col("part"), space)
        space.close()
    assert not list(tmp_path.iterdir())

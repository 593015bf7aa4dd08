"""The directory of a query that does not fit into memory: made late, counted, bounded, removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.errors import OutOfMemory
from storage.spill_space import PROCESS_BYTES, SpillLimits, SpillSpace, spill_limits

LIMITS = SpillLimits(memory_bytes=1000, disk_bytes=100)


def write(space: SpillSpace, size_bytes: int) -> Path:
    folder = space.folder()
    (folder / "rows").write_bytes(b"x" * size_bytes)
    space.wrote(folder)
    return folder


def test_nothing_is_made_until_rows_are_written(tmp_path: Path) -> None:
    space = SpillSpace(tmp_path / "query", LIMITS)
    assert not space.directory.exists()
    write(space, 1)
    assert space.directory.exists()


def test_written_bytes_are_counted_though_files_are_removed(tmp_path: Path) -> None:
    space = SpillSpace(tmp_path / "query", LIMITS)
    (write(space, 60) / "rows").unlink()
    write(space, 60)
    assert space.spilled_bytes == 120


def test_a_full_budget_is_an_error_that_names_bytes(tmp_path: Path) -> None:
    space = SpillSpace(tmp_path / "query", LIMITS)
    write(space, 100)
    with pytest.raises(OutOfMemory, match="101 bytes of 100 are in use") as raised:
        write(space, 1)
    assert raised.value.sqlstate == "53100"


def test_closing_removes_everything_and_may_be_repeated(tmp_path: Path) -> None:
    space = SpillSpace(tmp_path / "query", LIMITS)
    write(space, 1)
    space.close()
    space.close()
    assert not space.directory.exists()


def test_operators_get_half_of_what_the_process_does_not_take() -> None:
    """Or an eighth of all, where that is next to nothing."""
    limits = spill_limits(5 * PROCESS_BYTES, 5, forced=True)
    assert (limits.memory_bytes, limits.forced) == (2 * PROCESS_BYTES, True)
    least = spill_limits(PROCESS_BYTES + 1000 * 1024, 5, forced=False)
    assert least.memory_bytes == (PROCESS_BYTES + 1000 * 1024) // 8

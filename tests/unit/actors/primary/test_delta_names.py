"""Ids that a transaction made in its fork become those that it makes where it is done again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from actors.operations import (
    AppendFiles,
    AppendRows,
    DeleteRows,
    DropTable,
    LoadFiles,
    TruncateTable,
    WriteMode,
)
from actors.primary.delta_names import DeltaNames, table_of
from storage.primary_key import locations_in


def rows(table_id: int) -> AppendRows:
    return AppendRows(table_id=table_id, schema_version=1, row_count=1, rows=b"")


def files(table_id: int, count: int) -> AppendFiles:
    row: Any = None
    return AppendFiles(table_id=table_id, files=(row,) * count)


def gone(table_id: int, *ids: int) -> DeleteRows:
    return DeleteRows(table_id=table_id, positions={n: b"%d" % n for n in ids}, read_lsn=1)


def load(table_id: int, *ids: int) -> LoadFiles:
    parts = [locations_in(n, np.array([n, 7], np.int64)) for n in ids]
    return LoadFiles(
        table_id=table_id,
        files=(),
        mode=WriteMode.UPSERT,
        runs={},
        gone=np.concatenate(parts),
        left_out=np.empty(0, np.uint64),
        checked_lsn=1,
    )


def test_deltas_and_files_of_the_fork_are_renamed_and_no_others() -> None:
    operations = [rows(1), files(1, 3), rows(2)]
    names = DeltaNames([5, 6, 5], operations)
    assert names.of(gone(1, 5)).positions == {5: b"5"}  # type: ignore[union-attr]
    names.note(0, 6)
    names.note(1, 10)
    names.note(2, 5)
    renamed = names.of(gone(1, 4, 5, 6, 8, 9))
    assert isinstance(renamed, DeleteRows)
    assert renamed.positions == {4: b"4", 6: b"5", 10: b"6", 12: b"8", 9: b"9"}
    assert names.of(gone(2, 5)) == gone(2, 5)
    moved = names.of(load(1, 4, 5, 7))
    assert isinstance(moved, LoadFiles)
    expected = [
        locations_in(n, np.array([old, 7], np.int64)) for n, old in ((4, 4), (6, 5), (11, 7))
    ]
    assert moved.gone.tolist() == np.concatenate(expected).tolist()
    assert names.of(rows(1)) == rows(1)


@pytest.mark.parametrize(("old", "new"), [(None, 4), (4, None), (4, 4)])
def test_what_makes_nothing_or_the_same_renames_nothing(old: int | None, new: int | None) -> None:
    names = DeltaNames([old], [rows(1)])
    names.note(0, new)
    assert names.of(gone(1, 4)) == gone(1, 4)
    names.note(7, 9)  # of a transaction that was never open


def test_table_of() -> None:
    assert table_of(TruncateTable(table_id=3)) == 3
    assert table_of(DropTable(schema="public", name="t")) == 0

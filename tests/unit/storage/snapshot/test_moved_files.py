"""Files that a group takes from one table and gives to another are no graves."""

from __future__ import annotations

from storage.schema import Column, Kind, ScalarType, TableSchema
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.files import FileRow, FileSet
from storage.snapshot.model import Snapshot, TableState

COLUMNS = (Column(id=1, name="a", type=ScalarType(Kind.BIGINT)),)


def files(name: str, first_id: int, lsn: int) -> FileSet:
    row = FileRow(
        name=name,
        checksum="0" * 32,
        size_bytes=10,
        tail_bytes=1,
        row_count=1,
        stripe_count=1,
        schema_version=1,
        level=0,
        partition=None,
        statistics={},
    )
    return FileSet.of([row], COLUMNS, first_id=first_id, lsn=lsn)


def table(number: int, name: str) -> TableState:
    return TableState(
        id=number,
        schema_id=1,
        name=f"t{number}",
        schemas=(TableSchema(version=1, columns=COLUMNS),),
        next_column_id=2,
        next_file_id=2,
        files=files(name, 1, 1),
    )


def test_only_what_leaves_for_good_is_buried() -> None:
    before = Snapshot(
        database_id="d",
        branch_id="main",
        tables={2: table(2, "data/one"), 3: table(3, "data/two"), 4: table(4, "data/three")},
    )
    moved = c.AddFiles(first_file_id=2, file_count=1, files=files("data/two", 2, 9).encode())
    gone = c.RemoveFiles(file_ids=(1,))
    after = apply_changes(before, (), {2: (gone, moved), 3: (gone,), 4: (gone,)}, lsn=9)
    buried = [one.name for grave in after.graveyard for one in grave.objects]
    assert buried == ["data/one", "data/three"]
    assert after.tables[2].files.names == ["data/two"]

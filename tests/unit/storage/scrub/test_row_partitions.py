"""Rows, slices of deltas and runs that are not of the partition that the catalogue says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from storage.delete_bitmap import DeleteBitmap, encode_positions, positions_of
from storage.delta import encode_rows
from storage.micropartition import writer
from storage.partitions.rows import PartitionCounts
from storage.partitions.scheme import Partition, Partitioning
from storage.schema import Column, Kind, ScalarType, TableSchema, arrow_schema
from storage.scrub.deltas import check_delta
from storage.scrub.files import FileToCheck, check_file
from storage.scrub.row_partitions import RowPartitions, foreign_entries
from storage.snapshot.files import FileSet
from storage.snapshot.model import Delta, TableState
from tests.unit.storage.primary_key.entries_of import run_of

COLUMNS = (Column(id=1, name="a", type=ScalarType(Kind.BIGINT)),)
SCHEMA = TableSchema(version=1, columns=COLUMNS)
LISTS = Partitioning(
    kind="list",
    column_ids=(1,),
    parts=(
        Partition(id=1, name="few", values=((1,), (2,))),
        Partition(id=2, name="many", values=((7,), (8,))),
    ),
    next_id=3,
)
CHECK = RowPartitions(LISTS, COLUMNS)


def rows(*values: int) -> pa.Table:
    return pa.table({"a": list(values)}, schema=arrow_schema(COLUMNS))


def delta_faults(
    partitions: PartitionCounts, *values: int, dead: tuple[int, ...] = ()
) -> list[tuple[str, str]]:
    data = encode_rows(rows(*values))
    delta = Delta(
        id=1, lsn=1, schema_version=1, row_count=len(values), rows=data, partitions=partitions
    )
    bitmap = None
    if dead:
        positions = encode_positions(positions_of(np.array(dead)))
        bitmap = DeleteBitmap.decode(1, len(values), positions, "test")
    return check_delta(delta, SCHEMA, bitmap, (), CHECK).faults


def test_slices_of_a_delta_have_rows_of_their_partition() -> None:
    assert delta_faults(((1, 2), (2, 1)), 1, 2, 7) == []
    ((expected, found),) = delta_faults(((1, 1), (2, 2)), 1, 2, 7)
    assert expected == "rows of partition many, as the catalogue says"
    assert "(a) = (2), which is of partition few; 1 such rows" in found
    assert delta_faults(((1, 1), (2, 2)), 1, 2, 7, dead=(1,)) == [], "dead rows may be anywhere"
    ((expected, _),) = delta_faults(((1, 2),), 1, 2, 7)
    assert expected.startswith("partitions of the 3 rows")
    ((_, found),) = delta_faults(((1, 2),), 1, 9)
    assert "which is of no partition of the table (0)" in found


@pytest.mark.parametrize(("partition", "faults"), [("1", 0), ("2", 1), ("9", 1)])
def test_a_file_has_rows_of_its_partition(tmp_path: Path, partition: str, faults: int) -> None:
    row = writer.write(rows(1, 2, 1), SCHEMA, "data/x", tmp_path / "x", partition=partition)
    said = FileSet.of([row], COLUMNS, first_id=1, lsn=1).table.to_pylist()[0]
    file = FileToCheck(row=said, schema=SCHEMA, deleted=None, keys=(), partitions=CHECK)
    assert len(check_file(tmp_path / "x", file).faults) == faults


def test_a_run_has_entries_of_files_of_its_partition(tmp_path: Path) -> None:
    made = [
        writer.write(rows(value), SCHEMA, f"data/{part}", tmp_path / part, partition=part)
        for value, part in ((1, "1"), (7, "2"))
    ]
    table = TableState(
        id=2,
        schema_id=1,
        name="t",
        schemas=(SCHEMA,),
        next_column_id=2,
        partitioning=LISTS,
        files=FileSet.of(made, COLUMNS, first_id=1, lsn=1),
    )
    run = run_of(tmp_path / "run", {(5, 0): 0}, True, first_file_id=2)
    assert foreign_entries(run, 2, table) is None
    assert foreign_entries(run, 1, table) == "rows of file 2, which is of partition 2"

"""Files and deltas whose bytes are right, but that are not what the catalogue says, or that hold
what no table may hold."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage.delete_bitmap import Positions, encode_positions
from storage.delta import encode_rows
from storage.micropartition import writer
from storage.schema import Column, Kind, ScalarType, TableSchema, arrow_schema
from storage.scrub import Finding, Part, Severity
from storage.snapshot import changes as c
from storage.snapshot.files import FileRow, FileSet
from storage.snapshot.model import TableState
from tests.unit.storage.scrub.database import (
    Objects,
    appended,
    checked,
    last_log,
    newest,
    small_database,
    table,
    wide_row,
)


@pytest.fixture
def objects() -> Objects:
    return small_database()


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


# --- the catalogue's row of a file ----------------------------------------------------------------


def changed_row(objects: Objects, name: str, **values: Any) -> tuple[Objects, str]:
    """The first file of a table once more, its row in the catalogue changed."""
    state = table(objects, name)
    files = state.files.table.slice(0, 1).combine_chunks()
    row = files.to_pylist()[0]
    first = state.next_file_id
    values = {"file_id": first, "lsn_added": newest(objects).lsn + 1, **values}
    for field, value in values.items():
        at = files.schema.get_field_index(field)
        assert at >= 0, field
        files = files.set_column(
            at, files.schema.field(at), pa.array([value], files.schema[at].type)
        )
    made = appended(
        objects,
        state.id,
        c.RemoveFiles(file_ids=(row["file_id"],)),
        c.AddFiles(first_file_id=first, file_count=1, files=FileSet(files).encode()),
    )
    return made, row["name"]


def test_a_row_that_is_repeated_as_it_was_is_fine(objects: Objects) -> None:
    assert not checked(changed_row(objects, "lines")[0])[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("row_count", 8),
        ("row_count", 6),
        ("stripe_count", 2),
        ("tail_bytes", 300),
        ("size_bytes", 1),
        ("checksum", "0" * 32),
        ("schema_version", 2),
        ("min_1", -1),
        ("min_1", 1),
        ("max_1", 7),
        ("min_1", None),
        ("max_exact_1", False),
        ("null_count_1", 1),
        ("null_count_2", 0),
        ("sum_1", Decimal(20)),
        ("sum_1", None),
        ("min_2", "a"),
        ("nan_count_1", 1),
    ],
)
def test_a_row_that_is_not_true_of_its_file(objects: Objects, field: str, value: Any) -> None:
    broken, name = changed_row(objects, "lines", **{field: value})
    found = only(checked(broken)[0])
    assert (found.object, found.table) == (name, "public.lines")
    assert (found.severity, found.part) == (Severity.damage, Part.data)
    texts = {"size_bytes": "1 bytes", "schema_version": "version", "tail_bytes": "of footer"}
    assert texts.get(field, field.partition("_")[0]) in found.expected, found


def test_files_of_level_1_that_overlap(objects: Objects) -> None:
    state = table(objects, "t")
    files = state.files.table
    assert len(files) > 1
    first = state.next_file_id
    ids = pa.array(range(first, first + len(files)), pa.int64())
    levels = pa.array([1] * len(files), pa.int8())
    for name, values in (("file_id", ids), ("level", levels)):
        at = files.schema.get_field_index(name)
        files = files.set_column(at, files.schema.field(at), values)
    added = FileSet(files)
    broken = appended(
        objects,
        state.id,
        c.RemoveFiles(file_ids=state.files.ids),
        c.AddFiles(first_file_id=first, file_count=len(files), files=added.encode()),
    )
    found = [f for f in checked(broken)[0] if "level 1" in f.expected]
    assert found
    assert {f.object for f in found} <= set(added.names)
    assert all("overlaps data/" in f.found for f in found)


def test_statistics_that_are_not_known_are_not_compared(objects: Objects) -> None:
    unknown = dict.fromkeys(("min_1", "max_1", "null_count_1", "nan_count_1", "sum_1"))
    assert not checked(changed_row(objects, "lines", **unknown)[0])[0]


# --- another file under the name ------------------------------------------------------------------


def other_file(
    objects: Objects, name: str, write: Callable[[TableState, str, Path], FileRow]
) -> Any:
    """One more file of a table, written by the real writer; the objects, and its name."""
    state = table(objects, name)
    made = f"data/main-9-{'f' * 32}.parquet"
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "file"
        row = dataclasses.replace(write(state, made, path), name=made)
        data = path.read_bytes()
    files = FileSet.of(
        [row], state.columns, first_id=state.next_file_id, lsn=newest(objects).lsn + 1
    )
    change = c.AddFiles(first_file_id=state.next_file_id, file_count=1, files=files.encode())
    return appended({**objects, made: data}, state.id, change), made


def lines(count: int, schema: TableSchema) -> pa.Table:
    rows = [{"n": n, "x": f"line {n}"} for n in range(count)]
    return pa.Table.from_pylist(rows, arrow_schema(schema.columns))


def test_a_file_of_its_table_is_fine(objects: Objects) -> None:
    made, _ = other_file(
        objects,
        "lines",
        lambda t, name, path: writer.write(lines(3, t.schema), t.schema, name, path),
    )
    found, report = checked(made)
    assert not found
    assert report.rows == checked(objects)[1].rows + 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, None),
        ({"sort": None, "first_key": None, "last_key": None}, None),
        ({"sort": "lexical 2"}, "rows sorted by lexical 2"),
        ({"first_key": b"\x01"}, "rows from 01 to 018000"),
        ({"last_key": None}, "to no key"),
    ],
)
def test_a_file_whose_order_is_another(
    objects: Objects, said: dict[str, Any], expected: str | None
) -> None:
    def write(state: TableState, name: str, path: Path) -> FileRow:
        order = c.ClusterBy(column_ids=(1,))
        row = writer.write(lines(3, state.schema), state.schema, name, path, sort=order)
        return dataclasses.replace(row, **said)

    made, name = other_file(objects, "lines", write)
    found, _ = checked(made)
    if expected is None:
        assert not found
    else:
        assert (only(found).object, only(found).part) == (name, Part.data)
        assert expected in only(found).expected


def test_a_file_that_says_another_name(objects: Objects) -> None:
    broken, name = other_file(
        objects,
        "lines",
        lambda t, _, path: writer.write(lines(3, t.schema), t.schema, "data/other", path),
    )
    found = only(checked(broken)[0])
    assert found.object == name
    assert "mobula.name" in found.expected
    assert found.found == "data/other"


def test_a_file_of_another_schema(objects: Objects) -> None:
    def write(state: TableState, name: str, path: Path) -> FileRow:
        columns = (state.columns[0], Column(id=2, name="y", type=ScalarType(Kind.TEXT)))
        schema = TableSchema(version=1, columns=columns)
        rows = pa.table({"n": [1], "y": ["a"]}, schema=arrow_schema(columns))
        return writer.write(rows, schema, name, path)

    broken, name = other_file(objects, "lines", write)
    found = only(checked(broken)[0])
    assert found.object == name
    assert "column names" in found.found


def test_a_file_that_is_no_parquet(objects: Objects) -> None:
    def write(state: TableState, name: str, path: Path) -> FileRow:
        row = writer.write(lines(3, state.schema), state.schema, name, path)
        path.write_bytes(b"not Parquet at all")
        return dataclasses.replace(
            row, checksum=writer.checksum_of(path), size_bytes=path.stat().st_size
        )

    broken, name = other_file(objects, "lines", write)
    found = only(checked(broken)[0])
    assert found.object == name
    assert "footer" in found.found


def test_a_deleted_row_behind_the_end_of_the_file(objects: Objects) -> None:
    """The catalogue believes in the row, the file does not have it."""
    broken, name = changed_row(objects, "lines", row_count=12)
    state = table(broken, "lines")
    number = state.next_file_id - 1
    bitmap = c.Bitmap(file_id=number, deleted_count=1, positions=encode_positions(Positions([9])))
    found, _ = checked(appended(broken, state.id, c.AddBitmaps(bitmaps=(bitmap,))))
    assert {f.object for f in found} == {name}
    assert sorted(f.expected.partition(",")[0] for f in found) == [
        "12 rows",
        "deleted rows among the 7 that it has",
    ]


# --- deltas ---------------------------------------------------------------------------------------


def with_delta(objects: Objects, name: str, frame: pa.Table, **values: Any) -> Objects:
    state = table(objects, name)
    said = {
        "delta_id": state.next_file_id,
        "schema_version": 1,
        "row_count": frame.num_rows,
        "rows": encode_rows(frame),
    }
    return appended(objects, state.id, c.AddRows(**{**said, **values}))


def frame_of(objects: Objects, name: str, rows: list[dict[str, Any]]) -> pa.Table:
    schema = arrow_schema(table(objects, name).columns)
    loose = pa.schema([field.with_nullable(True) for field in schema])
    return pa.Table.from_pylist(rows, loose)


def test_a_delta_of_its_table_is_fine(objects: Objects) -> None:
    rows = frame_of(objects, "t", [{"k": 900, "u": 900, "v": "x"}])
    found, report = checked(with_delta(objects, "t", rows))
    assert not found
    assert report.rows == checked(objects)[1].rows + 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"row_count": 5}, "5 rows in delta"),
        ({"schema_version": 7}, "schema version"),
        ({"rows": b"rubbish"}, "rows that can be read"),
    ],
)
def test_a_delta_that_is_not_what_the_log_says(
    objects: Objects, values: dict[str, Any], text: str
) -> None:
    rows = frame_of(objects, "lines", [{"n": 1, "x": "x"}])
    broken = with_delta(objects, "lines", rows, **values)
    found = only(checked(broken)[0])
    assert (found.object, found.part) == (last_log(broken), Part.log)
    assert text in found.expected


def test_a_delta_of_other_columns(objects: Objects) -> None:
    for rows in (pa.table({"n": [1]}), pa.table({"n": ["1"], "x": ["x"]})):
        broken = with_delta(objects, "lines", rows)
        found = only(checked(broken)[0])
        assert found.object == last_log(broken)
        assert "n int64, x large_string" in found.expected


def test_null_in_a_primary_key(objects: Objects) -> None:
    broken = with_delta(objects, "t", frame_of(objects, "t", [{"k": None, "u": 900, "v": "x"}]))
    found, _ = checked(broken)
    assert {f.object for f in found} == {last_log(broken)}
    assert [f.found for f in found] == ["1 rows", "1 rows"]
    assert found[0].expected == "no NULL in column k"
    assert 'primary key "t_pkey"' in found[1].expected


def test_null_in_another_key_is_no_key(objects: Objects) -> None:
    rows = frame_of(objects, "t", [{"k": 900 + n, "u": None, "v": "x"} for n in range(2)])
    assert not checked(with_delta(objects, "t", rows))[0]


def test_nan_in_a_key(objects: Objects) -> None:
    names = table(objects, "wide").schema.names
    row = dict(zip(names, wide_row(77), strict=True)) | {"f": float("nan")}
    broken = with_delta(objects, "wide", frame_of(objects, "wide", [row]))
    found = only(checked(broken)[0])
    assert found.object == last_log(broken)
    assert 'no NaN in column f, which is of the key "wide_u_key"' in found.expected


# --- keys that are there twice --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "key"),
    [
        ({"k": 1, "u": 900, "v": "x"}, "t_pkey"),  # in a file
        ({"k": 51, "u": 900, "v": "x"}, "t_pkey"),  # in a delta
        ({"k": 900, "u": 10, "v": "x"}, "t_u_key"),
    ],
)
def test_a_key_that_is_there_twice(objects: Objects, row: dict[str, Any], key: str) -> None:
    broken = with_delta(objects, "t", frame_of(objects, "t", [row]))
    found = only(checked(broken)[0])
    assert found.object == last_log(broken)
    assert (found.table, found.part) == ("public.t", Part.log)
    assert f'same key "{key}"' in found.expected
    assert found.found.startswith("1 keys are there twice")
    assert not checked(broken)[1].broken_indexes


def test_a_hashed_key_that_is_there_twice_in_one_delta(objects: Objects) -> None:
    names = table(objects, "wide").schema.names
    rows = [dict(zip(names, wide_row(n), strict=True)) for n in (70, 71, 71)]
    broken = with_delta(objects, "wide", frame_of(objects, "wide", rows))
    found, _ = checked(broken)
    assert {f.object for f in found} == {last_log(broken)}
    assert sorted(f.expected.rpartition(" ")[2] for f in found) == ['"wide_pkey"', '"wide_u_key"']


def test_a_key_may_be_there_again_where_it_was_deleted(objects: Objects) -> None:
    rows = frame_of(objects, "t", [{"k": 3, "u": 31, "v": "x"}, {"k": 14, "u": 900, "v": "x"}])
    found, _ = checked(with_delta(objects, "t", rows))
    assert not found


def test_a_file_that_cannot_be_read_leaves_the_rest_to_be_checked(objects: Objects) -> None:
    """Its rows are neither missed by the index nor compared."""
    file = table(objects, "t").files.names[0]
    broken = with_delta(objects, "t", frame_of(objects, "t", [{"k": 51, "u": 900, "v": "x"}]))
    found, _ = checked({**broken, file: b"x"})
    assert {f.object for f in found} == {file, last_log(broken)}


def test_many_files_at_once_and_one_by_one_find_the_same(objects: Objects) -> None:
    broken = {**objects, **dict.fromkeys(table(objects, "wide").files.names, b"x")}
    one = checked(broken, files_at_once=1)[0]
    many = checked(broken, files_at_once=9)[0]
    assert sorted(map(repr, one)) == sorted(map(repr, many))
    assert len(one) == 2

"""One micropartition: every statistic of every type, over one stripe and over many."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from storage.micropartition import writer
from storage.schema import Column, TableSchema, arrow_schema
from storage.scrub.files import CheckedRows, FileToCheck, check_bytes, check_file
from storage.snapshot.files import FileSet
from tests.unit.storage.scrub.database import EVERY_TYPE, wide_row

SCHEMA = TableSchema(
    version=3,
    columns=tuple(
        Column(id=number, name=name, type=kind)
        for number, (name, kind) in enumerate(EVERY_TYPE.items(), 2)
    ),
)
SEED = 7
NAME = "data/x"


def written(path: Path, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A file, and the catalogue's row of it."""
    frame = pa.Table.from_pylist(rows, arrow_schema(SCHEMA.columns))
    row = writer.write(frame, SCHEMA, NAME, path)
    return FileSet.of([row], SCHEMA.columns, first_id=1, lsn=1).table.to_pylist()[0]  # type: ignore[no-any-return]


def checked(path: Path, row: Mapping[str, Any]) -> CheckedRows:
    return check_file(path, FileToCheck(row=row, schema=SCHEMA, deleted=None, keys=()))


def rows_of(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [dict(zip(EVERY_TYPE, wide_row(n), strict=True)) for n in range(first, first + count)]


def nothing() -> dict[str, Any]:
    return dict.fromkeys(EVERY_TYPE)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 50])
@pytest.mark.parametrize("stripe", [1, 3, 1 << 17])
def test_a_file_is_what_its_writer_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, stripe: int
) -> None:
    monkeypatch.setattr(writer, "STRIPE_ROWS", stripe)
    row = written(tmp_path / "f", rows_of(count))
    assert check_bytes(tmp_path / "f", row) is None
    found = checked(tmp_path / "f", row)
    assert not found.faults
    assert (found.row_count, found.live_count) == (count, count)


def test_bounds_of_texts_are_those_of_the_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts with common beginnings, around the length that bounds are cut to, in any order."""
    monkeypatch.setattr(writer, "STRIPE_ROWS", 2)
    source = random.Random(SEED)
    print("seed", SEED)  # noqa: T201 - shown when a test fails
    letters = ["a", "b", "\ud7ff", "\U0010ffff"]
    for number in range(60):
        beginning = "".join(source.choices(letters, k=source.choice([0, 60, 62])))
        rows = []
        for _ in range(source.randrange(1, 9)):
            text = beginning + "".join(source.choices(letters, k=source.randrange(6)))
            data = b"\xff" * source.choice([0, 62]) + source.randbytes(source.randrange(5))
            one = source.choice([nothing(), {**nothing(), "s": text, "y": data}])
            rows.append({**one, "f": source.choice([None, 1.0, -0.0, float("inf"), float("nan")])})
        path = tmp_path / str(number)
        assert not checked(path, written(path, rows)).faults, rows


def test_every_statistic_is_compared(tmp_path: Path) -> None:
    row = written(tmp_path / "f", rows_of(12))
    kinds = FileSet.of([], SCHEMA.columns, first_id=1, lsn=1).table.schema
    compared = 0
    for name, value in row.items():
        what, _, number = name.rpartition("_")
        if not number.isdigit() or value is None:
            continue
        for other in (another(value, kinds.field(name).type), None):
            if other is None and what == "null_count":
                continue  # nothing is known of the column then
            if other is None and what in ("nan_count", "min_exact", "max_exact"):
                continue  # as a catalogue has it of types without these
            found = checked(tmp_path / "f", {**row, name: other})
            column = SCHEMA.by_id(int(number))
            assert column is not None
            assert len(found.faults) == 1, (name, value, other)
            expected = found.faults[0][0]
            said = int(other) if what == "sum" and other is not None else other
            assert expected.startswith(f"column {column.name}: {what} {said!r}"), found.faults
            compared += 1
    assert compared > 120


def another(value: Any, kind: pa.DataType) -> Any:
    """Another value of the type."""
    if pa.types.is_boolean(kind):
        return not value
    if pa.types.is_large_string(kind):
        return value + "x"
    if isinstance(value, bytes):
        return value[:-1] + bytes([(value[-1] if value else 0) ^ 1])
    if pa.types.is_temporal(kind):
        narrow = pa.int32() if pa.types.is_date32(kind) else pa.int64()
        number = pa.array([value], kind).view(narrow).cast(pa.int64())[0].as_py() + 1
        return pa.array([number], pa.int64()).cast(narrow).view(kind)[0].as_py()
    return value + 1


@pytest.mark.parametrize(
    ("name", "what"),
    [("row_count", "rows"), ("stripe_count", "stripes"), ("tail_bytes", "bytes of footer")],
)
def test_what_the_footer_says_is_compared(tmp_path: Path, name: str, what: str) -> None:
    row = written(tmp_path / "f", rows_of(12))
    (fault,) = checked(tmp_path / "f", {**row, name: row[name] + 1}).faults
    assert fault == (f"{row[name] + 1} {what}, as the catalogue says", f"{row[name]}")


def test_a_file_with_other_scales_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = writer.metadata_of

    def scaled(*arguments: Any) -> dict[str, str]:
        return {**metadata(*arguments), "mobula.decimal_scales": '{"4": 3}'}

    monkeypatch.setattr(writer, "metadata_of", scaled)
    row = written(tmp_path / "f", rows_of(3))
    monkeypatch.undo()
    (fault,) = checked(tmp_path / "f", row).faults
    assert fault[1] == '{"4": 3}'

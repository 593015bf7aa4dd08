"""Files that queries write: whole or not at all, and PostgreSQL's CSV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import InvalidRequest
from storage.exports import ExportTarget, write_export
from storage.sources import open_source
from storage.sources_format import PARQUET, SourceFormat


def write(path: Path, form: SourceFormat, rows: pa.Table, kinds: tuple[str, ...] = ()) -> int:
    target = ExportTarget(url=str(path), format=form, names=tuple(rows.column_names), kinds=kinds)
    return write_export(target, rows.schema, rows.to_batches(max_chunksize=2))


def texts(**columns: list[str | None]) -> pa.Table:
    return pa.table({name: pa.array(v, pa.large_string()) for name, v in columns.items()})


def test_csv_quotes_what_must_be_quoted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = texts(a=["x", "a,b", None, "", 'q"r'], **{"b,c": ["1", "l\nm", "NA", " ", "\r"]})
    rows = rows.append_column("t", pa.array([True, False, None, True, True]))
    assert write(path, SourceFormat(kind="csv", header=True), rows) == 5
    assert path.read_bytes() == (
        b'a,"b,c",t\nx,1,t\n"a,b","l\nm",f\n,NA,\n""," ",t\n"q""r","\r",t\n'.replace(
            b'""," "', b'"", '
        )
    )
    form = SourceFormat(kind="csv", delimiter=";", quote="'", escape="\\", null="NA")
    write(path, form, texts(a=["it's", "a\\'b", "NA", None, "c\\d"], b=["x;y"] * 5))
    assert path.read_text() == (
        "'it\\'s';'x;y'\n'a\\\\\\'b';'x;y'\n'NA';'x;y'\nNA;'x;y'\nc\\d;'x;y'\n"
    )
    write(path, SourceFormat(kind="csv"), texts(a=["\\.", None]))
    assert path.read_text() == '"\\."\n\n'


def test_ndjson_has_a_value_of_each_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    rows = texts(
        **{"n": ["1.50", "NaN", None], 'k"': ['"\n', "é", None], "j": ["[1,\n2]", "{}", None]}
    )
    assert write(path, SourceFormat(kind="ndjson"), rows, ("number", "text", "json")) == 3
    assert path.read_text() == (
        '{"n":1.50,"k\\"":"\\"\\n","j":[1, 2]}\n'
        '{"n":"NaN","k\\"":"é","j":{}}\n'
        '{"n":null,"k\\"":null,"j":null}\n'
    )


def test_parquet_and_no_rows_at_all(tmp_path: Path) -> None:
    rows = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})
    assert write(tmp_path / "a.parquet", PARQUET, rows) == 3
    assert pq.read_table(tmp_path / "a.parquet").equals(rows)
    assert write(tmp_path / "b.parquet", PARQUET, rows.slice(0, 0)) == 0
    assert pq.read_table(tmp_path / "b.parquet").schema == rows.schema
    assert write(tmp_path / "b.csv", SourceFormat(kind="csv"), texts(a=[])) == 0
    assert (tmp_path / "b.csv").read_bytes() == b""


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".zst"])
def test_compressed_by_name(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.csv{ending}"
    write(path, SourceFormat(kind="csv"), texts(a=["x", "y", "z"]))
    with open_source(str(path)) as stream:
        assert stream.read() == b"x\ny\nz\n"


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("before")

    def rows() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": pa.array(["x"], pa.large_string())})
        raise InvalidRequest("division by zero", "22012")

    target = ExportTarget(url=str(path), format=SourceFormat(kind="csv"), names=("a",))
    with pytest.raises(InvalidRequest, match="division by zero"):
        write_export(target, pa.schema([("a", pa.large_string())]), rows())
    assert path.read_text() == "before"
    assert [found.name for found in tmp_path.iterdir()] == ["a.csv"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "is a directory; name a file in it"),
        (tmp_path / "no" / "a.csv", "there is no directory"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            write(path, SourceFormat(kind="csv"), texts(a=["x"]))

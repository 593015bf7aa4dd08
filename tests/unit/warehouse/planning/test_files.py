"""Files in FROM before anything runs: what is found, which columns, options, bounds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import InvalidRequest, NotYet
from storage.schema import DecimalType, Kind, ScalarType, SqlType
from storage.snapshot.ranges import ColumnRange
from storage.sources_format import SourceFormat, format_of_name
from warehouse.planning.files import FoundFiles, absolute, find_files, plan_files
from warehouse.planning.source_options import copy_format, load_format, read_options
from warehouse.planning.source_types import folded_names

CSV = SourceFormat(kind="csv")


def typed(named: Any) -> SqlType:
    return {"bigint": ScalarType(Kind.BIGINT), "text": ScalarType(Kind.TEXT)}[named]


def find(directory: Path, function: str, *arguments: Any, **options: Any) -> FoundFiles:
    return find_files(
        function, arguments, options, directory=str(directory), store=None, types=typed
    )


def shown(found: FoundFiles) -> list[tuple[str, Kind]]:
    columns = []
    for column in found.columns:
        assert isinstance(column.type, ScalarType)
        columns.append((column.name, column.type.kind))
    return columns


def test_paths_begin_where_the_client_is() -> None:
    assert absolute("a/b.csv", "/home/me") == "/home/me/a/b.csv"
    assert absolute("/a.csv", "/home/me") == "/a.csv"
    assert absolute("s3://b/a.csv", "") == "s3://b/a.csv"
    for path, directory in (("a.csv", ""), ("", "/home/me")):
        with pytest.raises(InvalidRequest):
            absolute(path, directory)


def test_names_tell_formats() -> None:
    for name, kind, delimiter in (
        ("s3://b/A.PARQUET", "parquet", ","),
        ("a.csv.gz", "csv", ","),
        ("a.tsv", "csv", "\t"),
        ("a.jsonl.zst", "ndjson", ","),
    ):
        found = format_of_name(name)
        assert found is not None
        assert (found.kind, found.delimiter) == (kind, delimiter)
    assert format_of_name("a.txt") is None
    assert folded_names(["Id", "NAME"]) == ["id", "name"]
    assert folded_names(["a", "A"]) == ["a", "A"]


def test_types_join_over_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("A,b,c,d\n1,2024-01-01,,x\n")
    (tmp_path / "b.csv").write_text("d,A,b,c\n1,2.5,2024-01-01 10:00,\n")
    (tmp_path / "c.csv").write_text("")
    found = find(tmp_path, "", "*.csv")
    assert shown(found) == [
        ("a", Kind.DOUBLE),
        ("b", Kind.TIMESTAMP),
        ("c", Kind.TEXT),
        ("d", Kind.TEXT),
    ]
    assert found.name == "files"
    assert [file.url for file in found.source.files] == [
        str(tmp_path / name) for name in ("a.csv", "b.csv")
    ]
    assert found.source.layouts == (("A", "b", "c", "d"), ("d", "A", "b", "c"))
    plan = plan_files("x", found, ["a"])
    assert [(c.name, c.type) for c in plan.columns] == [("a", ScalarType(Kind.TEXT))]
    assert plan.source.read_bytes == sum((tmp_path / n).stat().st_size for n in ("a.csv", "b.csv"))


def test_named_columns_go_by_header_or_position(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("a,b\n1,2\n")
    found = find(tmp_path, "read_csv", "items.csv", columns=["b", "a text"])
    assert shown(found) == [("b", Kind.BIGINT), ("a", Kind.TEXT)]
    found = find(tmp_path, "read_csv", "items.csv", header=False, columns=[("x", "bigint"), "y"])
    assert shown(found) == [("x", Kind.BIGINT), ("y", Kind.TEXT)]
    assert find(tmp_path, "", "items.csv").name == "items"
    with pytest.raises(InvalidRequest, match="has 2 columns, and 1 are named"):
        find(tmp_path, "read_csv", "items.csv", header=False, columns=["x"])


def test_footers_tell_bounds_rows_and_bytes(tmp_path: Path) -> None:
    def write(name: str, low: str, high: str) -> None:
        money = pa.array([Decimal(low), None, Decimal(high)], pa.decimal128(9, 2))
        table = pa.table({"m": money, "n": pa.array([1, 2, 3], pa.int32()), "s": ["a", "b", "c"]})
        pq.write_table(table, tmp_path / name, row_group_size=2)

    write("a.parquet", "-1.25", "3.00")
    write("b.parquet", "0.00", "7.50")
    found = find(tmp_path, "read_parquet", ["a.parquet", "b.parquet"])
    plan = plan_files("x", found, ["m", "n", "s"])
    assert plan.ranges == {1: ColumnRange(-125, 750, True), 2: ColumnRange(1, 3, False)}
    assert plan.source.row_count == 6
    assert found.columns[0].type == DecimalType(9, 2)
    assert 0 < plan_files("x", found, ["n"]).source.read_bytes < plan.source.read_bytes
    pq.write_table(pa.table({"n": pa.array([9], pa.int32())}), tmp_path / "c.parquet")
    bare = tmp_path / "d.parquet"
    pq.write_table(pa.table({"n": pa.array([9], pa.int32())}), bare, write_statistics=False)
    assert plan_files("x", find(tmp_path, "", "[cd].parquet"), ["n"]).ranges == {}


def test_what_is_no_list_of_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "b.tsv").write_text("a\n1\n")
    for arguments in ((), (1,), ([],), (["a.csv", 2],)):
        with pytest.raises(InvalidRequest, match="read_csv takes a path, URL or pattern"):
            find(tmp_path, "read_csv", *arguments)
    with pytest.raises(InvalidRequest, match="are of different formats; read them apart"):
        find(tmp_path, "", "*.*sv")


def test_options_of_functions() -> None:
    given = read_options("read_csv", CSV, {"delim": ";", "quote": "'", "null": "NA"}, typed)
    assert given.format == SourceFormat(
        kind="csv", delimiter=";", quote="'", escape="'", null="NA", header=True
    )
    given = read_options("read_csv", CSV, {"columns": ['"a b" bigint', "c"]}, typed)
    assert (given.names, given.types) == (("a b", "c"), {"a b": ScalarType(Kind.BIGINT)})
    for options, message in (
        ({"hedaer": True}, "read_csv has no option hedaer; did you mean header"),
        ({"header": "maybe"}, "header requires a Boolean value"),
        ({"delim": 1}, "delim is a text"),
        ({"columns": ["a", "a"]}, 'column "a" is named twice'),
        ({"columns": [1]}, "columns is an array of texts"),
        ({"columns": ['"a']}, "has an open quote"),
    ):
        with pytest.raises(InvalidRequest, match=message):
            read_options("read_csv", CSV, options, typed)
    parquet = SourceFormat(kind="parquet")
    for options in ({"header": True}, {"columns": ["a bigint"]}):
        with pytest.raises(InvalidRequest):
            read_options("read_parquet", parquet, options, typed)


def test_options_of_copy() -> None:
    found = copy_format("a.txt", [("format", "CSV"), ("header", "match")], reads=True)
    assert (found.kind, found.header, found.match, found.skip_blank) == ("csv", True, True, False)
    assert not copy_format("a.csv", [], reads=True).header
    assert copy_format("a.tsv", [("format", "csv")], reads=True).delimiter == "\t"
    assert copy_format("a.x", [("format", "json")], reads=False).kind == "ndjson"
    for options, error in (
        ([("format", "text")], NotYet),
        ([("force_quote", True)], NotYet),
        ([("encoding", "latin1")], NotYet),
        ([("quote", "")], NotYet),
        ([("header", True), ("header", True)], InvalidRequest),
        ([("hedaer", True)], InvalidRequest),
    ):
        with pytest.raises(error):
            copy_format("a.csv", options, reads=True)


def test_options_of_loads() -> None:
    assert load_format(["a.csv"]).header
    assert not load_format(["a.csv"], None, {"header": False}).header
    assert load_format(["a", "b.parquet"]).kind == "parquet"
    assert load_format(["a.dat"], "csv", {"delimiter": "|", "null": None}).delimiter == "|"
    with pytest.raises(InvalidRequest, match="of different formats"):
        load_format(["a.csv", "b.ndjson"])
    with pytest.raises(InvalidRequest, match=r"null is of CSV, and a\.parquet is parquet"):
        load_format(["a.parquet"], None, {"null": ""})

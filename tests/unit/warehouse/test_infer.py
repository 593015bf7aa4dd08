"""CREATE TABLE from the columns of a Parquet file."""

from __future__ import annotations

import pyarrow as pa
import pytest

from storage.errors import InvalidRequest
from warehouse.infer import create_table_sql


def _columns(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (pa.bool_(), "BOOLEAN"),
        (pa.int8(), "SMALLINT"),
        (pa.uint8(), "SMALLINT"),
        (pa.uint16(), "INTEGER"),
        (pa.int32(), "INTEGER"),
        (pa.uint32(), "BIGINT"),
        (pa.uint64(), "DECIMAL(20,0)"),
        (pa.float32(), "REAL"),
        (pa.float64(), "DOUBLE PRECISION"),
        (pa.decimal128(15, 2), "DECIMAL(15,2)"),
        (pa.string_view(), "TEXT"),
        (pa.dictionary(pa.int32(), pa.string()), "TEXT"),
        (pa.binary(4), "BYTEA"),
        (pa.date32(), "DATE"),
        (pa.timestamp("ns"), "TIMESTAMP"),
        (pa.timestamp("us", "Europe/Berlin"), "TIMESTAMP WITH TIME ZONE"),
        (pa.time32("s"), "TIME"),
        (pa.time64("ns"), "TIME"),
        (pa.duration("us"), "INTERVAL"),
        (pa.month_day_nano_interval(), "INTERVAL"),
        (pa.uuid(), "UUID"),
        (pa.json_(), "JSON"),
        (pa.list_(pa.int64()), "BIGINT[]"),
        (pa.large_list(pa.decimal128(5, 2)), "DECIMAL(5,2)[]"),
        (pa.list_(pa.dictionary(pa.int8(), pa.string()), 3), "TEXT[]"),
    ],
    ids=str,
)
def test_each_type_has_its_column(found: pa.DataType, expected: str) -> None:
    assert f'    "a" {expected}\n' in create_table_sql("t", _columns(a=found), "f.parquet")


@pytest.mark.parametrize(
    "found",
    [
        pa.struct([("a", pa.int64())]),
        pa.map_(pa.string(), pa.int64()),
        pa.list_(pa.list_(pa.int64())),
        pa.list_(pa.struct([("a", pa.int64())])),
        pa.decimal256(50, 2),
    ],
    ids=str,
)
def test_a_type_that_no_column_holds_is_named(found: pa.DataType) -> None:
    with pytest.raises(InvalidRequest, match=r"f\.parquet, column a: no SQL type"):
        create_table_sql("t", _columns(a=found), "f.parquet")


def test_names_are_in_lower_case_and_quoted() -> None:
    text = create_table_sql("s.t", _columns(**{"Unit Price": pa.int64(), 'B"': pa.int64()}), "f")
    assert text == (
        'CREATE TABLE IF NOT EXISTS "s"."t" (\n    "unit price" BIGINT,\n    "b""" BIGINT\n)'
    )


def test_names_that_differ_in_case_only_are_kept() -> None:
    text = create_table_sql("t", _columns(A=pa.int64(), a=pa.int64()), "f.parquet")
    assert '"A" BIGINT' in text
    assert '"a" BIGINT' in text


def test_a_file_without_columns_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="has no columns"):
        create_table_sql("t", pa.schema([]), "f.parquet")

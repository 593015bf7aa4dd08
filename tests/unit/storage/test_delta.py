"""Rows through bytes and back, and rows of old schema versions under new ones."""

from __future__ import annotations

import pyarrow as pa
import pytest
import zstandard

from storage.delta import decode_rows, encode_rows, upgrade
from storage.errors import CorruptData, InternalError
from storage.schema import Column, DecimalType, Kind, ScalarType, arrow_schema

BIGINT = ScalarType(Kind.BIGINT)
TEXT = ScalarType(Kind.TEXT)
COLUMNS = (
    Column(id=1, name="a", type=BIGINT, nullable=False),
    Column(id=2, name="b", type=TEXT),
    Column(id=3, name="c", type=DecimalType(precision=30, scale=2)),
)


def rows(count: int) -> pa.Table:
    table = {"a": range(count), "b": [None, "ä"] * (count // 2), "c": range(count)}
    return pa.table({k: pa.array(v) for k, v in table.items()}).cast(arrow_schema(COLUMNS))


def test_rows_round_trip_with_their_column_ids() -> None:
    decoded = decode_rows(encode_rows(rows(10)), "log/1")
    assert decoded.equals(rows(10))
    assert decoded.schema.equals(arrow_schema(COLUMNS), check_metadata=True)


def test_an_empty_batch_round_trips() -> None:
    assert decode_rows(encode_rows(rows(0)), "log/1").equals(rows(0))


def test_equal_rows_give_equal_bytes_however_they_are_chunked() -> None:
    whole = rows(100)
    chunked = pa.concat_tables([whole.slice(0, 33), whole.slice(33)])
    assert encode_rows(chunked) == encode_rows(whole)
    assert encode_rows(whole.slice(20, 10)) == encode_rows(rows(30).slice(20))


def test_the_bytes_are_one_zstd_frame_around_an_arrow_stream() -> None:
    stream = zstandard.ZstdDecompressor().decompress(encode_rows(rows(4)))
    assert pa.ipc.open_stream(stream).read_all().equals(rows(4))


@pytest.mark.parametrize("damage", ["empty", "cut", "noise", "flip", "extra", "no stream", "huge"])
def test_damaged_bytes_are_corrupt_data_naming_the_source(damage: str) -> None:
    good = encode_rows(rows(100))
    bad = {
        "empty": b"",
        "cut": good[:-5],
        "noise": b"not a frame at all",
        "flip": good[:20] + bytes([good[20] ^ 0xFF]) + good[21:],
        "extra": good + b"x",
        "no stream": zstandard.ZstdCompressor().compress(b"nothing"),
        "huge": good[:4] + bytes([0xE0]) + b"\xff" * 8 + good[10:],
    }[damage]
    with pytest.raises(CorruptData, match="log/7: "):
        decode_rows(bad, "log/7")


def test_upgrade_renames_adds_and_drops_by_id() -> None:
    new = (
        Column(id=4, name="d", type=BIGINT),
        Column(id=2, name="text", type=TEXT),
        Column(id=1, name="b", type=BIGINT, nullable=False),
    )
    upgraded = upgrade(rows(2), COLUMNS, new)
    assert upgraded.schema.equals(arrow_schema(new), check_metadata=True)
    assert upgraded.to_pydict() == {"d": [None, None], "text": [None, "ä"], "b": [0, 1]}


def test_upgrade_refuses_what_no_schema_change_makes() -> None:
    retyped = (Column(id=1, name="a", type=TEXT),)
    with pytest.raises(InternalError, match="column a: expected large_string, found int64"):
        upgrade(rows(2), COLUMNS, retyped)
    added = (Column(id=9, name="n", type=TEXT, nullable=False),)
    with pytest.raises(InternalError, match="column n: added as NOT NULL"):
        upgrade(rows(2), COLUMNS, added)

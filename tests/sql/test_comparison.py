"""The corpus' own tools: files survive reading and writing; differences do not pass unseen."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.sql.comparison import difference
from tests.sql.logic_file import DIRECTORY, Answer, files, read, written

INTERVAL = pa.struct([("months", pa.int32()), ("days", pa.int32()), ("microseconds", pa.int64())])


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(DIRECTORY).as_posix())
def test_a_file_survives_reading_and_writing(path: Path) -> None:
    assert written(read(path)) == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query\nSELECT 1\n----\na: integer\n1 | 2\n", "2 values for 1 columns"),
        ("quary\nSELECT 1\n", "neither"),
        ("differs why\nquery\nSELECT 1\n----\na: integer\n1\n", "come together"),
        ("query\nSELECT 1\n---- theirs\n", "unknown section"),
        ("query\nSELECT 1\n\n# lost\n", "belongs to no record"),
    ],
)
def test_a_malformed_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.test"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("value", ["", "NULL", " a ", "a|b", "a\nb", '"q"', "----", "日本", "\\x"])
def test_every_text_survives(value: str, tmp_path: Path) -> None:
    path = tmp_path / "text.test"
    path.write_text("query\nSELECT 1\n", encoding="utf-8")
    file = read(path)
    answer = Answer(columns=((value, "text"), ("b", "text")), rows=((value, None), (None, value)))
    file.records[0].answer = answer
    path.write_text(written(file), encoding="utf-8")
    assert read(path).records[0].answer == answer


def apart(values: list[Any], arrow: pa.DataType, kind: str, wanted: list[str | None]) -> bool:
    table = pa.table({"x": pa.array(values, arrow)})
    expected = Answer(columns=(("x", kind),), rows=tuple((text,) for text in wanted))
    return difference(table, expected, rowsort=False) is not None


SAME: list[tuple[Any, pa.DataType, str, str | None]] = [
    (1, pa.int32(), "integer", "1"),
    (None, pa.int64(), "bigint", None),
    (Decimal("1.50"), pa.decimal128(10, 2), "numeric", "1.5"),
    (1 / 3, pa.float64(), "numeric", "0.33333333333333333333"),
    (12.35, pa.float64(), "numeric", "12.35"),
    (0.1, pa.float32(), "real", "0.1"),
    (float("nan"), pa.float64(), "double precision", "NaN"),
    (float("-inf"), pa.float64(), "double precision", "-Infinity"),
    (True, pa.bool_(), "boolean", "t"),
    ("a", pa.large_string(), "character varying(5)", "a"),
    (datetime.date(2024, 2, 29), pa.date32(), "date", "2024-02-29"),
    (datetime.time(1, 2, 3, 4), pa.time64("us"), "time without time zone", "01:02:03.000004"),
    (
        datetime.datetime(2024, 1, 1, 10, 0, 0, 500_000),
        pa.timestamp("us"),
        "timestamp without time zone",
        "2024-01-01 10:00:00.5",
    ),
    (
        datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
        pa.timestamp("us", "UTC"),
        "timestamp with time zone",
        "2024-01-01 00:00:00+00",
    ),
    (
        {"months": -14, "days": 3, "microseconds": -1_500_000},
        INTERVAL,
        "interval",
        "-1 years -2 mons +3 days -00:00:01.5",
    ),
    (b"\x00\xff", pa.large_binary(), "bytea", "\\x00ff"),
    (b"\x11" * 16, pa.binary(16), "uuid", "11111111-1111-1111-1111-111111111111"),
    ([1, None, 3], pa.large_list(pa.int32()), "integer[]", "{1,NULL,3}"),
    (["a b", "NULL", 'q"'], pa.list_(pa.large_string()), "text[]", '{"a b","NULL","q\\""}'),
    ([], pa.list_(pa.int64()), "bigint[]", "{}"),
    ({"f1": 1, "f2": None}, pa.struct([("f1", pa.int32()), ("f2", pa.string())]), "record", "(1,)"),
    (
        {"f1": 1, "f2": {"x": "a b", "y": True}},
        pa.struct([("f1", pa.int32()), ("f2", pa.struct([("x", pa.string()), ("y", pa.bool_())]))]),
        "record",
        '(1,"(""a b"",t)")',
    ),
    ('{"b":2, "a":1.0}', pa.large_string(), "jsonb", '{"a": 1.0, "b": 2}'),
]


@pytest.mark.parametrize(("value", "arrow", "kind", "text"), SAME)
def test_the_same_value_is_seen(
    value: Any, arrow: pa.DataType, kind: str, text: str | None
) -> None:
    assert not apart([value], arrow, kind, [text])


@pytest.mark.parametrize(
    ("value", "arrow", "kind", "text"),
    [
        (1, pa.int64(), "integer", "1"),
        (2, pa.int32(), "integer", "1"),
        (0, pa.int32(), "integer", None),
        (None, pa.int32(), "integer", "0"),
        (Decimal("1.5"), pa.decimal128(10, 2), "numeric", "1.51"),
        (99999999999999999999.0, pa.float64(), "numeric", "99999999999999999990"),
        (0.3334, pa.float64(), "numeric", "0.33333333333333333333"),
        (1.0, pa.float64(), "double precision", "NaN"),
        (1.0, pa.float64(), "integer", "1"),
        ("", pa.large_string(), "text", None),
        ("a", pa.large_string(), "text", "a "),
        (datetime.datetime(2024, 1, 1), pa.timestamp("us"), "date", "2024-01-01"),
        (
            {"months": 0, "days": 30, "microseconds": 0},
            INTERVAL,
            "interval",
            "1 mon",
        ),
        ([1, 2], pa.list_(pa.int32()), "integer[]", "{2,1}"),
        ({"f1": 1}, pa.struct([("f1", pa.int32())]), "record", "(2)"),
        ('{"a": 1, "b": 2}', pa.large_string(), "json", '{"b": 2, "a": 1}'),
    ],
)
def test_another_value_is_seen(value: Any, arrow: pa.DataType, kind: str, text: str | None) -> None:
    assert apart([value], arrow, kind, [text])


def test_the_order_of_rows_counts_unless_it_does_not() -> None:
    table = pa.table({"x": pa.array([2, None, 1], pa.int32())})
    expected = Answer(columns=(("x", "integer"),), rows=(("1",), ("2",), (None,)))
    assert difference(table, expected, rowsort=True) is None
    assert difference(table, expected, rowsort=False) is not None


def test_rows_and_names_count() -> None:
    table = pa.table({"x": pa.array([1, 1], pa.int32())})
    once = Answer(columns=(("x", "integer"),), rows=(("1",),))
    assert difference(table, once, rowsort=True) is not None
    assert difference(table.slice(1), once, rowsort=True) is None
    assert difference(table.slice(1).rename_columns(["y"]), once, rowsort=True) is not None

"""Keys of rows, and keys that callers name rows by, in every form."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from storage.errors import InvalidRequest
from storage.key_frame import key_rows, plain_keys
from storage.key_rows import RowKeys, decode_row_keys, joined, key_text, keys_in, row_keys
from storage.schema import (
    Column,
    DecimalType,
    Key,
    Kind,
    ScalarType,
    SqlType,
    TableSchema,
    arrow_schema,
)

INTEGER = ScalarType(kind=Kind.BIGINT)
TEXT = ScalarType(kind=Kind.TEXT)
DOUBLE = ScalarType(kind=Kind.DOUBLE)


def schema(*types: SqlType) -> TableSchema:
    columns = [Column(id=i + 1, name="abc"[i], type=t) for i, t in enumerate(types)]
    return TableSchema(version=1, columns=tuple(columns))


ONE, TWO = schema(INTEGER), schema(INTEGER, TEXT)
NOT_NULL = TableSchema(version=1, columns=(Column(id=1, name="a", type=INTEGER, nullable=False),))


# --- keys of rows ---------------------------------------------------------------------------------


def made(values: list[Any], kind: SqlType = INTEGER, primary: bool = True) -> RowKeys:
    own = schema(kind)
    rows = pa.table({"a": pa.array(values, pa.int64() if kind is INTEGER else pa.float64())})
    key = Key(id=4, name="t_key", column_ids=(1,), primary=primary)
    return row_keys(rows, own, [key], "t")[4]


def test_rows_with_null_have_no_key() -> None:
    assert made([3, 1]).rows is None
    found = made([None, 3, None, 1])
    assert found.positions().tolist() == [1, 3]
    assert len(found.keys) == 2
    kept = found.kept(np.array([True, False, True, True]))
    assert kept.positions().tolist() == [2]
    assert kept.keys.encode() == made([1]).keys.encode()
    whole = made([5, 6, 7]).kept(np.array([True, False, True]))
    assert (whole.rows, len(whole.keys)) == (None, 2)


def test_encoded_and_back() -> None:
    for values in ([3, 1], [None, 3, None, 1], [None], []):
        found = made(values)
        again = decode_row_keys(found.encode(), schema(INTEGER).columns, len(values))
        assert again.positions().tolist() == found.positions().tolist()
        assert again.keys.encode() == found.keys.encode()


def test_joined() -> None:
    parts = [made([None, 1]), made([2]), made([3, None, 4])]
    assert joined(parts, [2, 1, 3]).positions().tolist() == [1, 2, 3, 5]
    assert joined([made([1]), made([2, 3])], [1, 2]).rows is None


def test_nan_and_duplicates_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r'NaN in column "a" of table t: a key "t_key".*row 1'):
        made([1.0, float("nan")], DOUBLE)
    with pytest.raises(InvalidRequest, match=r"Key \(a\)=\(0.0\) is given twice|=\(-0.0\)"):
        made([0.0, -0.0], DOUBLE)
    with pytest.raises(InvalidRequest, match=r'"t_key" of table t: Key \(a\)=\(7\) is given twice'):
        made([7, None, 7])
    assert len(made([None, None]).keys) == 0


def test_key_text_of_several_columns() -> None:
    rows = pa.table({"a": [1, 2], "b": ["x", None]}, schema=arrow_schema(TWO.columns))
    assert key_text(rows, TWO.columns, 0) == "Key (a, b)=(1, x)"
    assert keys_in(rows, TWO.columns).positions().tolist() == [0]


# --- keys in any form -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        [1, 2],
        range(1, 3),
        [(1,), (2,)],
        np.array([1, 2]),
        pl.Series([1, 2]),
        pd.Series([1, 2]),
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
        [{"a": 1}, {"a": 2}],
        pl.DataFrame({"a": [1, 2]}),
        pl.LazyFrame({"a": [1, 2]}),
        pd.DataFrame({"a": [1, 2]}),
        pa.table({"a": [1, 2]}),
        pa.table({"a": pa.array([1, 2], pa.int16())}),
    ],
)
def test_forms_of_one_column(keys: Any) -> None:
    found = key_rows(keys, ONE, "t")
    assert found.to_pydict() == {"a": [1, 2]}
    assert found.schema.field("a").type == pa.int64()
    assert key_rows(plain_keys(keys), ONE, "t") == found


def test_forms_of_several_columns() -> None:
    expected = {"a": [1, 2], "b": ["x", "y"]}
    for keys in (
        [(1, "x"), (2, "y")],
        [{"b": "x", "a": 1}, {"a": 2, "b": "y"}],
        pl.DataFrame({"b": ["x", "y"], "a": [1, 2]}),
    ):
        assert key_rows(keys, TWO, "t").to_pydict() == expected
    assert key_rows((1, "x"), TWO, "t").to_pydict() == {"a": [1], "b": ["x"]}
    assert key_rows([], TWO, "t").num_rows == 0
    assert sorted(key_rows({1, 2}, ONE, "t")["a"].to_pylist()) == [1, 2]
    assert key_rows("xyz", schema(TEXT), "t").to_pydict() == {"a": ["xyz"]}


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (ScalarType(kind=Kind.UUID), uuid.UUID(int=9), uuid.UUID(int=9)),
        (ScalarType(kind=Kind.DATE), datetime.date(2024, 2, 29), datetime.date(2024, 2, 29)),
        (DecimalType(precision=10, scale=2), decimal.Decimal("1.5"), decimal.Decimal("1.50")),
        (DecimalType(precision=10, scale=2), 3, decimal.Decimal("3.00")),
        (ScalarType(kind=Kind.BYTEA), b"\x00a", b"\x00a"),
        (ScalarType(kind=Kind.BOOLEAN), True, True),
    ],
)
def test_values_of_types(kind: SqlType, value: Any, stored: Any) -> None:
    (found,) = key_rows([value], schema(kind), "t")["a"].to_pylist()
    assert found in (stored, getattr(stored, "bytes", stored))


@pytest.mark.parametrize(
    ("keys", "own", "text"),
    [
        (["x"], ONE, "a"),
        ([1.5], ONE, "a"),
        ([1 << 70], ONE, "a"),
        ([object()], ONE, "table t, column a: the keys are no BIGINT"),
        ([(1, 2)], ONE, r"a key is 1 values \(a\), found 2"),
        ([1], TWO, r"a key is a tuple \(a, b\), found 1"),
        ([(1,)], TWO, r"a key is 2 values \(a, b\), found 1"),
        ([{"a": 1}], TWO, r"a key has the columns \['a', 'b'\], found \['a'\]"),
        ([None], NOT_NULL, "NULL in row 0"),
        (pl.DataFrame({"b": [1]}), NOT_NULL, "b"),
        (pl.DataFrame(), NOT_NULL, "column a BIGINT is NOT NULL and absent"),
        (pl.DataFrame({"a": [1], "z": [1]}), ONE, "z"),
    ],
)
def test_what_is_no_key(keys: Any, own: TableSchema, text: str) -> None:
    with pytest.raises(InvalidRequest, match=text):
        key_rows(keys, own, "t")

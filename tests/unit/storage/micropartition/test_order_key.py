"""Order keys: they compare as sorting orders rows, whatever the types."""

from __future__ import annotations

import datetime as dt
import math
import random
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from storage.micropartition import clustering
from storage.micropartition.order_key import KEY_BYTES_MAX, order_keys
from storage.schema import Column, DecimalType, EnumType, Kind, ScalarType, SqlType, arrow_schema

EPOCH = dt.datetime(1970, 1, 1)
TEXTS = ["", "\0", "\0\0", "\0a", "a", "a\0", "ab", "b", "ä", "z\u07ff", "\U0001f600", "\uffff"]

VALUES: list[tuple[SqlType, Callable[[random.Random], Any]]] = [
    (ScalarType(Kind.BIGINT), lambda r: r.choice([-(1 << 63), (1 << 63) - 1, r.randrange(-9, 9)])),
    (ScalarType(Kind.SMALLINT), lambda r: r.randrange(-300, 300)),
    (ScalarType(Kind.BOOLEAN), lambda r: r.random() < 0.5),
    (
        ScalarType(Kind.DOUBLE),
        lambda r: r.choice([math.nan, -math.nan, math.inf, -math.inf, 0.0, -1e-300, r.gauss(0, 5)]),
    ),
    (ScalarType(Kind.REAL), lambda r: r.choice([math.nan, -math.inf, 0.0, 0.5, -2.0, 3.25])),
    (DecimalType(9, 2), lambda r: Decimal(r.randrange(-999, 999)).scaleb(-2)),
    (
        DecimalType(38, 5),
        lambda r: Decimal(f"{r.choice('+-')}{r.randrange(10**33)}.{r.randrange(10**5):05}"),
    ),
    (ScalarType(Kind.TEXT), lambda r: r.choice(TEXTS)),
    (EnumType("mood", ("sad", "ok", "happy")), lambda r: r.choice(["sad", "ok", "happy"])),
    (ScalarType(Kind.BYTEA), lambda r: r.choice([b"", b"\0", b"\0\xff", b"\xff", b"\xff\xff"])),
    (ScalarType(Kind.UUID), lambda r: uuid.UUID(int=r.randrange(1 << 128)).bytes),
    (ScalarType(Kind.DATE), lambda r: dt.date(1970, 1, 1) + dt.timedelta(r.randrange(-999, 999))),
    (ScalarType(Kind.TIME), lambda r: dt.time(r.randrange(24), 0, 0, r.randrange(999_999))),
    (ScalarType(Kind.TIMESTAMP), lambda r: EPOCH + dt.timedelta(r.randrange(-9, 9), 0, 1)),
    (
        ScalarType(Kind.TIMESTAMPTZ),
        lambda r: EPOCH.replace(tzinfo=dt.UTC) + dt.timedelta(0, r.randrange(-99, 99)),
    ),
]


def table_of(rng: random.Random, kinds: list[int], count: int) -> tuple[pa.Table, list[Column]]:
    columns = [
        Column(id=i, name=f"c{i}", type=VALUES[kind][0], nullable=True)
        for i, kind in enumerate(kinds, 1)
    ]
    arrays = []
    for kind, field in zip(kinds, arrow_schema(tuple(columns)), strict=True):
        values = [None if rng.random() < 0.2 else VALUES[kind][1](rng) for _ in range(count)]
        extended = isinstance(field.type, pa.BaseExtensionType)
        array = pa.array(values, field.type.storage_type if extended else field.type)
        arrays.append(pa.ExtensionArray.from_storage(field.type, array) if extended else array)
    return pa.table(arrays, schema=arrow_schema(tuple(columns))), columns


@pytest.mark.parametrize("kind", range(len(VALUES)))
def test_keys_ascend_where_rows_are_sorted(kind: int) -> None:
    rng = random.Random(f"order keys {kind}")
    rows, columns = table_of(rng, [kind, rng.randrange(len(VALUES)), kind], 200)
    ordered = clustering.sort(rows, rows.column_names, "lexical")
    keys = order_keys(ordered, [(c.name, c.type) for c in columns])
    assert keys == sorted(keys)
    distinct = {tuple(map(repr, row.values())) for row in ordered.to_pylist()}
    assert len(set(keys)) in range(len(distinct) - 60, len(distinct) + 1)  # NaN and zero have two


def test_equal_rows_have_equal_keys_and_others_do_not() -> None:
    rows = pa.table({"t": pa.array(TEXTS * 2, pa.large_string())})
    keys = order_keys(rows, [("t", ScalarType(Kind.TEXT))])
    assert keys[: len(TEXTS)] == keys[len(TEXTS) :]
    assert len(set(keys)) == len(TEXTS)
    both = pa.table({"t": pa.array(["a", "ab"]), "u": pa.array(["b", ""])})
    first, second = order_keys(both, [(name, ScalarType(Kind.TEXT)) for name in "tu"])
    assert first < second


def test_long_keys_are_cut() -> None:
    rows = pa.table({"t": pa.array(["x" * 999, "x" * 1000, "y"])})
    first, second, third = order_keys(rows, [("t", ScalarType(Kind.TEXT))])
    assert (len(first), first == second, second < third) == (KEY_BYTES_MAX, True, True)

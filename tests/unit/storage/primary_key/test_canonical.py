"""From columns to keys: which types, equal values equal keys, and bytes that never change."""

from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import xxhash

from storage.errors import InternalError, InvalidRequest, NotYet
from storage.primary_key.canonical import check_key_types, is_exact, keys_of
from storage.primary_key.keys import Keys, mixed
from storage.schema import (
    ArrayType,
    CharType,
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    SqlType,
    StructType,
    VarCharType,
    arrow_schema,
)

UTC = dt.UTC
ID = bytes(range(16))


def column(position: int, sql_type: SqlType) -> Column:
    return Column(id=position, name=f"c{position}", type=sql_type, nullable=False)


def keys(*values: tuple[SqlType, list[Any]]) -> Keys:
    """The keys of rows, given as the values of each key column."""
    columns = tuple(column(at, sql_type) for at, (sql_type, _) in enumerate(values))
    schema = arrow_schema(columns)
    arrays = [pa.array(v, f.type) for (_, v), f in zip(values, schema, strict=True)]
    return keys_of(pa.Table.from_arrays(arrays, schema=schema), columns)


def hashes(found: Keys) -> list[bytes]:
    assert found.low is not None
    return [
        high.to_bytes(8, "big") + low.to_bytes(8, "big")
        for high, low in zip(found.high.tolist(), found.low.tolist(), strict=True)
    ]


def scalar(kind: Kind) -> ScalarType:
    return ScalarType(kind)


EXACT: list[tuple[SqlType, list[Any], list[int]]] = [
    (scalar(Kind.SMALLINT), [-(2**15), 7], [-(2**15), 7]),
    (scalar(Kind.INTEGER), [-1, 2**31 - 1], [-1, 2**31 - 1]),
    (scalar(Kind.BIGINT), [-(2**63), 2**63 - 1], [-(2**63), 2**63 - 1]),
    (DecimalType(18, 2), [Decimal("-0.01"), Decimal("9999999999999999.99")], [-1, 10**18 - 1]),
    (scalar(Kind.DATE), [dt.date(1969, 12, 31), dt.date(1970, 1, 3)], [-1, 2]),
    (scalar(Kind.TIME), [dt.time(0), dt.time(0, 0, 1)], [0, 1_000_000]),
    (scalar(Kind.TIMESTAMP), [dt.datetime(1970, 1, 1, 0, 0, 2)], [2_000_000]),
    (scalar(Kind.TIMESTAMPTZ), [dt.datetime(1970, 1, 1, 0, 0, 3, tzinfo=UTC)], [3_000_000]),
]

HASHED: list[tuple[SqlType, Any, bytes]] = [
    (scalar(Kind.BOOLEAN), True, b"\x01"),
    (scalar(Kind.BOOLEAN), False, b"\x00"),
    (scalar(Kind.REAL), 1.5, struct.pack("<d", 1.5)),
    (scalar(Kind.DOUBLE), -2.5, struct.pack("<d", -2.5)),
    (scalar(Kind.DOUBLE), -0.0, bytes(8)),
    (scalar(Kind.DOUBLE), float("inf"), struct.pack("<d", float("inf"))),
    (scalar(Kind.DOUBLE), float("nan"), bytes.fromhex("000000000000f87f")),
    (DecimalType(38, 3), Decimal("-0.002"), (-2).to_bytes(16, "little", signed=True)),
    (scalar(Kind.UUID), ID, ID),
    (scalar(Kind.TEXT), "né", b"\x03\x00\x00\x00n\xc3\xa9"),
    (scalar(Kind.TEXT), "", bytes(4)),
    (scalar(Kind.BYTEA), b"\x00\xff", b"\x02\x00\x00\x00\x00\xff"),
    (VarCharType(9), "abc", b"\x03\x00\x00\x00abc"),
    (CharType(9), "abc", b"\x03\x00\x00\x00abc"),
    (EnumType("mood", ("sad", "ok")), "ok", b"\x02\x00\x00\x00ok"),
]


@pytest.mark.parametrize(("sql_type", "values", "carried"), EXACT)
def test_a_column_that_an_integer_carries_is_mixed(
    sql_type: SqlType, values: list[Any], carried: list[int]
) -> None:
    assert is_exact((column(0, sql_type),))
    found = keys((sql_type, values))
    assert found.low is None
    assert found.high.tolist() == mixed(np.array(carried, np.int64)).tolist()


@pytest.mark.parametrize(("sql_type", "value", "canonical"), HASHED)
def test_any_other_column_is_the_hash_of_its_canonical_bytes(
    sql_type: SqlType, value: Any, canonical: bytes
) -> None:
    assert not is_exact((column(0, sql_type),))
    assert hashes(keys((sql_type, [value]))) == [xxhash.xxh3_128_digest(canonical)]


@pytest.mark.parametrize(("sql_type", "values", "carried"), EXACT)
def test_beside_others_an_integer_is_eight_bytes(
    sql_type: SqlType, values: list[Any], carried: list[int]
) -> None:
    found = hashes(keys((sql_type, values), (scalar(Kind.TEXT), ["x"] * len(values))))
    expected = [struct.pack("<qI", integer, 1) + b"x" for integer in carried]
    assert found == [xxhash.xxh3_128_digest(canonical) for canonical in expected]


def test_columns_follow_each_other_in_the_order_of_the_key() -> None:
    found = hashes(
        keys(
            (scalar(Kind.TEXT), ["ab", ""]),
            (scalar(Kind.BIGINT), [1, 2]),
            (scalar(Kind.BOOLEAN), [True, False]),
            (scalar(Kind.BYTEA), [b"", b"ab"]),
        )
    )
    first = struct.pack("<I2sq?I", 2, b"ab", 1, True, 0)
    second = struct.pack("<Iq?I2s", 0, 2, False, 2, b"ab")
    assert found == [xxhash.xxh3_128_digest(first), xxhash.xxh3_128_digest(second)]


def test_hashes_never_change() -> None:
    found = hashes(keys((scalar(Kind.BIGINT), [7]), (scalar(Kind.TEXT), ["ab"])))
    assert [digest.hex() for digest in found] == ["0d8b2cfec048495cb697b4d66600df34"]


def test_where_a_text_ends_makes_a_difference() -> None:
    pairs = keys((scalar(Kind.TEXT), ["ab", "a", ""]), (scalar(Kind.TEXT), ["", "b", "ab"]))
    assert len(set(hashes(pairs))) == 3


def test_numbers_that_are_equal_have_one_key() -> None:
    zeros = keys((scalar(Kind.REAL), [0.0, -0.0]))
    assert zeros.duplicates() == (0, 1)
    both = keys((scalar(Kind.DOUBLE), [float("nan"), -float("nan")]))
    assert both.duplicates() == (0, 1)


def test_slices_and_chunks_have_the_keys_of_their_rows() -> None:
    texts = pa.array(["a", "bb", "ccc", "dddd", "e"], pa.large_string())
    ids = pa.array([bytes([n]) * 16 for n in range(5)], pa.binary(16))
    flags = pa.array([True, False, True, True, False])
    money = pa.array([Decimal(n) for n in range(5)], pa.decimal128(18, 0))
    columns = (
        column(0, scalar(Kind.TEXT)),
        column(1, scalar(Kind.UUID)),
        column(2, scalar(Kind.BOOLEAN)),
        column(3, DecimalType(18, 0)),
    )
    table = pa.table({"c0": texts, "c1": ids, "c2": flags, "c3": money})
    whole = hashes(keys_of(table, columns))
    assert hashes(keys_of(table.slice(1, 3), columns)) == whole[1:4]
    chunked = pa.concat_tables([table.slice(3), table.slice(0, 0), table.slice(0, 2)])
    assert hashes(keys_of(chunked, columns)) == [*whole[3:], *whole[:2]]
    amounts = keys_of(table, columns[3:]).high.tolist()
    assert keys_of(table.slice(2), columns[3:]).high.tolist() == amounts[2:]


@pytest.mark.parametrize(("sql_type", "value", "canonical"), HASHED[:12])
def test_no_rows_have_no_keys(sql_type: SqlType, value: Any, canonical: bytes) -> None:
    assert len(keys((sql_type, []))) == 0
    assert len(keys((sql_type, []), (scalar(Kind.BIGINT), []))) == 0


@pytest.mark.parametrize(
    "sql_type",
    [
        scalar(Kind.JSONB),
        scalar(Kind.INTERVAL),
        ArrayType(scalar(Kind.TEXT)),
        StructType("pair", (("a", scalar(Kind.TEXT)),)),
    ],
)
def test_types_without_canonical_bytes_are_refused(sql_type: SqlType) -> None:
    with pytest.raises(NotYet, match='column "c1"'):
        check_key_types((column(0, scalar(Kind.TEXT)), column(1, sql_type)))


def test_json_is_refused_as_postgresql_does() -> None:
    with pytest.raises(InvalidRequest, match='column "c0" is JSON') as error:
        check_key_types((column(0, scalar(Kind.JSON)),))
    assert error.value.sqlstate == "42704"


def test_rows_that_cannot_have_keys_are_a_mistake_of_ours() -> None:
    with pytest.raises(InternalError, match="c0 has 1 NULLs"):
        keys((scalar(Kind.TEXT), ["a", None]))
    with pytest.raises(InternalError, match="c0 is int64, expected int32"):
        keys_of(pa.table({"c0": [1]}), (column(0, scalar(Kind.INTEGER)),))

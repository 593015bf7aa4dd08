"""Decimals become 64-bit words and back, at any offset and with any NULLs."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from storage.errors import InternalError
from storage.micropartition.physical import encode, narrow, to_logical
from storage.schema import DecimalType, Kind, ScalarType

MONEY = DecimalType(precision=18, scale=2)
LARGEST = Decimal("9999999999999999.99")


def decimals(count: int, *, nulls: bool) -> pa.ChunkedArray:
    values = [LARGEST, -LARGEST, Decimal(0), Decimal("-0.01"), Decimal("123.45")]
    listed = [None if nulls and i % 3 == 0 else values[i % 5] for i in range(count)]
    return pa.chunked_array([pa.array(listed, pa.decimal128(18, 2))])


@pytest.mark.parametrize("nulls", [False, True])
@pytest.mark.parametrize("offset", [0, 1, 7, 8, 9, 17])
def test_decimals_round_trip_from_any_offset(nulls: bool, offset: int) -> None:
    column = decimals(40, nulls=nulls).slice(offset, 20)
    words = encode(column, MONEY)
    words.validate(full=True)
    scaled = [None if v is None else int(v.scaleb(2)) for v in column.to_pylist()]
    assert words.to_pylist() == scaled
    back = to_logical(words, MONEY)
    back.validate(full=True)
    assert back.equals(column)
    assert to_logical(words.slice(3, 9), MONEY).to_pylist() == column.slice(3, 9).to_pylist()


def test_no_rows_and_only_nulls() -> None:
    empty = pa.chunked_array([], pa.decimal128(18, 2))
    assert encode(empty, MONEY).type == pa.int64()
    assert to_logical(encode(empty, MONEY), MONEY).equals(empty)
    nulls = pa.chunked_array([pa.nulls(3, pa.decimal128(18, 2))])
    assert to_logical(encode(nulls, MONEY), MONEY).equals(nulls)


def test_a_column_of_another_precision_is_our_own_mistake() -> None:
    with pytest.raises(InternalError, match=r"decimal128\(19, 2\)"):
        encode(pa.chunked_array([pa.array([Decimal(1)], pa.decimal128(19, 2))]), MONEY)


@pytest.mark.parametrize(
    ("low", "high", "width"),
    [
        (None, None, pa.int8()),
        (-128, 127, pa.int8()),
        (-129, 0, pa.int16()),
        (0, 128, pa.int16()),
        (0, 32768, pa.int32()),
        (0, 2**31 - 1, pa.int32()),
        (0, 2**31, pa.int64()),
        (-(2**63), 2**63 - 1, pa.int64()),
    ],
)
def test_the_narrowest_width_is_taken(
    low: int | None, high: int | None, width: pa.DataType
) -> None:
    column = pa.chunked_array([pa.array([low, high, None], pa.int64())])
    narrowed = narrow(column, low, high)
    assert narrowed.type == width
    assert narrowed.to_pylist() == [low, high, None]
    assert to_logical(narrowed, ScalarType(Kind.BIGINT)).equals(column)

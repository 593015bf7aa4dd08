"""Order keys: where a row is in a lexical order, as bytes that compare as rows do.

The catalogue keeps the first and the last key of every file that is sorted, so that which files
overlap is known over all columns of the order (`docs/formats/micropartition.md`). Rows whose keys
begin alike for very long count as equal.
"""

from __future__ import annotations

import decimal
import math
import struct
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from storage.errors import InternalError
from storage.schema import DecimalType, ScalarType, SqlType, is_integer

__all__ = ["KEY_BYTES_MAX", "order_keys"]

KEY_BYTES_MAX = 256

_VALUE, _NULL = b"\x01", b"\x02"  # NULL comes last
_SIGN = 1 << 63
_WIDE_SIGN = 1 << 127
_EXACT = decimal.Context(prec=80)
_ESCAPED, _END = b"\x00\xff", b"\x00\x00"


def order_keys(rows: pa.Table, columns: Sequence[tuple[str, SqlType]]) -> list[bytes]:
    """One key for each row, cut to `KEY_BYTES_MAX`.

    Args:
        rows: with these columns in their logical Arrow types; few rows.
        columns: names and types, most significant first.
    """
    parts = [[_encoded(value, kind) for value in _plain(rows[name])] for name, kind in columns]
    return [b"".join(row)[:KEY_BYTES_MAX] for row in zip(*parts, strict=True)]


def _plain(values: pa.ChunkedArray) -> list[Any]:
    """Moments as the numbers that Arrow counts them by."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        values = values.cast(kind.storage_type)
    if pa.types.is_date32(kind):
        values = values.cast(pa.int32())
    elif pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        values = values.cast(pa.int64())
    return list(values.to_pylist())


def _encoded(value: Any, kind: SqlType) -> bytes:
    return _NULL if value is None else _VALUE + _of_value(value, kind)


def _of_value(value: Any, kind: SqlType) -> bytes:
    match value:
        case bool():
            return b"\x01" if value else b"\x00"
        case float():
            return _of_float(value)
        case str():
            return value.encode().replace(b"\x00", _ESCAPED) + _END
        case bytes():
            return value.replace(b"\x00", _ESCAPED) + _END
    if isinstance(kind, DecimalType):
        return (int(_EXACT.scaleb(value, kind.scale)) + _WIDE_SIGN).to_bytes(16, "big")
    if isinstance(value, int) and (is_integer(kind) or isinstance(kind, ScalarType)):
        return (value + _SIGN).to_bytes(8, "big")
    raise InternalError(f"no order of {kind!r}")


def _of_float(value: float) -> bytes:
    """Negative numbers reversed, NaN (one for all) after infinity, one zero."""
    bits = int.from_bytes(struct.pack(">d", math.nan if math.isnan(value) else value + 0.0))
    return ((bits ^ (2 * _SIGN - 1)) if bits & _SIGN else bits | _SIGN).to_bytes(8, "big")

"""The keys that a caller names rows by, in whatever form, as a table of key columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from storage.conform import conform, to_arrow
from storage.errors import InvalidRequest
from storage.schema import Column, TableSchema, arrow_type, type_name

__all__ = ["key_rows", "plain_keys"]


def key_rows(keys: Any, schema: TableSchema, table_name: str) -> pa.Table:
    """Keys in the logical types of the key's columns.

    Args:
        keys: a frame (polars, pyarrow, pandas) that has the key's columns, and no others; or a
            sequence of values (a list, an array, a series), of tuples in the key's order, or of
            mappings by name; or one value.
        schema: of the key's columns alone, in the key's order.
    Raises:
        InvalidRequest: what is given is neither, or a value does not fit its column.
    """
    keys = _listed(keys)
    if _is_frame(keys):
        return conform(keys, schema, table_name)
    items = list(keys) if isinstance(keys, Sequence | set | range) and _many(keys) else [keys]
    rows = [_row(item, schema.columns, table_name) for item in items]
    columns = {
        column.name: _values([row[i] for row in rows], column, table_name)
        for i, column in enumerate(schema.columns)
    }
    return conform(pa.table(columns), schema, table_name)


def plain_keys(keys: Any) -> Any:
    """Keys in a form that travels between processes: frames as Arrow tables."""
    keys = _listed(keys)
    return to_arrow(keys, "keys") if _is_frame(keys) else keys


def _listed(keys: Any) -> Any:
    """Arrays and series as lists; others as they are."""
    if isinstance(keys, pa.Array | pa.ChunkedArray):
        return keys.to_pylist()
    if isinstance(keys, np.ndarray | pl.Series) or type(keys).__name__ == "Series":
        return keys.tolist() if hasattr(keys, "tolist") else keys.to_list()
    return keys


def _is_frame(keys: Any) -> bool:
    return (
        hasattr(keys, "__arrow_c_stream__")
        or hasattr(keys, "__dataframe__")
        or hasattr(keys, "collect_schema")
    )


def _many(keys: Any) -> bool:
    """Is this a sequence of keys, not one key?"""
    return not isinstance(keys, str | bytes | tuple)


def _row(item: Any, columns: Sequence[Column], table_name: str) -> Sequence[Any]:
    names = [column.name for column in columns]
    if isinstance(item, Mapping):
        if set(item) != set(names):
            raise InvalidRequest(
                f"table {table_name}: a key has the columns {names}, found {sorted(item)}"
            )
        return [item[name] for name in names]
    if isinstance(item, tuple):
        if len(item) != len(names):
            raise InvalidRequest(
                f"table {table_name}: a key is {len(names)} values ({', '.join(names)}), "
                f"found {len(item)}"
            )
        return item
    if len(names) > 1:
        raise InvalidRequest(
            f"table {table_name}: a key is a tuple ({', '.join(names)}), found {item!r}"
        )
    return [item]


def _values(values: list[Any], column: Column, table_name: str) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    try:  # values that Arrow has no one type for, such as a UUID
        return pa.array([_plain(v) for v in values], arrow_type(column.type))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(
            f"table {table_name}, column {column.name}: the keys are no "
            f"{type_name(column.type)} ({error})"
        ) from error


def _plain(value: Any) -> Any:
    return getattr(value, "bytes", value)

"""Rows on their way into a table with keys: their keys are made, and what is no key is refused.

Columns of a primary key are NOT NULL, which has been checked before; of another key a row with a
NULL has none, for NULL equals nothing. NaN is refused in both, and so are two rows with the same
key: which of them should stay is not ours to decide. Errors name table, constraint and one
offending key, as PostgreSQL's do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyroaring import BitMap

from storage.delete_bitmap import encode_positions, positions_of
from storage.errors import InvalidRequest
from storage.primary_key import Keys, Positions, is_exact, keys_of
from storage.schema import Column, Key, TableSchema

__all__ = [
    "RowKeys",
    "concatenated",
    "decode_row_keys",
    "indexed",
    "joined",
    "key_text",
    "keys_in",
    "row_keys",
]


@dataclass(frozen=True, slots=True)
class RowKeys:
    """The keys of rows: the i-th is that of row `rows[i]`, or of row i where `rows` is None.

    `rows`: int64, ascending.
    """

    keys: Keys
    rows: npt.NDArray[np.int64] | None = None

    def positions(self) -> npt.NDArray[np.int64]:
        """The row of each key."""
        return np.arange(len(self.keys), dtype=np.int64) if self.rows is None else self.rows

    def kept(self, keep: npt.NDArray[np.bool_]) -> RowKeys:
        """Of the rows that `keep` has, which are then numbered anew. `keep` is per row."""
        if self.rows is None:
            return RowKeys(self.keys.take(np.flatnonzero(keep)))
        chosen = keep[self.rows]
        numbers = np.cumsum(keep) - 1
        return RowKeys(self.keys.take(np.flatnonzero(chosen)), numbers[self.rows[chosen]])

    def taken(self, order: npt.NDArray[np.int64]) -> RowKeys:
        """Of the same rows in another order. Args: order: of each row, where it was."""
        if self.rows is None:
            return RowKeys(self.keys.take(order))
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.arange(len(order))
        moved = numbers[self.rows]
        ascending = np.argsort(moved)
        return RowKeys(self.keys.take(ascending), moved[ascending])

    def encode(self) -> tuple[bytes, bytes | None]:
        """The keys, and the rows as a RoaringBitmap, for `decode_row_keys`."""
        rows = None if self.rows is None else encode_positions(positions_of(self.rows))
        return self.keys.encode(), rows


def concatenated(parts: Sequence[Keys]) -> Keys:
    """Keys of one kind that follow one another; at least one part."""
    lows = [part.low for part in parts if part.low is not None]
    high = np.concatenate([part.high for part in parts])
    return Keys(high, np.concatenate(lows) if lows else None)


def indexed(keys: Mapping[int, RowKeys]) -> dict[int, tuple[Keys, Positions]]:
    """As `TableIndex.added` takes them."""
    return {key_id: (found.keys, found.positions()) for key_id, found in keys.items()}


def joined(parts: Sequence[RowKeys], row_counts: Sequence[int]) -> RowKeys:
    """The keys of rows that follow one another. Args: row_counts: of each part, keys or not."""
    keys = concatenated([part.keys for part in parts])
    if all(part.rows is None for part in parts):
        return RowKeys(keys)
    starts = np.cumsum([0, *row_counts[:-1]])
    rows = [part.positions() + start for part, start in zip(parts, starts, strict=True)]
    return RowKeys(keys, np.concatenate(rows))


def decode_row_keys(
    encoded: tuple[bytes, bytes | None], columns: Sequence[Column], row_count: int
) -> RowKeys:
    """What `RowKeys.encode` gave. Args: columns: of the key. Raises CorruptData."""
    data, bitmap = encoded
    rows = None
    if bitmap is not None:
        rows = np.array(BitMap.deserialize(bitmap).to_array(), dtype=np.int64)
    count = row_count if rows is None else len(rows)
    keys = Keys.decode(data, is_exact(tuple(columns)), count)
    return RowKeys(keys, rows)


def row_keys(
    rows: pa.Table, schema: TableSchema, keys: Sequence[Key], table_name: str
) -> dict[int, RowKeys]:
    """The keys of rows, by key id.

    Args:
        rows: in the logical types of `schema`; of its columns at least those of the keys.
    Raises:
        InvalidRequest: NaN in a key (22023), or two rows with the same key (23505).
    """
    return {key.id: _of_key(rows, schema, key, table_name) for key in keys}


def _of_key(rows: pa.Table, schema: TableSchema, key: Key, table_name: str) -> RowKeys:
    columns = tuple(c for c in map(schema.by_id, key.column_ids) if c is not None)
    _refuse_nan(rows, columns, key, table_name)
    made = keys_in(rows, columns)
    pair = made.keys.duplicates()
    if pair is not None:
        row = int(made.positions()[pair[0]])
        raise InvalidRequest(
            f'duplicate key value violates unique constraint "{key.name}" of table {table_name}: '
            f"{key_text(rows, columns, row)} is given twice",
            "23505",
        )
    return made


def keys_in(rows: pa.Table, columns: Sequence[Column]) -> RowKeys:
    """The keys of rows that a table has already: there is nothing to refuse."""
    having = _rows_without_null(rows, columns)
    part = rows.select([c.name for c in columns])
    return RowKeys(keys_of(part if having is None else part.take(having), tuple(columns)), having)


def _rows_without_null(rows: pa.Table, columns: Sequence[Column]) -> npt.NDArray[np.int64] | None:
    """The rows without a NULL in these columns; None if that is all of them."""
    if not any(rows[c.name].null_count for c in columns):
        return None
    valid = np.ones(rows.num_rows, dtype=np.bool_)
    for column in columns:
        valid &= pc.is_valid(rows[column.name]).to_numpy()
    return np.flatnonzero(valid).astype(np.int64)


def key_text(rows: pa.Table, columns: Sequence[Column], row: int) -> str:
    """`Key (a, b)=(1, x)` of one row, for messages."""
    names = ", ".join(c.name for c in columns)
    values = ", ".join(str(rows[c.name][row].as_py()) for c in columns)
    return f"Key ({names})=({values})"


def _refuse_nan(rows: pa.Table, columns: Sequence[Column], key: Key, table_name: str) -> None:
    for column in columns:
        values = rows[column.name]
        if not pa.types.is_floating(values.type):
            continue
        found = pc.index(pc.fill_null(pc.is_nan(values), False), True).as_py()
        if found >= 0:
            raise InvalidRequest(
                f'NaN in column "{column.name}" of table {table_name}: a key "{key.name}" holds '
                f"no NaN (row {found})",
                "22023",
            )

"""Sorting rows before they become micropartitions, so that bounds of files and stripes are tight.

Lexical order sorts by the first column, then the second, and so on; NaN comes after every number
and NULL after that. Z-order mixes the columns: each value becomes its rank within its column,
scaled to a fixed number of bits, and the bits of all columns are interleaved, highest first (G. M.
Morton, 1966). Ranks make every type usable and spread skewed values evenly. Both sorts are stable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from storage.errors import InvalidRequest

__all__ = ["ZORDER_COLUMNS_MAX", "interleaved", "rank_bits", "sort"]

ZORDER_COLUMNS_MAX = 8
CODE_BITS = 64
_CODE = "\0code"  # no column has this name: it cannot be written in SQL
RANK_BITS_MAX = 21  # a micropartition has at most 2^21 rows: finer ranks order nothing


def sort(table: pa.Table, columns: Sequence[str], order: str) -> pa.Table:
    """The rows of `table` in clustering order.

    Args:
        columns: names, most significant first; 1 to 8 for Z-order.
        order: "lexical" or "zorder".
    Returns: a table of the same schema.
    Raises:
        InvalidRequest: an unknown order, no columns, or too many for Z-order.
    """
    if order not in ("lexical", "zorder"):
        raise InvalidRequest(f"clustering order {order!r}: expected lexical or zorder")
    if not columns or (order == "zorder" and len(columns) > ZORDER_COLUMNS_MAX):
        raise InvalidRequest(
            f"clustering by {len(columns)} columns: expected 1 to {ZORDER_COLUMNS_MAX}"
        )
    if table.num_rows == 0:
        return table
    rows = _sorted(pl.DataFrame(table), columns, order)
    # Column by column, so that one column at a time exists twice. The schema says again what Polars
    # forgets: which columns are NOT NULL, and their metadata.
    arrays = [rows.drop_in_place(name).to_arrow() for name in table.column_names]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def _sorted(frame: pl.DataFrame, columns: Sequence[str], order: str) -> pl.DataFrame:
    if order == "lexical" or len(columns) == 1:
        return frame.sort(list(columns), nulls_last=True, maintain_order=True)
    codes = pl.Series(_CODE, _codes([frame[name] for name in columns]))
    # Sorting the frame by one more column is 7 times as fast as gathering by an order.
    return frame.with_columns(codes).sort(_CODE, maintain_order=True).drop(_CODE)


def _codes(columns: Sequence[pl.Series]) -> npt.NDArray[np.uint64]:
    """One Morton code per row, as unsigned 64-bit integers."""
    bits = rank_bits(len(columns))
    return interleaved([_ranks(column, bits) for column in columns])


def rank_bits(count: int) -> int:
    """How many bits a rank has in the code of so many columns."""
    return min(RANK_BITS_MAX, CODE_BITS // count)


def interleaved(ranks: Sequence[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    """One Morton code per row. Args: ranks: of each column, in [0, 2^rank_bits)."""
    count = len(ranks)
    codes = np.zeros(len(ranks[0]), np.uint64)
    for position, column in enumerate(ranks):
        codes |= _spread(column, rank_bits(count), count) << np.uint64(count - 1 - position)
    return codes


def _ranks(column: pl.Series, bits: int) -> npt.NDArray[np.uint64]:
    """Ranks of the values (equal values equal, NULL last), scaled to [0, 2^bits)."""
    rows = len(column)
    ranks = (column.rank("min") - 1).cast(pl.UInt64).fill_null(rows - column.null_count())
    scaled: npt.NDArray[np.uint64] = (ranks.to_numpy() << np.uint64(bits)) // np.uint64(rows)
    return scaled


def _spread(ranks: npt.NDArray[np.uint64], bits: int, stride: int) -> npt.NDArray[np.uint64]:
    """Bit i of each rank moved to bit i * stride, a byte at a time through a table."""
    byte = np.arange(256, dtype=np.uint64)
    table = np.zeros(256, np.uint64)
    for bit in range(8):
        table |= ((byte >> np.uint64(bit)) & np.uint64(1)) << np.uint64(bit * stride)
    spread = np.zeros(len(ranks), np.uint64)
    for first in range(0, bits, 8):
        part = table[(ranks >> np.uint64(first)) & np.uint64(0xFF)]
        spread |= part << np.uint64(first * stride)
    return spread

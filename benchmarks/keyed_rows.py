"""Rows with a key, for the benchmarks of writes: tables as Parquet files, and batches of upserts.

    id BIGINT (the key)   0, 1, 2, … in the order of the files
    a  BIGINT             0 to 999,999
    b  DOUBLE PRECISION   uniform in [0, 1)
    c  TEXT               "item-" and a number of 1 to 9 digits

A file is made from the seed and its place alone, so a table of 100 million rows begins with the
files of one of 2 million. A batch is half new rows, numbered on from the end of the table, and half
replacements of rows of the table as it was loaded, chosen uniformly over all of it; within a batch
no key comes twice. What is there is used again; a file is renamed into place when it is whole.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

__all__ = ["SCHEMA", "batch", "batch_files", "batch_keys", "expected", "table_files"]

FILE_ROWS = 2_000_000
ROW_GROUP_ROWS = 250_000
A_LIMIT = 1_000_000
C_LIMIT = 1_000_000_000
_TABLE, _BATCH = 0, 1  # so that no stream of random numbers serves twice

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        pa.field("a", pa.int64()),
        pa.field("b", pa.float64()),
        pa.field("c", pa.string()),
    ]
)


def table_files(directory: Path, rows: int, seed: int) -> list[Path]:
    """Parquet files of a table of `rows` rows, of at most 2 million rows each."""
    found = []
    for first in range(0, rows, FILE_ROWS):
        count = min(FILE_ROWS, rows - first)
        path = directory / f"seed-{seed}" / f"rows-{first:010d}-{count}.parquet"
        if not path.exists():
            _write_groups(path, first, count, seed)
        found.append(path)
    return found


def batch_files(
    directory: Path, table_rows: int, batch_rows: int, batches: int, seed: int
) -> list[Path]:
    """A file per batch. Their size is what a batch takes compressed (Parquet, zstd)."""
    found = []
    for number in range(batches):
        name = f"batches-{table_rows}-{batch_rows}"
        path = directory / f"seed-{seed}" / name / f"{number:06d}.parquet"
        if not path.exists():
            _write(path, batch(table_rows, batch_rows, number, seed))
        found.append(path)
    return found


def batch(table_rows: int, batch_rows: int, number: int, seed: int) -> pa.Table:
    """The rows of one batch, in no order."""
    random = np.random.default_rng([seed, _BATCH, table_rows, number])
    return _rows(random, batch_keys(random, table_rows, batch_rows, number))


def batch_keys(
    random: np.random.Generator, table_rows: int, batch_rows: int, number: int
) -> np.ndarray:
    """Keys of batch `number`: half of [0, table_rows), all different, half above all before."""
    old_count = min(batch_rows // 2, table_rows)
    new_count = batch_rows - old_count
    old = random.choice(table_rows, size=old_count, replace=False)
    first = table_rows + number * new_count
    keys = np.concatenate([old, np.arange(first, first + new_count)])
    random.shuffle(keys)
    return keys


@functools.lru_cache(maxsize=4)  # systems that wrote all batches ask the same
def expected(tables: tuple[Path, ...], batches: tuple[Path, ...]) -> tuple[int, int]:
    """Count of rows and sum of `a` once all the batches have been written over the table."""
    import polars as pl  # peers, which make batches, have none

    last = pl.concat([pl.read_parquet(path) for path in batches]).unique("id", keep="last")
    table = pl.scan_parquet(list(tables))
    total = table.select(pl.len(), pl.col("a").sum())
    gone = table.filter(pl.col("id").is_in(last["id"].implode())).select(pl.len(), pl.sum("a"))
    (count, a), (gone_count, gone_a) = (
        found.row(0) for found in pl.collect_all([total, gone], engine="streaming")
    )
    return count - gone_count + last.height, a - gone_a + last["a"].sum()


def _write_groups(path: Path, first: int, count: int, seed: int) -> None:
    random = np.random.default_rng([seed, _TABLE, first])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
        for start in range(first, first + count, ROW_GROUP_ROWS):
            end = min(start + ROW_GROUP_ROWS, first + count)
            writer.write_table(_rows(random, np.arange(start, end)))
    partial.rename(path)


def _write(path: Path, rows: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    pq.write_table(rows, partial, compression="zstd")
    partial.rename(path)


def _rows(random: np.random.Generator, keys: np.ndarray) -> pa.Table:
    numbers = pa.array(random.integers(0, C_LIMIT, len(keys))).cast(pa.string())
    columns = [
        pa.array(keys),
        pa.array(random.integers(0, A_LIMIT, len(keys))),
        pa.array(random.random(len(keys))),
        pc.binary_join_element_wise("item", numbers, "-"),
    ]
    return pa.table(columns, schema=SCHEMA)

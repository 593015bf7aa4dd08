"""Polars hears how many rows a scan has, and joins in the order of the text all the same.

Both rest on options of Polars that a new version may change: then these tests say so.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from actors.compute.execution import optimizations
from storage.conform import conform
from storage.micropartition.reader import ScanFile, ScanGroup, scan
from storage.micropartition.writer import write
from storage.schema import Column, Kind, ScalarType, TableSchema

COLUMNS = (
    Column(id=1, name="k", type=ScalarType(kind=Kind.BIGINT)),
    Column(id=2, name="j", type=ScalarType(kind=Kind.BIGINT)),
)
SCHEMA = TableSchema(version=1, columns=COLUMNS)
ROWS = {"a": 900, "b": 9, "c": 90}


def frame(directory: Path, name: str, rows: int, *, counted: bool = True) -> pl.LazyFrame:
    """A scan of two files with so many rows each."""
    files = []
    for number in range(2):
        path = directory / f"{name}{number}.parquet"
        values = pl.DataFrame({"k": range(rows), "j": [n % 10 for n in range(rows)]})
        write(conform(values.to_arrow(), SCHEMA, name), SCHEMA, path.name, path)
        files.append(ScanFile(path=path, row_count=rows if counted else None))
    return scan([ScanGroup(columns=COLUMNS, files=tuple(files))], COLUMNS)


def test_polars_hears_the_rows_of_all_files(tmp_path: Path) -> None:
    assert "ESTIMATED ROWS: 20" in frame(tmp_path, "a", 10).explain()


def test_without_counts_polars_has_no_estimate(tmp_path: Path) -> None:
    assert "ESTIMATED" not in frame(tmp_path, "a", 10, counted=False).explain()


@pytest.mark.parametrize("order", ["abc", "bca", "cba", "acb"])
def test_joins_run_in_the_order_of_the_text(tmp_path: Path, order: str) -> None:
    frames = {name: frame(tmp_path, name, rows) for name, rows in ROWS.items()}
    x, y, z = list(order)
    sql = f"SELECT {x}.k FROM {x} JOIN {y} ON {x}.j = {y}.j JOIN {z} ON {z}.j = {x}.j"
    plan = pl.SQLContext(frames=frames).execute(sql).explain(optimizations=optimizations())
    assert re.findall(r"SCAN \[.*?/(\w)0\.parquet", plan) == [x, y, z]

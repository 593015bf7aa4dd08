"""Queries that would take several times their budget stay within it, each in a process of its own.

Measured is the memory that the process writes to (`actors.compute.memory`), all of it, against the
budget that its worker was given.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

SCRIPT = Path(__file__).with_name("within_budget.py")
QUERIES = {
    "distinct": "SELECT count(DISTINCT s), count(DISTINCT s) FROM x",
    "except": "SELECT count(*) FROM (SELECT k, s FROM x EXCEPT SELECT k + 1, s FROM x) e",
    "groups": "SELECT count(*), sum(n) FROM (SELECT k, s, sum(v) AS n FROM x GROUP BY k, s) g",
    "join": "SELECT count(*), sum(l.v + r.v) FROM x l JOIN x r ON l.k = r.k AND l.s = r.s",
    "left join": "SELECT count(r.k), max(r.s) FROM x l LEFT JOIN x r ON l.k = r.k + 1",
    "sort": "SELECT * FROM x ORDER BY s, k",
    "window": "SELECT max(n) FROM (SELECT rank() OVER (PARTITION BY v ORDER BY k, s) n FROM x) w",
}
PARTS = 8


def written(directory: Path, rows: int) -> str:
    """A table of so many rows as files: k and s are different in most rows, v has 1,000 values."""
    for part in range(PARTS):
        number = pl.int_range(part, rows, PARTS, eager=True)
        mixed = (number * 7_919) % (rows // 2)
        data = {
            "k": mixed,
            "v": number % 1_000,
            "s": mixed.cast(pl.String) + "-text of some length",
        }
        pl.DataFrame(data).write_parquet(directory / f"{part}.parquet")
    return f"read_parquet('{directory}/*.parquet')"


def measured(directory: Path, name: str, table: str, budget_mb: int | None) -> dict[str, Any]:
    """What a process reports that runs the query."""
    sql = QUERIES[name].replace("FROM x", f"FROM {table} x").replace("JOIN x", f"JOIN {table} x")
    sql = sql.replace(" x l", " l").replace(" x r", " r")
    how = {"directory": str(directory), "sql": sql, "budget_mb": budget_mb}
    how["export"] = name == "sort"
    done = subprocess.run(
        [sys.executable, str(SCRIPT), json.dumps(how)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", ["groups", "join", "sort"])
def test_a_query_stays_within_its_budget(name: str, tmp_path: Path) -> None:
    found = measured(tmp_path, name, written(tmp_path, 2_000_000), 288)
    assert found["spilled_mb"] > 5, found
    assert found["peak_mb"] <= 288, found


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(QUERIES))
def test_a_query_of_several_times_its_budget_does_too(name: str, tmp_path: Path) -> None:
    table = written(tmp_path, 12_000_000)
    found = measured(tmp_path, name, table, 384)
    without = measured(tmp_path, name, table, None)
    sys.stdout.write(f"{name}: {without} without a budget, {found} with one\n")
    assert found["rows"] == without["rows"]
    assert found["peak_mb"] <= 384, found
    assert found["spilled_mb"] > 10

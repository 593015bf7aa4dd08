"""What exact money costs: TPC-H queries 1, 6 and 9 with DECIMAL as scaled integers, as Polars'
Decimal, and as floats, all in one process and on one engine.

    python -m benchmarks.decimals --scale 1 --json benchmarks/results/decimals.json

The same rows are loaded three times. The columns of money and quantities are DECIMAL(15, 2), which
travels as 64-bit scaled integers; DECIMAL(38, 2), which travels as Polars' Decimal; and DOUBLE
PRECISION. Every query runs on the three in turn, and who begins changes each time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

import warehouse
from benchmarks.environment import BENCH_DIRECTORY
from warehouse import Database
from warehouse.tpch import TABLES, generate, queries, schema_sql

QUERIES = (1, 6, 9)
VARIANTS = {
    "scaled integers": ("DECIMAL(15,2)", pl.Decimal(15, 2)),
    "Polars Decimal": ("DECIMAL(38,2)", pl.Decimal(38, 2)),
    "floats": ("DOUBLE PRECISION", pl.Float64()),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print medians and ratios to floats; returns 0."""
    options = _options(arguments)
    data = options.data or BENCH_DIRECTORY / f"tpch-sf{options.scale:g}"
    tables = generate(data, options.scale)
    times: dict[str, dict[int, list[float]]] = {}
    with tempfile.TemporaryDirectory() as directory:
        databases = {
            name: _load(Path(directory) / name.replace(" ", "-"), name, tables) for name in VARIANTS
        }
        times = {name: {query: [] for query in QUERIES} for name in databases}
        texts = queries()
        for turn in range(options.runs + 1):
            names = list(databases)
            for query in QUERIES:
                for name in names[turn % 3 :] + names[: turn % 3]:
                    start = time.perf_counter()
                    databases[name].sql(texts[query]).arrow()
                    if turn:  # the first is the warm-up
                        times[name][query].append((time.perf_counter() - start) * 1000)
        for database in databases.values():
            database.close()
    report = _report(options.scale, times)
    print(_markdown(report))
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


def _load(root: Path, name: str, tables: dict[str, Path]) -> Database:
    print(f"load: {name}", file=sys.stderr)
    sql_type, polars_type = VARIANTS[name]
    database = warehouse.connect(str(root / "db"), engine="local")
    for table, statement in zip(TABLES, schema_sql(), strict=True):
        database.sql(statement.replace("DECIMAL(15,2)", sql_type))
        path = root / f"{table}.parquet"
        money = pl.selectors.decimal()
        pl.scan_parquet(tables[table]).with_columns(money.cast(polars_type)).sink_parquet(path)
        database.load(table, str(path))
    return database


def _report(scale: float, times: dict[str, dict[int, list[float]]]) -> dict[str, Any]:
    medians = {
        name: {str(query): statistics.median(found) for query, found in by_query.items()}
        for name, by_query in times.items()
    }
    ratios = {
        name: {query: ms / medians["floats"][query] for query, ms in by_query.items()}
        for name, by_query in medians.items()
    }
    return {"scale_factor": scale, "median_ms": medians, "ratio_to_floats": ratios}


def _markdown(report: dict[str, Any]) -> str:
    lines = ["| | " + " | ".join(f"Q{query}, ms" for query in QUERIES) + " | ratio to floats |"]
    lines.append("|---|" + "---|" * (len(QUERIES) + 1))
    for name, medians in report["median_ms"].items():
        ratios = report["ratio_to_floats"][name].values()
        cells = " | ".join(f"{ms:.0f}" for ms in medians.values())
        lines.append(f"| {name} | {cells} | {', '.join(f'{ratio:.2f}' for ratio in ratios)} |")
    return "\n".join(lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--data", type=Path, help="where the Parquet files are or will be")
    parser.add_argument("--json", type=Path, help="write the report here too")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

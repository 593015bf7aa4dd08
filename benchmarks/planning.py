"""How long planning takes: every TPC-H query for the first time, and from the plan cache.

    python -m benchmarks.planning --scale 0.01

First time means parsing, binding, optimising and pruning with nothing kept from before. The
worker lowers the plan to Polars each time; that is part of the execution time of a query.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import warehouse
from actors.messages import Statement
from actors.planner import Latest, QueryPlan
from benchmarks.environment import BENCH_DIRECTORY
from storage.snapshot.model import Snapshot
from warehouse.planning.planner import SqlPlanner
from warehouse.tpch import generate, queries, schema_sql


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per query and the medians; returns 0."""
    options = _options(arguments)
    data = options.data or BENCH_DIRECTORY / f"tpch-sf{options.scale:g}"
    tables = generate(data, options.scale)
    with tempfile.TemporaryDirectory() as directory:
        with warehouse.connect(str(Path(directory) / "db"), engine="local") as database:
            for statement in schema_sql():
                database.sql(statement)
            for table, path in tables.items():
                database.load(table, str(path))
            snapshot = database.snapshot()
        first, cached = [], []
        for number, text in queries().items():
            ms = statistics.median(_first(text, snapshot) for _ in range(options.runs))
            again = statistics.median(_cached(text, snapshot, options.runs))
            first.append(ms)
            cached.append(again)
            print(f"Q{number:<2}  first {ms:6.2f} ms   cached {again:6.3f} ms")
    print(
        f"median  first {statistics.median(first):.2f} ms (max {max(first):.2f}),"
        f" cached {statistics.median(cached):.3f} ms (max {max(cached):.3f})"
    )
    return 0


def _first(text: str, snapshot: Snapshot) -> float:
    planner = SqlPlanner()
    return _timed(lambda: _plan(planner, text, snapshot))


def _cached(text: str, snapshot: Snapshot, runs: int) -> list[float]:
    planner = SqlPlanner()
    _plan(planner, text, snapshot)
    return [_timed(lambda: _plan(planner, text, snapshot)) for _ in range(runs)]


def _plan(planner: SqlPlanner, text: str, snapshot: Snapshot) -> None:
    plan = planner.plan(planner.parse(Statement(sql=text)), {Latest(): snapshot})
    assert isinstance(plan, QueryPlan)


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--data", type=Path, help="where the Parquet files are or will be")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

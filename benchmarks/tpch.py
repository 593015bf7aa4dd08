"""TPC-H: Mobula on a one-worker virtual warehouse, beside DuckDB and Polars on the same files.

    python -m benchmarks.tpch --scale 1 --json benchmarks/results/tpch.json

Steps (README.md in this directory says how to read the numbers):
1. Generate the Parquet files once; every system loads or registers the same ones.
2. Warm up: each system answers each query once, and its answer is held against DuckDB's. A query
   that fails or differs is reported and not timed.
3. Measure in turns: query by query, every system runs it before any goes on, and who begins
   changes each time; so noise of the machine hits all alike.
4. Report medians.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pyarrow import feather

from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.report import Report, markdown, write_json
from benchmarks.systems import NAMES, Measured, System, SystemFailedError, open_system
from warehouse.tpch import Answer, answer_of, difference, generate, queries


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every system answered every query as the reference did, else 1."""
    options = _options(arguments)
    report = Report(
        scale_factor=options.scale,
        runs=options.runs,
        threads=options.threads,
        machine=machine(),
        queries=options.queries,
    )
    say(f"data: TPC-H at scale factor {options.scale:g}")
    tables = generate(options.data or BENCH_DIRECTORY / f"tpch-sf{options.scale:g}", options.scale)
    with contextlib.ExitStack() as stack:
        systems = []
        for name in options.systems:
            system = open_system(name, options.threads)
            stack.callback(system.close)
            _prepare(report, system, tables)
            systems.append(system)
        _warm_up(report, systems)
        _measure(report, systems)
    print(markdown(report))
    for system_name, failures in report.failures.items():
        for query, reason in failures.items():
            print(f"{system_name}, query {query}: {reason}")
    if options.json is not None:
        write_json(report, options.json)
    return int(any(report.failures.values()))


def _prepare(report: Report, system: System, tables: dict[str, Path]) -> None:
    say(f"prepare: {system.name}")
    start = time.perf_counter()
    report.versions[system.name] = system.prepare(tables)
    report.prepare_seconds[system.name] = time.perf_counter() - start
    report.times_ms[system.name] = {query: [] for query in report.queries}
    report.failures[system.name] = {}


def _warm_up(report: Report, systems: list[System]) -> None:
    """Run every query once and compare the answers, DuckDB's being the reference."""
    in_turn = sorted(systems, key=lambda system: not system.name.startswith("duckdb"))
    with tempfile.TemporaryDirectory() as directory:
        for query in report.queries:
            say(f"warm up: query {query}")
            reference: tuple[str, Answer] | None = None
            for system in in_turn:
                path = Path(directory) / f"{system.name}-{query}.arrow"
                measured = _run(report, system, query, path)
                if measured is None:
                    continue
                report.rows.setdefault(query, measured.rows)
                found = answer_of(query, feather.read_table(path))
                reference = reference or (system.name, found)
                apart = difference(found, reference[1])
                if apart is not None:
                    report.failures[system.name][query] = f"differs from {reference[0]}: {apart}"


def _measure(report: Report, systems: list[System]) -> None:
    for run in range(report.runs):
        for position, query in enumerate(report.queries):
            say(f"run {run + 1} of {report.runs}: query {query}")
            first = (run + position) % len(systems)
            for system in systems[first:] + systems[:first]:
                if query not in report.failures[system.name]:
                    measured = _run(report, system, query)
                    if measured is not None:
                        report.times_ms[system.name][query].append(measured.ms)


def _run(report: Report, system: System, query: int, answer: Path | None = None) -> Measured | None:
    """Run a query; a failure goes into the report."""
    try:
        return system.run(query, answer)
    except SystemFailedError as error:
        report.failures[system.name][query] = str(error)
        return None


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tpch", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--scale", type=float, default=1.0, help="scale factor (1)")
    parser.add_argument("--runs", type=int, default=5, help="measured runs after one warm-up (5)")
    parser.add_argument("--threads", type=int, default=2, help="cores for every system (2)")
    parser.add_argument(
        "--queries", type=int, nargs="+", choices=sorted(queries()), default=sorted(queries())
    )
    parser.add_argument(
        "--systems", nargs="+", choices=NAMES, default=NAMES, help="ratios are to the first one"
    )
    parser.add_argument(
        "--data", type=Path, help="directory of the Parquet files (.bench/tpch-sf…)"
    )
    parser.add_argument("--json", type=Path, help="write everything that was measured here")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

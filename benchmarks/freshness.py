"""How soon a virtual warehouse on Ray sees what was committed: with pushes, and by polling alone.

    python -m benchmarks.freshness --rate 10 --json benchmarks/results/freshness.json

A process of its own writes batches at a fixed rate; this one looks at a virtual warehouse, again
and again. A commit is visible when the first look has been answered at its LSN or later; the delay
is counted from the writer's receipt. Four measurements, one after the other:

    push   the virtual warehouse on Ray, which the primary tells of every commit
    poll   the same code in this process, which nobody tells: it looks at the log every --poll-ms
    query  looks by a query, SELECT count(*) FROM t WHERE id = 0, as a user would
    status looks by the LSN in the status of the coordinator: what it knows, without a query
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import warehouse
from actors.settings import Settings
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.freshness_report import (
    FreshnessReport,
    Sighting,
    Written,
    markdown,
    way,
    write_json,
)
from benchmarks.keyed_rows import batch, table_files
from warehouse.demo.private_ray import private_ray

CPUS = 4  # logical, for primary, coordinator, worker and loading tasks
WAREHOUSE = "bench"
LOOK = "SELECT count(*) FROM t WHERE id = 0"
STATUS_PAUSE_S = 0.001  # so that looking does not take a core from those who are looked at
END_SECONDS = 5.0  # beyond poll_ms, for the last commits to be seen
COLUMNS = "id BIGINT{key}, a BIGINT, b DOUBLE PRECISION, c TEXT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every commit was seen, else 1."""
    options = _options(arguments)
    report = FreshnessReport(
        write=options.write,
        table_rows=options.rows,
        batch_rows=options.batch_rows,
        rate=options.rate,
        seconds=options.seconds,
        poll_ms=options.poll_ms,
        seed=options.seed,
        machine=machine(),
    )
    root = options.directory.absolute()
    shutil.rmtree(root, ignore_errors=True)
    with private_ray(CPUS):
        database = warehouse.connect(str(root), settings=Settings(poll_ms=options.poll_ms))
        try:
            _prepare(database, options)
            _measure(report, database, str(root), options)
        finally:
            database.shutdown()
    if not options.keep:
        shutil.rmtree(root, ignore_errors=True)
    print(markdown(report))
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        from benchmarks.plots import plot_freshness

        plot_freshness(report, options.plot)
    return int(any(one.unseen for one in report.ways))


def _prepare(database: warehouse.Database, options: argparse.Namespace) -> None:
    say(f"load: {options.rows:,} rows")
    key = " PRIMARY KEY" if options.write == "upsert" else ""
    database.sql(f"CREATE TABLE t ({COLUMNS.format(key=key)})")
    files = table_files(options.data, options.rows, options.seed)
    database.load("t", [str(path) for path in files])
    database.create_virtual_warehouse(WAREHOUSE)


def _measure(
    report: FreshnessReport, database: warehouse.Database, root: str, options: argparse.Namespace
) -> None:
    settings = Settings(poll_ms=options.poll_ms)
    with warehouse.connect(root, engine="local", settings=settings) as alone:
        ways = [
            ("push", database.virtual_warehouse(WAREHOUSE)),
            ("poll", alone.virtual_warehouse(WAREHOUSE)),
        ]
        for number, (mode, probe) in enumerate(
            (mode, probe) for mode in range(len(ways)) for probe in ("query", "status")
        ):
            name, found = ways[mode]
            say(f"{name}, {probe}")
            look = _query(found) if probe == "query" else _status(found)
            written, sightings = _run(look, root, number, options)
            report.ways.append(way(name, probe, written, sightings))


def _query(found: warehouse.VirtualWarehouse) -> Callable[[], int]:
    return lambda: found.sql(LOOK).stats.snapshot_lsn


def _status(found: warehouse.VirtualWarehouse) -> Callable[[], int]:
    def look() -> int:
        time.sleep(STATUS_PAUSE_S)
        return int(found.status()["lsn"])

    return look


def _run(
    look: Callable[[], int], root: str, number: int, options: argparse.Namespace
) -> tuple[list[Written], list[Sighting]]:
    """Look until the writer has ended and its last commit was seen, or long enough."""
    look()
    import ray

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    task = (theirs, ray.get_runtime_context().gcs_address, root, number, options)
    writer = context.Process(target=write_steadily, args=task, daemon=True)
    writer.start()
    theirs.close()
    written: list[Written] | None = None
    sightings: list[Sighting] = []
    deadline = float("inf")
    while time.monotonic() < deadline:
        asked = time.monotonic()
        lsn = look()
        sightings.append(Sighting(asked=asked, answered=time.monotonic(), lsn=lsn))
        if written is None and ours.poll():
            written = ours.recv()  # EOFError, when the writer broke off: it has said why on stderr
            deadline = time.monotonic() + options.poll_ms / 1000 + END_SECONDS
        if written is not None and lsn >= written[-1].lsn:
            break
    writer.join()
    assert written is not None
    return written, sightings


def write_steadily(
    results: Connection, ray_address: str, root: str, number: int, options: argparse.Namespace
) -> None:
    """The writer's process: a batch every 1/rate seconds. One that comes late is written at once,
    and the next ones are not put off for it."""
    os.environ["RAY_ADDRESS"] = ray_address
    count = max(2, int(options.seconds * options.rate))
    first = number * count  # so that new rows of every measurement are new
    batches = [
        batch(options.rows, options.batch_rows, first + place, options.seed)
        for place in range(count)
    ]
    with warehouse.connect(root) as database:
        write: Any = getattr(database.table("t"), options.write)
        written = []
        start = time.monotonic() + 1 / options.rate
        for place, rows in enumerate(batches):
            time.sleep(max(0.0, start + place / options.rate - time.monotonic()))
            begun = time.monotonic()
            commit = write(rows)
            written.append(Written(lsn=commit.lsn, begun=begun, received=time.monotonic()))
        results.send(written)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--rows", type=int, default=2_000_000, help="rows of the table (2 million)")
    add("--batch-rows", type=int, default=1_000, help="rows of a batch, half of them new (1000)")
    add("--rate", type=float, default=10.0, help="batches per second (10)")
    add("--seconds", type=float, default=30.0, help="of each of the four measurements (30)")
    add("--poll-ms", type=int, default=1_000, help="how often one looks unasked (1000)")
    add(
        "--write",
        choices=["upsert", "append"],
        default="upsert",
        help="append: to a table without a key",
    )
    add("--seed", type=int, default=1, help="of all random values (1)")
    add("--data", type=Path, default=BENCH_DIRECTORY / "keyed-rows", help="the Parquet files")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "freshness", help="the database")
    add("--keep", action="store_true", help="do not delete the database")
    add("--json", type=Path, help="write everything that was measured here")
    add("--plot", type=Path, help="draw which share was visible within a time (.svg, .png)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

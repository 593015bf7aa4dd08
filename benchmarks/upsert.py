"""Durable upserts into tables of growing size: Mobula beside DuckDB, Lance, delta-rs and PyIceberg.

    python -m benchmarks.upsert --rows 2000000 20000000 --json benchmarks/results/upsert.json

Steps, for each size of the table (README.md in this directory says how to read the numbers):
1. Make the files of the table and of the batches once; every system reads the same ones.
2. Each system loads the table, alone, in a process that then ends. All of it is on the disk before
   anything is measured.
3. Each system opens it in a new process and writes a first batch: that is the time to recover.
4. Batch by batch, every system writes it before any goes on, and who begins changes each time; so
   noise of the machine hits all alike. A system that has used up its time stops; one that does not
   return from a batch within that time is ended.
5. Each system's rows are counted and summed, and held against what the batches should have made.
6. Each system is opened in a new process once more, and writes one batch.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.keyed_rows import batch_files, expected, table_files
from benchmarks.upsert_report import Outcome, UpsertReport, markdown, write_json
from benchmarks.writers import SYSTEMS, WriterFailedError, WriterProcess, WriterSystem

DEFAULT_SYSTEMS = [name for name in SYSTEMS if name != "mobula-ray"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when no system failed or had other rows than it should, else 1."""
    options = _options(arguments)
    report = UpsertReport(
        batch_rows=options.batch_rows,
        batches=options.batches,
        seconds=options.seconds,
        seed=options.seed,
        machine=machine(),
    )
    for rows in options.rows:
        _measure(report, rows, options)
        if options.json is not None:  # a long run leaves behind what it had when it broke off
            write_json(report, options.json)
    print(markdown(report))
    if options.plot is not None:
        from benchmarks.plots import plot_upserts

        plot_upserts(report, options.plot)
    return int(any(o.failure for found in report.outcomes.values() for o in found.values()))


@dataclass(slots=True)
class Contender:
    """A system on its way through one size."""

    system: WriterSystem
    directory: Path
    outcome: Outcome
    process: WriterProcess | None = None
    spent_seconds: float = 0.0
    batches_done: int = 0
    before: dict[str, Any] = field(default_factory=dict)


def _measure(report: UpsertReport, rows: int, options: argparse.Namespace) -> None:
    say(f"{rows:,} rows: data")
    tables = table_files(options.data, rows, options.seed)
    batches = batch_files(options.data, rows, options.batch_rows, options.batches + 2, options.seed)
    sizes = [path.stat().st_size for path in batches]
    report.batch_parquet_bytes = round(statistics.median(sizes))
    contenders = [
        Contender(system, options.directory / name, Outcome(synced=system.synced))
        for name, system in ((name, SYSTEMS[name]) for name in options.systems)
        if system.rows_max is None or rows <= system.rows_max
    ]
    report.outcomes[rows] = {one.system.name: one.outcome for one in contenders}
    try:
        for one in contenders:
            say(f"{rows:,} rows: {one.system.name} loads")
            _attempt(one, _load, tables, options)
        say(f"{rows:,} rows: what was loaded goes to the disk")
        os.sync()
        for one in contenders:
            say(f"{rows:,} rows: {one.system.name} opens")
            _attempt(one, _open, batches[0], options)
        _rounds(contenders, batches, options)
        for one in contenders:
            say(f"{rows:,} rows: {one.system.name} is checked and opened again")
            _attempt(one, _finish, tables, batches, options)
    finally:
        for one in contenders:
            _end(one)
            if not options.keep:
                shutil.rmtree(one.directory, ignore_errors=True)


def _load(one: Contender, tables: list[Path], options: argparse.Namespace) -> None:
    shutil.rmtree(one.directory, ignore_errors=True)
    one.directory.parent.mkdir(parents=True, exist_ok=True)
    process = _start(one)
    files = [str(path.absolute()) for path in tables]
    directory = str(one.directory.absolute())
    reply = process.ask(options.load_seconds, load=files, directory=directory)
    one.outcome.version = reply["version"]
    one.outcome.load_seconds = reply["seconds"]
    one.outcome.load_peak_bytes = process.ask(options.seconds, usage=0)["peak_bytes"]
    _end(one)
    one.outcome.disk_bytes = _size(one.directory)


def _open(one: Contender, batch: Path, options: argparse.Namespace) -> None:
    one.outcome.first_seconds = _first_commit(one, batch, options)
    assert one.process is not None
    one.before = one.process.ask(options.seconds, usage=0)


def _first_commit(one: Contender, batch: Path, options: argparse.Namespace) -> float:
    """Seconds from opening, in a new process, to the return of one batch."""
    process = _start(one)
    opened = process.ask(options.load_seconds, open=str(one.directory.absolute()))
    written = process.ask(options.load_seconds, upsert=str(batch.absolute()))
    one.batches_done += 1
    return float(opened["seconds"]) + float(written["ms"]) / 1000


def _rounds(contenders: list[Contender], batches: list[Path], options: argparse.Namespace) -> None:
    for number in range(options.batches):
        first = number % len(contenders)
        for one in contenders[first:] + contenders[:first]:
            if one.outcome.failure is None and one.spent_seconds < options.seconds:
                say(f"batch {number + 1} of {options.batches}: {one.system.name}")
                _attempt(one, _upsert, batches[number + 1], options)


def _upsert(one: Contender, batch: Path, options: argparse.Namespace) -> None:
    assert one.process is not None
    reply = one.process.ask(options.seconds, upsert=str(batch.absolute()))
    one.spent_seconds += reply["ms"] / 1000
    one.batches_done += 1
    one.outcome.times_ms.append(reply["ms"])
    one.outcome.commit_bytes.append(reply["put_bytes"] or reply["written_bytes"])


def _finish(
    one: Contender, tables: list[Path], batches: list[Path], options: argparse.Namespace
) -> None:
    assert one.process is not None
    usage = one.process.ask(options.seconds, usage=0)
    one.outcome.peak_bytes = usage["peak_bytes"]
    one.outcome.cpu_ms = usage["cpu_ms"] - one.before["cpu_ms"]
    one.outcome.written_bytes = usage["written_bytes"] - one.before["written_bytes"]
    found = one.process.ask(options.load_seconds, check=0)
    rows, sum_a = expected(tuple(tables), tuple(batches[: one.batches_done]))
    if (found["rows"], found["sum_a"]) != (rows, sum_a):
        raise WriterFailedError(
            f"wrong: {found['rows']} rows with sum(a) {found['sum_a']}, expected {rows} and {sum_a}"
        )
    _end(one)
    one.outcome.again_seconds = _first_commit(one, batches[one.batches_done], options)


def _attempt(one: Contender, step: Callable[..., None], *arguments: Any) -> None:
    """Take a step with a system that has not failed yet; if it does now, note why and end it."""
    if one.outcome.failure is not None:
        return
    try:
        step(one, *arguments)
    except WriterFailedError as error:
        one.outcome.failure = str(error)
        if one.process is not None:
            one.process.kill()


def _start(one: Contender) -> WriterProcess:
    one.process = one.system.start()
    return one.process


def _end(one: Contender) -> None:
    process, one.process = one.process, None
    if process is not None:
        process.close()


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upsert", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    sizes = [2_000_000, 20_000_000, 100_000_000]
    add("--rows", type=int, nargs="+", default=sizes, help="rows of the table (2, 20, 100 million)")
    add("--batches", type=int, default=200, help="measured batches after a first one (200)")
    add("--batch-rows", type=int, default=10_000, help="rows of a batch, half of them new (10000)")
    add(
        "--seconds",
        type=float,
        default=120,
        help="a system begins no batch after so long in commits, and a commit ends by then (120)",
    )
    add(
        "--load-seconds",
        type=float,
        default=3600,
        help="for a load, an opening with its first commit, and the check (3600)",
    )
    add(
        "--systems",
        nargs="+",
        choices=list(SYSTEMS),
        default=DEFAULT_SYSTEMS,
        help="all but mobula-ray; iceberg takes part to 2 million rows",
    )
    add("--seed", type=int, default=1, help="of all random values (1)")
    add("--data", type=Path, default=BENCH_DIRECTORY / "keyed-rows", help="the Parquet files")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "upsert", help="the systems' tables")
    add("--keep", action="store_true", help="do not delete the systems' tables after each size")
    add("--json", type=Path, help="write everything that was measured here, after each size")
    add("--plot", type=Path, help="draw rows/s by size, and commits over batches (.svg, .png)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

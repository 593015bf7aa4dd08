"""Upserts at full speed for minutes, with maintenance and queries beside them: Mobula and Lance.

    python -m benchmarks.sustained --minutes 10 --json benchmarks/results/sustained.json

1. Each system loads the same table, alone, in a process that then ends, and opens it in another.
2. They take turns of a minute. In its turn a system writes batch after batch, half of each new and
   half replacing rows chosen over the whole table, and answers a query again and again. The
   process of the other is stopped (SIGSTOP) meanwhile: background work neither disturbs who is
   measured nor is done for free, and noise of the machine hits both alike. Who begins changes.
3. Before and after each turn the speed of the machine, which others use too, is looked at
   (`calibration.py`).
4. At the end rows are counted and summed up by a checksum of keys and values, and held against
   what the batches that were written should have made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.calibration import Calibration, calibration
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.keyed_rows import batch, table_files
from benchmarks.sustained_report import Run, SustainedReport, Turn, markdown, write_json
from benchmarks.writers import (
    WriterFailedError,
    WriterProcess,
    WriterSystem,
    sustained_systems,
)

NAMES = ("mobula", "lance")
MEASURED = ("batches", "seconds", "commit_ms", "query_ms", "rss_bytes")

Numbers = npt.NDArray[np.int64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when no system failed or had other rows than it should, else 1."""
    options = _options(arguments)
    report = SustainedReport(
        table_rows=options.rows,
        batch_rows=options.batch_rows,
        partitions=options.partitions,
        turn_seconds=options.turn_seconds,
        seed=options.seed,
        machine=machine(),
    )
    systems = sustained_systems(options.partitions, options.optimize_batches)
    say(f"{options.rows:,} rows: data")
    tables = table_files(options.data, options.rows, options.seed)
    contenders = [
        Contender(systems[name], options.directory / name, Run(synced=systems[name].synced))
        for name in options.systems
    ]
    report.runs = {one.system.name: one.run for one in contenders}
    try:
        _measure(contenders, tables, report, options)
    finally:
        for one in contenders:
            one.end()
            if not options.keep:
                shutil.rmtree(one.directory, ignore_errors=True)
    print(markdown(report))
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        from benchmarks.plots import plot_sustained

        plot_sustained(report, options.plot)
    return int(any(run.failure for run in report.runs.values()))


@dataclass(slots=True)
class Contender:
    """A system on its way through the run."""

    system: WriterSystem
    directory: Path
    run: Run
    process: WriterProcess | None = None

    def attempt(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step, unless it has failed; if it does now, note why and end it."""
        if self.run.failure is not None:
            return
        try:
            step(self, *arguments)
        except WriterFailedError as error:
            self.run.failure = str(error)
            if self.process is not None:
                self.process.kill()

    def end(self) -> None:
        """Of its process, if there is one."""
        process, self.process = self.process, None
        if process is not None:
            process.close()


def _measure(
    contenders: list[Contender],
    tables: list[Path],
    report: SustainedReport,
    options: argparse.Namespace,
) -> None:
    for one in contenders:
        say(f"{options.rows:,} rows: {one.system.name} loads")
        one.attempt(_load, tables, options)
    say("what was loaded goes to the disk")
    os.sync()
    for one in contenders:
        one.attempt(_open, options)
    with calibration() as machine_now:
        _turns(contenders, report, options, machine_now)
    model = Model(tables, options)
    for one in sorted(contenders, key=lambda one: one.run.batches):
        say(f"{one.system.name} is checked")
        one.attempt(_check, model, options)


def _turns(
    contenders: list[Contender],
    report: SustainedReport,
    options: argparse.Namespace,
    machine_now: Calibration,
) -> None:
    turns = max(1, round(options.minutes * 60 / options.turn_seconds))
    before = machine_now.speed()
    for number in range(turns):
        first = number % len(contenders)
        for one in contenders[first:] + contenders[:first]:
            say(f"turn {number + 1} of {turns}: {one.system.name}")
            one.attempt(_turn, options)
            after = machine_now.speed()
            if len(one.run.turns) > number:
                one.run.turns[number].machine_speed = (before + after) / 2
            before = after
        if options.json is not None:  # a long run leaves behind what it had when it broke off
            write_json(report, options.json)


def _load(one: Contender, tables: list[Path], options: argparse.Namespace) -> None:
    shutil.rmtree(one.directory, ignore_errors=True)
    one.directory.parent.mkdir(parents=True, exist_ok=True)
    one.process = one.system.start()
    files = [str(path.absolute()) for path in tables]
    directory = str(one.directory.absolute())
    reply = one.process.ask(options.load_seconds, load=files, directory=directory)
    one.run.version, one.run.load_seconds = reply["version"], reply["seconds"]
    one.end()


def _open(one: Contender, options: argparse.Namespace) -> None:
    one.process = one.system.start()
    one.process.ask(options.load_seconds, open=str(one.directory.absolute()))
    one.process.pause()


def _turn(one: Contender, options: argparse.Namespace) -> None:
    assert one.process is not None
    one.process.resume()
    reply = one.process.ask(
        options.turn_seconds + options.load_seconds,
        turn=options.turn_seconds,
        first=one.run.batches,
        table_rows=options.rows,
        batch_rows=options.batch_rows,
        seed=options.seed,
        pause=options.query_pause,
    )
    one.process.pause()
    known = {name: reply.pop(name) for name in MEASURED}
    one.run.turns.append(Turn(**known, numbers=reply))


def _check(one: Contender, model: Model, options: argparse.Namespace) -> None:
    assert one.process is not None
    one.process.resume()
    found = one.process.ask(options.load_seconds, check=0)
    expected = model.after(one.run.batches)
    if (found["rows"], found["checksum"]) != expected:
        raise WriterFailedError(
            f"wrong: {found['rows']} rows with the checksum {found['checksum']}, "
            f"expected {expected[0]} and {expected[1]}"
        )


class Model:
    """What a table should have: for each key, a number of its values."""

    def __init__(self, tables: Iterable[Path], options: argparse.Namespace) -> None:
        self._options = options
        self._parts = [digests(pq.read_table(path)) for path in tables]  # keys are 0, 1, 2, …
        self._known = np.concatenate(self._parts) if self._parts else np.empty(0, np.int64)
        self._batches = 0

    def after(self, batches: int) -> tuple[int, int]:
        """Count of rows and sum of their numbers after so many batches, not fewer than before."""
        options = self._options
        for number in range(self._batches, batches):
            rows = batch(options.rows, options.batch_rows, number, options.seed)
            keys = rows["id"].to_numpy()
            more = int(keys.max()) + 1 - len(self._known)
            if more > 0:
                self._known = np.concatenate([self._known, np.zeros(more, np.int64)])
            self._known[keys] = digests(rows)
        self._batches = max(self._batches, batches)
        return len(self._known), int(self._known.sum())


def digests(rows: pa.Table) -> Numbers:
    """A number for each row, of its key and its values but the float."""
    numbers = pc.cast(pc.utf8_slice_codeunits(rows["c"], len("item-")), pa.int64())
    ids, a, c = (column.to_numpy() for column in (rows["id"], rows["a"], numbers))
    return np.asarray((ids * 2654435761 + a * 40503 + c * 31) % 2147483647, np.int64)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sustained", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--minutes", type=float, default=10, help="of each system (10)")
    add("--rows", type=int, default=20_000_000, help="rows of the table (20 million)")
    add("--partitions", type=int, default=64, help="hash partitions of Mobula's; 0: none (64)")
    add("--batch-rows", type=int, default=10_000, help="rows of a batch, half of them new (10000)")
    add("--turn-seconds", type=float, default=60, help="of one turn (60)")
    add("--query-pause", type=float, default=1, help="seconds between two queries (1)")
    add("--optimize-batches", type=int, default=20, help="after so many Lance compacts (20)")
    add("--load-seconds", type=float, default=3600, help="for a load, a turn's end, a check (3600)")
    add("--systems", nargs="+", choices=NAMES, default=list(NAMES), help="all")
    add("--seed", type=int, default=1, help="of all random values (1)")
    add("--data", type=Path, default=BENCH_DIRECTORY / "keyed-rows", help="the Parquet files")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "sustained", help="systems' tables")
    add("--keep", action="store_true", help="do not delete the systems' tables")
    add("--json", type=Path, help="write everything that was measured here, after each turn")
    add("--plot", type=Path, help="draw all of it over the minutes (.svg, .png)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""What partitions cost and what they save: the same rows without, by HASH and by RANGE of the key.

    python -m benchmarks.partitions --json benchmarks/results/partitions.json

Three tables with a primary key in one database of this process. They take turns at each step, and
who begins changes, so that noise hits all alike:

1. load: all rows from Parquet files.
2. upsert: batches, half of each new and half replacing rows chosen over the whole table
   (`keyed_rows.py`). Nothing is flushed by itself.
3. flush: what the batches have left in deltas.
4. queries, before and after a flush of their deltas and a compaction: one row by its key, a
   thousandth of the keys, and an aggregate of everything.
5. drop: a sixteenth of the rows leaves: a DELETE of its keys, and DROP PARTITION by RANGE.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import warehouse
from actors.primary.limits import KeyedLimits
from actors.settings import Settings
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.keyed_rows import batch, table_files
from storage.flush_policy import FlushPolicy

COLUMNS = "id BIGINT PRIMARY KEY, a BIGINT, b DOUBLE PRECISION, c TEXT"
QUERIES = {
    "one row": "SELECT a, b, c FROM {table} WHERE id = {key}",
    "a thousandth": "SELECT count(*), sum(a) FROM {table} WHERE id BETWEEN {key} AND {key} + {few}",
    "everything": "SELECT count(*), sum(a), max(b) FROM {table}",
}
NEVER = KeyedLimits(flush=FlushPolicy(rows_max=1 << 40, bytes_max=1 << 40, deltas_max=1 << 40))

Times = dict[str, dict[str, list[float]]]  # by step and table, in ms


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all tables have the same rows at the end, else 1."""
    options = _options(arguments)
    files = table_files(options.data, options.rows, options.seed)
    root = options.directory.absolute()
    shutil.rmtree(root, ignore_errors=True)
    with warehouse.connect(str(root), engine="local", settings=Settings(keyed=NEVER)) as db:
        measured = Measured(db, list(_tables(options)), options)
        measured.create()
        measured.write([str(path.absolute()) for path in files])
        measured.ask("before")
        measured.each("flush", lambda name: db.sql(f"CALL mobula.flush('{name}')"))
        measured.each("compact", lambda name: db.sql(f"CALL mobula.recluster('{name}')"))
        measured.ask("after")
        measured.each("drop", measured.drop)
        counts = {n: db.sql(f"SELECT count(*), sum(a) FROM {n}").rows() for n in measured.tables}
    shutil.rmtree(root, ignore_errors=True)
    wrong = len(set(map(str, counts.values()))) > 1
    given = {"rows": options.rows, "partitions": options.partitions, "seed": options.seed}
    report = {**given, "machine": machine(), "ms": measured.times}
    print(_markdown(report, measured.tables))
    if wrong:
        print(f"the tables differ: {counts}", file=sys.stderr)
    if options.json is not None:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return int(wrong)


def _tables(options: argparse.Namespace) -> dict[str, str]:
    """How each is partitioned, by name."""
    count = options.partitions
    width = options.rows // count
    bounds = ", ".join(f"PARTITION p{i} VALUES LESS THAN ({(i + 1) * width})" for i in range(count))
    return {
        "plain": "",
        "hashed": f"PARTITION BY HASH (id) PARTITIONS {count}",
        "ranged": f"PARTITION BY RANGE (id) ({bounds}, PARTITION rest VALUES LESS THAN (MAXVALUE))",
    }


class Measured:
    """The tables, and how long each step took for each of them."""

    def __init__(
        self, db: warehouse.Database, tables: list[str], options: argparse.Namespace
    ) -> None:
        self.db = db
        self.tables = tables
        self.times: Times = {}
        self._options = options
        self._turns = 0

    def create(self) -> None:
        """All of them, empty."""
        for name, by in _tables(self._options).items():
            self.db.sql(f"CREATE TABLE {name} ({COLUMNS}) {by}")

    def write(self, files: list[str]) -> None:
        """Load them, and upsert."""
        options = self._options
        self.each("load", lambda name: self.db.load(name, files))
        for number in range(options.batches):
            rows = batch(options.rows, options.batch_rows, number, options.seed)
            self.each("upsert", lambda name, rows=rows: self.db.table(name).upsert(rows))

    def ask(self, when: str) -> None:
        """All queries, the first time of each not counted."""
        options = self._options
        few = options.rows // 1000
        keys = np.random.default_rng(options.seed).integers(0, options.rows - few, options.runs + 1)
        for query, text in QUERIES.items():
            for run, key in enumerate(keys.tolist()):
                step = f"{query}, {when}" if run else None
                self.each(
                    step,
                    lambda n, t=text, k=key: self.db.sql(t.format(table=n, key=k, few=few)).rows(),
                )

    def drop(self, name: str) -> None:
        """A sixteenth of the rows of the load."""
        gone = max(self._options.partitions // 16, 1)
        end = gone * (self._options.rows // self._options.partitions)
        if name == "ranged":
            for i in range(gone):
                self.db.sql(f"ALTER TABLE {name} DROP PARTITION p{i}")
        else:
            self.db.sql(f"DELETE FROM {name} WHERE id < {end}")

    def each(self, step: str | None, work: Callable[[str], Any]) -> None:
        """Do it with each table. Args: step: None: nothing is noted."""
        if step not in self.times:
            say(step or "warm up")
        self._turns += 1
        first = self._turns % len(self.tables)
        for name in self.tables[first:] + self.tables[:first]:
            began = time.perf_counter()
            work(name)
            taken = (time.perf_counter() - began) * 1000
            if step is not None:
                self.times.setdefault(step, {}).setdefault(name, []).append(round(taken, 2))


def _markdown(report: dict[str, Any], tables: Sequence[str]) -> str:
    """Medians in ms, and in brackets their ratios to the table without partitions."""
    plain = tables[0]
    lines = [
        f"{report['rows']:,} rows, {report['partitions']} partitions; medians in ms (ratio to "
        f"{plain})",
        "",
        f"| Step | {' | '.join(tables)} |",
        "|---|" + "---:|" * len(tables),
    ]
    for step, times in report["ms"].items():
        medians = [statistics.median(times[name]) for name in tables]
        cells = [f"{m:,.1f} ({m / medians[0]:.2f})" for m in medians]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.partitions")
    add = parser.add_argument
    add("--rows", type=int, default=4_000_000, help="of the load (4 million)")
    add("--partitions", type=int, default=64)
    add("--batches", type=int, default=40, help="upserts (40)")
    add("--batch-rows", type=int, default=10_000)
    add("--runs", type=int, default=15, help="of each query (15)")
    add("--seed", type=int, default=1)
    add("--data", type=Path, default=BENCH_DIRECTORY / "keyed-rows", help="the Parquet files")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "partitions")
    add("--json", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""What the primary-key index costs: making keys, searching, adding, merging.

    python -m benchmarks.key_index --keys 20000000 --runs 16

Runs of random keys are written to a directory, opened, searched one by one and together, and merged
into one, which is searched as well. A search is for 10,000 keys that are there, in random order,
different ones each time. Needs about 32 bytes of disk per key (48 for `--hashed`), and as much
memory for the cache of the operating system where searches are to find everything in memory.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from storage.primary_key.canonical import keys_of
from storage.primary_key.index import KeyIndex, PlacedRun
from storage.primary_key.keys import Keys
from storage.primary_key.locations import MISSING, LiveIds, LiveRows, locations_in
from storage.primary_key.memory import Memory
from storage.primary_key.merge import find_duplicate, merge
from storage.primary_key.run import Run, open_run
from storage.primary_key.run_writer import write_run
from storage.schema import Column, Kind, ScalarType

BATCH = 10_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per figure; returns 0."""
    options = _options(arguments)
    random = np.random.default_rng(options.seed)
    _report_encoding(random)
    _report_memory(random, options.hashed, options.memory_keys)
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        _report_runs(random, options, Path(directory))
    resident_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"largest resident size  {resident_kib / 1024:,.0f} MiB")
    return 0


def _report_encoding(random: np.random.Generator) -> None:
    """Keys of 10,000 rows, by the types of their columns."""
    rows = pa.table(
        {
            "n": pa.array(random.integers(0, 1 << 40, BATCH)),
            "t": pa.array([f"customer-{i:012d}" for i in range(BATCH)], pa.large_string()),
        }
    )
    number = Column(id=1, name="n", type=ScalarType(Kind.BIGINT))
    text = Column(id=2, name="t", type=ScalarType(Kind.TEXT))
    for columns in ((number,), (text,), (number, text)):
        names = ", ".join(column.type.kind.value for column in columns)  # type: ignore[union-attr]
        ms = _median(lambda columns=columns: keys_of(rows, columns))  # type: ignore[misc]
        print(f"keys of {BATCH:,} rows ({names})  {ms:.2f} ms")


def _report_memory(random: np.random.Generator, hashed: bool, count: int) -> None:
    memory, spent = Memory(), []
    for file_id in range(1, max(count // BATCH, 1) + 1):
        keys, locations = (
            _random_keys(random, BATCH, hashed),
            locations_in(file_id, np.arange(BATCH)),
        )
        start = time.perf_counter()
        memory = memory.added(keys, locations)
        spent.append((time.perf_counter() - start) * 1000)
    print(
        f"memory: {BATCH:,} keys added to {len(memory):,}  mean {statistics.mean(spent):.2f} ms,"
        f" median {statistics.median(spent):.2f} ms, max {max(spent):.0f} ms"
    )


def _report_runs(random: np.random.Generator, options: argparse.Namespace, directory: Path) -> None:
    count = options.keys // options.runs
    start = time.perf_counter()
    runs = [
        _run(random, directory / f"run-{number}", count, options.hashed, number + 1)
        for number in range(options.runs)
    ]
    print(f"{options.runs} runs of {count:,} keys written  {time.perf_counter() - start:.1f} s")
    rows = LiveRows(LiveIds.of(range(1, options.runs + 1)))
    _report_probes(f"one run of {count:,}", random, runs[:1], rows)
    _report_probes(f"{min(options.runs, 8)} runs of {count:,}", random, runs[:8], rows)
    start = time.perf_counter()
    assert find_duplicate(runs) is None or not options.hashed
    print(f"find_duplicate  {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    written = merge(runs, directory / "merged", rows)
    print(f"merge to {written.key_count:,} keys  {time.perf_counter() - start:.1f} s")
    merged = open_run(directory / "merged")
    start = time.perf_counter()
    merged.verify(written.checksum)
    print(f"verify {written.size_bytes:,} bytes  {time.perf_counter() - start:.2f} s")
    _report_probes(f"one run of {len(merged):,}", random, [merged], rows)
    ms = statistics.median(_probe(random, [merged], rows, release=True) for _ in range(5))
    print(f"    when its pages were let go  {ms:.2f} ms")


def _report_probes(what: str, random: np.random.Generator, runs: list[Run], rows: LiveRows) -> None:
    spent = [_probe(random, runs, rows) for _ in range(40)][20:]
    print(
        f"{BATCH:,} keys in {what}  median {statistics.median(spent):.2f} ms, min {min(spent):.2f}"
    )


def _probe(
    random: np.random.Generator, runs: list[Run], rows: LiveRows, *, release: bool = False
) -> float:
    """ms for a search; the keys are those of the oldest run, so that all runs are asked."""
    index = KeyIndex(exact=runs[0].entries.exact).with_runs(
        PlacedRun(run=run, generation=-position) for position, run in enumerate(runs)
    )
    entries = runs[-1].entries
    chosen = entries.rows[random.integers(0, len(entries), BATCH)]
    keys = Keys(chosen[:, 0].copy(), None if entries.exact else chosen[:, 1].copy())
    for run in runs if release else ():
        run.release()
    start = time.perf_counter()
    found = index.find(keys, rows)
    spent = (time.perf_counter() - start) * 1000
    assert (found != MISSING).all()
    return spent


def _run(random: np.random.Generator, path: Path, count: int, hashed: bool, file_id: int) -> Run:
    write_run(path, _random_keys(random, count, hashed), locations_in(0, np.arange(count)))
    return open_run(path, first_file_id=file_id)


def _random_keys(random: np.random.Generator, count: int, hashed: bool) -> Keys:
    high, low = (random.integers(0, 2**64 - 1, count, np.uint64, True) for _ in range(2))
    return Keys(high, low if hashed else None)


def _median(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(11):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1000)
    return statistics.median(spent)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--keys", type=int, default=20_000_000)
    parser.add_argument("--runs", type=int, default=16)
    parser.add_argument("--hashed", action="store_true", help="128-bit keys")
    parser.add_argument("--memory-keys", type=int, default=1_000_000)
    parser.add_argument("--directory", type=Path, help="where the runs are written")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

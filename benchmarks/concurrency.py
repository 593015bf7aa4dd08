"""Lookups and small queries from many clients; where their time goes; when the coordinator is full.

    python -m benchmarks.concurrency --json benchmarks/results/concurrency.json

A virtual warehouse on a Ray of our own, its files in the cache, is asked by 1, 2, 4, … 64 clients,
each of which asks again as soon as it has its answer:

    get        VirtualWarehouse.get of one key
    select     SELECT * FROM t WHERE id = $1
    aggregate  SELECT count(*), sum(a) FROM t WHERE id >= $1 AND id < $2, over a thousand keys

Keys are chosen at random. Clients are threads of this process, or with --processes of so many
others. What the coordinator and the workers take of CPU is read from /proc meanwhile.

Then one client asks, and each of its times is held beside the record that the coordinator has of
the query: calls between client and coordinator, planning, the queue, the call of the worker, the
execution there.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import warehouse
from actors.settings import Settings
from benchmarks.clients import Call, ClientProcess, Clients, Steps, Timed
from benchmarks.concurrency_report import (
    ConcurrencyReport,
    Load,
    joined,
    markdown,
    parts_of,
    write_json,
)
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.processes import cpu_seconds
from benchmarks.running import fresh_directory, load_keyed, records
from warehouse.demo.private_ray import private_ray

NAME = "bench"
KINDS = ("get", "select", "aggregate")
SELECT = "SELECT * FROM t WHERE id = $1"
AGGREGATE = "SELECT count(*), sum(a) FROM t WHERE id >= $1 AND id < $2"
AGGREGATE_ROWS = 1_000
WARM_UP = 50  # queries of each kind
CPUS_BESIDE = 3  # logical, for all but the workers
PARTS = """
    SELECT query_id, elapsed_ms, plan_ms, queued_ms, execute_ms, worker_seconds
    FROM mobula.queries() WHERE warehouse = $1 AND query_id LIKE 'parts-%'
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all was measured."""
    options = _options(arguments)
    report = ConcurrencyReport(
        rows=options.rows,
        size=options.size,
        worker_cpus=options.worker_cpus,
        processes=options.processes,
        seconds=options.seconds,
        seed=options.seed,
        machine=machine(),
    )
    print(f"seed {options.seed}", file=sys.stderr)
    with fresh_directory(options.directory, options.keep) as directory:
        root = str(directory / "database")
        load_keyed(root, options.data, options.rows, options.seed)
        settings = Settings(cache_directory=str(directory / "cache"))
        cpus = int(options.size * options.worker_cpus) + CPUS_BESIDE
        with private_ray(cpus):
            database = warehouse.connect(root, settings=settings)
            try:
                _measure(report, database, root, options)
            finally:
                database.shutdown()
    print(markdown(report))
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        from benchmarks.elastic_plots import plot_concurrency

        plot_concurrency(report, options.plot)
    return 0


def _measure(
    report: ConcurrencyReport, database: warehouse.Database, root: str, options: argparse.Namespace
) -> None:
    vw = database.create_virtual_warehouse(
        NAME, size=options.size, worker_cpus=options.worker_cpus, auto_suspend_s=None
    )
    _warm_up(vw, options)
    status = vw.status()
    coordinator, workers = int(status["pid"]), list(status["worker_pids"])
    with _processes(root, options.processes) as processes:
        for number, kind, clients in itertools.product(
            range(options.rounds), options.kinds, options.clients
        ):
            say(f"round {number + 1} of {options.rounds}: {kind}, {clients} clients")
            make = partial(make_steps, kind, options.rows, f"{options.seed} {number}")
            before = cpu_seconds([coordinator]), cpu_seconds(workers)
            begun = time.monotonic()
            if processes:
                times = _asked_by(processes, clients, make, options.seconds)
            else:
                with Clients(clients, make(0, database)) as asking:
                    time.sleep(options.seconds)
                times = asking.times
            report.loads.append(
                Load(
                    kind=kind,
                    clients=clients,
                    seconds=time.monotonic() - begun,
                    times_ms=[one.ms for one in times],
                    coordinator_cpu_s=cpu_seconds([coordinator]) - before[0],
                    workers_cpu_s=cpu_seconds(workers) - before[1],
                )
            )
    report.loads = joined(report.loads)
    for kind in options.kinds:
        say(f"where the time goes: {kind}")
        report.parts_ms[kind] = _parts(database, vw, kind, options)


def _warm_up(vw: Any, options: argparse.Namespace) -> None:
    """All workers run, have every file, and the plans are made."""
    say("warm up")
    vw.resume()
    texts = ["SELECT count(*), sum(a), min(b), max(c) FROM t"] * 4 * options.size
    with Clients(options.size, lambda client, step: ("warm", partial(vw.sql, texts[0]))) as all_of:
        while len(all_of.times) < len(texts) and not all_of.failed:
            time.sleep(0.05)
    for kind in options.kinds:
        for number in range(WARM_UP):
            steps(kind, options.rows, f"{options.seed} warm", vw)(0, number)[1]()


def _asked_by(
    processes: Sequence[ClientProcess],
    clients: int,
    make: Callable[[int, warehouse.Database], Steps],
    seconds: float,
) -> list[Timed]:
    """The calls of so many clients, spread over processes, for a while.

    Args: make: the steps, given the place of the process and its connection.
    """
    shares = [clients // len(processes)] * len(processes)
    for place in range(clients % len(processes)):
        shares[place] += 1
    used = [(process, share) for process, share in zip(processes, shares, strict=True) if share]
    for place, (process, share) in enumerate(used):
        process.begin(share, partial(make, place))
    time.sleep(seconds)
    return [one for process, _ in used for one in process.end()]


@contextmanager
def _processes(root: str, count: int) -> Iterator[list[ClientProcess]]:
    found = [ClientProcess(root) for _ in range(count)]
    try:
        for process in found:
            process.ready()
        yield found
    finally:
        for process in found:
            process.close()


def _parts(
    database: warehouse.Database, vw: Any, kind: str, options: argparse.Namespace
) -> list[dict[str, float]]:
    asked: dict[str, float] = {}
    chosen = steps(kind, options.rows, f"{options.seed} parts", vw, parts=True)
    for number in range(options.parts):
        query_id, call = chosen(0, number)
        begun = time.monotonic()
        call()
        asked[query_id] = (time.monotonic() - begun) * 1000
    found = {row["query_id"]: row for row in records(database, PARTS, [NAME])}
    return [parts_of(ms, found[query_id]) for query_id, ms in asked.items()]


# --- what clients do ------------------------------------------------------------------------------


def make_steps(kind: str, rows: int, seed: str, place: int, database: warehouse.Database) -> Steps:
    """See `steps`; of one process, which has a place and a connection of its own."""
    return steps(kind, rows, f"{seed} {place}", database.virtual_warehouse(NAME))


def steps(kind: str, rows: int, seed: str, vw: Any, parts: bool = False) -> Steps:
    """Queries of one kind for keys at random.

    Args: parts: each has an id, by which its record is found; it is the label.
    """

    def call(key: int, more: dict[str, Any]) -> Callable[[], object]:
        if kind == "get":
            return partial(vw.get, "t", [key], **more)
        if kind == "select":
            return partial(vw.sql, SELECT, [key], **more)
        return partial(vw.sql, AGGREGATE, [key, key + AGGREGATE_ROWS], **more)

    def step(client: int, number: int) -> Call:
        key = random.Random(f"{seed} {client} {number}").randrange(rows)
        query_id = f"parts-{kind}-{number}"
        return (query_id if parts else kind), call(key, {"query_id": query_id} if parts else {})

    return step


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.concurrency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--rounds", type=int, default=3, help="over all kinds and numbers of clients (3)")
    add("--seconds", type=float, default=5.0, help="of each, in each round (5)")
    add("--kinds", nargs="+", choices=KINDS, default=KINDS)
    add("--clients", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    add("--processes", type=int, default=0, help="of the clients; 0: threads of this one (0)")
    add("--parts", type=int, default=300, help="queries of each kind to take apart (300)")
    add("--rows", type=int, default=2_000_000, help="of the table (2 million)")
    add("--size", type=int, default=2, help="workers of the virtual warehouse (2)")
    add("--worker-cpus", type=float, default=1.0, help="of each (1)")
    add("--seed", type=int, default=1, help="of rows and keys (1)")
    add("--data", type=Path, default=BENCH_DIRECTORY / "keyed-rows", help="the Parquet files")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "concurrency", help="the database")
    add("--keep", action="store_true", help="do not delete the database")
    add("--json", type=Path, help="write everything that was measured here")
    add("--plot", type=Path, help="draw rates and times by clients (.svg, .png)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

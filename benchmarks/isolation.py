"""Whether virtual warehouses disturb the primary, or each other.

    python -m benchmarks.isolation --json benchmarks/results/isolation.json

On a Ray of our own, with processes pinned to two halves of the cores:

1. Counters. Nobody writes. Requests to the object store and bytes read from it are counted while
   nobody asks, while two virtual warehouses run TPC-H for the first time, and while they run it
   from their caches.
2. Commits. A writer upserts at a fixed rate, all the time. In turns it is alone, and two virtual
   warehouses are saturated by TPC-H. Primary, its compute and the writer have the first half of
   the cores; all else the second: virtual warehouses, the fleet, their clients, and Ray's own
   processes.
3. Queries. A client runs the queries of TPC-H on one virtual warehouse, all the time. In turns it
   is alone, and the other one is saturated. The first one and its client have the first half, with
   the idle primary; the other one and all else the second.

The first second of each turn does not count. There is no result cache that could answer; each
query is asked whether one has.
"""

from __future__ import annotations

import argparse
import os
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
from benchmarks.clients import Call, ClientProcess, Steps
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.isolation_report import (
    Counted,
    IsolationReport,
    Phase,
    markdown,
    write_json,
)
from benchmarks.keyed_rows import batch
from benchmarks.processes import core_halves, descendants, pin
from benchmarks.running import FleetView, fresh_directory, load_keyed, load_tpch, records
from warehouse.demo.private_ray import private_ray
from warehouse.tpch import queries

CPUS = 8  # logical
NAMES = ("one", "two")
SETTLE_S = 1.0
COMPUTE = "SELECT worker_pid FROM mobula.queries() WHERE warehouse = '' AND worker_pid IS NOT NULL"
WAREHOUSES = "SELECT name, coordinator_pid, queries, requests, read_bytes FROM mobula.warehouses()"


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all was measured."""
    options = _options(arguments)
    first, second = core_halves()
    report = IsolationReport(
        rounds=options.rounds,
        seconds=options.seconds,
        scale_factor=options.scale,
        batch_rows=options.batch_rows,
        rate=options.rate,
        clients=options.clients,
        seed=options.seed,
        machine=machine(),
        cores={"first": sorted(first), "second": sorted(second)},
    )
    print(f"seed {options.seed}, cores {sorted(first)} and {sorted(second)}", file=sys.stderr)
    with fresh_directory(options.directory, options.keep) as directory:
        root = str(directory / "database")
        load_tpch(root, options.scale)
        load_keyed(root, options.data, options.rows, options.seed)
        settings = Settings(cache_directory=str(directory / "cache"))
        with private_ray(CPUS):
            database = warehouse.connect(root, settings=settings)
            try:
                with _stage(database, root) as stage:
                    _measure(report, stage, options)
            finally:
                database.shutdown()
    print(markdown(report))
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        from benchmarks.elastic_plots import plot_isolation

        plot_isolation(report, options.plot)
    return 0


class Stage:
    """The database with its two virtual warehouses, and three processes of clients."""

    def __init__(self, database: warehouse.Database, root: str) -> None:
        self.database = database
        self.warehouses = {
            name: database.create_virtual_warehouse(name, auto_suspend_s=None) for name in NAMES
        }
        self.writer = ClientProcess(root)
        self.clients = {name: ClientProcess(root) for name in NAMES}
        for process in (self.writer, *self.clients.values()):
            process.ready()
        for vw in self.warehouses.values():
            vw.resume()
        database.sql("SELECT count(*) FROM nation")  # starts the primary's compute

    def close(self) -> None:
        """End the processes of the clients."""
        for process in (self.writer, *self.clients.values()):
            process.close()

    def warm_up(self) -> None:
        """Every file that is read is in every cache of the virtual warehouses."""
        for vw in self.warehouses.values():
            for text in queries().values():
                vw.sql(text)

    def primary(self) -> dict[str, Any]:
        """See `Database.status`."""
        return self.database.status()

    def observed(self) -> dict[str, dict[str, Any]]:
        """The virtual warehouses' records, by name."""
        return {row["name"]: row for row in records(self.database, WAREHOUSES)}

    def primary_pids(self) -> set[int]:
        """The primary and its compute."""
        compute = {row["worker_pid"] for row in records(self.database, COMPUTE)}
        return {int(self.primary()["pid"]), *compute}

    def warehouse_pids(self, name: str) -> set[int]:
        """A virtual warehouse's coordinator and workers."""
        found = self.warehouses[name].status()
        return {int(found["pid"]), *found["worker_pids"]}

    def pin(self, chosen: set[int], cores: set[int], others: set[int]) -> None:
        """Pin these processes to some cores, and all the others to the others: the fleet, what else
        there is of the virtual warehouses, this process, and Ray's own (raylet, GCS, agents)."""
        everything = descendants(os.getpid()) | {os.getpid()} | self._fleet_pids()
        for pid in everything - chosen:
            pin(pid, others)
        for pid in chosen:
            pin(pid, cores)

    def _fleet_pids(self) -> set[int]:
        status = FleetView(self.database).status()
        return {int(status["pid"]), *status["pids"]}


@contextmanager
def _stage(database: warehouse.Database, root: str) -> Iterator[Stage]:
    stage = Stage(database, root)
    try:
        yield stage
    finally:
        stage.close()


def _measure(report: IsolationReport, stage: Stage, options: argparse.Namespace) -> None:
    halves = core_halves()
    loads = {name: partial(tpch_steps, name, f"{options.seed} {name}") for name in stage.warehouses}

    def saturate(names: Sequence[str]) -> Callable[[], None]:
        for name in names:
            stage.clients[name].begin(options.clients, loads[name])

        def end() -> None:
            for name in names:
                count = len(stage.clients[name].end())
                report.load_queries[name] = report.load_queries.get(name, 0) + count

        return end

    stage.pin(stage.primary_pids() | {stage.writer.pid}, *halves)

    def run_for_a_while() -> None:
        end = saturate(NAMES)
        time.sleep(options.seconds)
        end()

    for span, work in (
        ("nobody asks", partial(time.sleep, options.seconds)),
        ("virtual warehouses run TPC-H for the first time", stage.warm_up),
        ("virtual warehouses run TPC-H from their caches", run_for_a_while),
    ):
        say(f"counters: {span}")
        report.counted += _counted(stage, span, work)

    steps = partial(upsert_steps, options.rows, options.batch_rows, options.seed)
    stage.writer.begin(1, steps, options.rate)
    phases = _turns("commits", options, partial(saturate, NAMES))
    report.add("commit", stage.writer.end(), phases)

    own = stage.primary_pids() | stage.warehouse_pids("one") | {stage.clients["one"].pid}
    stage.pin(own, *halves)
    stage.clients["one"].begin(1, partial(tpch_steps, "one", None))
    phases = _turns("queries", options, partial(saturate, ("two",)))
    report.add("query", stage.clients["one"].end(), phases)


def _turns(
    what: str, options: argparse.Namespace, saturate: Callable[[], Callable[[], None]]
) -> list[Phase]:
    """Alone, beside the load, alone, beside the load, …"""
    phases = []
    for number in range(options.rounds):
        for loaded in (False, True):
            say(f"{what}: round {number + 1} of {options.rounds}{', loaded' if loaded else ''}")
            end = saturate() if loaded else None
            time.sleep(SETTLE_S)
            begun = time.monotonic()
            time.sleep(options.seconds)
            phases.append(Phase(loaded=loaded, begun=begun, ended=time.monotonic()))
            if end is not None:
                end()
    return phases


def _counted(stage: Stage, span: str, work: Callable[[], None]) -> list[Counted]:
    """What the counters of the primary and of the virtual warehouses did meanwhile."""
    before, primary = stage.observed(), stage.primary()
    begun = time.monotonic()
    work()
    seconds = time.monotonic() - begun
    after, later = stage.observed(), stage.primary()
    moved = {
        name: {
            field: after[name][field] - before[name][field]
            for field in ("queries", "requests", "read_bytes")
        }
        for name in NAMES
    }
    moved["primary"] = {
        "queries": sum(found["queries"] for found in moved.values()),
        **{field: later[field] - primary[field] for field in ("requests", "read_bytes")},
    }
    return [
        Counted(who=who, span=span, seconds=seconds, **moved[who]) for who in ("primary", *NAMES)
    ]


# --- what clients do ------------------------------------------------------------------------------


def tpch_steps(name: str, seed: str | None, database: warehouse.Database) -> Steps:
    """The 22 queries of TPC-H, each client's in an order of its own; without a seed in turns."""
    vw = database.virtual_warehouse(name)
    texts = queries()
    numbers = sorted(texts)

    def run(text: str) -> None:
        if vw.sql(text).stats.result_cache_hit:
            raise RuntimeError("a result cache answered: nothing was measured")

    def step(client: int, number: int) -> Call:
        if seed is None:
            query = numbers[number % len(numbers)]
        else:
            query = random.Random(f"{seed} {client} {number}").choice(numbers)
        return f"query {query}", partial(run, texts[query])

    return step


def upsert_steps(rows: int, batch_rows: int, seed: int, database: warehouse.Database) -> Steps:
    """Batches as `keyed_rows` makes them, of which half replace rows."""
    table = database.table("t")

    def step(client: int, number: int) -> Call:
        return "commit", partial(table.upsert, batch(rows, batch_rows, number, seed))

    return step


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--rounds", type=int, default=6, help="turns alone and beside the load (6)")
    add("--seconds", type=float, default=15.0, help="of each turn (15)")
    add("--scale", type=float, default=0.1, help="scale factor of TPC-H (0.1)")
    add("--clients", type=int, default=2, help="that saturate each virtual warehouse (2)")
    add("--rows", type=int, default=200_000, help="rows of the table that is written (200,000)")
    add("--batch-rows", type=int, default=1_000, help="rows of a commit, half of them new (1000)")
    add("--rate", type=float, default=10.0, help="commits per second (10)")
    add("--seed", type=int, default=1, help="of rows and of the order of queries (1)")
    add("--data", type=Path, default=BENCH_DIRECTORY / "keyed-rows", help="the keyed Parquet files")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "isolation", help="the database")
    add("--keep", action="store_true", help="do not delete the database")
    add("--json", type=Path, help="write everything that was measured here")
    add("--plot", type=Path, help="draw which share took how long (.svg, .png)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

"""How soon virtual warehouses come, grow, sleep, wake and go.

    python -m benchmarks.elasticity --rounds 20 --json benchmarks/results/elasticity.json

Three ways, one after the other, each with --rounds rounds of two measurements
(`elasticity_rounds.py`) on a Ray of our own:

    pool         started processes wait for virtual warehouses, as many as they will take
    cold         the same without a pool: every process has to start
    node launch  nothing waits, not even a node: Ray's autoscaler brings them up, as processes of
                 this machine that the fake provider of Ray starts

Between rounds it waits until the pool is full again and no node is left; that is not measured.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import warehouse
from benchmarks.clients import Call, Steps
from benchmarks.elasticity_report import ElasticityReport, markdown, write_json
from benchmarks.elasticity_rounds import Site, life_cycle, under_load
from benchmarks.environment import BENCH_DIRECTORY, machine, say
from benchmarks.running import (
    FleetView,
    fresh_directory,
    load_tpch,
    pool_is_full,
    pool_settings,
    spare,
)
from warehouse.demo.private_ray import private_ray
from warehouse.tpch import queries

WAYS = ("pool", "cold", "node launch")
LOAD = (1, 3, 5, 6, 9, 18)  # TPC-H queries of the clients that saturate
CPUS_BESIDE = 3  # logical, for the primary, its compute, coordinators and the fleet


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when all rounds were measured."""
    options = _options(arguments)
    report = ElasticityReport(
        rounds=options.rounds,
        size=options.size,
        clients=options.clients,
        clusters=options.clusters,
        scale_factor=options.scale,
        seed=options.seed,
        machine=machine(),
        autoscaler=options.autoscaler if "node launch" in options.ways else None,
    )
    print(f"seed {options.seed}", file=sys.stderr)
    with fresh_directory(options.directory, options.keep) as directory:
        root = str(directory / "database")
        load_tpch(root, options.scale)
        _with_nodes_present(report, directory, root, options)
        if "node launch" in options.ways:
            from benchmarks.elasticity_nodes import with_node_launch

            for found in with_node_launch(directory, root, options):
                report.add("node launch", found)
    print(markdown(report))
    if options.json is not None:
        write_json(report, options.json)
    if options.plot is not None:
        from benchmarks.elastic_plots import plot_elasticity

        plot_elasticity(report, options.plot)
    return 0


def _with_nodes_present(
    report: ElasticityReport, directory: Path, root: str, options: argparse.Namespace
) -> None:
    ways = [way for way in WAYS if way in options.ways and way != "node launch"]
    if not ways:
        return
    workers = options.clusters * options.size
    with private_ray(2 * workers + CPUS_BESIDE):  # while workers are lent, the pool is refilled
        for way in ways:
            pooled = way == "pool"
            floors = {"workers": workers * pooled, "coordinators": int(pooled)}
            settings = pool_settings(directory, **floors)
            database = warehouse.connect(root, settings=settings)
            view = FleetView(database)
            site = Site(
                database=database,
                warehouse={"size": options.size, "worker_cpus": 1.0},
                coordinator_cpus=settings.ray.coordinator_cpus,
                restored=lambda view=view, floors=floors: pool_is_full(view.status(), **floors),
                refilled=lambda view=view, floors=floors: spare(view.status()) == floors,
            )
            try:
                run_rounds(site, way, options, partial(report.add, way))
            finally:
                database.shutdown()


def run_rounds(
    site: Site,
    way: str,
    options: argparse.Namespace,
    add: Callable[[dict[str, float]], None],
) -> None:
    """All rounds of one way, after one that does not count."""
    site.start()
    for number in range(-1, options.rounds):
        say(f"{way}: round {number + 1} of {options.rounds}")
        site.wait()
        found = life_cycle(site, f"life_{number + 1}")
        site.wait()
        found |= under_load(
            site,
            f"load_{number + 1}",
            clusters=options.clusters,
            clients=options.clients,
            steps=partial(load_steps, options.seed),
        )
        if number >= 0:
            add(found)


def load_steps(seed: int, vw: Any) -> Steps:
    """TPC-H queries, each client's in an order of its own."""
    texts = queries()

    def step(client: int, number: int) -> Call:
        query = random.Random(f"{seed} {client} {number}").choice(LOAD)
        return f"query {query}", partial(vw.sql, texts[query])

    return step


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.elasticity", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--rounds", type=int, default=20, help="of each way, after one that does not count (20)")
    add("--ways", nargs="+", choices=WAYS, default=WAYS)
    add("--size", type=int, default=1, help="workers of a cluster, of one CPU each (1)")
    add("--clusters", type=int, default=3, help="that a load grows to, from one (3)")
    add("--clients", type=int, default=6, help="that saturate it (6)")
    add("--scale", type=float, default=0.1, help="scale factor of TPC-H (0.1)")
    add("--autoscaler", type=int, choices=(1, 2), default=2, help="version of Ray's (2)")
    add("--seed", type=int, default=1, help="of the order of queries (1)")
    add("--directory", type=Path, default=BENCH_DIRECTORY / "elasticity", help="the database")
    add("--keep", action="store_true", help="do not delete the database")
    add("--json", type=Path, help="write everything that was measured here")
    add("--plot", type=Path, help="draw each round's times (.svg, .png)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

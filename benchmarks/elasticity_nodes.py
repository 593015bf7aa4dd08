"""The rounds of `elasticity.py` on a cluster that has no node for workers until they are needed.

Ray reads the token of a cluster when it is imported, so what connects to it is a process of its
own: this module, run as one. It prints a line of JSON for each round.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import warehouse
from actors.settings import NodeType, RaySettings, Settings
from benchmarks.elasticity_rounds import Site, nodes_with
from benchmarks.running import FleetView, pool_is_full

__all__ = ["with_node_launch"]

HEAD = {"CPU": 4, "head": 1}
RESOURCE = "vw"
IDLE_S = 3.0  # how long a node may be idle before the autoscaler takes it away
SHARE = 0.01  # of the resource that pins a process to a node
ROUND = "round "  # what a line with the times of a round begins with


def with_node_launch(
    directory: Path, root: str, options: argparse.Namespace
) -> Iterator[dict[str, float]]:
    """The times of each round, as soon as it is over. Raises RuntimeError."""
    try:
        clusters = importlib.import_module("tests.autoscaling_cluster")
    except ImportError as error:
        raise RuntimeError(
            "rounds with node launch need tests/autoscaling_cluster.py and pytest: run it from the "
            "root of the repository with the extra 'dev', or leave them out: --ways pool cold"
        ) from error
    nodes = options.clusters * options.size
    node_types = {
        RESOURCE: {
            "resources": {"CPU": 1, RESOURCE: 1},
            "labels": {},
            "node_config": {},
            "min_workers": 0,
            "max_workers": nodes,
        }
    }
    cluster = clusters.autoscaling_cluster(
        version=options.autoscaler, head=HEAD, node_types=node_types, idle_s=IDLE_S
    )
    with cluster as running:
        yield from _rounds(directory, root, options, dict(running.environment))


def _rounds(
    directory: Path, root: str, options: argparse.Namespace, environment: dict[str, str]
) -> Iterator[dict[str, float]]:
    plain = ("rounds", "size", "clusters", "clients", "seed")
    told = {name: getattr(options, name) for name in plain}
    told |= {"directory": str(directory), "root": root}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.elasticity_nodes", json.dumps(told)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(ROUND):
                yield json.loads(line.removeprefix(ROUND))
        if process.wait() != 0:
            raise RuntimeError(f"rounds with node launch failed ({process.returncode}); see above")
    finally:
        process.kill()
        process.wait()


def main(told: str) -> None:
    """The rounds, on the cluster of this process's environment."""
    import ray

    from benchmarks.elasticity import run_rounds

    ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    options = argparse.Namespace(**json.loads(told))
    settings = Settings(
        cache_directory=str(Path(options.directory) / "cache"),
        ray=RaySettings(
            primary_resources={"head": SHARE},
            coordinator_resources={"head": SHARE},
            node_types={"default": NodeType(resources={RESOURCE: SHARE})},
        ),
    )
    database = warehouse.connect(options.root, settings=settings)
    view = FleetView(database)

    def restored() -> bool:
        return pool_is_full(view.status(), 0, 0) and not nodes_with(RESOURCE)

    site = Site(
        database=database,
        warehouse={"size": options.size, "worker_cpus": 1.0},
        coordinator_cpus=settings.ray.coordinator_cpus,
        restored=restored,
        node_resource=RESOURCE,
    )
    try:
        run_rounds(site, "node launch", options, _tell)
    finally:
        database.shutdown()


def _tell(found: dict[str, Any]) -> None:
    print(f"{ROUND}{json.dumps(found)}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

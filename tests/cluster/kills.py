"""Random kills under a mixed load, every answer checked. Run by `test_kills.py`, or by hand:

    python tests/keeper.py python -m tests.cluster.kills --rounds 100 --seed 7 < /dev/null

A Ray cluster of four nodes on this machine: a head with the primary and the fleet, three for
coordinators and workers. Two virtual warehouses answer four clients that check what they hear; a
writer appends. Each round kills one process (a worker, a coordinator, the fleet, the primary) or
all of a node, at a random moment, and a new node takes the place of a lost one. With `--together 3`
it is up to three at once, and of the node broker and the pool's spare processes as well. At the
end: every client got an answer to its last question, no answer was wrong, and no process is left.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import polars as pl
import psutil
import ray
import ray.exceptions
from ray.cluster_utils import Cluster

import warehouse
from actors import spawn
from storage.errors import MobulaError, Unavailable
from warehouse import Database, NodeType, RaySettings, Settings

NODES = 3
ROWS = 400_000
QUESTIONS = [
    "SELECT count(*), sum(a) FROM t",
    "SELECT b, count(*), sum(a) FROM t GROUP BY b ORDER BY b",
    "SELECT a FROM t WHERE a % 9973 = 5 ORDER BY a DESC LIMIT 20",
    "SELECT count(*) FROM t x JOIN t y ON x.a = y.a + 1 WHERE y.b = 3",
    "SELECT min(a), max(a) FROM t WHERE a BETWEEN 1000 AND 2000",
]
TARGETS = ("worker", "worker", "worker", "coordinator", "coordinator", "fleet", "primary", "node")
MORE_TARGETS = ("process", "broker")  # where several are killed together
RETRY_S = 0.2
STUCK_S = 180.0
SLOW_S = 20.0  # answers that took longer are told


@dataclass
class World:
    """What the threads share."""

    db: Database
    answers: dict[str, list[tuple[Any, ...]]]
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: int = 0
    sent: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def until_answered(world: World, ask: Callable[[], Any]) -> Any:
    """Ask again while the answer is that it may succeed later."""
    begun = time.monotonic()
    while True:
        try:
            found = ask()
        except Unavailable as error:
            world.counts["asked again"] += 1
            sys.stderr.write(f"asked again after {time.monotonic() - begun:.1f} s: {error}\n")
            if time.monotonic() - begun > STUCK_S:
                world.wrong.append("no answer for three minutes")
                raise
            time.sleep(RETRY_S)
            continue
        except Exception as error:
            world.wrong.append(f"{type(error).__name__}: {error}")
            raise
        took_s = time.monotonic() - begun
        world.slowest_s = max(world.slowest_s, took_s)
        if took_s > SLOW_S:
            sys.stderr.write(f"answered after {took_s:.1f} s: {ask}\n")
        return found


def read(world: World, name: str, seed: int) -> None:
    """One client of a virtual warehouse."""
    source = random.Random(seed)
    vw = until_answered(world, lambda: world.db.virtual_warehouse(name))
    while not world.stop.is_set():
        question = source.choice([*QUESTIONS, "appended"])
        if question == "appended":
            _check_appended(world, vw)
        else:
            found = until_answered(world, partial(_rows, vw, question))
            if found != world.answers[question]:
                world.wrong.append(f"{question}: {found[:3]}")
        world.counts["answers"] += 1


def _rows(vw: Any, question: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = vw.sql(question, timeout_s=60).rows()
    return found


def _check_appended(world: World, vw: Any) -> None:
    """Whole batches of 10, all that were acknowledged before, none that was not sent."""
    before, lsn = world.acknowledged, world.db.snapshot().lsn
    [(count, total)] = until_answered(
        world, lambda: vw.sql("SELECT count(*), sum(n) FROM appended", min_lsn=lsn).rows()
    )
    batches = count // 10
    expected = sum(range(count)) if count else None
    if count % 10 or not before <= batches <= world.sent or total != expected:
        world.wrong.append(f"appended: {count} rows, sum {total}, acknowledged {before}")


def write(world: World) -> None:
    """The writer: batch after batch."""
    table = world.db.table("appended")
    while not world.stop.is_set():
        first = world.sent * 10
        rows = pl.DataFrame({"n": range(first, first + 10)}, schema={"n": pl.Int64})
        world.sent += 1
        token = warehouse.IngestToken(writer="kills", sequence=world.sent)
        until_answered(world, partial(table.append, rows, token=token))
        world.acknowledged += 1
        world.stop.wait(0.05)


# --- kills ----------------------------------------------------------------------------------------


class Killer:
    """Finds processes and ends them."""

    def __init__(self, world: World, cluster: Cluster, source: random.Random) -> None:
        self.world = world
        self.cluster = cluster
        self.source = source
        self.seen: set[int] = set()
        self.nodes = [cluster.add_node(num_cpus=4, resources={"vw": 1}) for _ in range(NODES)]

    def look(self) -> dict[str, list[int]]:
        """Process ids by role, of those that answer."""
        roles = ("worker", "coordinator", "fleet", "primary", "process")
        found: dict[str, list[int]] = {role: [] for role in roles}
        node = self.world.db._node
        with contextlib.suppress(Exception):
            found["primary"].append(self.world.db.status()["pid"])
        with contextlib.suppress(Exception):
            status = ray.get(spawn.find_fleet(node).status.remote(), timeout=5)
            found["fleet"].append(status["pid"])
            found["process"] += status["pids"]
        with contextlib.suppress(Exception):
            for name, pid in self.world.db.sql(
                "SELECT name, coordinator_pid FROM mobula.warehouses() WHERE coordinator_pid > 0",
                timeout_s=10,
            ).rows():
                found["coordinator"].append(pid)
                found["worker"] += self.world.db.virtual_warehouse(name).status()["worker_pids"]
        for pids in found.values():
            self.seen.update(pids)
        return found

    def kill(self, together: int) -> list[str]:
        """End up to so many at once; what they were."""
        if together == 1:
            targets = [self.source.choice(TARGETS)]
        else:
            count = self.source.randint(1, together)
            targets = self.source.sample(TARGETS + MORE_TARGETS, count)
        pids = self._of([t for t in targets if t not in ("node", "broker")])
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if "broker" in targets and (broker := spawn.find_node_broker()) is not None:
            ray.kill(broker, no_restart=False)
        if "node" in targets:
            node = self.nodes.pop(self.source.randrange(len(self.nodes)))
            self.cluster.remove_node(node, allow_graceful=False)
            self.nodes.append(self.cluster.add_node(num_cpus=4, resources={"vw": 1}))
        return targets

    def _of(self, targets: Sequence[str]) -> list[int]:
        """One process of each role, once there are."""
        deadline = time.monotonic() + STUCK_S
        while targets and not all((found := self.look())[target] for target in targets):
            if time.monotonic() > deadline:
                missing = [target for target in targets if not found[target]]
                self.world.wrong.append(f"no {', '.join(missing)} for three minutes")
                return []
        return [self.source.choice(found[target]) for target in targets]


def run(rounds: int, seed: int, root: str, together: int = 1) -> dict[str, Any]:
    """The whole thing; a summary. Args: together: so many are killed at once, at most."""
    source = random.Random(seed)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 4, "resources": {"head": 1}}
    )
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    pool = {"default": NodeType(resources={"vw": 0.001}, floor=1, cpus=0.5)}
    settings = Settings(
        ray=RaySettings(primary_resources={"head": 0.001}, node_types=pool, coordinator_floor=1)
    )
    db = warehouse.connect(root, settings=settings)
    db.sql(f"CREATE TABLE t AS SELECT x AS a, x % 7 AS b FROM generate_series(1, {ROWS}) g (x)")
    db.sql("CREATE TABLE appended (n BIGINT)")
    answers = {question: db.sql(question).rows() for question in QUESTIONS}
    world = World(db=db, answers=answers)
    killer = Killer(world, cluster, source)
    db.create_virtual_warehouse("a", size=2, worker_cpus=0.5)
    db.create_virtual_warehouse("b", size=1, max_clusters=2, worker_cpus=0.5)
    threads = [threading.Thread(target=write, args=(world,))]
    threads += [
        threading.Thread(target=read, args=(world, name, seed + n))
        for n, name in enumerate(("a", "a", "b", "b"))
    ]
    for thread in threads:
        thread.start()
    for number in range(rounds):
        world.stop.wait(source.uniform(0.2, 2.0))
        killed = killer.kill(together)
        world.counts.update(f"killed {target}" for target in killed)
        sys.stderr.write(f"{number + 1}/{rounds} {', '.join(killed)}\n")
        if world.wrong:
            break
    killer.look()
    world.stop.set()
    for thread in threads:
        thread.join(STUCK_S + 60)
    stuck = sum(thread.is_alive() for thread in threads)
    killer.look()
    db.shutdown()
    left = _left(killer.seen)
    summary = {
        "rounds": rounds,
        "seed": seed,
        "together": together,
        **dict(sorted(world.counts.items())),
        "acknowledged": world.acknowledged,
        "slowest_s": round(world.slowest_s, 1),
        "wrong": world.wrong,
        "stuck": stuck,
        "left": left,
    }
    ray.shutdown()
    cluster.shutdown()
    return summary


def _left(pids: set[int]) -> list[int]:
    """Those that are still there a while after the end."""
    deadline = time.monotonic() + 10
    left = sorted(pids)
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left = [pid for pid in left if _is_ours(pid)]
    return left


def _is_ours(pid: int) -> bool:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "Shell" in " ".join(process.cmdline())
    return False


def main() -> None:
    """Print the summary as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--together", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        summary = run(chosen.rounds, chosen.seed, f"{directory}/db", chosen.together)
    sys.stdout.write(json.dumps(summary) + "\n")
    good = not (summary["wrong"] or summary["stuck"] or summary["left"])
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    try:
        main()
    except MobulaError as error:
        sys.exit(f"{type(error).__name__}: {error}")

"""A whole Mobula in one thread: candidates for the primary, readers and clients over one bucket.

`Case` says how large and how rough; everything else follows from its seed. A world runs until the
clients know how each of their transactions came out. Then it heals, the last commit must succeed,
every reader must catch up, and what is left is checked as a whole (`aftermath.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from actors.primary.limits import CheckpointPolicy, KeyedLimits
from actors.primary.primary import Primary
from actors.virtual_warehouse.follower import Follower
from storage.errors import Conflict, CorruptData, Fenced, MobulaError, Unavailable
from storage.flush_policy import FlushPolicy
from storage.log.epoch import Owner
from storage.log.takeover import take_over
from storage.objects import ObjectStore
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds
from tests.simulation.contents import Contents
from tests.simulation.faults import Call, Fault, drawn
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.node import Node, SimulatedClock, called, retrying
from tests.simulation.store import Bucket, SimulatedStore
from tests.simulation.witness import Witness

__all__ = ["Case", "World"]

T = TypeVar("T")

LEASE_MS = 3_000
HOUR_MS = 3_600_000
KEPT = 3  # snapshots that a reader comes back to


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is simulated.

    Attributes:
        steps: of each client.
        trouble: how likely a call of the store fails.
        loss: how likely a message between processes is lost.
        events: crashes, stalls, jumps of clocks, partitions.
        impatience: how likely a candidate takes over at once, as `mobula primary promote` does,
            each time that it finds somebody reigning.
        think_ms: how long a client waits between transactions, at most.
        only: if given, the identities of the faults and events that may happen; see `shrink.py`.
    """

    seed: int
    candidates: int = 2
    readers: int = 2
    clients: int = 3
    steps: int = 8
    trouble: float = 0.04
    loss: float = 0.01
    events: int = 6
    impatience: float = 0.02
    think_ms: int = 500
    only: tuple[str, ...] | None = None

    @classmethod
    def of(cls, seed: int) -> Case:
        """The case of a seed: from calm to very rough."""
        rng = random.Random(f"case {seed}")
        return cls(
            seed=seed,
            candidates=rng.choice([1, 2, 2, 3]),
            readers=rng.choice([1, 2]),
            clients=rng.choice([1, 2, 3, 4]),
            steps=rng.choice([4, 8, 12, 20]),
            trouble=rng.choice([0.0, 0.01, 0.04, 0.1]),
            loss=rng.choice([0.0, 0.01, 0.05, 0.15]),
            events=rng.choice([0, 3, 6, 12]),
            impatience=rng.choice([0.0, 0.01, 0.05, 0.2]),
            think_ms=rng.choice([0, 20, 500, 3_000]),
        )


class World:
    """One case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = random.Random(f"world {case.seed}")
        self.loop = SimulatedLoop(random.Random(f"schedule {case.seed}"))
        self.network = Process("network")
        self.director = Process("director")
        self.bucket = Bucket()
        self.witness = Witness(abort=self.loop.abort)
        self.bucket.watchers.append(self.witness.changed)
        self.contents = Contents()
        self.nodes: dict[str, Node] = {}  # by role, those that live now
        self.past: list[Node] = []
        self.primaries: list[tuple[Node, Primary]] = []
        self.snapshots: dict[str, Snapshot] = {}  # newest of each reader
        self.happened: Counter[str] = Counter()
        self.ids: list[str] = []  # of the faults and events that have happened
        self.healed = False
        self.over = False
        self._faults = drawn(case.seed, case.trouble, frozenset(Fault), only=case.only)
        self._steady = drawn(
            case.seed,
            case.trouble,
            [fault for fault in Fault if not fault.crashes],
            only=case.only,
        )

    # --- processes ------------------------------------------------------------------------------

    def start(self, role: str, work: Callable[[Node], Awaitable[None]], *, mortal: bool) -> Node:
        """A process of that role; if it is mortal and dies, another follows."""
        life = 1 + sum(node.role == role for node in self.past)
        process = Process(f"{role}.{life}")
        rng = random.Random(f"{self.case.seed} {process.name}")
        clock = SimulatedClock(self.loop, rng)
        wire = SimulatedStore(
            self.bucket,
            process,
            self.network,
            seed=self.case.seed,
            faults=self._fault if mortal else self._fault_of_client,
            lease_s=LEASE_MS / 1000,
        )
        node = Node(
            role=role,
            life=life,
            process=process,
            clock=clock,
            ids=CountedIds(f"{process.name}"),
            wire=wire,
            store=retrying(wire, clock, rng),
            rng=rng,
        )
        process.died = lambda: self._died(node, work)
        self.nodes[role] = node
        self.past.append(node)
        self.loop.create_task(_running(work, node), context=process.context.copy())
        return node

    def _died(self, node: Node, work: Callable[[Node], Awaitable[None]]) -> None:
        node.died()
        self.happened["crash"] += 1

        def follow() -> None:
            if not self.over:
                self.start(node.role, work, mortal=True)

        delay_s = self.rng.uniform(0.1, 8.0)
        self.loop.call_later(delay_s, follow, context=self.director.context.copy())

    def _fault(self, call: Call) -> Fault | None:
        return self._noted(call, None if self.healed else self._faults(call))

    def _fault_of_client(self, call: Call) -> Fault | None:
        return self._noted(call, None if self.healed else self._steady(call))

    def _noted(self, call: Call, fault: Fault | None) -> Fault | None:
        self.happened["calls"] += 1
        if fault is not None:
            self.happened[fault.name] += 1
            self.ids.append(call.id)
        return fault

    async def call(self, node: Node, work: Callable[[], Awaitable[T]], rng: random.Random) -> T:
        """See `called`."""
        loss = 0.0 if self.healed else self.case.loss
        return await called(node, work, self.network, rng, loss)

    def believed(self, rng: random.Random) -> tuple[Node, Primary]:
        """A candidate that serves, as a client may believe: mostly the newest.

        Raises Unavailable: none does.
        """
        serving = [(n, p) for n, p in self.primaries if n.process.alive and n.serves is p]
        if not serving:
            raise Unavailable("nobody serves")
        return serving[-1] if rng.random() < 0.5 else rng.choice(serving)

    def newest_seen(self, role: str) -> int:
        """The LSN of the newest snapshot that a reader has looked at; 0: none."""
        found = self.snapshots.get(role)
        return 0 if found is None else found.lsn

    def store_of(self, primary: Primary) -> ObjectStore:
        return next(node.store for node, known in self.primaries if known is primary)

    # --- roles ----------------------------------------------------------------------------------

    async def candidate(self, node: Node) -> None:
        """Becomes the primary if nobody is, serves until it is replaced, and begins again."""
        while True:
            primary = await self._opened(node)
            if primary is None:
                await node.clock.sleep_ms(node.rng.uniform(100, 3_000))
                continue
            self.primaries.append((node, primary))
            self.happened["reigns"] += 1
            primary.start()
            node.serves = primary
            while primary.stopped is None:
                await node.clock.sleep_ms(500)
            node.serves = None
            await primary.close()

    async def _opened(self, node: Node, *, force: bool = False) -> Primary | None:
        """Args: force: without waiting for whoever reigns."""
        owner = Owner(
            id=node.role if node.rng.random() < 0.5 else node.name,
            nonce=node.ids.new(),
            address=node.name,
            lease_ms=LEASE_MS,
        )
        try:
            reign = await take_over(
                node.store,
                node.reader(),
                owner=owner,
                clock=node.clock,
                ids=node.ids,
                predecessor_is_dead=force or node.rng.random() < self.case.impatience,
            )
        except (Unavailable, Fenced, CorruptData, Conflict):
            return None
        policy = random.Random(f"policy {self.case.seed}")
        return Primary(
            reign,
            store=node.store,
            clock=node.clock,
            ids=node.ids,
            policy=CheckpointPolicy(tail_groups_max=policy.choice([2, 5, 20, 300])),
            keyed=KeyedLimits(
                flush=FlushPolicy(
                    rows_max=policy.choice([8, 20, 200]), deltas_max=policy.choice([2, 5, 50])
                )
            ),
        )

    async def reader(self, node: Node) -> None:
        """Opens a snapshot, follows the log, looks back; now and then begins anew."""
        while True:
            try:
                known = self.witness.acknowledged_lsn
                snapshot = await node.reader().open()
                if snapshot.lsn < known:
                    self.witness.fail("what is acknowledged is seen", f"{snapshot.lsn} < {known}")
                await self._follow(node, snapshot)
            except MobulaError:
                await node.clock.sleep_ms(node.rng.uniform(10, 1_000))

    async def _follow(self, node: Node, snapshot: Snapshot) -> None:
        reader, rng, kept = node.reader(), node.rng, [snapshot]
        follower = Follower(reader, snapshot, node.clock, poll_ms=rng.choice([0, 200, 2_000]))
        running = asyncio.create_task(follower.run())
        try:
            for _ in range(rng.randrange(5, 60)):
                wanted = self.witness.acknowledged_lsn if rng.random() < 0.5 else None
                found = await follower.latest(wanted, 20_000)
                if wanted is not None and found.lsn < wanted:
                    self.witness.fail("readers read what they wrote", f"{found.lsn} < {wanted}")
                self.witness.advanced(node.name, found.lsn)
                await self.look(node, found)
                self.snapshots[node.role] = found
                kept = [*kept[-KEPT:], found]
                if rng.random() < 0.2:
                    await self.look(node, rng.choice(kept))
                if rng.random() < 0.1:
                    await self._look_back(node, rng.randrange(found.lsn + 1))
                await node.clock.sleep_ms(rng.uniform(0, 500 + self.loop.time() * 50))
        finally:
            running.cancel()

    async def _look_back(self, node: Node, lsn: int) -> None:
        """AS OF an LSN."""
        found = await node.reader().open(lsn)
        if found.lsn != lsn:
            self.witness.fail("the past is what it was", f"asked for {lsn}, got {found.lsn}")
        await self.look(node, found)

    async def look(self, node: Node, snapshot: Snapshot) -> None:
        """Read all that a snapshot holds."""
        self.witness.read(node.name, snapshot, await self.contents.of(snapshot, node.store))

    # --- events ---------------------------------------------------------------------------------

    async def disturb(self) -> None:
        """What happens to processes as a whole."""
        moments = sorted(self.rng.uniform(0, 40_000) for _ in range(self.case.events))
        for number, (at_ms, before_ms) in enumerate(zip(moments, [0.0, *moments], strict=False)):
            rng = random.Random(f"{self.case.seed} event {number}")
            await asyncio.sleep((at_ms - before_ms) / 1000)
            identity = f"event/{number}"
            if self.healed or (self.case.only is not None and identity not in self.case.only):
                continue
            self.ids.append(identity)
            self._event(rng)

    def _event(self, rng: random.Random) -> None:
        mortal = [node for role, node in self.nodes.items() if not role.startswith("client")]
        node = rng.choice(mortal)
        now_s = self.loop.time()
        what = rng.choice(["crash", "stall", "stall", "jump", "cut off", "outage"])
        self.happened[what] += 1
        if what == "crash" and node.process.alive:
            node.process.crash()
        elif what == "stall":
            node.process.stalled_until_s = now_s + rng.choice([0.5, 5.0, 30.0]) * rng.random()
        elif what == "jump":
            node.clock.jump(rng.choice([-HOUR_MS, HOUR_MS, rng.uniform(-5_000, 5_000)]))
        elif what == "cut off":
            node.wire.cut_off_until_s = now_s + rng.uniform(0, 40)
        elif what == "outage":
            for one in self.nodes.values():
                one.wire.cut_off_until_s = now_s + rng.uniform(0, 25)

    def freeze(self) -> None:
        """From now on nothing happens but what the director does."""
        self.over = True
        for node in self.nodes.values():
            node.process.died = lambda: None
            node.process.crash()

    def heal(self) -> None:
        """From now on nothing fails."""
        self.healed = True
        for node in self.nodes.values():
            node.wire.cut_off_until_s = 0.0
            node.process.stalled_until_s = 0.0


async def _running(work: Callable[[Node], Awaitable[None]], node: Node) -> None:
    await work(node)

"""A whole Mobula in one thread: candidates for the primary, readers and clients over one bucket.

`Case` says how large and how rough; everything else follows from its seed. A world runs until the
clients know how each of their transactions came out. Then it heals, the last commit must succeed,
every reader must catch up, and what is left is checked as a whole (`aftermath.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from actors.primary.primary import Primary
from storage.errors import ObjectMissing, Unavailable
from storage.log.packs import read_pack
from storage.names import CHECKPOINT_PREFIX, PACK_PREFIX
from storage.snapshot.checkpoint import ROOT, decode_root
from storage.snapshot.model import Snapshot, TableState
from tests.fakes import CountedIds
from tests.simulation.contents import Contents
from tests.simulation.faults import Call, Fault, Faults, drawn
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.node import Node, SimulatedClock, called
from tests.simulation.place import BucketPlace, DirectoryPlace, Place
from tests.simulation.store import Fate
from tests.simulation.witness import Witness

__all__ = ["Case", "World"]

T = TypeVar("T")
Work = Callable[[Node], Coroutine[Any, Any, None]]

LEASE_MS = 3_000
HOUR_MS = 3_600_000
EVENTS = ("crash", "stall", "stall", "jump", "cut off", "outage", "rot")
DIRECTORIES = 0.3  # of the cases
POWER = 0.3  # of the events on a directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is simulated.

    Attributes:
        steps: of each client.
        trouble: how likely a call of the store fails.
        loss: how likely a message between processes is lost.
        events: crashes, stalls, jumps of clocks, partitions; kinds: which of them.
        impatience: how likely a candidate takes over at once, as `mobula primary promote` does,
            each time that it finds somebody reigning.
        distance: of the store: how often the usual time a request takes.
        directory: on a directory, else on an object store.
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
    distance: int = 1
    directory: bool = False
    kinds: tuple[str, ...] = EVENTS
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
            steps=rng.choice([3, 6, 9, 15]),
            trouble=rng.choice([0.0, 0.01, 0.04, 0.1]),
            loss=rng.choice([0.0, 0.01, 0.05, 0.15]),
            events=rng.choice([0, 3, 6, 12]),
            impatience=rng.choice([0.0, 0.01, 0.03, 0.1]),
            think_ms=rng.choice([0, 20, 500, 3_000]),
            distance=rng.choice([1, 1, 2, 10]),
            directory=rng.random() < DIRECTORIES,
        )


class World:
    """One case."""

    def __init__(self, case: Case, *, faults: Faults | None = None) -> None:
        """Args: faults: others than those of the case."""
        self.case = case
        self.rng = random.Random(f"world {case.seed}")
        self.loop = SimulatedLoop(random.Random(f"schedule {case.seed}"))
        self.network = Process("network")
        self.director = Process("director")
        self.place: Place = _place(case, self.network, self.director)
        self.witness = Witness(abort=self.loop.abort)
        self.place.watchers.append(self.witness.changed)
        self.witness.standing = self._standing
        self.contents = Contents()
        self.nodes: dict[str, Node] = {}  # by role, those that live now
        self.past: list[Node] = []
        self.primaries: list[tuple[Node, Primary]] = []
        self.snapshots: dict[str, Snapshot] = {}  # newest of each reader
        self.happened: Counter[str] = Counter()
        self.ids: list[str] = []  # of the faults and events that have happened
        self.called: Callable[[Call], None] = lambda call: None  # hears of each
        self.spoilt: set[str] = set()  # objects that have rotted
        self.rotten = False  # has any checkpoint?
        self.healed = False
        self.over = False
        self._faults = faults or drawn(case.seed, case.trouble, frozenset(Fault), only=case.only)

    def _standing(self) -> tuple[list[int], set[int]] | None:
        """See `Witness.standing`."""
        if self.spoilt:
            return None
        objects = self.place.objects()
        checkpoints, packed = list[int](), set[int]()
        for name, data in objects.items():
            if name.startswith(CHECKPOINT_PREFIX) and name.endswith(f"/{ROOT}"):
                header, catalogue = decode_root(data, name)
                if all(table.part.name in objects for table in catalogue.tables):
                    checkpoints.append(header.lsn)
            elif name.startswith(PACK_PREFIX):
                packed |= read_pack(data, name).keys()
        return checkpoints, packed

    # --- processes ------------------------------------------------------------------------------

    def start(self, role: str, work: Work, *, mortal: bool) -> Node:
        """A process of that role; if it is mortal and dies, another follows."""
        life = 1 + sum(node.role == role for node in self.past)
        process = Process(f"{role}.{life}")
        rng = random.Random(f"{self.case.seed} {process.name}")
        clock = SimulatedClock(self.loop, rng)
        fate = Fate(process, self._fault if mortal else self._fault_of_client)
        node = Node(
            role=role,
            life=life,
            process=process,
            clock=clock,
            ids=CountedIds(f"{process.name}"),
            fate=fate,
            store=self.place.store(process, fate, seed=self.case.seed, clock=clock, rng=rng),
            rng=rng,
        )
        process.died = lambda: self._died(node, work if mortal else None)
        self.nodes[role] = node
        self.past.append(node)
        self.loop.create_task(work(node), context=process.context.copy())
        return node

    def _died(self, node: Node, work: Work | None) -> None:
        """Args: work: what the next life does; None: there is none."""
        node.died()
        self.place.died(node.process)
        if self.over or work is None:
            return
        self.happened["crash"] += 1

        def follow() -> None:
            if not self.over:
                self.start(node.role, work, mortal=True)

        delay_s = self.rng.uniform(0.1, 8.0)
        self.loop.call_later(delay_s, follow, context=self.director.context.copy())

    def _fault(self, call: Call) -> Fault | None:
        return self._noted(call, None if self.healed else self._faults(call))

    def _fault_of_client(self, call: Call) -> Fault | None:
        """Clients tell the tale: they never die."""
        fault = None if self.healed else self._faults(call)
        return self._noted(call, None if fault is None or fault.crashes else fault)

    def _noted(self, call: Call, fault: Fault | None) -> Fault | None:
        self.happened["calls"] += 1
        self.called(call)
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

    def refuse_missing(self, tables: Iterable[TableState]) -> None:
        """Raises ObjectMissing if a file is gone, also one whose rows are remembered."""
        objects = self.place.objects()
        for table in tables:
            for name in table.files.names:
                if name not in objects:
                    raise ObjectMissing(f"{name}: it is gone")

    def check_missing(self, primary: Primary, error: ObjectMissing) -> None:
        """A transaction of a primary misses an object: only a successor may have deleted it."""
        reigns = self.witness.headers[-1].epoch == primary.reign.epoch
        if reigns and not self.spoilt:
            self.witness.fail("what a transaction reads is not deleted", str(error))

    def node_of(self, primary: Primary) -> Node:
        return next(node for node, known in self.primaries if known is primary)

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
        what = rng.choice(self.case.kinds)
        if isinstance(self.place, DirectoryPlace) and rng.random() < POWER:
            what = "power loss"
        self.happened[what] += 1
        if what == "crash" and node.process.alive:
            node.process.crash()
        elif isinstance(self.place, DirectoryPlace) and what == "power loss":
            self._lose_power(self.place, mortal, rng)
        elif what == "stall":
            node.process.stalled_until_s = now_s + rng.choice([0.5, 5.0, 30.0]) * rng.random()
        elif what == "jump":
            node.clock.jump(rng.choice([-HOUR_MS, HOUR_MS, rng.uniform(-5_000, 5_000)]))
        elif what == "cut off":
            node.fate.cut_off_until_s = now_s + rng.uniform(0, 40)
        elif what == "outage":
            for one in self.nodes.values():
                one.fate.cut_off_until_s = now_s + rng.uniform(0, 25)

        elif what == "rot":
            self._spoil(rng)

    def _spoil(self, rng: random.Random) -> None:
        """One, or all, of a kind of objects that can be done without while the log is whole."""
        prefix = rng.choice(["index/", "checkpoint/"])
        found = {k: v for k, v in self.place.objects().items() if k.startswith(prefix)}
        names = sorted(found) if rng.random() < 0.5 else sorted(found)[-1:]
        collecting = any(
            primary.collector._busy.locked()
            for node, primary in self.primaries
            if node.process.alive
        )
        horizon = self.witness.past.horizon
        if prefix == CHECKPOINT_PREFIX and (horizon or collecting or self.rotten):
            # Of the log there is, or will soon be, no more than two checkpoints need, which have
            # been read back: one of them may be lost.
            names = [] if self.rotten else sorted(found)[:1]
        self.rotten |= prefix == CHECKPOINT_PREFIX and bool(names)
        for name in names:
            whole = found[name]
            at = rng.randrange(len(whole))
            flipped = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]
            self.place.spoil(name, rng.choice([None, flipped, whole[:at]]))
            self.spoilt.add(name)

    def _lose_power(self, place: DirectoryPlace, nodes: Sequence[Node], rng: random.Random) -> None:
        """The machine with the directory and all processes, the clients not."""
        place.lose_power(rng)
        self.witness.power_lost(place.objects())
        for node in nodes:
            node.process.crash()

    def freeze(self) -> None:
        """From now on nothing happens but what the director does."""
        self.over = True
        for node in self.nodes.values():
            node.process.crash()

    def heal(self) -> None:
        """From now on nothing fails."""
        self.healed = True
        for node in self.nodes.values():
            node.fate.cut_off_until_s = 0.0
            node.process.stalled_until_s = 0.0


def _place(case: Case, network: Process, director: Process) -> Place:
    lease_s = LEASE_MS / 1000
    if case.directory:
        return DirectoryPlace(lease_s=lease_s)
    return BucketPlace(network, director, seed=case.seed, lease_s=lease_s, distance=case.distance)

"""Where a simulated world keeps its objects: a bucket behind a network, or a directory."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from storage.clock import Clock
from storage.objects import CountingStore, LocalStore, ObjectStore, RetryingStore
from tests.fakes import CountedIds
from tests.simulation.directory import ROOT, SimulatedDirectory
from tests.simulation.disk import SimulatedDisk
from tests.simulation.loop import Process
from tests.simulation.store import Bucket, Fate, SimulatedStore, Watch

__all__ = ["BucketPlace", "DirectoryPlace", "Place"]

RETRY_BUDGET_MS = 20_000  # of one call of a store


class Place(Protocol):
    """`watchers` hear of every change of an object at its moment."""

    watchers: list[Watch]

    def store(
        self, process: Process, fate: Fate, *, seed: int, clock: Clock, rng: random.Random
    ) -> CountingStore:
        """A process's way to it, as production puts it together."""
        ...

    def quiet(self) -> ObjectStore:
        """A way on which nothing goes wrong."""
        ...

    def objects(self) -> Mapping[str, bytes]:
        """What is there."""
        ...

    def died(self, process: Process) -> None:
        """A process has crashed."""
        ...

    def spoil(self, name: str, data: bytes | None) -> None:
        """An object rots, or goes (None), and nobody is told."""
        ...


class BucketPlace:
    """An object store behind a network. `lease_s`: how slow slow calls are."""

    def __init__(
        self, network: Process, director: Process, *, seed: int, lease_s: float, distance: int
    ) -> None:
        self._distance = distance
        self.bucket = Bucket()
        self.watchers = self.bucket.watchers
        self._network = network
        self._director = director
        self._lease_s = lease_s
        self._seed = seed

    def store(
        self, process: Process, fate: Fate, *, seed: int, clock: Clock, rng: random.Random
    ) -> CountingStore:
        wire = SimulatedStore(
            self.bucket,
            process,
            self._network,
            seed=seed,
            fate=fate,
            lease_s=self._lease_s,
            distance=self._distance,
        )
        return CountingStore(RetryingStore(wire, clock=clock, budget_ms=RETRY_BUDGET_MS, rng=rng))

    def quiet(self) -> ObjectStore:
        fate = Fate(self._director, lambda call: None)
        return SimulatedStore(
            self.bucket, self._director, self._network, seed=self._seed, fate=fate, lease_s=1.0
        )

    def objects(self) -> Mapping[str, bytes]:
        return self.bucket.objects

    def died(self, process: Process) -> None:
        """Its requests are on their way."""

    def spoil(self, name: str, data: bytes | None) -> None:
        if data is None:
            del self.bucket.objects[name]
        else:
            self.bucket.objects[name] = data


class DirectoryPlace:
    """A directory that all processes of one machine share. Whoever holds its lock reigns."""

    def __init__(self, *, lease_s: float) -> None:
        self.disk = SimulatedDisk()
        self.watchers: list[Watch] = []
        self.disk.tell = self._tell
        self._known: dict[str, bytes] = {}  # what the watchers know
        self._lease_s = lease_s
        self._made = 0

    def store(
        self, process: Process, fate: Fate, *, seed: int, clock: Clock, rng: random.Random
    ) -> CountingStore:
        return CountingStore(
            SimulatedDirectory(self.disk, process, seed=seed, fate=fate, lease_s=self._lease_s)
        )

    def quiet(self) -> ObjectStore:
        self._made += 1
        name = f"quiet {self._made}"
        return LocalStore(ROOT, ids=CountedIds(name), disk=self.disk.mount(name))

    def objects(self) -> Mapping[str, bytes]:
        found = self.disk.files(ROOT)
        return {name: data for name, data in found.items() if not name.startswith("tmp/")}

    def died(self, process: Process) -> None:
        with contextlib.suppress(KeyError):  # the disk may know it already
            self.disk.crash(process.name)

    def spoil(self, name: str, data: bytes | None) -> None:
        path = ROOT / name
        if data is None:
            self.disk.directory(path.parent).change(path.name, None)
        else:
            self.disk.file(path).content = data

    def lose_power(self, rng: random.Random) -> None:
        """Everybody on the machine dies, and what was not fsync'd may be gone."""
        self.disk.power_loss(rng, kept=rng.choice([0.0, 0.5, 0.9]))
        self._known = dict(self.objects())

    def _tell(self, path: Path, content: bytes | None) -> None:
        """A name was given to a file, or taken away."""
        name = path.relative_to(ROOT).as_posix()
        if name.startswith("tmp/"):
            return
        before = self._known.pop(name, None)
        if content is not None:
            self._known[name] = content
        method = "delete" if content is None else "create" if before is None else "put"
        for watch in self.watchers:
            watch(method, name, before, content)

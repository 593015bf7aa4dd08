"""Which worker a file belongs to, and which worker a query: consistent hashing with bounded load.

1. Every worker has `POINTS` points on a ring of 64-bit hashes. A file belongs to the worker of the
   first point at or after its own hash. One of n workers that joins or leaves moves the files
   between its points and those before them: about 1/n, and none between two workers that stay.
2. `assign` bounds the load (Mirrokni, Thorup, Zadimoghaddam: Consistent Hashing with Bounded Loads,
   SODA 2018): a worker that has no room is passed over, and the next one on the ring asked. Room is
   (1 + epsilon) times the mean bytes. The largest files come first, which leaves the gaps to small
   ones. If nobody has room, the worker with the fewest bytes takes it: so no worker gets more than
   that room while no file is larger than epsilon times the mean, and in any case no more than the
   mean and one file.
3. `best` routes a whole query, to the idle worker that owns most bytes of its files. A tie goes to
   the first of the tied workers on the ring after the hash of the query's files: a query of one
   file whose owner is busy goes where bounded load would put that file, and the same query to the
   same worker, again and again.

Hashes are XXH3 of names, so every process of every run agrees; the order in which workers joined
does not matter. Nothing is kept per file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from storage.errors import InternalError

__all__ = ["EPSILON", "POINTS", "Placement"]

POINTS = 128  # per worker: shares differ by about 9 % (one in the square root of 128)
EPSILON = 0.25  # above the mean: more evens out less, less moves more files

_Words = npt.NDArray[np.uint64]
_Numbers = npt.NDArray[np.int64]


class Placement:
    """Workers, by id, on a ring."""

    def __init__(self, workers: Iterable[str] = ()) -> None:
        self._points: dict[str, _Words] = {worker: _points_of(worker) for worker in workers}
        self._build()

    @property
    def workers(self) -> tuple[str, ...]:
        """Their ids, sorted."""
        return self._workers

    def add(self, worker: str) -> None:
        """A worker that joins; one that is there already changes nothing."""
        if worker not in self._points:
            self._points[worker] = _points_of(worker)
            self._build()

    def remove(self, worker: str) -> None:
        """A worker that leaves; one that is not there changes nothing."""
        if self._points.pop(worker, None) is not None:
            self._build()

    def joined(self, worker: str) -> Placement:
        """What it will be when `worker` has joined; this one stays as it is."""
        other = Placement()
        other._points = self._points | {worker: _points_of(worker)}
        other._build()
        return other

    def owner(self, file_name: str) -> str:
        """The worker that a file belongs to. Raises InternalError: there is no worker."""
        return self.owners([file_name])[0]

    def owners(self, file_names: Sequence[str]) -> list[str]:
        """The workers that files belong to, in the order of the names. Raises as `owner`."""
        self._check()
        numbers = self._owners[self._slots(_hashes(file_names))]
        return [self._workers[number] for number in numbers.tolist()]

    def assign(self, files: Mapping[str, int], epsilon: float = EPSILON) -> dict[str, str]:
        """A worker for each file (name -> size in bytes), with bounded load: see the module.

        The same whatever the order of files and workers. Raises InternalError: there is no worker.
        """
        self._check()
        names = sorted(files)
        slots = self._slots(_hashes(names)).tolist()
        queue = sorted(zip(names, slots, strict=True), key=lambda file: -files[file[0]])
        room = (1 + epsilon) * sum(files.values()) / len(self._workers)
        loads = [0] * len(self._workers)
        assigned: dict[str, str] = {}
        for name, slot in queue:
            number = self._with_room(slot, files[name], loads, room)
            loads[number] += files[name]
            assigned[name] = self._workers[number]
        return assigned

    def best(self, files: Mapping[str, int], idle: Collection[str]) -> str:
        """The idle worker for a query that reads those files (name -> size in bytes).

        Raises InternalError: no worker of the ring is idle.
        """
        free = [number for number, worker in enumerate(self._workers) if worker in idle]
        if not free:
            raise InternalError(f"none of {sorted(idle)} is among the workers {self._workers}")
        hashes = _hashes(files)
        sizes = np.fromiter(files.values(), np.float64, len(files))
        owners = self._owners[self._slots(hashes)]
        owned = np.bincount(owners, weights=sizes, minlength=len(self._workers))[free]
        tied = np.zeros(len(self._workers), np.bool_)
        tied[np.array(free)[owned == owned.max()]] = True
        query = np.bitwise_xor.reduce(hashes, keepdims=True) if len(files) else _hashes([""])
        after = np.roll(self._owners, -int(self._slots(query)[0]))
        return self._workers[int(after[tied[after].argmax()])]

    def _build(self) -> None:
        self._workers = tuple(sorted(self._points))
        hashes = [self._points[worker] for worker in self._workers]
        ring = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
        order = np.argsort(ring, kind="stable")  # equal points: the first id wins
        self._ring: _Words = ring[order]
        self._owners: _Numbers = (order // POINTS).astype(np.int64)

    def _check(self) -> None:
        if not self._workers:
            raise InternalError("no worker has joined yet, so no file can belong to one")

    def _slots(self, hashes: _Words) -> _Numbers:
        """Of each hash, the place on the ring of the first point at or after it."""
        return np.searchsorted(self._ring, hashes) % len(self._ring)

    def _with_room(self, slot: int, size_bytes: int, loads: list[int], room: float) -> int:
        """The first worker on the ring that has room for a file, or else the emptiest."""
        passed: set[int] = set()
        while len(passed) < len(loads):
            number = int(self._owners[slot])
            if not loads[number] or loads[number] + size_bytes <= room:
                return number
            passed.add(number)
            slot = (slot + 1) % len(self._ring)
        return min(range(len(loads)), key=lambda number: (loads[number], number))


def _hashes(names: Collection[str]) -> _Words:
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter((digest(name.encode()) for name in names), np.uint64, len(names))


def _points_of(worker: str) -> _Words:
    return _hashes([f"{worker}#{number}" for number in range(POINTS)])

"""Which files are hot: how often queries read them, with the past fading away.

Every read adds 1 to a file's heat, and all heat halves every `HALF_LIFE_MS`. What is stored is the
logarithm of the heat as it would be at time 0: it does not change as time passes, only by reads, so
nothing has to be cooled down and the order of files is always that of their stored numbers.

Hottest is what has been read most often, whatever its size: a file of twice the size saves twice
the bytes per read and takes twice the place. Of equally hot ones the smaller come first: that is
more files, so more requests that are saved.

Memory is bounded: beyond `files_max` the coldest eighth is forgotten, all at once, so it is rare.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Protocol

import numpy as np

from actors.fragments import HotFile
from actors.virtual_warehouse.placement import Placement

__all__ = ["FILES_MAX", "HALF_LIFE_MS", "FileHeat", "ReadFile", "warm_list"]

HALF_LIFE_MS = 600_000.0  # a report of an hour ago counts a 64th of one of now
FILES_MAX = 100_000  # some 30 MB
_FORGOTTEN = 8  # one in so many


class ReadFile(Protocol):
    """What is needed of a file that a query reads; `fragments.FileInput` is one."""

    @property
    def name(self) -> str: ...
    @property
    def checksum(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...


class FileHeat:
    """The heat of the files that the queries of a virtual warehouse read."""

    def __init__(self, *, half_life_ms: float = HALF_LIFE_MS, files_max: int = FILES_MAX) -> None:
        self._half_life_ms = half_life_ms
        self._files_max = files_max
        self._files: dict[str, HotFile] = {}
        self._heat: dict[str, float] = {}  # log2, as of time 0; the keys of both are the same

    def __len__(self) -> int:
        return len(self._files)

    def touch(self, files: Iterable[ReadFile], now_ms: float) -> None:
        """A query reads those files now. Times may come in any order."""
        read = now_ms / self._half_life_ms
        heat, known = self._heat, self._files
        log2, exp2 = math.log2, math.exp2
        for file in files:
            name = file.name
            had = heat.get(name)
            if had is None:
                heat[name] = read
                known[name] = HotFile(
                    name=name, checksum=file.checksum, size_bytes=file.size_bytes
                )  # fmt: skip
            else:  # log2(2 ** had + 2 ** read), without the large numbers
                heat[name] = max(had, read) + log2(1 + exp2(-abs(had - read)))
        if len(heat) > self._files_max:
            self._forget_coldest()

    def heat(self, file_name: str, now_ms: float) -> float:
        """Reads of a file, each halved by every half-life since; 0: it is not known."""
        had = self._heat.get(file_name)
        return 0.0 if had is None else math.exp2(had - now_ms / self._half_life_ms)

    def forget(self, names: Collection[str]) -> None:
        """Files that no query will read again, as they have left the catalogue."""
        for name in names:
            self._heat.pop(name, None)
            self._files.pop(name, None)

    def ranked(self) -> list[HotFile]:
        """All that are known, hottest first; of equally hot ones the smaller, then by name."""
        names = np.array(list(self._files), np.str_)
        sizes = np.fromiter((one.size_bytes for one in self._files.values()), np.int64, len(names))
        heat = np.fromiter((self._heat[name] for name in self._files), np.float64, len(names))
        files = list(self._files.values())
        return [files[place] for place in np.lexsort((names, sizes, -heat)).tolist()]

    def hottest(self, limit_bytes: int) -> list[HotFile]:
        """The hottest that fit into so many bytes together, hottest first.

        What does not fit any more is passed over, for colder ones that do.
        """
        return _fitting(self.ranked(), limit_bytes)

    def _forget_coldest(self) -> None:
        kept = self._files_max - self._files_max // _FORGOTTEN
        coldest = sorted(self._heat, key=self._heat.__getitem__)[: len(self._heat) - kept]
        self.forget(coldest)


def warm_list(
    heat: FileHeat, placement: Placement, worker: str, budget_bytes: int
) -> list[HotFile]:
    """The hottest files that will be `worker`'s once it has joined, within a budget of bytes."""
    joined = placement if worker in placement.workers else placement.joined(worker)
    ranked = heat.ranked()
    owners = joined.owners([file.name for file in ranked])
    mine = (file for file, owner in zip(ranked, owners, strict=True) if owner == worker)
    return _fitting(mine, budget_bytes)


def _fitting(files: Iterable[HotFile], limit_bytes: int) -> list[HotFile]:
    fitting: list[HotFile] = []
    for file in files:
        if file.size_bytes <= limit_bytes:
            fitting.append(file)
            limit_bytes -= file.size_bytes
    return fitting

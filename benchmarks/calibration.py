"""How fast the machine is at this moment: the same work on all its cores, whatever else it does.

Benchmarks that take minutes on a shared machine measure its hours as well. Work of a fixed kind,
done before each part, says how much of a difference between two parts is the machine's.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np

__all__ = ["Calibration", "calibration"]

SECONDS = 1.0
TABLE_WORDS = 8 << 20  # 64 MiB: more than a cache holds
LOOKUPS = 200_000


class Calibration:
    """Processes, one for each core, that wait to be asked."""

    def __init__(self, pool: ProcessPoolExecutor, cores: int, seconds: float) -> None:
        self._pool = pool
        self._cores = cores
        self._seconds = seconds

    def speed(self) -> float:
        """Rounds of work a second, all cores together."""
        return sum(self._pool.map(_rounds, [self._seconds] * self._cores))


@contextmanager
def calibration(seconds: float = SECONDS) -> Iterator[Calibration]:
    """For as long as the context lasts. Args: seconds: that it takes to ask once."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        made = Calibration(pool, cores, seconds)
        made.speed()  # the first time is that of starting
        yield made


def _rounds(seconds: float) -> float:
    """Rounds a second: random reads, a sort, and plain Python, in about equal parts."""
    random = np.random.default_rng(1)
    table = np.arange(TABLE_WORDS, dtype=np.uint64)
    places = random.integers(0, TABLE_WORDS, LOOKUPS)
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        np.sort(table.take(places))
        sum(number & 1 for number in range(100_000))
        count += 1
    return count / taken

"""Processes of this machine, by Linux' /proc: which there are, what CPU they took, on which cores
they may run. A setting of Linux is per thread, so a process is pinned thread by thread."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["core_halves", "cpu_seconds", "descendants", "pin"]

_PROC = Path("/proc")
_SWEEPS_MAX = 10


def core_halves() -> tuple[set[int], set[int]]:
    """The cores that this process may use, in two halves. Raises RuntimeError if it has only one,
    or if this is not Linux."""
    if not hasattr(os, "sched_getaffinity"):
        raise RuntimeError("processes are pinned to cores as Linux does it; this system cannot")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise RuntimeError("one core is not enough: what is compared must not share one")
    half = len(cores) // 2
    return set(cores[:half]), set(cores[half:])


def pin(pid: int, cores: set[int]) -> None:
    """Let all threads of a process run on these cores only. Threads that they start later follow.
    A process that is gone is left alone."""
    pinned: set[int] = set()
    for _ in range(_SWEEPS_MAX):  # a thread may begin while we go through them
        threads = _threads(pid) - pinned
        if not threads:
            return
        for thread in threads:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(thread, cores)
        pinned |= threads


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU that these processes have taken since they began, all their threads together."""
    ticks = 0
    for pid in pids:
        # The name, in brackets, may have spaces in it.
        fields = (_PROC / str(pid) / "stat").read_text("utf-8").rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> set[int]:
    """All processes that a process has started, and those that they have."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    ahead = [pid]
    while ahead:
        ahead.extend(new := [c for c in children.get(ahead.pop(), []) if c not in found])
        found.update(new)
    return found


def _threads(pid: int) -> set[int]:
    try:
        return {int(entry.name) for entry in (_PROC / str(pid) / "task").iterdir()}
    except OSError:
        return set()

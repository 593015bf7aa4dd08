"""Runs side by side in one mapping, so that they can be searched together (`arena.py`).

Runs that come together, one of each partition, are copied into one file, which is mapped at once:

    page-aligned    run 0, as its object is (`run.py`), then run 1, ...

Each of them is a run like any other: it can be searched, merged and given up by itself. The file is
there as long as one of them is.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from storage.errors import InternalError
from storage.objects.os_errors import os_errors
from storage.primary_key.arena import Arena
from storage.primary_key.run import HEADER_BYTES, Run, mapped_run

__all__ = ["side_by_side"]

_WORD_BYTES = 8
_NUMBER_BYTES = 4


def side_by_side(runs: Sequence[Run], path: Path) -> list[Run]:
    """The same runs in an arena; the file may be removed as soon as it is made.

    Args:
        runs: mapped ones, at least one, all exact or all hashed.
        path: of a file to be written.
    Raises: InvalidRequest, Unavailable: the file cannot be written.
    """
    starts = []
    with os_errors(f"index runs {path}"), path.open("w+b") as file:
        for run in runs:
            starts.append(file.tell())
            file.write(run.content())
            file.write(bytes(-file.tell() % mmap.PAGESIZE))
        file.flush()
        mapping = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    arena = _arena(mapping, runs, starts)
    return [
        mapped_run(mapping, run, start=start, arena=arena, slot=slot)
        for slot, (run, start) in enumerate(zip(runs, starts, strict=True))
    ]


def _arena(mapping: mmap.mmap, runs: Sequence[Run], starts: Sequence[int]) -> Arena:
    widths = {run.entries.width for run in runs}
    if len(widths) != 1:
        raise InternalError("exact and hashed keys side by side")
    (width,) = widths
    first = np.array([(start + HEADER_BYTES) // _WORD_BYTES for start in starts], np.int64)
    counts = np.array([len(run) for run in runs], np.int64)
    end = first + counts * width
    return Arena(
        words=np.frombuffer(mapping, "<u8"),
        numbers=np.frombuffer(mapping, "<u4"),
        width=width,
        first=first,
        end=end,
        directory=(end + 1) * (_WORD_BYTES // _NUMBER_BYTES),
        shift=np.array([64 - run.entries.bits for run in runs], np.uint64),
        bucket_max=max(run.entries.bucket_max for run in runs),
    )

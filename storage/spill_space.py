"""`SpillSpace`: where one query writes rows that its memory has no room for.

A directory on the local disk, with a budget of bytes and a count of what was ever written. It is
made by the first rows that go there, and `close` removes it with all that is in it, whatever
became of the query.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from storage.errors import OutOfMemory

__all__ = ["PROCESS_BYTES", "SpillLimits", "SpillSpace", "spill_limits"]

# What a worker's process takes besides the state of operators: the interpreter, the libraries,
# Arrow tables of deltas, morsels on their way from files and into partitions.
PROCESS_BYTES = 128 << 20
COPIES = 2  # what operators hold is there once more while it is made, read or freed
PARTITIONS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillLimits:
    """What a query may take.

    Attributes:
        memory_bytes: what its operators hold at a time (hash tables, rows to sort).
        disk_bytes: what the directory may hold at a time.
        partitions: how many parts rows are divided into at once.
        together_bytes: parts are worked on together up to so much state; None: what memory has
            room for.
        forced: every operator that can works on the disk, whatever is expected of its size.
    """

    memory_bytes: int
    disk_bytes: int
    partitions: int = PARTITIONS
    together_bytes: int | None = None
    forced: bool = False


def spill_limits(process_bytes: int, disk_bytes: int, *, forced: bool) -> SpillLimits:
    """The limits of a query in a process that may take so many bytes in all."""
    operators = max((process_bytes - PROCESS_BYTES) // COPIES, process_bytes // 8)
    return SpillLimits(memory_bytes=operators, disk_bytes=disk_bytes, forced=forced)


class SpillSpace:
    """The directory of one query. `spilled_bytes`: written so far, removed files included."""

    def __init__(self, directory: Path, limits: SpillLimits) -> None:
        """Args: directory: of this query alone; need not exist."""
        self.directory = directory
        self.limits = limits
        self.spilled_bytes = 0
        self._folders = 0

    def folder(self) -> Path:
        """A new empty directory."""
        self._folders += 1
        made = self.directory / f"{self._folders}"
        made.mkdir(parents=True)
        return made

    def check(self) -> None:
        """Raises OutOfMemory (53100) if the disk budget is used up. Asked while rows are written,
        too."""
        used = sum(entry.stat().st_size for entry in self.directory.rglob("*") if entry.is_file())
        if used > self.limits.disk_bytes:
            raise self.full(f"{used:,} bytes of {self.limits.disk_bytes:,} are in use")

    def full(self, found: str) -> OutOfMemory:
        """The error for a disk that has no room."""
        return OutOfMemory(
            f"the query does not fit into memory, nor into the disk space for its spilled rows: "
            f"{found} in {self.directory}; use a virtual warehouse with more memory, or read less",
            "53100",
        )

    def wrote(self, folder: Path) -> None:
        """Count what a folder got, and `check`."""
        self.spilled_bytes += sum(entry.stat().st_size for entry in folder.iterdir())
        self.check()

    def close(self) -> None:
        """Remove all files."""
        shutil.rmtree(self.directory, ignore_errors=True)

"""Bytes that were written to the store since the primary began: for clients, and by maintenance.

Foreground is what clients wrote: their part of log objects, and the files and runs of large writes.
Background is what the database wrote again by itself: files and runs of flushes and compactions,
runs that were merged or made anew, checkpoints, packs of old groups, and what all of that took in
the log. What was written in vain counts, as far as it was finished. Who wrote it does not matter:
clients, this process, or a task of the cluster; sizes come with the names of the objects.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from actors.operations import AppendFiles, ExchangeRuns, LoadFiles, Operation
from actors.primary.resolved import Resolved
from storage.log.record import CATALOGUE_KEY, Group
from storage.snapshot.changes import encode_changes
from storage.snapshot.model import Snapshot
from storage.table_health import amplification

__all__ = ["Tally", "Traffic", "Written", "files_bytes"]

FOREGROUND = ("log", "load")
BACKGROUND = ("flush", "compact", "index", "checkpoint", "collect", "upkeep_log")
UPKEEP = ("flush", "compact", "index", "collect")  # kinds of the primary's own operations


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes written for clients, and by maintenance."""

    foreground: int = 0
    background: int = 0

    def __add__(self, other: Written) -> Written:
        return Written(self.foreground + other.foreground, self.background + other.background)

    @property
    def amplification(self) -> float | None:
        """Bytes written in all for each that clients wrote; None: they wrote nothing."""
        total = self.foreground + self.background
        return total / self.foreground if self.foreground else None


@dataclass(slots=True)
class Tally:
    """Of a group that is on its way.

    Attributes:
        upkeep: by table, bytes of its changes that are maintenance's.
        stored: objects that its operations refer to, but for those of flushes and compactions,
            which are counted when they are written.
    """

    upkeep: Counter[int] = field(default_factory=Counter)
    stored: list[tuple[str, int, int]] = field(default_factory=list)  # what, table id, bytes

    def add(self, operation: Operation, resolved: Resolved) -> None:
        """One more operation, and what it came to."""
        table_id = resolved.table_id
        match operation:
            case AppendFiles():
                self.stored.append(("load", table_id, files_bytes(operation)))
            case LoadFiles():
                self.stored.append(("load", table_id, operation.stored_bytes))
            case ExchangeRuns(made=(run, _)):
                self.stored.append(("index", table_id, run.size_bytes))
        if resolved.kind in UPKEEP:
            for number, changes in resolved.tables.items():
                self.upkeep[number] += len(encode_changes(changes))
            if resolved.catalogue:
                self.upkeep[CATALOGUE_KEY] += len(encode_changes(resolved.catalogue))


class Traffic:
    """Of one primary; a table's id is 0 where bytes are of none."""

    def __init__(self) -> None:
        self._bytes: Counter[tuple[str, int]] = Counter()

    def count(self, what: str, table_id: int, size_bytes: int) -> None:
        """So many bytes more. Args: what: of `FOREGROUND` or `BACKGROUND`."""
        self._bytes[what, table_id] += size_bytes

    def committed(self, group: Group, tally: Tally) -> None:
        """A group is durable."""
        left = group.size_bytes
        for section in group.header.sections:
            own = min(tally.upkeep[section.key], section.length)
            self.count("upkeep_log", section.key, own)
            self.count("log", section.key, section.length - own)
            left -= section.length
        kinds = [o.kind for t in group.header.transactions for o in t.operations]
        ours = bool(kinds) and all(kind in UPKEEP for kind in kinds)
        self.count("upkeep_log" if ours else "log", 0, left)
        for what, table_id, size_bytes in tally.stored:
            self.count(what, table_id, size_bytes)

    def written(self) -> Written:
        """In all."""
        return sum(self.by_table().values(), Written())

    def by_table(self) -> dict[int, Written]:
        """By table id."""
        found: dict[int, Written] = {}
        for (what, table_id), size in self._bytes.items():
            more = Written(foreground=size) if what in FOREGROUND else Written(background=size)
            found[table_id] = found.get(table_id, Written()) + more
        return found

    def by_kind(self) -> dict[str, int]:
        """By what was written."""
        totals: Counter[str] = Counter()
        for (what, _), size in self._bytes.items():
            totals[what] += size
        return {what: totals[what] for what in (*FOREGROUND, *BACKGROUND)}

    def status(self, snapshot: Snapshot) -> dict[str, Any]:
        """For that of the primary: what was written, and how its tables lie."""
        written, now = self.written(), amplification(snapshot.tables.values())
        return {
            "foreground_bytes": written.foreground,
            "background_bytes": written.background,
            "written": self.by_kind(),
            "written_by_table": self.by_table(),
            "write_amplification": written.amplification,
            "read_amplification": now.read,
            "space_amplification": now.space,
        }


def files_bytes(operation: AppendFiles) -> int:
    """Of the files of a large write, and the runs that came with them."""
    runs = sum(run.size_bytes for one in operation.runs for run in one.values())
    return runs + sum(file.size_bytes for file in operation.files)

"""Bounds of what the primary holds: part of a database's settings, which every process loads."""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy

__all__ = ["CheckpointPolicy", "KeyedLimits", "SequencerLimits", "TransactionLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequencerLimits:
    """Bounds. A group closes at `group_bytes_max`; past the others `submit` refuses.

    `inline_bytes_max` is for the rows that one transaction carries itself: with it a log object
    stays below 8 MiB, references to files apart.
    """

    group_bytes_max: int = 7 << 20
    inline_bytes_max: int = 4 << 20
    queue_transactions_max: int = 20_000
    queue_bytes_max: int = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionLimits:
    """`idle_ms`: a transaction that says nothing for so long is rolled back; `open_max` at once."""

    idle_ms: int = 600_000
    open_max: int = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointPolicy:
    """When a checkpoint spares readers enough to be worth writing.

    Attributes:
        tail_bytes_max: log bytes behind the newest checkpoint.
        tail_groups_max: groups behind it (300: ten seconds at thirty groups a second), once the
            tail is also a tenth of the last checkpoint, so that checkpoints of a growing database
            cost a constant share of what is written.
    """

    tail_bytes_max: int = 64 << 20
    tail_groups_max: int = 300

    def is_due(self, *, tail_bytes: int, tail_groups: int, last_bytes: int) -> bool:
        """Whether to write a checkpoint now. Args: last_bytes: of the newest one."""
        if tail_bytes >= self.tail_bytes_max:
            return True
        return tail_groups >= self.tail_groups_max and tail_bytes * 10 >= last_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedLimits:
    """Bounds of what tables with keys, and deltas, take.

    Attributes:
        index_bytes: of runs of indexes that may be mapped at a time; the operating system may take
            such memory back whenever it wants, for the files stay.
        flush: when deltas are flushed, and when writers have to wait for it.
        compaction: when files are written anew.
        tasks_max: flushes that this process does at a time, and as many compactions, and merges of
            runs; on Ray see `RaySettings.maintenance_tasks_max`, too.
        room_timeout_ms: how long writers wait for room.
        transactions: of those that are open.
    """

    index_bytes: int = 4 << 30
    flush: FlushPolicy = field(default_factory=FlushPolicy)
    compaction: CompactionPolicy = field(default_factory=CompactionPolicy)
    tasks_max: int = 2
    room_timeout_ms: int = 60_000
    transactions: TransactionLimits = field(default_factory=TransactionLimits)

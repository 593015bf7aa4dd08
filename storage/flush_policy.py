"""`FlushPolicy`: when deltas have become too many."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FlushPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushPolicy:
    """When deltas have become too many: rows, compressed bytes, or how many there are.

    Past `full` times a bound, writers wait until the flush has caught up.
    """

    rows_max: int = 1_000_000
    bytes_max: int = 64 << 20
    deltas_max: int = 4_096
    full: int = 8

"""`FlushPolicy`: when deltas have become too many."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FlushPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushPolicy:
    """When deltas have become too many, or too old.

    Attributes:
        rows_max, bytes_max, deltas_max: rows, compressed bytes, or how many there are.
        age_s_max: how long the first of them may lie: every query decodes it anew.
        full: past so many times a bound (but the age) writers wait until the flush has caught up.
    """

    rows_max: int = 1_000_000
    bytes_max: int = 64 << 20
    deltas_max: int = 4_096
    age_s_max: float = 600.0
    full: int = 8

"""`RetentionPolicy`: how long the past is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["DAY_MS", "HOUR_MS", "RETENTION", "RetentionPolicy"]

RETENTION = "retention"  # the setting of a database that goes before `retention_ms`; in ms, digits
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How long the past is kept. Times in ms.

    Attributes:
        retention_ms: every version of so long ago can be read.
        uploads_ms: what an upload has written may be committed for so long after it began; what
            never was is then deleted.
        follow_ms: log objects that are younger stay for those who follow the log.
        pack_ms: those that are older are packed.
        pack_groups, pack_bytes: of one pack.
        checkpoint_groups_max: groups between two checkpoints that are kept for reading the past.
        every_ms: how often the primary collects; 0: only when it is asked to.
        uploads_every_ms: how often it lists all data for uploads that were given up.
    """

    retention_ms: int = 7 * DAY_MS
    uploads_ms: int = DAY_MS
    follow_ms: int = MINUTE_MS
    pack_ms: int = HOUR_MS
    pack_groups: int = 1_000
    pack_bytes: int = 8 << 20
    checkpoint_groups_max: int = 10_000
    every_ms: int = 10 * MINUTE_MS
    uploads_every_ms: int = 6 * HOUR_MS

    def with_settings(self, settings: Mapping[str, str]) -> RetentionPolicy:
        """As the settings of a database have it."""
        text = settings.get(RETENTION)
        return self if text is None else dataclasses.replace(self, retention_ms=int(text))

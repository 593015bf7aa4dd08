"""What a check finds, how far it is, and what it says in the end: frozen values.

Findings are told as they come and only counted here, so that a store that is all damage takes no
more memory than one that is well.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Finding", "Part", "Progress", "Report", "Severity", "Teller"]


class Severity(enum.StrEnum):
    """How bad it is: `damage` is wrong, `warning` may be, `note` is worth knowing."""

    damage = "damage"
    warning = "warning"
    note = "note"


class Part(enum.Enum):
    """What of a database a finding is about."""

    format = "format"
    epoch = "epoch"
    log = "log"
    checkpoint = "checkpoint"
    data = "data"
    index = "index"
    other = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be.

    Attributes:
        object: its name; where no single object is to blame, what it is about.
        table: `schema.table`; None: it is about no table.
        expected, found: texts for people.
        next_step: what to do about it.
    """

    severity: Severity
    part: Part
    object: str
    table: str | None = None
    expected: str
    found: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a check is. The totals are of all objects that were there when it began."""

    doing: str = "listing"
    objects: int = 0
    size_bytes: int = 0
    objects_total: int = 0
    bytes_total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was checked, and how much of it is not well.

    Attributes:
        lsn: of the snapshot whose tables were checked; newest_lsn: of the newest log object. The
            first is less where the log cannot be followed to its end.
        objects, size_bytes: that were read.
        tables, rows: of the snapshot; rows that are live, as counted in the data.
        damages, warnings, notes: findings.
        unreferenced, unreferenced_bytes: objects of data and indexes that no version refers to.
        broken_indexes: ids of tables with an index that is damaged.
    """

    lsn: int = 0
    newest_lsn: int = 0
    objects: int = 0
    size_bytes: int = 0
    tables: int = 0
    rows: int = 0
    damages: int = 0
    warnings: int = 0
    notes: int = 0
    unreferenced: int = 0
    unreferenced_bytes: int = 0
    broken_indexes: tuple[int, ...] = ()

    @property
    def clean(self) -> bool:
        """Nothing is damaged."""
        return not self.damages


class Teller:
    """Hands findings and progress on, and counts them. For the event loop's thread alone."""

    def __init__(
        self, on_finding: Callable[[Finding], None], on_progress: Callable[[Progress], None]
    ) -> None:
        self._on_finding = on_finding
        self._on_progress = on_progress
        self._progress = Progress()
        self._counts = dict.fromkeys(Severity, 0)

    @property
    def progress(self) -> Progress:
        return self._progress

    def count(self, severity: Severity) -> int:
        """Findings so far."""
        return self._counts[severity]

    def tell(self, finding: Finding) -> None:
        """Pass a finding on."""
        self._counts[finding.severity] += 1
        self._on_finding(finding)

    def doing(self, what: str) -> None:
        """Another part of the work begins."""
        self._moved(doing=what)

    def expect(self, objects: int, size_bytes: int) -> None:
        """So much there is to be read."""
        self._moved(objects_total=objects, bytes_total=size_bytes)

    def read(self, size_bytes: int) -> None:
        """One more object was read."""
        now = self._progress
        self._moved(objects=now.objects + 1, size_bytes=now.size_bytes + size_bytes)

    def _moved(self, **changes: int | str) -> None:
        self._progress = dataclasses.replace(self._progress, **changes)  # type: ignore[arg-type]
        self._on_progress(self._progress)

"""Checks what concurrent transactions say they read and wrote against what isolation promises.

Every write has a value of its own, so a value read tells who wrote it. Commits have LSNs, so the
versions of a key are in order. From what was read follows at which LSNs a snapshot may have been:
a set of LSNs for each read, and for all reads of one snapshot together.

REPEATABLE READ (snapshot isolation) promises: nothing uncommitted is read; all reads are of one
snapshot, which has all that was acknowledged before the begin; a key is not written if somebody
else has written it since the snapshot. READ COMMITTED promises less: each statement has a snapshot,
never older than the one before it. Neither promises that two transactions which read the same and
write different keys see each other (write skew).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Recorded", "problems"]

Values = Mapping[str, int]
END = 1 << 62


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One transaction.

    Attributes:
        name: for messages.
        known_lsn: the newest LSN that was acknowledged to anybody before it began.
        statements: what each of its reads found, before it wrote.
        writes: what it wrote.
        lsn: where it is; None if it was rolled back or refused.
    """

    name: str
    known_lsn: int
    statements: Sequence[Values] = ()
    writes: Values = field(default_factory=dict)
    lsn: int | None = None
    repeatable: bool = True


def problems(history: Sequence[Recorded], initial: Values, initial_lsn: int = 0) -> list[str]:
    """What breaks the promises; nothing if all is well."""
    versions = _Versions(history, initial, initial_lsn)
    found = list(versions.found)
    for one in history:
        found += _problems_of(one, versions)
    return found


class _Versions:
    """The values of every key in the order of their LSNs."""

    def __init__(self, history: Sequence[Recorded], initial: Values, initial_lsn: int) -> None:
        self.found: list[str] = []
        self.of_key: dict[str, list[tuple[int, int]]] = {
            key: [(initial_lsn, value)] for key, value in initial.items()
        }
        for one in sorted((x for x in history if x.lsn is not None), key=lambda x: x.lsn or 0):
            for key, value in one.writes.items():
                known = self.of_key.setdefault(key, [])
                if known and known[-1][0] == one.lsn:
                    self.found.append(f"{one.name}: {key} is written twice at LSN {one.lsn}")
                known.append((one.lsn or 0, value))

    def visible(self, key: str, value: int) -> tuple[int, int] | None:
        """The LSNs, from and to before, at which a snapshot has that value."""
        known = self.of_key.get(key, [])
        for at, (lsn, own) in enumerate(known):
            if own == value:
                return lsn, known[at + 1][0] if at + 1 < len(known) else END
        return None

    def written_between(self, key: str, low: int, high: int) -> bool:
        """Did somebody write the key after `low` and before `high`?"""
        return any(low < lsn < high for lsn, _ in self.of_key.get(key, []))


def _problems_of(one: Recorded, versions: _Versions) -> list[str]:
    found: list[str] = []
    low, high = one.known_lsn, END
    for reads in one.statements:
        if not one.repeatable:
            high = END  # a new snapshot, not older than the last
        for key, value in reads.items():
            seen = versions.visible(key, value)
            if seen is None:
                return [f"{one.name}: read {key} = {value}, which nobody has committed"]
            low, high = max(low, seen[0]), min(high, seen[1])
        if low >= high:
            return [f"{one.name}: {dict(reads)} belongs to no snapshot from LSN {low} on"]
    if one.lsn is None:
        return found
    if one.lsn <= low and one.writes:
        found.append(f"{one.name}: read at LSN {low} or later, and is at {one.lsn} itself")
    if one.repeatable and one.statements:
        # The snapshot was before `high`; of a key that it wrote, nothing newer may have come.
        last = min(high - 1, one.lsn)
        found += [
            f"{one.name}: {key} was written by others after its snapshot (lost update)"
            for key in one.writes
            if versions.written_between(key, last, one.lsn)
        ]
    return found

"""Where maintenance has put rows since somebody read them.

Kept as long as somebody reads at an LSN before the move (`written.py` says who).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.primary_key import Words
from storage.source_map import SourceMap

__all__ = ["Moves"]


@dataclass(slots=True)
class Moves:
    """The moves of every table: (LSN, table id, map), in the order in which they happened."""

    _moves: list[tuple[int, int, SourceMap]] = field(default_factory=list)

    def note(self, lsn: int, table_id: int, moved: SourceMap) -> None:
        """The group at `lsn` moves rows."""
        self._moves.append((lsn, table_id, moved))

    def until(self, lsn: int) -> Moves:
        """Those up to an LSN: of a state as of then."""
        return Moves([move for move in self._moves if move[0] <= lsn])

    def forget(self, lsn: int) -> None:
        """Nobody reads at an LSN below this one any more."""
        if self._moves and self._moves[0][0] <= lsn:
            self._moves = [move for move in self._moves if move[0] > lsn]

    def now(self, table_id: int, read_lsn: int, found: Words) -> Words:
        """Where rows are now that were at these locations at `read_lsn`."""
        for lsn, moved_table, moved in self._moves:
            if moved_table != table_id or lsn <= read_lsn:
                continue
            known = moved.knows(found)
            if known.any():
                found = found.copy()
                found[known] = moved.moved(found[known])
        return found

"""Which keys were written since somebody reads, so that a write can say that it came too late.

A statement or transaction that reads at an LSN before it writes *holds* that LSN. Every key that is
written after the oldest LSN held is remembered with the LSN of its last write. Without a holder
nothing is remembered but what groups that are not durable yet have written, since a reader may
still begin at the durable snapshot before them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from actors.operations import WriteMode, WriteRows
from storage.errors import Conflict
from storage.key_rows import concatenated, decode_row_keys
from storage.primary_key import MISSING, Keys, Memory
from storage.snapshot.model import Snapshot

__all__ = ["WrittenKeys"]


WrittenByKey = Mapping[int, Keys] | None  # see `Resolved.written`


@dataclass(slots=True)
class _Table:
    """One table's last writes: by key id and key, and `everything`: the last that named no keys.

    Most are forgotten before anybody asks for them, so they are only `noted` until then.
    """

    lsns: dict[int, Memory] = field(default_factory=dict)
    noted: list[tuple[int, int, Keys]] = field(default_factory=list)  # LSN, key id
    everything: int = 0

    def of(self, key_id: int) -> Memory:
        """The LSN of the last write of each key."""
        for lsn, noted_id, keys in self.noted:
            lsns = np.full(len(keys), lsn, dtype=np.uint64)
            self.lsns[noted_id] = self.lsns.get(noted_id, Memory()).added(keys, lsns)
        self.noted.clear()
        return self.lsns.get(key_id, Memory())


@dataclass(slots=True)
class WrittenKeys:
    """Made once by the sequencer; forgets as readers end."""

    _recent: deque[tuple[int, int, WrittenByKey]] = field(default_factory=deque)
    _tables: dict[int, _Table] = field(default_factory=dict)
    _held: dict[int, int] = field(default_factory=dict)  # LSN -> holders

    def hold(self, lsn: int) -> None:
        """Somebody reads at `lsn`, the newest durable one or one that is held already."""
        self._held[lsn] = self._held.get(lsn, 0) + 1

    def release(self, lsn: int) -> None:
        """The end of one `hold`."""
        left = self._held.get(lsn, 0) - 1
        if left > 0:
            self._held[lsn] = left
        else:
            self._held.pop(lsn, None)

    def oldest(self, durable_lsn: int) -> int:
        """The least LSN that somebody reads at, or may begin to."""
        return min(self._held, default=durable_lsn)

    def note(self, lsn: int, table_id: int, keys: WrittenByKey) -> None:
        """The group at `lsn` writes these keys, by key id; None: it may have written any."""
        self._recent.append((lsn, table_id, keys))
        known = self._tables.setdefault(table_id, _Table())
        if keys is None:
            known.everything = lsn
            return
        known.noted.extend((lsn, key_id, some) for key_id, some in keys.items())

    def forget(self, durable_lsn: int) -> None:
        """Drop what no reader can ask for: called when a group has become durable."""
        oldest = self.oldest(durable_lsn)
        if not self._recent or self._recent[0][0] > oldest:
            return
        kept = [entry for entry in self._recent if entry[0] > oldest]
        if len(kept) * 2 > len(self._recent):
            return  # not worth building anew
        self._recent.clear()
        self._tables.clear()
        for lsn, table_id, keys in kept:
            self.note(lsn, table_id, keys)

    def refuse_late(self, operation: WriteRows, snapshot: Snapshot) -> None:
        """Raises Conflict if the operation read before one of its keys was last written.

        That is the primary key; where taken keys leave rows out, every key of the table.
        """
        table = snapshot.tables.get(operation.table_id)
        lsn = operation.read_lsn
        if lsn is None or table is None:
            return
        if lsn not in self._held:
            raise Conflict(
                f"table {table.name}: what was read at LSN {lsn} can no longer be compared with "
                "what was written since; begin again"
            )
        for key in table.keys:
            if key.id not in operation.keys or not (
                key.primary or operation.mode is WriteMode.IGNORE
            ):
                continue
            columns = table.key_columns(key)
            found = decode_row_keys(operation.keys[key.id], columns, operation.row_count)
            late = self.since(lsn, table.id, key.id, found.keys)
            if late.any():
                raise Conflict(
                    f"could not serialize access: {int(late.sum())} of {len(late)} keys of table "
                    f"{table.name} were written by others after LSN {lsn}; read again and retry"
                )

    def keys_since(self, lsn: int, table_id: int) -> dict[int, Keys]:
        """The keys written after `lsn`, which is held, by key id, some of them twice.

        Raises Conflict: keys were written that nobody named.
        """
        known = self._tables.get(table_id)
        if known is not None and known.everything > lsn:
            raise Conflict("the table was rewritten meanwhile; read again and retry")
        parts: dict[int, list[Keys]] = {}
        for at, written_table, by_key in self._recent:
            if at > lsn and written_table == table_id:
                for key_id, keys in (by_key or {}).items():
                    parts.setdefault(key_id, []).append(keys)
        return {key_id: concatenated(some) for key_id, some in parts.items()}

    def since(self, lsn: int, table_id: int, key_id: int, keys: Keys) -> npt.NDArray[np.bool_]:
        """Per key: was it written after `lsn`, which is held?"""
        known = self._tables.get(table_id)
        if known is None:
            return np.zeros(len(keys), dtype=np.bool_)
        if known.everything > lsn:
            return np.ones(len(keys), dtype=np.bool_)
        found = known.of(key_id).find(keys)
        return np.asarray((found != MISSING) & (found > np.uint64(lsn)), dtype=np.bool_)

"""Sees every change of the store and everything that clients and readers are told, and objects.

Invariants, checked at the moment when they could break:
1. Log objects are made once each, densely, and never changed. A name that is made again gets the
   same bytes, but for fences of who found the slot empty that was collected: those are no log.
   Objects of the log are deleted below two whole checkpoints only, that can be opened; fences and
   owners of epochs never. No other object is changed but signs of life and pins.
2. TSO increase strictly along the log, epochs never decrease.
3. A token is in the log at most once, whole: with the row counts that its operations come to when
   the transactions of the log are carried out one after the other (`model.py`).
4. A receipt is given only for what is in the log, and says what the log says; the same for each
   repetition. What was refused is not in the log.
5. A reader's snapshot at an LSN holds what the model holds there, whoever made it and however;
   asked again, the same. LSNs that a reader sees only rise.
6. What is deleted of data is read by no version from the horizon on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from storage.container import checksum as digest
from storage.errors import CorruptData
from storage.log.record import GroupHeader, TransactionRecord, decode
from storage.names import CHECKPOINT_PREFIX, log_lsn, log_name
from storage.snapshot.checkpoint import ROOT, decode_root
from storage.snapshot.model import IngestToken, Receipt, Snapshot
from tests.simulation.model import EMPTY, Effect, Refused, Row, State
from tests.simulation.past import Past

__all__ = ["Violation", "Witness"]

_CHANGING = ("/alive",)
PINS = "pin/"


class Violation(AssertionError):
    """A promise is broken. `invariant` names it, for comparing runs."""

    def __init__(self, invariant: str, what: str) -> None:
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant
        self.what = what

    def __reduce__(self) -> tuple[type[Violation], tuple[str, str]]:
        return Violation, (self.invariant, self.what)  # it travels between processes


@dataclass(slots=True)
class _Known:
    """What is known of a transaction, by its token."""

    effects: tuple[Effect, ...]
    lsn: int | None = None
    tso: int = 0
    counts: tuple[int, ...] = ()
    receipt: Receipt | None = None
    refused: bool = False


@dataclass(slots=True)
class Witness:
    """Give `changed` to the bucket; tell it what clients and readers hear. `abort` ends the run."""

    abort: Callable[[BaseException], None]
    states: list[State] = field(default_factory=lambda: [EMPTY])  # by LSN
    headers: list[GroupHeader] = field(default_factory=list)
    known: dict[tuple[str, int], _Known] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    reads: dict[str, int] = field(default_factory=dict)  # reader -> newest LSN it has seen
    written: dict[str, str] = field(default_factory=dict)  # name -> checksum of the first bytes
    acknowledged_lsn: int = 0  # the newest that somebody was told of
    groups: list[bytes] = field(default_factory=list)  # the log as it was written
    deleted: set[int] = field(default_factory=set)  # LSNs of log objects
    erased: set[str] = field(default_factory=set)  # names; a power loss may bring some back
    # roots of checkpoints that were given up, and came when parts of earlier ones were gone
    late: set[str] = field(default_factory=set)
    past: Past = field(default_factory=Past)
    # what is there now: LSNs of whole checkpoints, and of groups in packs; None: some have rotted
    standing: Callable[[], tuple[Sequence[int], Set[int]] | None] = lambda: None

    @property
    def lsn(self) -> int:
        """The newest that is durable."""
        return len(self.headers)

    def fail(self, invariant: str, what: str) -> None:
        self.abort(Violation(invariant, what))

    # --- the store ------------------------------------------------------------------------------

    def changed(self, method: str, name: str, before: bytes | None, after: bytes | None) -> None:
        if name.endswith(_CHANGING) or name.startswith(PINS):
            return None
        if after is None:
            return self._deleted(name)
        is_new = name not in self.written
        first = self.written.setdefault(name, digest(after))  # what is there may have rotted
        if not is_new:
            if first != digest(after) and not self._stale_fence(name, after):
                self.fail("objects never change", f"{method} gave {name} other bytes")
            return None
        if name.startswith(CHECKPOINT_PREFIX) and name.endswith(f"/{ROOT}"):
            self._checkpoint(name, after)
        if name.startswith("log/"):
            if method != "create":
                self.fail("the log is made by create-if-absent", f"{method} of {name}")
            self._logged(name, after)
        return None

    def _checkpoint(self, name: str, data: bytes) -> None:
        try:
            parts = {table.part.name for table in decode_root(data, name)[1].tables}
        except CorruptData as error:
            return self.fail("what is written is whole", str(error))
        if parts & self.erased:
            self.late.add(name)
        return None

    def _deleted(self, name: str) -> None:
        self.erased.add(name)
        if name.startswith("epoch/") or name == "format":
            self.fail("fences and epochs are never deleted", name)
        elif name.startswith("log/"):
            self._log_deleted(log_lsn(name))
        elif (why := self.past.deleted(name)) is not None:
            self.fail("what a version reads is not deleted", f"{name} {why}")

    def _log_deleted(self, lsn: int) -> None:
        self.deleted.add(lsn)
        if not self.headers[lsn - 1].transactions:
            self.fail("fences and epochs are never deleted", log_name(lsn))
        if (standing := self.standing()) is None:
            return
        checkpoints, packed = standing
        above = [found for found in checkpoints if found >= lsn]
        if len(above) < 2:
            self.fail("the log is deleted below two checkpoints", f"{log_name(lsn)}, {above}")
        if lsn not in packed and min(above) > self.past.horizon:
            what = f"{log_name(lsn)}, horizon {self.past.horizon}, {checkpoints}"
            self.fail("versions from the horizon on can be opened", what)

    def _stale_fence(self, name: str, data: bytes) -> bool:
        """Is it one of an opener that was away when its slot was taken, and collected?"""
        if not name.startswith("log/") or log_lsn(name) not in self.deleted:
            return False
        return not decode(data, name).header.transactions

    def _logged(self, name: str, data: bytes) -> None:
        try:
            header = decode(data, name).header
        except CorruptData as error:
            return self.fail("what is written is whole", str(error))
        if log_lsn(name) != self.lsn + 1 or header.lsn != self.lsn + 1:
            return self.fail("the log is dense", f"{name} after {log_name(self.lsn)}")
        if self.headers:
            last = self.headers[-1]
            if header.tso <= last.tso:
                self.fail("TSO increase", f"{name}: {header.tso} after {last.tso}")
            if header.epoch < last.epoch:
                self.fail("epochs never decrease", f"{name}: {header.epoch} after {last.epoch}")
        self.headers.append(header)
        self.groups.append(data)
        if (name := self.past.logged(decode(data, name))) is not None:
            self.fail("what is deleted is not committed", f"{name} at LSN {header.lsn}")
        state = self.states[-1]
        for transaction in header.transactions:
            state = self._committed(transaction, header, state)
        self.states.append(state)
        return None

    def _committed(
        self, transaction: TransactionRecord, header: GroupHeader, state: State
    ) -> State:
        if transaction.token_writer is None or transaction.token_sequence is None:
            kinds = {operation.kind for operation in transaction.operations}
            self.seen.update(f"{kind} committed" for kind in kinds)
            if not kinds <= {"flush", "compact", "index", "collect"}:
                self.fail("only maintenance has no token", f"{header.lsn}: {kinds}")
            return state
        token = (transaction.token_writer, transaction.token_sequence)
        known = self.known.get(token)
        where = f"{token} at LSN {header.lsn}"
        if known is None:
            self.fail("nobody's transaction is committed", where)
            return state
        if known.lsn is not None:
            self.fail("a transaction takes effect once", f"{where}, and at {known.lsn}")
        if known.refused:
            self.fail("what is refused is not committed", where)
        counts = tuple(operation.row_count for operation in transaction.operations)
        known.lsn, known.tso, known.counts = header.lsn, header.tso, counts
        try:
            state, expected = state.after(known.effects)
        except Refused as error:
            self.fail("only what is possible is committed", f"{where}: {error}")
            return state
        for wanted, found in zip(expected, counts, strict=True):
            if wanted is not None and wanted != found:
                self.fail("row counts are true", f"{where}: {counts}, expected {expected}")
        return state

    def power_lost(self, left: Mapping[str, bytes]) -> None:
        """Everybody on the machine died, and some of what was not durable is gone."""
        kept = {log_lsn(name) for name in left if name.startswith("log/")}
        newest = max(kept, default=0)
        if missing := set(range(1, newest)) - kept - self.deleted:
            self.fail("the log is dense", f"after a power loss: {sorted(missing)} are missing")
        if newest < self.acknowledged_lsn:
            self.fail("what is acknowledged is durable", f"{self.acknowledged_lsn}, {newest}")
        del self.headers[newest:], self.states[newest + 1 :], self.groups[newest:]
        for known in self.known.values():
            if known.lsn is not None and known.lsn > newest:
                known.lsn = None
        self.past = Past()
        for lsn, group in enumerate(self.groups, 1):
            self.past.logged(decode(group, log_name(lsn)))
        collected = {log_name(lsn) for lsn in self.deleted if lsn <= newest}
        self.written = {
            name: seen for name, seen in self.written.items() if name in left or name in collected
        }

    # --- clients --------------------------------------------------------------------------------

    def intends(self, token: IngestToken, effects: Sequence[Effect]) -> None:
        """A client is about to send a transaction, for the first time or with the same effects."""
        self.known[token.writer, token.sequence] = _Known(tuple(effects))

    def is_known(self, token: IngestToken) -> bool:
        """Was it sent with any effect?"""
        known = self.known.get((token.writer, token.sequence))
        return known is not None and known.effects != ()

    def placed(self, token: IngestToken) -> tuple[int | None, tuple[Row, ...]]:
        """Where a transaction is in the log, and the rows that it wrote."""
        known = self.known.get((token.writer, token.sequence))
        if known is None:
            return None, ()
        return known.lsn, tuple(row for effect in known.effects for row in effect.rows)

    def acknowledged(self, token: IngestToken, receipt: Receipt) -> None:
        self.seen["acknowledged"] += 1
        known = self.known[token.writer, token.sequence]
        where = f"{token.writer}/{token.sequence}: {receipt}"
        if known.lsn is None:
            return self.fail("what is acknowledged is durable", where)
        if (receipt.lsn, receipt.tso) != (known.lsn, known.tso):
            self.fail("a receipt says what the log says", f"{where}, in the log at {known.lsn}")
        if receipt.row_counts != known.counts:
            self.fail("a receipt says what the log says", f"{where}, in the log {known.counts}")
        if known.receipt is not None and known.receipt != receipt:
            self.fail("a repeated call gets the first receipt", f"{where}, first {known.receipt}")
        known.receipt = receipt
        self.acknowledged_lsn = max(self.acknowledged_lsn, receipt.lsn)
        return None

    def refused(self, token: IngestToken, error: BaseException) -> None:
        """For good: the client will not send it again."""
        self.seen["refused"] += 1
        known = self.known.setdefault((token.writer, token.sequence), _Known(()))
        known.refused = True
        if known.lsn is not None:
            self.fail(
                "what is refused is not committed",
                f"{token.writer}/{token.sequence} is at LSN {known.lsn}, and was refused: {error}",
            )

    # --- readers --------------------------------------------------------------------------------

    def read(self, reader: str, snapshot: Snapshot, contents: Mapping[str, Counter[Row]]) -> None:
        """Somebody reads a snapshot."""
        self.seen["reads"] += 1
        if snapshot.lsn > self.lsn:
            return self.fail("only what is durable is read", f"{reader} at LSN {snapshot.lsn}")
        if snapshot.lsn and snapshot.tso != self.headers[snapshot.lsn - 1].tso:
            self.fail("a snapshot has its group's TSO", f"{reader} at LSN {snapshot.lsn}")
        expected = self.states[snapshot.lsn].tables
        if set(contents) != set(expected):
            what = f"{reader} at LSN {snapshot.lsn}: {sorted(contents)}, not {sorted(expected)}"
            self.fail("readers see prefixes", what)
        for name, table in expected.items():
            if (found := contents.get(name)) is not None and found != table.rows():
                missing, more = table.rows() - found, found - table.rows()
                what = f"{reader} at LSN {snapshot.lsn}: {name} lacks {missing}, has {more}"
                self.fail("readers see prefixes", what)
        return None

    def advanced(self, reader: str, lsn: int) -> None:
        """A reader that follows the log is at `lsn` now."""
        if lsn < self.reads.get(reader, 0):
            self.fail("readers only go on", f"{reader} at {lsn}, before at {self.reads[reader]}")
        self.reads[reader] = lsn

    def check_end(self) -> None:
        """All that was acknowledged is in the log."""
        for token, known in self.known.items():
            if known.receipt is not None and known.lsn is None:
                self.fail("what is acknowledged is durable", f"{token}: {known.receipt}")

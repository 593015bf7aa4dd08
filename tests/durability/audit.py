"""What must hold of a database whose writer is killed again and again, told without the writer.

1. The headers of the log say which tokens were committed, at which LSN and in which order: each
   token once, the batches of each client in their order and without a gap.
2. Whatever the writer has acknowledged is there, at the LSN that it told.
3. Batches are a function of their token (`batches.py`). Replayed in the order of the log they give
   the contents of every table at every LSN; what SQL finds is compared with that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from storage.clock import SystemClock
from storage.format import MAIN_BRANCH, read_format
from storage.log.reader import LogReader
from storage.log.record import GroupHeader
from storage.objects import StoreOptions, open_store
from tests.durability.batches import SETUP, Digest, Model, planned
from warehouse import Database

__all__ = ["Audit", "digest_query", "digested"]

CLIENT = "client-"


def digest_query(lsn: int | None = None) -> str:
    """Counts and sums of everything at an LSN, or now: one row, from one snapshot."""
    at = "" if lsn is None else f" AS OF LSN {lsn}"
    return (
        "SELECT * FROM "
        f"(SELECT count(*), sum(k), sum(sequence), sum(v) FROM kv{at}) a CROSS JOIN "
        f"(SELECT count(*), sum(v) FROM events{at}) b CROSS JOIN "
        f"(SELECT sum(balance), sum(id * balance) FROM accounts{at}) c"
    )


def digested(db: Database, lsn: int | None = None) -> tuple[int, Digest]:
    """(LSN of the snapshot, what the query found)."""
    found = db.sql(digest_query(lsn))
    [row] = found.rows()
    return found.stats.snapshot_lsn, tuple(int(value or 0) for value in row)


@dataclass(slots=True, kw_only=True)
class Audit:
    """Follows the log of one database.

    Attributes:
        acknowledged: by (client, sequence), the LSN that the writer told.
        begun: by client, the greatest sequence that it has sent.
        lsn: as far as the log has been read.
        committed: by (client, sequence), the LSN in the log.
        digests: by LSN, what a query must find there, once the tables are set up.
        wrong: everything that was found to be wrong.
    """

    root: str
    options: StoreOptions
    seed: int
    acknowledged: dict[tuple[int, int], int] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    lsn: int = 0
    committed: dict[tuple[int, int], int] = field(default_factory=dict)
    epochs: dict[int, int] = field(default_factory=dict)  # by LSN
    digests: dict[int, Digest] = field(default_factory=dict)
    model: Model = field(default_factory=Model)
    wrong: list[str] = field(default_factory=list)
    _set_up: int = 0

    async def follow(self, lsn: int) -> None:
        """Read the log up to there."""
        store = open_store(self.root, self.options, clock=SystemClock())
        try:
            database_id = (await read_format(store)).database_id
            reader = LogReader(store, database_id, MAIN_BRANCH)
            async for header in reader.headers(self.lsn + 1, lsn):
                self._take(header)
        finally:
            await store.close()

    def _take(self, header: GroupHeader) -> None:
        self.lsn = header.lsn
        self.epochs[header.lsn] = header.epoch
        for transaction in header.transactions:
            writer, sequence = transaction.token_writer, transaction.token_sequence
            if writer == "setup":
                self._set_up += 1
                self._expect(sequence == self._set_up, f"setup {sequence} at LSN {header.lsn}")
            elif writer is not None and writer.startswith(CLIENT):
                assert sequence is not None
                self._take_batch(int(writer.removeprefix(CLIENT)), sequence, header.lsn)
        if self._set_up == len(SETUP):
            self.digests[header.lsn] = self.model.digest()

    def _take_batch(self, client: int, sequence: int, lsn: int) -> None:
        what = f"client {client} batch {sequence} at LSN {lsn}"
        earlier = self.committed.get((client, sequence))
        self._expect(earlier is None, f"{what}: is there already, at LSN {earlier}")
        before = sequence == 1 or (client, sequence - 1) in self.committed
        self._expect(before, f"{what}: the one before it is missing")
        self._expect(sequence <= self.begun.get(client, 0), f"{what}: was never sent")
        if earlier is None:
            self.committed[client, sequence] = lsn
            self.model.apply(planned(self.seed, client, sequence))

    def check_acknowledged(self) -> None:
        """Whatever was acknowledged at or below the LSN that was read is there, where it was said
        to be."""
        for (client, sequence), lsn in self.acknowledged.items():
            found = self.committed.get((client, sequence))
            self._expect(
                found == lsn,
                f"client {client} batch {sequence}: acknowledged at LSN {lsn}, found at {found}",
            )

    def check_rows(self, db: Database) -> None:
        """Every row of every table, at the LSN that was read."""
        if self.lsn not in self.digests:
            return  # the tables are not all there yet
        at = f"AS OF LSN {self.lsn}"
        rows = db.sql(f"SELECT k, client, sequence, v FROM kv {at} ORDER BY k").rows()
        keys = [row[0] for row in rows]
        self._expect(len(set(keys)) == len(keys), f"kv {at}: a key is there twice")
        found_kv = {k: tuple(rest) for k, *rest in rows}
        self._expect(found_kv == self.model.kv, f"kv {at}: {_difference(found_kv, self.model.kv)}")
        groups = db.sql(
            "SELECT client, sequence, count(*), count(DISTINCT i), min(i), max(i), sum(v) "
            f"FROM events {at} GROUP BY client, sequence"
        ).rows()
        for client, sequence, count, distinct, low, high, _ in groups:
            whole = (low, high, distinct) == (0, count - 1, count)
            self._expect(whole, f"events {at}: client {client} batch {sequence} is torn")
        found_events = {(c, s): (count, int(v)) for c, s, count, _, _, _, v in groups}
        self._expect(
            found_events == self.model.events,
            f"events {at}: {_difference(found_events, self.model.events)}",
        )
        balances = dict(db.sql(f"SELECT id, balance FROM accounts {at}").rows())
        self._expect(
            balances == self.model.balances,
            f"accounts {at}: {_difference(balances, self.model.balances)}",
        )
        tables = {t.name for t in db.snapshot().tables.values() if t.name.startswith("scratch")}
        if db.snapshot().lsn == self.lsn:
            self._expect(
                tables == self.model.scratch, f"tables {at}: {tables}, not {self.model.scratch}"
            )

    def check_digest(self, lsn: int, found: Digest, who: str) -> None:
        """What somebody saw at an LSN that was read."""
        expected = self.digests.get(lsn)
        self._expect(
            found == expected, f"{who} at LSN {lsn} saw {found}, there must have been {expected}"
        )

    def check_versions(self, db: Database, lsns: Sequence[int]) -> int:
        """AS OF each of these; how many had tables."""
        chosen = [lsn for lsn in lsns if lsn in self.digests]
        for lsn in chosen:
            self.check_digest(lsn, digested(db, lsn)[1], "AS OF")
        return len(chosen)

    def _expect(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)


def _difference(found: dict, expected: dict) -> str:  # type: ignore[type-arg]
    """A few of the keys that differ."""
    keys = [k for k in {**found, **expected} if found.get(k) != expected.get(k)]
    shown = [f"{k}: {found.get(k)}, not {expected.get(k)}" for k in sorted(keys)[:3]]
    return f"{len(keys)} differ; {'; '.join(shown)}"

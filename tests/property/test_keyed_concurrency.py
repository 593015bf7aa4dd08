"""Clients in threads on the same few keys, while deltas are flushed and runs merged.

Transfers between accounts keep their sum, read-modify-write loses nothing, and what transactions
read is what `isolation_checker` allows. Threads are not replayable; the seed is that of the plans.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

import warehouse
from actors.primary.limits import KeyedLimits
from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy
from storage.objects import MemoryStore
from tests.property.index_check import check_indexes
from tests.property.isolation_checker import Recorded, problems
from tests.property.keyed_history import primary_of
from warehouse import Conflict, Database, Settings

CLIENTS = 4
TIMES = int(os.environ.get("MOBULA_TIMES", "1"))  # as long as usual
KEYS = "abcdef"
ISOLATIONS = ("repeatable read", "read committed")
SETTINGS = Settings(
    rows_inline_bytes_max=4_000,
    keyed=KeyedLimits(
        flush=FlushPolicy(rows_max=25, deltas_max=6),
        compaction=CompactionPolicy(holes_max=0.1),
    ),
)


@pytest.fixture
def db(request: pytest.FixtureRequest) -> Iterator[Database]:
    name = f"concurrent-{request.node.name}"
    MemoryStore.forget(name)
    database = warehouse.connect(f"memory://{name}", engine="local", settings=SETTINGS)
    database.sql("CREATE TABLE accounts (id TEXT PRIMARY KEY, balance BIGINT NOT NULL)")
    database.table("accounts").insert(accounts(dict.fromkeys(KEYS, 100)))
    yield database
    database.close()
    MemoryStore.forget(name)


def accounts(values: dict[str, int]) -> pl.DataFrame:
    schema = {"id": pl.String, "balance": pl.Int64}
    return pl.DataFrame({"id": list(values), "balance": list(values.values())}, schema=schema)


def together(work: Callable[[int], Any]) -> list[Any]:
    """What each client's work returns; the first error of any."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(work, range(CLIENTS)))


def check_index(db: Database) -> None:
    primary = primary_of(db)

    async def work() -> int:
        await primary._sequencer.drain()
        return await check_indexes(primary, db._engine.store)  # type: ignore[attr-defined]

    assert db._engine._loop.run(work()) == len(KEYS)  # type: ignore[attr-defined]


def balances(reader: Any) -> dict[str, int]:
    return dict(reader.sql("SELECT id, balance FROM accounts").rows())


def transfer(tx: Any, source: random.Random) -> None:
    giver, taker = source.sample(KEYS, 2)
    amount = source.randrange(1, 9)
    if source.random() < 0.5:
        for key, change in ((giver, -amount), (taker, amount)):
            tx.sql("UPDATE accounts SET balance = balance + $1 WHERE id = $2", (change, key))
        return
    found = dict(tx.table("accounts").get([giver, taker]).rows())
    found[giver] -= amount
    found[taker] += amount
    tx.table("accounts").upsert(accounts(found))


def test_transfers_keep_the_sum(db: Database) -> None:
    reading = threading.Event()
    vw = db.create_virtual_warehouse("vw")

    def read() -> int:
        count = 0
        while not reading.is_set():
            for reader in (db, vw):
                assert sum(balances(reader).values()) == 100 * len(KEYS)
                count += 1
        return count

    def work(client: int) -> int:
        source, done = random.Random(client), 0
        for _ in range(15 * TIMES):
            for tx in db.transaction(retry=100):
                with tx:
                    transfer(tx, source)
            done += 1
        return done

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            assert sum(together(work)) == CLIENTS * 15 * TIMES
        finally:
            reading.set()
        assert reader.result() > 0
    assert sum(balances(db).values()) == 100 * len(KEYS)
    assert db.status()["flushes"] > 0
    check_index(db)


@pytest.mark.parametrize("way", ["statement", "transaction", "read committed", "python"])
def test_no_increment_is_lost(db: Database, way: str) -> None:
    """READ COMMITTED promises it of one statement alone, not of a read and a later write."""

    def statement(reader: Any, key: str) -> None:
        reader.sql("UPDATE accounts SET balance = balance + 1 WHERE id = $1", (key,))

    def python(tx: Any, key: str) -> None:
        ((_, found),) = tx.table("accounts").get([key]).rows()
        tx.table("accounts").upsert(accounts({key: found + 1}))

    def increment(key: str) -> bool:
        """Whether it is acknowledged."""
        if way == "statement":
            try:
                statement(db, key)
            except Conflict:
                return False
            return True
        isolation = "read committed" if way == "read committed" else "repeatable read"
        body = python if way == "python" else statement
        for tx in db.transaction(isolation=isolation, retry=100):
            with tx:
                body(tx, key)
        return True

    def work(client: int) -> int:
        source = random.Random(client)
        return sum(increment(source.choice(KEYS[:2])) for _ in range(12 * TIMES))

    acknowledged = sum(together(work))
    assert acknowledged > 0
    assert sum(balances(db).values()) == 100 * len(KEYS) + acknowledged
    check_index(db)


class _Client:
    """Transactions of random reads and writes on random keys, recorded."""

    def __init__(self, db: Database, client: int, known: list[int], isolation: str) -> None:
        self.db = db
        self.client = client
        self.known = known  # LSNs that were acknowledged, of all clients
        self.repeatable = isolation == "repeatable read"
        self.isolation = isolation
        self.source = random.Random(client)
        self.recorded: list[Recorded] = []

    def play(self) -> list[Recorded]:
        for number in range(15 * TIMES):
            self.one(1_000 + number * CLIENTS + self.client)
        return self.recorded

    def one(self, number: int) -> None:
        source, known = self.source, max(self.known)
        writes = dict.fromkeys(source.sample(KEYS, source.choice([0, 1, 2])), number)
        gives_up = source.random() < 0.2
        statements: list[dict[str, int]] = []
        lsn = None
        try:
            with self.db.transaction(isolation=self.isolation) as tx:
                for _ in range(source.choice([1, 2, 3])):
                    statements.append(self.read(tx))
                if writes:
                    self.write(tx, writes)
                if gives_up:
                    raise ZeroDivisionError
        except (Conflict, ZeroDivisionError):
            pass
        else:
            lsn = tx.commit.lsn if tx.commit else None
        if lsn is not None:
            self.known.append(lsn)
        self.recorded.append(
            Recorded(
                name=f"client {self.client}, {number}",
                known_lsn=known,
                statements=statements,
                writes=writes,
                lsn=lsn,
                repeatable=self.repeatable,
            )
        )

    def read(self, tx: Any) -> dict[str, int]:
        keys = self.source.sample(KEYS, self.source.choice([1, 2, 6]))
        if self.source.random() < 0.5:
            return dict(tx.table("accounts").get(keys).rows())
        return {key: value for key, value in balances(tx).items() if key in keys}

    def write(self, tx: Any, writes: dict[str, int]) -> None:
        if self.source.random() < 0.5:
            tx.table("accounts").upsert(accounts(writes))
            return
        for key, value in writes.items():
            tx.sql("UPDATE accounts SET balance = $1 WHERE id = $2", (value, key))


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_transactions_are_isolated(db: Database, isolation: str) -> None:
    first = db.snapshot().lsn
    known = [first]
    histories = together(lambda client: _Client(db, client, known, isolation).play())
    history = [one for own in histories for one in own]
    committed = [one for one in history if one.lsn is not None]
    sys.stdout.write(f"{len(committed)} of {len(history)} committed\n")
    assert len(committed) > len(history) / 8
    assert problems(history, dict.fromkeys(KEYS, 100), first) == []
    last = max(committed, key=lambda one: one.lsn or 0)
    assert last.writes.items() <= balances(db).items()
    check_index(db)

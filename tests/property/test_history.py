"""Random histories against a dictionary: every version of every table, by every way of reading.

A history creates and drops tables, appends little and much, commits over two tables, repeats calls
with their tokens, writes checkpoints, and closes and opens the database, all in random order. After
each commit the virtual warehouse equals the dictionary; at the end AS OF at every LSN does.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import pytest

import warehouse
from storage.objects import MemoryStore
from warehouse import Database, IngestToken, Settings, UnknownObject, VirtualWarehouse

Row = tuple[Any, ...]
Model = dict[str, Counter[Row]]

SETTINGS = Settings(rows_inline_bytes_max=2_000, lease_ms=30)
NAMES = ("alpha", "beta", "gamma")
STEPS = 40


class History:
    """A database, its virtual warehouse, and what every version of it must hold."""

    def __init__(self, root: str, source: random.Random) -> None:
        self.root = root
        self.source = source
        self.versions: dict[int, Model] = {}
        self.model: Model = {}
        self.sequence = 0
        self.open()

    def open(self) -> None:
        self.db: Database = warehouse.connect(self.root, engine="local", settings=SETTINGS)
        make = self.db.create_virtual_warehouse
        self.vw: VirtualWarehouse = make("vw", if_not_exists=True)
        self.record(self.db.snapshot().lsn)

    def record(self, lsn: int) -> None:
        """`lsn` is the newest version, and holds the model as it is now."""
        self.versions[lsn] = {name: Counter(rows) for name, rows in self.model.items()}

    def frame(self, count: int) -> pl.DataFrame:
        source = self.source
        return pl.DataFrame(
            {
                "k": [
                    source.choice([None, source.randrange(-(2**63), 2**63)]) for _ in range(count)
                ],
                "s": [source.choice([None, "", "ä☃", str(source.random())]) for _ in range(count)],
                "n": [source.randrange(100) for _ in range(count)],
            },
            schema={"k": pl.Int64, "s": pl.String, "n": pl.Int64},
        )

    def size(self) -> int:
        return self.source.choice([0, 1, 3, 20, 500])

    def create(self) -> None:
        name = self.source.choice(NAMES)
        if name not in self.model:
            self.model[name] = Counter()
            done = self.db.sql(
                f"CREATE TABLE {name} (k BIGINT, s TEXT, n INTEGER NOT NULL) "
                "CLUSTER BY (n) WITH (micropartition_rows = 150)"
            )
            assert done.commit is not None
            self.record(done.commit.lsn)

    def drop(self) -> None:
        if self.model and self.source.random() < 0.3:
            name = self.source.choice(sorted(self.model))
            del self.model[name]
            done = self.db.sql(f"DROP TABLE {name}")
            assert done.commit is not None
            self.record(done.commit.lsn)

    def append(self) -> None:
        if self.model:
            name = self.source.choice(sorted(self.model))
            rows = self.frame(self.size())
            self.sequence += 1
            token = IngestToken(writer="history", sequence=self.sequence)
            commit = self.db.table(name).append(rows, token=token)
            self.model[name] += Counter(rows.rows())
            self.record(commit.lsn)
            if self.source.random() < 0.5:
                assert self.db.table(name).append(rows, token=token) == commit

    def append_two(self) -> None:
        if self.model:
            with self.db.transaction() as tx:
                for name in self.source.choices(sorted(self.model), k=2):
                    rows = self.frame(self.size())
                    tx.table(name).append(rows)
                    self.model[name] += Counter(rows.rows())
            assert tx.commit is not None
            self.record(tx.commit.lsn)

    def checkpoint(self) -> None:
        self.db.sql("CALL mobula.checkpoint()")

    def reopen(self) -> None:
        self.db.close()
        self.open()

    def step(self) -> None:
        actions: list[Callable[[], None]] = [
            self.create,
            self.drop,
            self.append,
            self.append,
            self.append,
            self.append_two,
            self.checkpoint,
            self.reopen,
        ]
        self.source.choice(actions)()

    def check_newest(self) -> None:
        lsn = max(self.versions)
        for name in NAMES:
            assert self.read(name, min_lsn=lsn) == self.model.get(name), (lsn, name)

    def check_every_version(self) -> None:
        for lsn, model in self.versions.items():
            for name in NAMES:
                assert self.read(name, at=lsn) == model.get(name), (lsn, name)

    def read(
        self, name: str, at: int | None = None, min_lsn: int | None = None
    ) -> Counter[Row] | None:
        version = "" if at is None else f" AS OF LSN {at}"
        try:
            found = self.vw.sql(f"SELECT k, s, n FROM {name}{version}", min_lsn=min_lsn)
        except UnknownObject:
            return None
        rows = Counter(found.rows())
        count = self.vw.sql(f"SELECT count(*) FROM {name}{version} WHERE n < 50").scalar()
        assert count == sum(times for row, times in rows.items() if row[2] < 50)
        return rows


@contextmanager
def history(seed: int) -> Iterator[History]:
    sys.stdout.write(f"seed {seed}\n")
    name = f"history-{seed}"
    MemoryStore.forget(name)
    made = History(f"memory://{name}", random.Random(seed))
    try:
        yield made
    finally:
        made.db.close()
        MemoryStore.forget(name)


def run(seed: int) -> None:
    with history(seed) as made:
        for _ in range(STEPS):
            made.step()
            made.check_newest()
        made.check_every_version()


@pytest.mark.parametrize("seed", range(6))
def test_every_version_equals_the_dictionary(seed: int) -> None:
    run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_every_version_equals_the_dictionary_for_longer(seed: int) -> None:
    run(seed)

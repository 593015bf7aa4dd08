"""Random lives of a partitioned table beside a plain one that is told the same: rows that come, go
and move, partitions that are added, dropped, attached and exchanged, flushes, compactions.

Rows have `i`, a number that the column `p` which decides is made of, so that the plain table can be
told what is in a partition.

MOBULA_SEEDS=1000-1100 plays those seeds instead of the few of every day.
"""

from __future__ import annotations

import asyncio
import datetime
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import warehouse
from actors.primary.limits import KeyedLimits
from storage.compaction_policy import CompactionPolicy
from storage.flush_policy import FlushPolicy
from storage.objects import MemoryStore
from storage.scrub import Finding, Severity, scrub
from tests.property.seeds import seeds
from warehouse import InvalidRequest, Settings

STEPS = 45

COUNT, GROUPS = 60, 6
DAY = datetime.date(2026, 1, 1)
NOON = datetime.datetime(2026, 1, 1, 12)
TYPES: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "integer": (pl.Int32, lambda i: i - 20),
    "bigint": (pl.Int64, lambda i: (i - 30) * 2**50),
    "numeric(8,2)": (pl.Decimal(8, 2), lambda i: Decimal(i * 7 - 100).scaleb(-2)),
    "numeric(30,2)": (pl.Decimal(30, 2), lambda i: Decimal(10**20 + i)),
    "date": (pl.Date, lambda i: DAY + datetime.timedelta(days=i)),
    "timestamp": (pl.Datetime("us"), lambda i: NOON + datetime.timedelta(microseconds=i)),
    "timestamptz": (
        pl.Datetime("us", "UTC"),
        lambda i: NOON.replace(tzinfo=datetime.UTC) + datetime.timedelta(hours=i),
    ),
    "text": (pl.String, lambda i: f"ä{i:03}"),
    "uuid": (pl.Binary, lambda i: uuid.UUID(int=(i + 1) << 121)),
    "double precision": (pl.Float64, lambda i: (i - 20) / 8),
}
KEYS = ["", ", PRIMARY KEY (p, k)", ", PRIMARY KEY (k, p)", ", UNIQUE (k, p)"]
Row = tuple[int, int, int]  # i, k, v


class Life:
    """A table `t` in partitions and its plain twin `w`; `e` and its twin `f`, to be exchanged."""

    def __init__(self, seed: int, directory: Path) -> None:
        self.source = random.Random(seed)
        self.directory = directory
        self.root = f"memory://partitions-{seed}"
        self.log: list[str] = []
        self.sql_type = self.source.choice(list(TYPES))
        self.by_range = self.source.random() < 0.6
        self.keys = self.source.choice(KEYS)
        self.present = set(range(self.source.choice([2, GROUPS])))
        self.has_default = self.source.random() < 0.5
        self.next_k = 0
        self.versions: dict[int, list[Any]] = {}
        self.settings = Settings(
            rows_inline_bytes_max=self.source.choice([300, 4_000]),
            lease_ms=30,
            keyed=KeyedLimits(
                flush=FlushPolicy(rows_max=self.source.choice([20, 100_000]), deltas_max=50),
                compaction=CompactionPolicy(
                    depth_max=self.source.choice([1, 8]), small_files_max=2, fan_in=2
                ),
            ),
        )
        self.open()
        parts = [self.definition(group) for group in sorted(self.present)]
        parts += ["PARTITION rest DEFAULT"] if self.has_default else []
        kind = "RANGE" if self.by_range else "LIST"
        by = f"PARTITION BY {kind} (p) ({', '.join(parts)})"
        columns = f"p {self.sql_type} NOT NULL, i INT, k INT, v INT{self.keys}"
        self.log.append(f"{columns} {by}")
        self.db.sql(f"CREATE TABLE t ({columns}) {by} WITH (micropartition_rows = 20)")
        for name in "wef":
            self.db.sql(f"CREATE TABLE {name} ({columns})")

    def open(self) -> None:
        self.db = warehouse.connect(self.root, engine="local", settings=self.settings)

    # --- what rows and partitions are like --------------------------------------------------------

    def literal(self, i: int) -> str:
        value = TYPES[self.sql_type][1](i)
        return f"'{value}'::{self.sql_type}"

    def group(self, i: int) -> int:
        return i // 10 if self.by_range else i % GROUPS

    def definition(self, group: int) -> str:
        name = f"PARTITION g{group}"
        if not self.by_range:
            members = [self.literal(i) for i in range(COUNT) if self.group(i) == group]
            return f"{name} VALUES IN ({', '.join(members)})"
        low, high = self.literal(group * 10), self.literal(group * 10 + 10)
        return f"{name} FOR VALUES FROM ({low}) TO ({high})"

    def within(self, group: int) -> str:
        return f"i / 10 = {group}" if self.by_range else f"i % {GROUPS} = {group}"

    def fits(self, i: int) -> bool:
        return self.has_default or self.group(i) in self.present

    def rows(self, count: int, group: int | None = None) -> list[Row]:
        found = []
        for _ in range(count):
            i = self.source.randrange(COUNT)
            while group is not None and self.group(i) != group:
                i = self.source.randrange(COUNT)
            self.next_k += 1
            found.append((i, self.next_k, self.source.randrange(100)))
        return found

    def frame(self, rows: list[Row]) -> pl.DataFrame:
        kind, value = TYPES[self.sql_type]
        plain = [value(i) for i, *_ in rows]
        plain = [x.bytes if isinstance(x, uuid.UUID) else x for x in plain]
        columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
        numbers = {
            name: pl.Series(name, list(column), pl.Int32)
            for name, column in zip("ikv", columns, strict=True)
        }
        return pl.DataFrame({"p": pl.Series("p", plain, kind), **numbers})

    # --- steps ------------------------------------------------------------------------------------

    def step(self) -> None:
        steps = [self.insert] * 5 + [self.update, self.delete, self.move, self.tidy, self.tidy]
        steps += [self.drop, self.add, self.add, self.attach, self.exchange, self.exchange]
        steps += [self.write_other, self.transaction]
        if "PRIMARY" in self.keys:
            steps += [self.upsert, self.upsert, self.merge, self.delete_keys]
        if self.source.random() < 0.2:
            steps.append(self.reopen)
        self.source.choice(steps)()

    def both(self, text: str, refused: str | None, *, plain: str | None = None) -> None:
        """The same of both tables, `{t}` in the text. Args: refused: the SQLSTATE of `t`."""
        self.log.append(text if refused is None else f"{text} -> {refused}")
        self.tell(lambda: self.db.sql(text.replace("{t}", "t")), refused)
        if refused is None:
            self.db.sql((plain or text).replace("{t}", "w"))

    def tell(self, work: Callable[[], Any], refused: str | None) -> None:
        if refused is None:
            work()
            return
        with pytest.raises(InvalidRequest) as caught:
            work()
        assert caught.value.sqlstate == refused, caught.value

    def insert(self) -> None:
        rows = self.rows(self.source.choice([1, 3, 40]))
        refused = None if all(self.fits(i) for i, *_ in rows) else "23514"
        self.log.append(f"append {len(rows)} -> {refused}")
        self.tell(lambda: self.db.table("t").append(self.frame(rows)), refused)
        if refused is None:
            self.db.table("w").append(self.frame(rows))

    def upsert(self) -> None:
        old = self.db.sql("SELECT i, k, v FROM w ORDER BY k LIMIT 5").rows()
        rows = [(i, k, -v) for i, k, v in old] + [r for r in self.rows(3) if self.fits(r[0])]
        if rows:
            self.log.append("upsert")
            for name in "tw":
                self.db.table(name).upsert(self.frame(rows))

    def merge(self) -> None:
        """Deletes some, updates others, and inserts one."""
        (i, k, v) = self.rows(1)[0]
        refused = None if self.fits(i) else "23514"
        source = "SELECT p, i, k FROM {t} WHERE k % 3 = 0 "
        source += f"UNION ALL SELECT {self.literal(i)}, {i}, {k}"
        self.both(
            f"MERGE INTO {{t}} AS m USING ({source}) AS s ON m.p = s.p AND m.k = s.k "
            f"WHEN MATCHED AND m.v < 20 THEN DELETE WHEN MATCHED THEN UPDATE SET v = m.v + 1 "
            f"WHEN NOT MATCHED THEN INSERT VALUES (s.p, s.i, s.k, {v})",
            refused,
        )

    def delete_keys(self) -> None:
        """Of rows that are there, and of some that are not, perhaps in no partition."""
        old = self.db.sql("SELECT i, k, v FROM w ORDER BY v LIMIT 4").rows()
        names = ["p", "k"] if "(p" in self.keys else ["k", "p"]
        frame = self.frame([*old, *self.rows(2)]).select(names)
        self.log.append("delete keys")
        for name in "tw":
            self.db.table(name).delete(frame)

    def update(self) -> None:
        self.both(f"UPDATE {{t}} SET v = v + 1 WHERE k % 4 = {self.source.randrange(4)}", None)

    def delete(self) -> None:
        i = self.source.randrange(COUNT)
        condition = self.source.choice([f"p = {self.literal(i)}", f"p < {self.literal(i // 4)}"])
        self.both(f"DELETE FROM {{t}} WHERE {condition} AND k % 2 = 0", None)

    def move(self) -> None:
        """Rows to another partition, or to none."""
        i = self.source.randrange(COUNT)
        condition = f"v % 5 = {self.source.randrange(5)}"
        some = self.db.sql(f"SELECT 1 FROM w WHERE {condition} LIMIT 1").rows()
        refused = "23514" if some and not self.fits(i) else None
        self.both(f"UPDATE {{t}} SET p = {self.literal(i)}, i = {i} WHERE {condition}", refused)

    def transaction(self) -> None:
        rows = [row for row in self.rows(6) if self.fits(row[0])]
        self.log.append("BEGIN … END")
        for name in "tw":
            with self.db.transaction() as tx:
                tx.table(name).append(self.frame(rows))
                tx.sql(f"UPDATE {name} SET v = v + 3 WHERE v < 50")
                tx.sql(f"DELETE FROM {name} WHERE k % 7 = 0")

    def tidy(self) -> None:
        what = self.source.choice(["flush", "flush", "compact", "recluster"])
        self.log.append(what)
        self.db.sql(f"CALL mobula.{what}('t')")

    def reopen(self) -> None:
        self.log.append("reopen")
        self.db.close()
        self.open()

    # --- partitions -------------------------------------------------------------------------------

    def absent(self) -> int | None:
        left = sorted(set(range(GROUPS)) - self.present)
        return self.source.choice(left) if left else None

    def held(self, group: int) -> bool:
        """Whether the default partition has rows of the group."""
        return bool(self.db.sql(f"SELECT 1 FROM w WHERE {self.within(group)} LIMIT 1").rows())

    def drop(self) -> None:
        if self.has_default and self.source.random() < 0.3:
            others = " AND ".join(f"NOT ({self.within(g)})" for g in self.present) or "true"
            self.both(
                "ALTER TABLE {t} DROP PARTITION rest",
                None,
                plain=f"DELETE FROM {{t}} WHERE {others}",
            )
            self.has_default = False
        elif len(self.present) > 1:
            group = self.source.choice(sorted(self.present))
            plain = f"DELETE FROM {{t}} WHERE {self.within(group)}"
            self.both(f"ALTER TABLE {{t}} DROP PARTITION g{group}", None, plain=plain)
            self.present.remove(group)

    def add(self) -> None:
        if not self.has_default and self.source.random() < 0.3:
            self.both("ALTER TABLE {t} ADD PARTITION rest DEFAULT", None, plain="SELECT 1")
            self.has_default = True
        elif (group := self.absent()) is not None:
            refused = "23514" if self.held(group) else None
            text = f"ALTER TABLE {{t}} ADD {self.definition(group)}"
            self.both(text, refused, plain="SELECT 1")
            if refused is None:
                self.present.add(group)

    def attach(self) -> None:
        group = self.absent()
        if group is None:
            return
        rows = self.rows(self.source.choice([1, 30]), group)
        stray = self.source.random() < 0.3
        if stray:
            rows += [(i, k, v) for i, k, v in self.rows(9) if self.group(i) != group][:1]
        refused = (
            "23514" if self.held(group) or len({self.group(i) for i, *_ in rows}) > 1 else None
        )
        path = self.directory / f"{self.next_k}.parquet"
        self.frame(rows).write_parquet(path)
        text = f"ALTER TABLE t ATTACH {self.definition(group)} FROM '{path}'"
        self.log.append(f"attach g{group} {len(rows)} -> {refused}")
        self.tell(lambda: self.db.sql(text), refused)
        if refused is None:
            self.db.table("w").append(self.frame(rows))
            self.present.add(group)

    def write_other(self) -> None:
        group = self.source.randrange(GROUPS)
        rows = self.rows(self.source.choice([1, 20]), group)
        self.log.append(f"e: append {len(rows)} of g{group}")
        for name in "ef":
            if self.source.random() < 0.7:
                self.db.sql(f"CALL mobula.flush('{name}')")
            self.db.table(name).append(self.frame(rows))
        condition = "true" if self.source.random() < 0.5 else "k % 3 = 0"
        keep = f"NOT ({self.within(group)}) OR ({condition} AND v < 10)"
        for name in "ef":
            self.db.sql(f"DELETE FROM {name} WHERE {keep}")

    def exchange(self) -> None:
        group = self.source.choice(sorted(self.present))
        strays = self.db.sql(f"SELECT 1 FROM f WHERE NOT ({self.within(group)}) LIMIT 1").rows()
        if strays and self.source.random() < 0.6:
            for name in "ef":
                self.db.sql(f"DELETE FROM {name} WHERE NOT ({self.within(group)})")
            strays = []
        refused = "23514" if strays else None
        text = f"ALTER TABLE t EXCHANGE PARTITION g{group} WITH TABLE e"
        self.log.append(f"{text} -> {refused}")
        self.tell(lambda: self.db.sql(text), refused)
        if refused is None:
            own = self.db.sql(f"SELECT * FROM w WHERE {self.within(group)}").polars()
            its = self.db.sql("SELECT * FROM f").polars()
            self.db.sql(f"DELETE FROM w WHERE {self.within(group)}")
            self.db.sql("DELETE FROM f")
            self.db.table("w").append(its)
            self.db.table("f").append(own)

    # --- checks -----------------------------------------------------------------------------------

    def check(self) -> None:
        for one, two in (("t", "w"), ("e", "f")):
            found, expected = (self.all_of(name) for name in (one, two))
            assert found == expected, f"{one} and {two} differ"
        self.versions[self.db.snapshot().lsn] = self.all_of("t")
        i = self.source.randrange(COUNT)
        at = self.literal(i)
        for condition in (f"p = {at}", f"p >= {at}", f"p < {at} OR p = {self.literal(0)}"):
            text = f"SELECT k FROM {{}} WHERE {condition} ORDER BY k"
            assert self.db.sql(text.format("t")).rows() == self.db.sql(text.format("w")).rows()

    def all_of(self, name: str, version: str = "") -> list[Any]:
        rows: list[Any] = self.db.sql(f"SELECT * FROM {name}{version} ORDER BY k, i, v").rows()
        return rows

    def check_versions(self) -> None:
        for lsn, rows in self.versions.items():
            assert self.all_of("t", f" AS OF LSN {lsn}") == rows, f"LSN {lsn}"

    def check_store(self) -> None:
        found: list[Finding] = []
        store = MemoryStore.named(self.root.removeprefix("memory://"))
        asyncio.run(scrub(store, on_finding=found.append))
        assert not [f for f in found if f.severity is not Severity.note]


@contextmanager
def life(seed: int, directory: Path) -> Iterator[Life]:
    """What fails inside says the seed and what was done."""
    MemoryStore.forget(f"partitions-{seed}")
    made = Life(seed, directory)
    try:
        yield made
    except Exception as error:
        story = "\n".join(made.log)
        raise AssertionError(f"seed {seed}: {error}\n{story}") from error
    finally:
        made.db.close()
        MemoryStore.forget(f"partitions-{seed}")


@pytest.mark.parametrize("seed", seeds("0-3", daily=1))
def test_a_partitioned_table_is_like_a_plain_one(seed: int, tmp_path: Path) -> None:
    sys.stdout.write(f"seed {seed}\n")
    with life(seed, tmp_path) as made:
        for _ in range(STEPS):
            made.step()
            made.check()
        made.check_versions()
        made.check_store()
        made.reopen()
        made.check()

"""Tables with keys as plain Python: random shapes, random rows, and what each write should do.

A table is a tuple of rows in no order. A write is a function from rows to rows; it raises `Refused`
where PostgreSQL would refuse. Nothing here knows how Mobula stores or finds anything.
"""

from __future__ import annotations

import datetime
import random
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import polars as pl

__all__ = [
    "KEY_TYPES",
    "Batch",
    "KeyType",
    "Refused",
    "Row",
    "Rows",
    "Shape",
    "partitioned",
    "partitioning",
    "random_shape",
]

Row = tuple[Any, ...]
Rows = tuple[Row, ...]
N_MAX = 1000  # of the CHECK on column n
UTC = datetime.UTC


class Refused(Exception):
    """The write is an error, and changes nothing. `code`: its SQLSTATE."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class KeyType:
    """A type that a key may have: in SQL and in Polars, and its i-th value."""

    sql: str
    frame: Any
    value: Callable[[int], Any]
    count: int = 1_000  # of values

    def in_frame(self, value: Any) -> Any:
        return value.bytes if isinstance(value, uuid.UUID) else value


DAY = datetime.date(2024, 2, 27)
NOON = datetime.datetime(2024, 2, 28, 12)
KEY_TYPES = (
    KeyType("smallint", pl.Int16, lambda i: i * 17 - 1_000),
    KeyType("integer", pl.Int32, lambda i: -i),
    KeyType("bigint", pl.Int64, lambda i: i * 2**53 - 2**62),
    KeyType("numeric(6,2)", pl.Decimal(6, 2), lambda i: Decimal(i - 9).scaleb(-2)),
    KeyType("numeric(30,3)", pl.Decimal(30, 3), lambda i: Decimal(10**20 + i).scaleb(-3)),
    KeyType("date", pl.Date, lambda i: DAY + datetime.timedelta(days=i)),
    KeyType("timestamp", pl.Datetime("us"), lambda i: NOON + datetime.timedelta(microseconds=i)),
    KeyType(
        "timestamptz",
        pl.Datetime("us", "UTC"),
        lambda i: NOON.replace(tzinfo=UTC) - datetime.timedelta(hours=i),
    ),
    KeyType("time", pl.Time, lambda i: datetime.time(i % 24, i % 60, 7, i)),
    KeyType("text", pl.String, lambda i: "" if not i else f"ä☃{i}" * (i % 3 + 1)),
    KeyType("varchar(8)", pl.String, lambda i: f"v{i}"),
    KeyType("bytea", pl.Binary, lambda i: bytes([0, i % 256, i // 256])),
    KeyType("uuid", pl.Binary, lambda i: uuid.UUID(int=i << 64 | i)),
    KeyType("boolean", pl.Boolean, bool, 2),
    KeyType("double precision", pl.Float64, lambda i: i / 7 - 3),
    KeyType("real", pl.Float32, lambda i: i / 4 - 3),
)
EXTRA = ((), ((0,),), ((0, 1),), ((0,), (1, -1)))  # UNIQUE keys: 0 is u, 1 is v, -1 is k0


@dataclass(frozen=True)
class Shape:
    """A table: key columns k0…, then n (CHECK, DEFAULT 7), u and v (UNIQUE or not), s (DEFAULT).

    Attributes:
        keyed: is (k0, …) the primary key, or are those plain columns?
        unique: positions of the columns of each UNIQUE key.
        pool: how many values a key column takes: few make writes meet.
        partition: its PARTITION BY, or nothing.
    """

    name: str
    types: tuple[KeyType, ...]
    keyed: bool
    unique: tuple[tuple[int, ...], ...]
    pool: int
    partition: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.key_names, "n", "u", "v", "s")

    @property
    def key_names(self) -> tuple[str, ...]:
        return tuple(f"k{i}" for i in range(len(self.types)))

    @property
    def keys(self) -> tuple[tuple[int, ...], ...]:
        """Columns of every key, the primary one first."""
        primary = (tuple(range(len(self.types))),) if self.keyed else ()
        return primary + self.unique

    def at(self, name: str) -> int:
        return self.names.index(name)

    def key(self, row: Row) -> Row:
        return row[: len(self.types)]

    def ddl(self) -> str:
        columns = [
            f"{name} {kind.sql}{' NOT NULL' if not self.keyed else ''}"
            for name, kind in zip(self.key_names, self.types, strict=True)
        ]
        columns += [f"n INTEGER DEFAULT 7 CHECK (n < {N_MAX})", "u INTEGER", "v TEXT"]
        columns.append("s TEXT DEFAULT 'none'")
        if self.keyed:
            columns.append(f"PRIMARY KEY ({', '.join(self.key_names)})")
        columns += [f"UNIQUE ({', '.join(self.names[i] for i in key)})" for key in self.unique]
        made = f"CREATE TABLE {self.name} ({', '.join(columns)}) {self.partition}".rstrip()
        return f"{made} WITH (micropartition_rows = 20)"

    # --- rules ------------------------------------------------------------------------------------

    def checked(self, rows: Iterable[Row]) -> Rows:
        """The rows, if a table may hold them together."""
        found = tuple(rows)
        for row in found:
            if None in self.key(row):
                raise Refused("23502")
            n = row[self.at("n")]
            if n is not None and n >= N_MAX:
                raise Refused("23514")
        for columns in self.keys:
            keys = [k for k in (tuple(row[i] for i in columns) for row in found) if None not in k]
            if len(set(keys)) < len(keys):
                raise Refused("23505")
        return found

    def rivals(self, row: Row, rows: Iterable[Row]) -> bool:
        """Has one of these rows a key of `row`?"""
        for columns in self.keys:
            key = tuple(row[i] for i in columns)
            if None not in key and any(tuple(o[i] for i in columns) == key for o in rows):
                return True
        return False

    # --- writes -----------------------------------------------------------------------------------

    def insert(self, rows: Rows, batch: Rows) -> Rows:
        return self.checked(rows + batch)

    def ignore(self, rows: Rows, batch: Rows) -> Rows:
        """A batch from Python: two rows of it with one key are an error."""
        self.checked(batch)
        return rows + tuple(row for row in batch if not self.rivals(row, rows))

    def do_nothing(self, rows: Rows, batch: Rows) -> Rows:
        """ON CONFLICT DO NOTHING: row after row."""
        found = rows
        for row in batch:
            self.checked((row,))
            if not self.rivals(row, found):
                found = (*found, row)
        return found

    def upsert(self, rows: Rows, batch: Rows) -> Rows:
        self.checked(batch)
        keys = {self.key(row) for row in batch}
        return self.checked(tuple(row for row in rows if self.key(row) not in keys) + batch)

    def replace(self, rows: Rows, batch: Rows) -> Rows:
        """`update` with a frame: those that are there are replaced."""
        self.checked(batch)
        known = {self.key(row) for row in rows}
        return self.upsert(rows, tuple(row for row in batch if self.key(row) in known))

    def delete(self, rows: Rows, keys: Sequence[Row]) -> Rows:
        gone = set(keys)
        return tuple(row for row in rows if self.key(row) not in gone)

    def changed(
        self, rows: Rows, where: Callable[[Row], bool], change: Callable[[Row], Row]
    ) -> Rows:
        return self.checked(change(row) if where(row) else row for row in rows)

    def on_conflict(self, rows: Rows, batch: Rows) -> Rows:
        """ON CONFLICT (primary key) DO UPDATE SET n = excluded.n, s = s || '+'."""
        given = {self.key(row): row for row in batch}
        known = {self.key(row) for row in rows}
        for row in batch:
            self.checked((row,))
        n, s = self.at("n"), self.at("s")

        def merged(row: Row) -> Row:
            new = given.get(self.key(row))
            if new is None:
                return row
            return self.with_(self.with_(row, n, new[n]), s, _plus(row[s]))

        new = tuple(row for key, row in given.items() if key not in known)
        return self.checked((*map(merged, rows), *new))

    @staticmethod
    def with_(row: Row, at: int, value: Any) -> Row:
        return (*row[:at], value, *row[at + 1 :])


def _plus(text: str | None) -> str | None:
    return None if text is None else text + "+"


def random_shape(source: random.Random, name: str) -> Shape:
    types = tuple(source.choices(KEY_TYPES, k=source.choice([1, 1, 2, 3])))
    if all(kind.count == 2 for kind in types):
        types = (KEY_TYPES[0], *types)
    keyed = source.random() < 0.75
    start = len(types) + 1
    extra = source.choice(EXTRA)
    unique = tuple(tuple(0 if i < 0 else start + i for i in key) for key in extra)
    return Shape(name, types, keyed, unique, source.choice([8, 30, 200]))


def partitioned(shape: Shape, source: random.Random) -> Shape:
    """The shape in partitions that take every row, without the keys that could not be there."""
    unique = tuple(key for key in shape.unique if 0 in key)
    if shape.keyed or unique:
        count = 1 if unique else len(shape.types)
        names = list(shape.key_names[:count])
    else:
        names = [*shape.key_names, "n", "u", "v", "s"]
    names = source.sample(names, min(len(names), source.choice([1, 1, 2, 3])))
    kind = source.choice(["HASH", "KEY", "RANGE", "LIST"])
    if kind in ("HASH", "KEY") or names[0] not in shape.key_names:
        text = f"PARTITION BY {kind if kind == 'KEY' else 'HASH'} ({', '.join(names)})"
        return replace(
            shape, unique=unique, partition=f"{text} PARTITIONS {source.choice([1, 2, 5])}"
        )
    key_type = shape.types[int(names[0][1:])]
    values = [key_type.value(i) for i in range(min(key_type.count, shape.pool))]
    if kind == "RANGE":
        chosen = sorted(source.sample(values, min(len(values), source.choice([1, 3]))))
        parts = [f"PARTITION p{i} VALUES LESS THAN ({_text(v)})" for i, v in enumerate(chosen)]
    else:
        chosen = source.sample(values, min(len(values), 6))
        halves = [chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]]
        parts = [
            f"PARTITION p{i} VALUES IN ({', '.join(map(_text, half))})"
            for i, half in enumerate(halves)
            if half
        ]
    text = f"PARTITION BY {kind} ({names[0]}) ({', '.join(parts)}, PARTITION rest DEFAULT)"
    return replace(shape, unique=unique, partition=text)


def partitioning(source: random.Random, share: float) -> Callable[[Shape], Shape]:
    """What gives a shape partitions, or leaves it as it is."""
    return lambda shape: partitioned(shape, source) if source.random() < share else shape


def _text(value: Any) -> str:
    """A value as a literal."""
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    return f"'{value}'"


@dataclass(frozen=True)
class Batch:
    """Makes rows for a shape."""

    shape: Shape
    source: random.Random

    def key(self) -> Row:
        roll = self.source.randrange
        first = self.shape.pool
        return tuple(
            kind.value(roll(min(kind.count, max(2, first if i == 0 else first // 4))))
            for i, kind in enumerate(self.shape.types)
        )

    def keys(self, count: int) -> list[Row]:
        """Different ones, fewer than asked if there are not so many."""
        return sorted({self.key() for _ in range(count)}, key=repr)

    def row(self, key: Row) -> Row:
        source = self.source
        n = source.choice([None, source.randrange(100)])
        u = source.choice([None, source.randrange(self.shape.pool * 8)])
        v = source.choice([None, "", f"v{source.randrange(4)}"])
        return (*key, n, u, v, source.choice([None, "s", "ß" * source.randrange(9)]))

    def rows(self, count: int, *, clean: bool = False) -> Rows:
        """Rows with different keys, unless it is to be a batch that is refused now and then.

        Args: clean: without rows that have another key in common, so that most batches pass.
        """
        source = self.source
        made: list[Row] = []
        for key in self.keys(count):
            row = self.row(key)
            if (clean or source.random() < 0.9) and self.shape.rivals(row, made):
                continue
            made.append(row)
        if made and not clean and source.random() < 0.06:
            spoiled = source.choice(
                [made[-1], Shape.with_(made[-1], self.shape.at("n"), N_MAX + source.randrange(9))]
            )
            made[-1:] = [spoiled, *([made[-1]] if spoiled is made[-1] else [])]
        return tuple(made)

    def frame(self, rows: Rows) -> pl.DataFrame:
        shape = self.shape
        schema = dict(zip(shape.key_names, (kind.frame for kind in shape.types), strict=True))
        schema |= {"n": pl.Int32, "u": pl.Int32, "v": pl.String, "s": pl.String}
        plain = [
            tuple(
                shape.types[i].in_frame(value) if i < len(shape.types) else value
                for i, value in enumerate(row)
            )
            for row in rows
        ]
        return pl.DataFrame(plain, schema=schema, orient="row")

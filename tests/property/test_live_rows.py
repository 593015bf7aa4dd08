"""Scans against a plain model: any files, deltas, delete bitmaps, schema versions and predicates.

Stripes are of 8 rows and files sorted by `n`, so that predicates on it skip stripes; the rows that
are left out and the locations must not move with them.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.delete_bitmap import Positions, encode_positions
from storage.micropartition import writer
from storage.micropartition.inputs import ROW_BITS
from storage.micropartition.reader import Chosen, ScanDelta, ScanFile, ScanGroup, scan
from storage.schema import (
    Column,
    DecimalType,
    EnumType,
    Kind,
    ScalarType,
    TableSchema,
    arrow_schema,
)

BIGINT, TEXT = ScalarType(Kind.BIGINT), ScalarType(Kind.TEXT)
MONEY = DecimalType(precision=9, scale=2)
MOOD = EnumType(name="mood", labels=("sad", "ok"))
OLD = (
    Column(id=1, name="key", type=BIGINT, nullable=False),
    Column(id=2, name="row", type=BIGINT),
    Column(id=3, name="gone", type=TEXT),
    Column(id=4, name="money", type=MONEY),
)
NEW = (
    Column(id=2, name="n", type=BIGINT),
    Column(id=5, name="mood", type=MOOD),
    Column(id=4, name="live", type=MONEY),
    Column(id=1, name="key", type=BIGINT, nullable=False),
)
VERSIONS = {1: OLD, 2: NEW}
Engine = Literal["streaming", "in-memory"]


@dataclass(frozen=True)
class Part:
    """A file, or a run of deltas of the given lengths: `n` of its rows, and which are deleted."""

    version: int
    is_file: bool
    values: list[int | None]
    deleted: frozenset[int]
    lengths: list[int] = field(default_factory=list)


@st.composite
def parts(draw: st.DrawFn) -> Part:
    is_file = draw(st.booleans())
    count = draw(st.integers(0, 40))
    numbers = st.none() | st.integers(-20, 20)
    values = draw(st.lists(numbers, min_size=count, max_size=count))
    if draw(st.booleans()):
        values.sort(key=lambda n: (n is None, n or 0))
    share = draw(st.sampled_from([0, 1, 5, 10]))
    chosen = draw(st.lists(st.integers(1, 10), min_size=count, max_size=count))
    deleted = frozenset(i for i, roll in enumerate(chosen) if roll <= share)
    cuts = sorted(draw(st.sets(st.integers(1, max(count - 1, 1)), max_size=3)) - {count})
    lengths = [b - a for a, b in zip([0, *cuts], [*cuts, count], strict=True)] if count > 1 else []
    return Part(draw(st.sampled_from([1, 2])), is_file, values, deleted, lengths or [count])


@dataclass(frozen=True)
class Case:
    parts: list[Part]
    columns: list[str]
    predicate: tuple[str, int] | None
    located: bool
    carriers: bool
    engine: Engine
    chosen: frozenset[int] | None
    limit: tuple[int, int] | None


CASES = st.builds(
    Case,
    parts=st.lists(parts(), max_size=7),
    columns=st.lists(st.sampled_from([c.name for c in NEW]), min_size=1, unique=True),
    predicate=st.none() | st.tuples(st.sampled_from(["<", ">", "="]), st.integers(-22, 22)),
    located=st.booleans(),
    carriers=st.booleans(),
    engine=st.sampled_from(["streaming", "in-memory"]),
    chosen=st.none() | st.frozensets(st.integers(0, 100), max_size=40),
    limit=st.none() | st.tuples(st.integers(0, 30), st.integers(0, 30)),
)


def row(key: int, n: int | None) -> dict[str, Any]:
    """A row by the newest names; `gone` is only in files."""
    return {"key": key, "n": n, "live": Decimal(key).scaleb(-2), "mood": MOOD.labels[key % 2]}


def stored(rows: list[dict[str, Any]], version: int) -> pa.Table:
    if version == 1:
        rows = [{"key": r["key"], "row": r["n"], "gone": "x", "money": r["live"]} for r in rows]
    return pa.Table.from_pylist(rows, schema=arrow_schema(VERSIONS[version]))


class World:
    """What a case says, once as inputs of a scan and once as plain rows."""

    def __init__(self, case: Case, directory: Path) -> None:
        self.rows: list[dict[str, Any]] = []  # stored and live, with their `location`
        self.groups: dict[int, tuple[list[ScanFile], list[ScanDelta]]] = {1: ([], []), 2: ([], [])}
        self.key = 0
        self.next_id = 1
        for part in case.parts:
            self._add(part, directory)

    def _add(self, part: Part, directory: Path) -> None:
        rows = [row(self.key + i, n) for i, n in enumerate(part.values)]
        self.key += len(rows)
        table = stored(rows, part.version)
        encoded = encode_positions(Positions(part.deleted)) if part.deleted else None
        files, deltas = self.groups[part.version]
        if part.is_file:
            places = [(self.next_id, i) for i in range(len(rows))]
            path = directory / f"{self.next_id}"
            schema = TableSchema(version=part.version, columns=VERSIONS[part.version])
            writer.write(table, schema, "x", path)
            files.append(
                ScanFile(path=path, bitmap=encoded, row_count=len(rows), file_id=self.next_id)
            )
            self.next_id += 1
        else:
            places, pieces = [], []
            for length in part.lengths:
                pieces.append((len(places), self.next_id))
                places += [(self.next_id, i) for i in range(length)]
                self.next_id += 1
            deltas.append(ScanDelta(rows=table, deleted=encoded, pieces=tuple(pieces)))
        lacking = {"mood": None} if part.version == 1 else {}
        for i, (number, position) in enumerate(places):
            if i not in part.deleted:
                place = {"location": number << ROW_BITS | position}
                self.rows.append(rows[i] | lacking | place)

    def scan_groups(self) -> list[ScanGroup]:
        return [
            ScanGroup(columns=VERSIONS[v], files=tuple(files), deltas=tuple(deltas))
            for v, (files, deltas) in self.groups.items()
        ]


def expected(case: Case, world: World) -> list[tuple[Any, ...]]:
    rows = world.rows
    if case.chosen is not None:
        rows = [r for r in rows if r["key"] in case.chosen]
    if case.predicate is not None:
        op, constant = case.predicate
        rows = [r for r in rows if r["n"] is not None and _holds(r["n"], op, constant)]
    names = case.columns + (["location"] if case.located else [])
    scale = 100 if case.carriers else 1
    return _sorted(tuple(r[n] * scale if n == "live" else r[n] for n in names) for r in rows)


def _holds(n: int, op: str, constant: int) -> bool:
    return {"<": n < constant, ">": n > constant, "=": n == constant}[op]


def _sorted(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda found: [(v is None, 0 if v is None else v) for v in found])


def found(case: Case, world: World) -> list[tuple[Any, ...]]:
    by_name = {column.name: column for column in NEW}
    names = list(case.columns)
    if case.predicate is not None and "n" not in names:
        names.append("n")
    chosen = None
    if case.chosen is not None:
        key = (by_name["key"],)
        keys = pa.table({"key": sorted(case.chosen)}, schema=arrow_schema(key))
        chosen = Chosen(key=key, keys=keys)
    frame = scan(
        world.scan_groups(),
        tuple(by_name[name] for name in names),
        carriers=case.carriers,
        location="location" if case.located else None,
        chosen=chosen,
    )
    assert frame.collect_schema().names() == names + (["location"] if case.located else [])
    if case.predicate is not None:
        op, constant = case.predicate
        n = pl.col("n")
        frame = frame.filter({"<": n < constant, ">": n > constant, "=": n == constant}[op])
    wanted = case.columns + (["location"] if case.located else [])
    frame = frame.select(wanted)
    if case.limit is not None:
        frame = frame.slice(*case.limit)
    return _sorted(frame.collect(engine=case.engine).rows())


@settings(max_examples=150, deadline=None)
@given(CASES)
def test_a_scan_gives_the_live_rows(case: Case) -> None:
    with tempfile.TemporaryDirectory() as directory, patch.object(writer, "STRIPE_ROWS", 8):
        world = World(case, Path(directory))
        rows, wanted = found(case, world), expected(case, world)
        if case.limit is None:
            assert rows == wanted
        else:  # which ones is not said
            assert len(rows) == max(0, min(case.limit[1], len(wanted) - case.limit[0]))
            assert not Counter(rows) - Counter(wanted)

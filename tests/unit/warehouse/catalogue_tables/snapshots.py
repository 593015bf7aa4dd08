"""Snapshots of small databases for tests of the catalogue's tables."""

from __future__ import annotations

from storage.schema import (
    ArrayType,
    Check,
    Column,
    DecimalType,
    EnumType,
    Identity,
    Kind,
    ScalarType,
    StructType,
    TableSchema,
    VarCharType,
)
from storage.snapshot.model import Delta, Sequence, Snapshot, TableState, UserType

__all__ = ["MOOD", "PAIR", "shop", "with_rows"]

INTEGER = ScalarType(kind=Kind.INTEGER)
TEXT = ScalarType(kind=Kind.TEXT)
MOOD = EnumType(name="mood", labels=("sad", "ok"))
PAIR = StructType(name="shop.pair", fields=(("x", INTEGER), ("y", TEXT)))


def shop() -> Snapshot:
    """Schemas public (id 1) and shop (2), table `public.t` (3), `shop."Order"` (4), types, and
    the sequence of an identity column."""
    columns = (
        Column(
            id=1,
            name="id",
            type=ScalarType(kind=Kind.BIGINT),
            nullable=False,
            identity=Identity(sequence_id=7, always=True),
        ),
        Column(id=2, name="a", type=INTEGER, nullable=False, default="3"),
        Column(id=4, name="c", type=DecimalType(precision=10, scale=2)),
        Column(id=5, name="d", type=VarCharType(length=5)),
        Column(id=6, name="m", type=MOOD),
        Column(id=7, name="e", type=ArrayType(element=INTEGER)),
    )
    table = TableState(
        id=3,
        schema_id=1,
        name="t",
        schemas=(TableSchema(version=1, columns=columns),),
        checks=(Check(name="positive", sql="a > 0"),),
        comment="the table",
        column_comments={2: "a column"},
        next_column_id=8,
    )
    order = TableState(
        id=4,
        schema_id=2,
        name="Order",
        schemas=(TableSchema(version=1, columns=(Column(id=1, name="p", type=PAIR),)),),
        next_column_id=2,
    )
    return Snapshot(
        database_id="d",
        branch_id="b",
        lsn=5,
        next_id=8,
        schemas={1: "public", 2: "shop"},
        tables={3: table, 4: order},
        types={
            5: UserType(id=5, schema_id=1, name="mood", definition=MOOD),
            6: UserType(id=6, schema_id=2, name="pair", definition=PAIR),
        },
        sequences={
            7: Sequence(id=7, schema_id=1, name="t_id_seq", next_value=1, increment=1, low=1)
        },
    )


def with_rows(snapshot: Snapshot, count: int) -> Snapshot:
    """The same database after an append to `public.t`."""
    import dataclasses

    delta = Delta(id=1, lsn=6, schema_version=1, row_count=count, rows=b"0123456789")
    table = dataclasses.replace(snapshot.tables[3], deltas=(delta,))
    return dataclasses.replace(snapshot, lsn=6, tables={**snapshot.tables, 3: table})

"""Rows written by key: every mode on every kind of key, in one group, over groups, reopened."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import pyarrow as pa
import pytest

from actors.operations import DropTable, WriteMode
from actors.primary.limits import KeyedLimits
from storage.errors import Conflict, InvalidRequest
from storage.schema import DecimalType, Kind, ScalarType, SqlType
from tests.unit.actors.primary.keyed import (
    INTEGER,
    PRIMARY,
    TEXT,
    UNIQUE,
    Keyed,
    NewKey,
    keyed,
    start,
)

INSERT, IGNORE, UPSERT, UPDATE = (
    WriteMode.INSERT,
    WriteMode.IGNORE,
    WriteMode.UPSERT,
    WriteMode.UPDATE,
)
OLD, NEW = (1, 10, "old"), (1, 11, "new")

# what a row does to a key that is absent, there, or deleted: rows that count, rows afterwards
EFFECTS: list[tuple[WriteMode, str, int | None, list[tuple[Any, ...]]]] = [
    (INSERT, "absent", 1, [NEW]),
    (INSERT, "there", None, [OLD]),
    (INSERT, "deleted", 1, [NEW]),
    (IGNORE, "absent", 1, [NEW]),
    (IGNORE, "there", 0, [OLD]),
    (IGNORE, "deleted", 1, [NEW]),
    (UPSERT, "absent", 1, [NEW]),
    (UPSERT, "there", 1, [NEW]),
    (UPSERT, "deleted", 1, [NEW]),
    (UPDATE, "absent", 0, []),
    (UPDATE, "there", 1, [NEW]),
    (UPDATE, "deleted", 0, []),
    (WriteMode.DELETE, "absent", 0, []),
    (WriteMode.DELETE, "there", 1, []),
    (WriteMode.DELETE, "deleted", 0, []),
]


def operations(db: Keyed, mode: WriteMode, before: str) -> list[Any]:
    made: list[Any] = []
    if before != "absent":
        made.append(db.rows(INSERT, OLD))
    if before == "deleted":
        made.append(db.deleting(1))
    made.append(db.deleting(1) if mode is WriteMode.DELETE else db.rows(mode, NEW))
    return made


@pytest.mark.parametrize("place", ["group", "groups", "reopened", "files"])
@pytest.mark.parametrize(("mode", "before", "count", "rows"), EFFECTS)
def test_what_a_row_does_to_its_key(
    mode: WriteMode, before: str, count: int | None, rows: list[Any], place: str
) -> None:
    async def test(db: Keyed) -> None:
        await db.submit(db.rows(INSERT, (7, 70, "other")))
        made, now = operations(db, mode, before), db
        if place == "group":
            *_, last = await db.together(*made)
        else:
            for operation in made[:-1]:
                await db.submit(operation)
                if place == "files":
                    await db.flush()
            if place == "reopened":
                await db.primary.close()
                now = await start(db.store, KeyedLimits())
            (last,) = await now.together(made[-1])
        if count is None:
            assert isinstance(last, InvalidRequest)
            assert last.sqlstate == "23505"
            assert str(last) == (
                'duplicate key value violates unique constraint "t_pkey" of table t: '
                "Key (k)=(1) already exists"
            )
        else:
            assert last.row_counts == (count,)
        assert await now.all() == sorted([*rows, (7, 70, "other")])
        await now.check()
        await now.primary.close()

    keyed(test, PRIMARY)


@pytest.mark.parametrize(("mode", "before", "count", "rows"), EFFECTS)
def test_the_same_inside_a_transaction_that_is_open(
    mode: WriteMode, before: str, count: int | None, rows: list[Any]
) -> None:
    async def test(db: Keyed) -> None:
        *made, last = operations(db, mode, before)
        found = await db.begin()
        for operation in made:
            await found.write([operation])
        if count is None:
            with pytest.raises(InvalidRequest, match="Key \\(k\\)=\\(1\\) already exists"):
                await found.write([last])
        else:
            assert await found.write([last]) == (count,)
        own = (await found.snapshot()).find_table("t")
        assert await db.all(own) == rows
        assert await db.all() == []
        await db.primary.transactions.commit(found.id, None)
        assert await db.all() == rows
        if db.table.deltas:
            await db.check()

    keyed(test, PRIMARY)


@pytest.mark.parametrize("keys", [(PRIMARY, UNIQUE), (UNIQUE,)])
def test_unique_keys_take_one_row_and_any_number_of_nulls(keys: tuple[NewKey, ...]) -> None:
    async def test(db: Keyed) -> None:
        assert await db.write(INSERT, (1, None, "a"), (2, None, "b"), (3, 30, "c")) == 3
        assert await db.write(INSERT, (4, None, "d")) == 1
        with pytest.raises(InvalidRequest) as caught:
            await db.write(INSERT, (5, None, "e"), (6, 30, "f"))
        assert caught.value.sqlstate == "23505"
        assert '"t_u_key" of table t: Key (u)=(30) already exists' in str(caught.value)
        assert await db.write(IGNORE, (5, None, "e"), (6, 30, "f"), (7, 70, "g")) == 2
        assert [r[0] for r in await db.all()] == [1, 2, 3, 4, 5, 7]
        await db.check()

    keyed(test, *keys)


def test_key_that_the_same_operation_frees_may_be_taken() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"), (2, 20, "b"))
        assert await db.write(UPSERT, (1, 20, "x"), (2, 10, "y"), (3, 30, "z")) == 3
        assert await db.all() == [(1, 20, "x"), (2, 10, "y"), (3, 30, "z")]
        assert await db.write(UPDATE, (1, 10, "x"), (2, 20, "y")) == 2
        with pytest.raises(InvalidRequest, match="t_u_key"):
            await db.write(UPSERT, (1, 30, "taken by 3"))
        with pytest.raises(InvalidRequest, match="t_u_key"):
            await db.write(UPDATE, (1, 30, "taken by 3"))
        assert await db.write(UPDATE, (9, 30, "no such row, so it takes no key")) == 0
        await db.delete(3)
        assert await db.write(UPSERT, (1, 30, "x")) == 1
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


NUMERIC = DecimalType(precision=12, scale=2)
WIDE = DecimalType(precision=30, scale=4)
ID = uuid.UUID(int=7)
KINDS: list[tuple[dict[str, SqlType], list[tuple[Any, ...]], str]] = [
    ({"a": INTEGER, "b": TEXT}, [(1, "x"), (1, "y"), (2, "x"), (0, "")], "(a, b)=(1, x)"),
    ({"a": TEXT}, [("x",), ("",), ("ä" * 300,), ("X",)], "(a)=(x)"),
    (
        {"a": ScalarType(kind=Kind.DATE)},
        [(datetime.date(2024, 2, 29),), (datetime.date(1, 1, 1),), (datetime.date(9999, 12, 31),)],
        "(a)=(2024-02-29)",
    ),
    (
        {"a": NUMERIC},
        [(decimal.Decimal("1.50"),), (decimal.Decimal("-1.50"),), (decimal.Decimal("0"),)],
        "(a)=(1.50)",
    ),
    ({"a": WIDE}, [(decimal.Decimal("1.5000"),), (decimal.Decimal("1e20"),)], "(a)=(1.5000)"),
    ({"a": ScalarType(kind=Kind.UUID)}, [(ID.bytes,), (uuid.UUID(int=0).bytes,)], ""),
    ({"a": ScalarType(kind=Kind.BOOLEAN), "b": INTEGER}, [(True, 1), (False, 1)], "=(True, 1)"),
]


@pytest.mark.parametrize(("columns", "rows", "text"), KINDS, ids=lambda v: str(v)[:20])
def test_keys_of_all_kinds(
    columns: dict[str, SqlType], rows: list[tuple[Any, ...]], text: str
) -> None:
    key = NewKey(name="t_pkey", columns=tuple(columns), primary=True)

    async def test(db: Keyed) -> None:
        full = [(*row, "v") for row in rows]
        assert await db.write(INSERT, *full) == len(rows)
        await db.flush()
        with pytest.raises(InvalidRequest) as caught:
            await db.write(INSERT, full[0])
        assert text in str(caught.value)
        assert await db.write(UPSERT, *((*row, "w") for row in rows[1:])) == len(rows) - 1
        assert {r[-1] for r in await db.all()} == {"v", "w"}
        await db.check()

    keyed(test, key, columns={**columns, "v": TEXT})


def test_failed_transactions_leave_no_trace_in_their_group() -> None:
    async def test(db: Keyed) -> None:
        first = await db.together(
            db.rows(INSERT, (1, 10, "a")),
            db.rows(INSERT, (2, 20, "b"), (1, 11, "twice")),
            db.rows(INSERT, (2, 20, "b")),
            db.rows(INSERT, (3, 20, "u is taken")),
            db.rows(INSERT, (3, 30, "c")),
        )
        assert [type(one).__name__ for one in first] == [
            "Receipt", "InvalidRequest", "Receipt", "InvalidRequest", "Receipt",
        ]  # fmt: skip
        assert await db.all() == [(1, 10, "a"), (2, 20, "b"), (3, 30, "c")]
        await db.check()

    keyed(test, PRIMARY, UNIQUE)


def test_transaction_of_several_operations_is_all_or_nothing() -> None:
    async def test(db: Keyed) -> None:
        await db.write(INSERT, (1, 10, "a"))
        with pytest.raises(InvalidRequest):
            await db.submit(db.deleting(1), db.rows(INSERT, (2, 20, "b"), (3, 30, "c")),
                            db.rows(INSERT, (3, 31, "c")))  # fmt: skip
        receipt = await db.submit(db.deleting(1), db.rows(INSERT, (1, 11, "again")))
        assert receipt.row_counts == (1, 1)
        assert await db.all() == [(1, 11, "again")]
        await db.check()

    keyed(test, PRIMARY)


def test_rows_of_another_version_of_the_table_are_refused() -> None:
    async def test(db: Keyed) -> None:
        late = db.rows(INSERT, (1, 10, "a"))
        await db.submit(DropTable(schema="public", name="t"))
        await db.create(PRIMARY)
        with pytest.raises(Conflict, match="dropped meanwhile"):
            await db.submit(late)

    keyed(test, PRIMARY)


def test_keys_twice_in_one_batch_and_nan_are_refused_before_anything_is_sent() -> None:
    async def test(db: Keyed) -> None:
        with pytest.raises(InvalidRequest) as twice:
            db.rows(UPSERT, (1.5, "a"), (1.5, "b"))
        assert twice.value.sqlstate == "23505"
        assert '"t_pkey" of table t: Key (k)=(1.5) is given twice' in str(twice.value)
        with pytest.raises(InvalidRequest, match=r'NaN in column "k" of table t.*"t_pkey"'):
            db.rows(INSERT, (float("nan"), "a"))
        assert db.frame([(0.5, "x")]).schema.field("k").type == pa.float64()

    double = ScalarType(kind=Kind.DOUBLE)
    keyed(test, PRIMARY, columns={"k": double, "v": TEXT})

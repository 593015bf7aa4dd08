"""Runs of deltas know which of their rows are deleted, at the snapshot that is asked for."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from pyroaring import BitMap

from actors.compute.deltas import DeltaStage
from actors.fragments import DeltaRun
from storage.delta import encode_rows
from storage.schema import Column, Kind, ScalarType, TableSchema, arrow_schema
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.model import PRIVATE_LSN, Snapshot, TableState

COLUMNS = (Column(id=1, name="a", type=ScalarType(kind=Kind.BIGINT)),)
TABLE = c.TableDefinition(
    id=2, schema_id=1, name="t", schema=TableSchema(version=1, columns=COLUMNS)
)
START = apply_changes(
    Snapshot(database_id="d", branch_id="main"), (c.CreateTable(table=TABLE),), {}, lsn=1
)


def stage() -> DeltaStage:
    return DeltaStage(lambda rows: rows)


def rows(delta_id: int, *values: int) -> c.AddRows:
    table = pa.table({"a": list(values)}, schema=arrow_schema(COLUMNS))
    return c.AddRows(
        delta_id=delta_id, schema_version=1, row_count=len(values), rows=encode_rows(table)
    )


def deleting(**positions: list[int]) -> c.AddBitmaps:
    """By `d{delta id}`."""
    return c.AddBitmaps(
        bitmaps=tuple(
            c.Bitmap(file_id=int(name[1:]), deleted_count=len(at), positions=BitMap(at).serialize())
            for name, at in positions.items()
        )
    )


def after(snapshot: Snapshot, *changes: c.TableChange) -> Snapshot:
    return apply_changes(snapshot, (), {2: changes}, lsn=snapshot.lsn + 1)


def table(snapshot: Snapshot) -> TableState:
    return snapshot.tables[2]


def deleted(run: DeltaRun) -> list[int]:
    return [] if run.deleted is None else list(BitMap.deserialize(run.deleted))


def live(runs: tuple[DeltaRun, ...]) -> list[int]:
    found = []
    for run in runs:
        gone = set(deleted(run))
        found += [v for i, v in enumerate(run.rows["a"].to_pylist()) if i not in gone]
    return found


def test_positions_are_those_in_the_run() -> None:
    made = after(START, rows(1, 10), rows(2, 20, 21), rows(3, 30, 31, 32))
    made = after(made, deleting(d2=[1], d3=[0, 2]))
    (run,) = stage().runs(table(made), located=True)
    assert run.pieces == ((0, 1), (1, 2), (3, 3))
    assert deleted(run) == [2, 3, 5]
    assert live((run,)) == [10, 20, 31]


def test_without_deleted_rows_there_is_nothing_to_carry() -> None:
    (run,) = stage().runs(table(after(START, rows(1, 10))))
    assert (run.deleted, run.pieces) == (None, ())


def test_deleted_rows_move_when_runs_are_merged() -> None:
    kept = stage()
    made = after(START, rows(1, 10, 11), deleting(d1=[0]))
    assert live(kept.runs(table(made))) == [11]
    made = after(made, rows(2, 20), deleting(d2=[0]))
    assert [deleted(run) for run in kept.runs(table(made))] == [[0], [0]]
    made = after(made, rows(3, 30), deleting(d1=[1]))
    assert [deleted(run) for run in kept.runs(table(made))] == [[0, 1, 2]]


def test_older_snapshots_with_the_same_deltas_see_their_own_bitmaps() -> None:
    kept = stage()
    first = after(START, rows(1, 10, 11, 12))
    second = after(first, deleting(d1=[1]))
    third = after(second, deleting(d1=[0]))
    for snapshot, expected in (
        (third, [12]),
        (first, [10, 11, 12]),
        (second, [10, 12]),
        (third, [12]),
        (second, [10, 12]),
        (after(third, c.RemoveBitmaps(file_ids=(1,))), [10, 11, 12]),
        (third, [12]),
    ):
        assert live(kept.runs(table(snapshot))) == expected


def test_rows_that_an_open_transaction_deleted_are_deleted_for_it_alone() -> None:
    """Its bitmaps have as many rows as those of others, and other ones."""
    kept = stage()
    begin = after(START, rows(1, 10, 11, 12), rows(2, 20))
    theirs = after(begin, deleting(d1=[1]))
    own = after(begin, deleting(d1=[0]))
    for snapshot, expected in (
        (begin, [10, 11, 12, 20]),
        (own, [11, 12, 20]),
        (theirs, [10, 12, 20]),
        (own, [11, 12, 20]),
        (begin, [10, 11, 12, 20]),
        (after(theirs, deleting(d1=[2])), [10, 20]),
    ):
        assert live(kept.runs(table(snapshot))) == expected


def test_rows_that_an_open_transaction_wrote_are_its_own() -> None:
    """Others are given the same ids for other rows."""
    kept = stage()
    begin = after(START, rows(1, 10))
    own = apply_changes(begin, (), {2: (rows(2, 99), rows(3, 98))}, lsn=PRIVATE_LSN)
    own = apply_changes(own, (), {2: (deleting(d2=[0]),)}, lsn=PRIVATE_LSN)
    theirs = after(begin, rows(2, 20))
    for _ in range(2):
        assert live(kept.runs(table(own))) == [10, 98]
        assert live(kept.runs(table(theirs))) == [10, 20]
    first, *rest = kept.runs(table(own))
    assert first.key
    assert not any(run.key for run in rest)  # nobody may keep it under a name


def test_what_does_not_change_is_not_made_anew() -> None:
    kept = stage()
    made = after(START, rows(1, *range(9)), rows(2, 20), deleting(d1=[3], d2=[0]))
    before = kept.runs(table(made))
    again = kept.runs(table(after(made, deleting(d1=[4]))))
    assert again[1].deleted is before[1].deleted
    assert [deleted(run) for run in again] == [[3, 4], [0]]
    assert again[0].rows is before[0].rows
    assert again[0].key == before[0].key


@pytest.mark.parametrize("seed", range(25))
def test_any_history_read_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    kept = stage()
    model: dict[int, dict[int, int]] = {}  # delta id -> position -> value
    snapshot, history = START, []
    for step in range(60):
        if not model or rng.random() < 0.4:
            number = table(snapshot).next_file_id
            values = [step * 100 + i for i in range(rng.randint(1, 6))]
            snapshot = after(snapshot, rows(number, *values))
            model[number] = dict(enumerate(values))
        else:
            hit = rng.sample(sorted(model), min(len(model), rng.randint(1, 3)))
            gone = {f"d{n}": rng.sample(range(6), 2) for n in hit}
            sizes = {d.id: d.row_count for d in table(snapshot).deltas}
            gone = {n: [p for p in at if p < sizes[int(n[1:])]] for n, at in gone.items()}
            snapshot = after(snapshot, deleting(**{n: at for n, at in gone.items() if at}))
            for name, at in gone.items():
                for position in at:
                    model[int(name[1:])].pop(position, None)
        history.append((snapshot, [v for found in model.values() for v in found.values()]))
        asked, expected = history[-1] if rng.random() < 0.6 else rng.choice(history)
        assert live(kept.runs(table(asked))) == expected
        assert table(asked).row_count == len(expected)

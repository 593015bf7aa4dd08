"""The snapshot as a pure function: each record does what it says, and to nothing else."""

from __future__ import annotations

import msgspec
import pytest
from pyroaring import BitMap

from storage.errors import CorruptData
from storage.schema import Check, Column, EnumType, Kind, ScalarType, TableSchema
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.files import ColumnStatistics, FileRow, FileSet
from storage.snapshot.model import Snapshot, TableState

BIGINT = ScalarType(Kind.BIGINT)
TEXT = ScalarType(Kind.TEXT)
MOOD = EnumType(name="s.mood", labels=("a",))
TABLE = c.TableDefinition(
    id=2,
    schema_id=1,
    name="t",
    schema=TableSchema(
        version=1,
        columns=(Column(id=1, name="a", type=BIGINT), Column(id=2, name="b", type=TEXT)),
    ),
)


def start(*catalogue: c.CatalogueChange) -> Snapshot:
    empty = Snapshot(database_id="d", branch_id="main")
    return apply_changes(empty, (c.CreateTable(table=TABLE), *catalogue), {}, lsn=1)


def table(snapshot: Snapshot) -> TableState:
    return snapshot.tables[2]


def after(snapshot: Snapshot, *changes: c.TableChange, lsn: int = 2) -> Snapshot:
    return apply_changes(snapshot, (), {2: changes}, lsn=lsn)


def file_rows(*names: str) -> list[FileRow]:
    return [
        FileRow(
            name=f"data/{name}",
            checksum="0" * 32,
            size_bytes=10,
            tail_bytes=4,
            row_count=100,
            stripe_count=1,
            schema_version=1,
            level=0,
            partition=None,
            statistics={1: ColumnStatistics(min=1, max=9, sum=500)},
        )
        for name in names
    ]


def add_files(first_id: int, *names: str) -> c.AddFiles:
    files = FileSet.of(file_rows(*names), TABLE.schema.columns, first_id=first_id, lsn=2)
    return c.AddFiles(first_file_id=first_id, file_count=len(names), files=files.encode())


def rows(delta_id: int, count: int = 3) -> c.AddRows:
    return c.AddRows(delta_id=delta_id, schema_version=1, row_count=count, rows=b"x")


def test_options_take_the_place_of_all_that_were() -> None:
    changed = start(c.SetTableOptions(table_id=2, options={"flush_rows": 5, "holes_max": "0.5"}))
    assert table(changed).options == {"flush_rows": 5, "holes_max": "0.5"}
    again = c.SetTableOptions(table_id=2, options={"flush_rows": 6})
    assert table(apply_changes(changed, (again,), {}, lsn=2)).options == {"flush_rows": 6}
    assert table(changed).options == {"flush_rows": 5, "holes_max": "0.5"}
    with pytest.raises(KeyError):
        apply_changes(changed, (c.SetTableOptions(table_id=3, options={}),), {}, lsn=2)


def test_applying_leaves_the_old_snapshot_alone() -> None:
    before = start()
    changed = after(before, rows(1))
    assert table(before).deltas == ()
    assert [d.id for d in table(changed).deltas] == [1]
    assert table(changed).deltas[0].lsn == 2


def test_deltas_and_files_share_one_id_space() -> None:
    changed = after(start(), rows(1), add_files(2, "x", "y"), rows(4))
    assert table(changed).next_file_id == 5
    assert table(changed).files.table["file_id"].to_pylist() == [2, 3]
    assert table(changed).row_count == 206


@pytest.mark.parametrize("change", [rows(1), add_files(1, "y")])
def test_reused_id_is_corrupt(change: c.TableChange) -> None:
    with pytest.raises(CorruptData):
        after(after(start(), rows(1)), change)


def test_removed_files_take_their_bitmaps_along() -> None:
    bitmap = c.Bitmap(file_id=1, deleted_count=2, positions=BitMap([3, 5]).serialize())
    changed = after(start(), add_files(1, "x", "y"), c.AddBitmaps(bitmaps=(bitmap,)))
    assert table(changed).row_count == 198
    changed = after(changed, c.RemoveFiles(file_ids=(1,)), lsn=3)
    assert table(changed).files.names == ["data/y"]
    assert table(changed).bitmaps == {}


def deleting(file_id: int, *positions: int) -> c.AddBitmaps:
    bitmap = c.Bitmap(
        file_id=file_id, deleted_count=len(positions), positions=BitMap(positions).serialize()
    )
    return c.AddBitmaps(bitmaps=(bitmap,))


def test_bitmaps_merge_by_or() -> None:
    before = after(start(), add_files(1, "x"), deleting(1, 1, 2))
    changed = after(before, deleting(1, 2, 3), lsn=3)
    merged = table(changed).bitmaps[1]
    assert merged.deleted_count == 3
    assert list(BitMap.deserialize(merged.positions)) == [1, 2, 3]
    assert list(table(before).bitmaps[1].bitmap) == [1, 2]
    assert (table(before).row_count, table(changed).row_count) == (98, 97)


def test_deltas_have_bitmaps_too_and_take_them_along() -> None:
    changed = after(start(), rows(1, 5), rows(2, 3), deleting(2, 0, 2), deleting(1, 4))
    assert table(changed).row_count == 5
    assert table(changed).stored_row_count == 8
    changed = after(changed, c.RemoveRows(delta_ids=(2,)), lsn=3)
    assert list(table(changed).bitmaps) == [1]


@pytest.mark.parametrize(
    "change",
    [
        deleting(1, 100),
        deleting(2, 3),
        deleting(3, 0),
        c.AddBitmaps(bitmaps=(c.Bitmap(file_id=1, deleted_count=1, positions=b"no"),)),
    ],
)
def test_rows_that_are_not_there_cannot_be_deleted(change: c.AddBitmaps) -> None:
    before = after(start(), add_files(1, "x"), rows(2, 3))
    with pytest.raises(CorruptData, match=r"log/.* table t file \d"):
        after(before, change)
    with pytest.raises(CorruptData):
        after(before, deleting(1, 1), deleting(2, 1), change)


def test_removing_what_is_not_there_is_an_error() -> None:
    with pytest.raises(CorruptData):
        after(start(), c.RemoveRows(delta_ids=(1,)))
    with pytest.raises(KeyError):
        apply_changes(start(), (c.DropTable(table_id=9),), {}, lsn=2)


def test_flush_moves_rows_from_deltas_to_files() -> None:
    changed = after(start(), rows(1, 60), rows(2, 40))
    changed = after(changed, c.RemoveRows(delta_ids=(1, 2)), add_files(3, "x"), lsn=3)
    assert table(changed).row_count == 100
    assert table(changed).deltas == ()


def test_columns_keep_ids_through_rename_and_drop() -> None:
    changed = apply_changes(
        start(),
        (
            c.AddColumn(table_id=2, column=Column(id=3, name="c", type=TEXT)),
            c.RenameColumn(table_id=2, column_id=1, name="z"),
            c.DropColumn(table_id=2, column_id=2),
        ),
        {},
        lsn=2,
    )
    state = table(changed)
    assert [(x.id, x.name) for x in state.columns] == [(1, "z"), (3, "c")]
    assert [s.version for s in state.schemas] == [1, 2, 3, 4]
    assert state.schema_version(1) == TABLE.schema
    assert state.next_column_id == 4
    with pytest.raises(CorruptData, match="twice"):
        apply_changes(
            changed,
            (c.AddColumn(table_id=2, column=Column(id=2, name="b", type=TEXT)),),
            {},
            lsn=3,
        )


def test_comments_and_checks_are_kept_without_a_new_schema_version() -> None:
    checked = msgspec.structs.replace(
        TABLE,
        checks=(Check(name="positive", sql="a > 0"),),
        comment="first",
        column_comments={1: "the a"},
    )
    empty = Snapshot(database_id="d", branch_id="main")
    made = apply_changes(empty, (c.CreateTable(table=checked),), {}, lsn=1)
    assert table(made).checks == checked.checks
    assert (table(made).comment, table(made).column_comments) == ("first", {1: "the a"})
    changed = apply_changes(
        made,
        (
            c.CommentOn(table_id=2, column_id=None, comment=None),
            c.CommentOn(table_id=2, column_id=2, comment="the b"),
            c.CommentOn(table_id=2, column_id=1, comment=None),
        ),
        {},
        lsn=2,
    )
    assert (table(changed).comment, table(changed).column_comments) == (None, {2: "the b"})
    assert table(changed).schema.version == 1
    gone = apply_changes(changed, (c.DropColumn(table_id=2, column_id=2),), {}, lsn=3)
    assert table(gone).column_comments == {}
    for wrong in (
        c.CommentOn(table_id=2, column_id=9, comment="x"),
        c.CommentOn(table_id=9, column_id=None, comment="x"),
    ):
        with pytest.raises(KeyError):
            apply_changes(made, (wrong,), {}, lsn=2)


def test_catalogue_objects_come_and_go() -> None:
    warehouse = c.VirtualWarehouse(name="bi", size=1, worker_cpus=1.0, cache_bytes=1)
    larger = c.VirtualWarehouse(name="bi", size=3, worker_cpus=1.0, cache_bytes=1)
    made = start(
        c.CreateSchema(id=3, name="s"),
        c.CreateType(id=4, schema_id=3, name="mood", definition=MOOD),
        c.CreateSequence(id=5, schema_id=3, name="q", start=1, increment=2),
        c.AdvanceSequence(id=5, next_value=7),
        c.CreateVirtualWarehouse(warehouse=warehouse),
        c.AlterVirtualWarehouse(warehouse=larger),
        c.ChangeSetting(name="k", value="v"),
        c.CreateTag(name="release", lsn=1),
        c.PinBranch(branch_id="b", lsn=1),
        c.MoveHorizon(lsn=5),
        c.MoveHorizon(lsn=3),
        c.PlanCollection(names=("data/x",), upload_floor=4),
    )
    assert made.schemas == {1: "public", 3: "s"}
    assert made.types[4].definition == MOOD
    assert made.find_type("mood", "s") == made.types[4]
    assert made.find_type("mood") is None
    assert made.sequences[5].next_value == 7
    assert made.virtual_warehouses["bi"].size == 3
    assert made.settings == {"k": "v"}
    assert (made.tags, made.branch_pins, made.horizon) == ({"release": 1}, {"b": 1}, 5)
    assert made.planned == {"data/x"}
    assert made.next_id == 6
    gone = apply_changes(
        made,
        (
            c.DropSequence(id=5),
            c.DropType(id=4),
            c.DropSchema(id=3),
            c.DropVirtualWarehouse(name="bi"),
            c.ChangeSetting(name="k", value=None),
            c.DropTag(name="release"),
            c.UnpinBranch(branch_id="b"),
            c.RenameTable(table_id=2, name="u"),
        ),
        {},
        lsn=3,
    )
    assert (gone.types, gone.sequences, gone.virtual_warehouses) == ({}, {}, {})
    assert (gone.settings, gone.tags, gone.branch_pins) == ({}, {}, {})
    assert gone.find_table("u") is not None
    assert gone.next_id == 6  # ids are never used again


def test_index_runs_come_and_go() -> None:
    run = c.IndexRun(name="index/a", checksum="0", size_bytes=1, key_count=1, generation=0)
    changed = after(start(), c.AddIndexRuns(runs=(run,)))
    assert table(changed).index_runs == (run,)
    assert table(after(changed, c.RemoveIndexRuns(names=("index/a",)))).index_runs == ()


def test_files_of_an_older_schema_know_nothing_of_newer_columns() -> None:
    changed = after(start(), add_files(1, "x"))
    newer = (*TABLE.schema.columns, Column(id=3, name="c", type=BIGINT))
    more = FileSet.of(file_rows("y"), newer, first_id=2, lsn=3)
    changed = after(changed, c.AddFiles(first_file_id=2, file_count=1, files=more.encode()), lsn=3)
    assert table(changed).files.table["min_3"].to_pylist() == [None, None]
    assert table(changed).files.table["min_1"].to_pylist() == [1, 1]

"""What leaves the tables is buried, and what is collected is remembered while it matters."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from storage.names import data_prefix, index_prefix
from storage.objects import MemoryStore
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.checkpoint import read_checkpoint, write_checkpoint
from storage.snapshot.graveyard import Buried, Grave, without
from storage.snapshot.model import Snapshot
from tests.fakes import CountedIds
from tests.unit.storage.snapshot.test_apply_changes import (
    TABLE,
    add_files,
    after,
    deleting,
    rows,
    start,
    table,
)


def run_of(name: str, generation: int = 2) -> c.IndexRun:
    return c.IndexRun(
        name=f"index/{name}",
        checksum="1" * 32,
        size_bytes=20,
        key_count=1,
        generation=generation,
    )


def file_of(name: str, lsn: int = 2) -> Buried:
    return Buried(name=f"data/{name}", checksum="0" * 32, size_bytes=10, lsn_added=lsn)


def run_buried(name: str, lsn: int = 2) -> Buried:
    return Buried(name=f"index/{name}", checksum="1" * 32, size_bytes=20, lsn_added=lsn)


def full() -> Snapshot:
    """Files a, b, c with ids 1 to 3, runs r and s, a delta."""
    runs = c.AddIndexRuns(runs=(run_of("r"), run_of("s")))
    return after(start(), add_files(1, "a", "b", "c"), runs, rows(4))


def grave(lsn: int, *objects: Buried) -> Grave:
    return Grave(lsn_removed=lsn, table="t", objects=objects)


# --- burial ---------------------------------------------------------------------------------------


def test_files_that_are_removed_are_buried() -> None:
    found = after(full(), c.RemoveFiles(file_ids=(1, 3)), lsn=5)
    assert found.graveyard == (grave(5, file_of("a"), file_of("c")),)
    assert table(found).files.names == ["data/b"]
    later = after(found, c.RemoveFiles(file_ids=(2,)), lsn=6)
    assert later.graveyard == (*found.graveyard, grave(6, file_of("b")))


def test_runs_that_are_removed_are_buried() -> None:
    found = after(full(), c.RemoveIndexRuns(names=("index/s",)), lsn=5)
    assert found.graveyard == (grave(5, run_buried("s")),)


def test_a_dropped_table_is_buried_with_all_it_has() -> None:
    found = apply_changes(full(), (c.DropTable(table_id=2),), {}, lsn=5)
    (only,) = found.graveyard
    assert only == grave(
        5, file_of("a"), file_of("b"), file_of("c"), run_buried("r"), run_buried("s")
    )
    assert found.tables == {}


def test_a_table_without_objects_leaves_no_grave() -> None:
    snapshot = after(start(), rows(1))
    assert apply_changes(snapshot, (c.DropTable(table_id=2),), {}, lsn=5).graveyard == ()
    for change in (
        c.RemoveFiles(file_ids=()),
        c.RemoveIndexRuns(names=()),
        c.RemoveRows(delta_ids=(4,)),
        deleting(1, 2),
        add_files(5, "d"),
    ):
        assert after(full(), change, lsn=5).graveyard == ()


def test_all_that_a_truncate_writes_is_one_group() -> None:
    """Deltas need no grave, files and runs have one."""
    found = after(
        full(),
        c.RemoveRows(delta_ids=(4,)),
        c.RemoveFiles(file_ids=(1, 2, 3)),
        c.RemoveIndexRuns(names=("index/r", "index/s")),
        lsn=5,
    )
    assert found.graveyard == (
        grave(5, file_of("a"), file_of("b"), file_of("c")),
        grave(5, run_buried("r"), run_buried("s")),
    )
    assert (len(table(found).files), table(found).index_runs) == (0, ())


def test_what_one_group_adds_and_removes_is_buried_too() -> None:
    """Nobody ever reads it, but it lies in the store."""
    found = after(
        start(),
        add_files(1, "a", "b"),
        c.AddIndexRuns(runs=(run_of("r"),)),
        c.RemoveFiles(file_ids=(1,)),
        c.RemoveIndexRuns(names=("index/r",)),
        lsn=2,
    )
    assert found.graveyard == (grave(2, file_of("a")), grave(2, run_buried("r")))
    assert table(found).files.names == ["data/b"]


def test_two_tables_of_one_group() -> None:
    other = c.TableDefinition(id=3, schema_id=1, name="other", schema=TABLE.schema)
    snapshot = apply_changes(
        full(), (c.CreateTable(table=other),), {3: (add_files(1, "x"),)}, lsn=3
    )
    found = apply_changes(
        snapshot, (c.DropTable(table_id=2),), {3: (c.RemoveFiles(file_ids=(1,)),)}, lsn=4
    )
    assert [(g.lsn_removed, g.table, len(g.objects)) for g in found.graveyard] == [
        (4, "t", 5),
        (4, "other", 1),
    ]


def test_a_renamed_table_is_buried_under_its_name_of_then() -> None:
    snapshot = apply_changes(full(), (c.RenameTable(table_id=2, name="u"),), {}, lsn=4)
    found = apply_changes(snapshot, (c.DropTable(table_id=2),), {}, lsn=5)
    assert [g.table for g in found.graveyard] == ["u"]


def test_the_old_snapshot_stays_as_it_was() -> None:
    before = full()
    after(before, c.RemoveFiles(file_ids=(1,)), lsn=5)
    assert before.graveyard == ()


# --- collection -----------------------------------------------------------------------------------


def name_of(lsn: int, rest: str) -> str:
    return f"{data_prefix('main', 1, lsn)}{rest}"


def collected(snapshot: Snapshot, *catalogue: c.CatalogueChange) -> Snapshot:
    return apply_changes(snapshot, catalogue, {}, lsn=9)


def plan(*names: str, floor: int = 0) -> c.PlanCollection:
    return c.PlanCollection(names=names, upload_floor=floor)


def test_what_is_planned_leaves_its_grave() -> None:
    buried = after(full(), c.RemoveFiles(file_ids=(1, 2)), lsn=5)
    buried = after(buried, c.RemoveFiles(file_ids=(3,)), lsn=6)
    found = collected(buried, plan("data/a", "data/c"))
    assert found.graveyard == (grave(5, file_of("b")),)
    assert found.planned == {"data/a", "data/c"}
    assert found.collected == frozenset()
    again = collected(found, plan("data/a"))  # of an interrupted one
    assert (again.graveyard, again.planned) == (found.graveyard, found.planned)
    assert collected(found, plan("data/b")).graveyard == ()


def test_graves_without_names_to_take_stay_the_very_same() -> None:
    graves = (grave(5, file_of("a")), grave(6, file_of("b"), file_of("c")))
    assert without(graves, ()) is graves
    assert without(graves, {"data/x"}) == graves
    assert without(graves, {"data/x"})[1] is graves[1]
    assert without(graves, {"data/c"}) == (graves[0], grave(6, file_of("b")))


def test_what_is_ended_is_remembered_while_an_upload_could_name_it() -> None:
    names = [name_of(lsn, "x") for lsn in (3, 7)]
    planned = collected(full(), plan(*names))
    ended = collected(planned, c.EndCollection(names=tuple(names)))
    assert not ended.planned
    assert ended.collected == set(names)
    risen = collected(ended, plan(floor=5))
    assert risen.upload_floor == 5
    assert risen.collected == {names[1]}
    assert collected(risen, plan(floor=7)).collected == {names[1]}  # it began at the floor
    assert collected(risen, plan(floor=8)).collected == frozenset()


def test_what_the_floor_keeps_out_is_not_remembered() -> None:
    early, run = name_of(3, "x"), f"{index_prefix('main', 1, 3)}x.run"
    planned = collected(full(), plan(early, run, floor=4))
    ended = collected(planned, c.EndCollection(names=(early, run)))
    assert not ended.planned
    assert not ended.collected


def test_names_without_an_lsn_count_as_the_oldest() -> None:
    names = ("data/main-1-old", f"{data_prefix('trial', 1, 99)}x")
    planned = collected(full(), plan(*names))
    assert collected(planned, c.EndCollection(names=names)).collected == set(names)
    floored = collected(planned, plan(floor=1))
    assert collected(floored, c.EndCollection(names=names)).collected == frozenset()


def test_only_what_was_planned_ends() -> None:
    planned = collected(full(), plan(name_of(3, "x"), name_of(3, "y")))
    ended = collected(planned, c.EndCollection(names=(name_of(3, "y"), name_of(3, "z"))))
    assert ended.planned == {name_of(3, "x")}
    assert ended.collected == {name_of(3, "y")}


@pytest.mark.parametrize("floors", [(5, 3), (5, 0), (5, 5), (3, 5)])
def test_neither_floor_nor_horizon_goes_back(floors: tuple[int, int]) -> None:
    found = full()
    for lsn in floors:
        found = collected(found, plan(floor=lsn), c.MoveHorizon(lsn=lsn))
    assert (found.upload_floor, found.horizon) == (5, 5)


def test_a_checkpoint_has_all_of_it() -> None:
    async def run() -> None:
        buried = after(full(), c.RemoveFiles(file_ids=(1, 2)), lsn=5)
        buried = after(buried, c.RemoveIndexRuns(names=("index/r",)), lsn=6)
        names = (name_of(7, "x"), name_of(8, "y"))
        made = collected(buried, plan("data/a", *names, floor=4), c.MoveHorizon(lsn=3))
        made = collected(made, c.EndCollection(names=names[:1]))
        made = dataclasses.replace(made, lsn=9, tso=9 << 18, checksum="c" * 32)
        store = MemoryStore()
        found = await read_checkpoint(
            store, (await write_checkpoint(store, made, CountedIds())).name
        )
        assert found.graveyard == (grave(5, file_of("b")), grave(6, run_buried("r")))
        assert found.planned == {"data/a", names[1]}
        assert found.collected == {names[0]}
        assert (found.upload_floor, found.horizon) == (4, 3)
        # and what comes behind does to both the same
        end = (c.EndCollection(names=("data/a", names[1])), plan("data/b", floor=8))
        one, other = collected(found, *end), collected(made, *end)
        assert one.graveyard == other.graveyard == (grave(6, run_buried("r")),)
        assert (one.planned, one.collected, one.upload_floor) == (
            other.planned, other.collected, other.upload_floor,
        )  # fmt: skip
        assert one.collected == {names[1]}

    asyncio.run(run())

"""The log and its checkpoints: what breaks, where the check goes on, and wrong groups with right
checksums."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import msgspec
import pytest

from storage.delete_bitmap import DeleteBitmap, Positions, encode_positions
from storage.log.record import Group, GroupHeader, decode, encode
from storage.names import checkpoint_lsn, log_lsn, log_name
from storage.schema import TableSchema
from storage.scrub import Part, Severity
from storage.snapshot import changes as c
from storage.snapshot.checkpoint import write_checkpoint
from storage.snapshot.model import Receipt, Snapshot
from tests.fakes import CountedIds
from tests.unit.storage.log.reigns import reader_of
from tests.unit.storage.scrub.database import (
    Objects,
    appended,
    checked,
    copied,
    last_log,
    newest,
    restored,
    small_database,
    table,
)


@pytest.fixture
def objects() -> Objects:
    return small_database()


def checkpoint_lsns(objects: Objects) -> list[int]:
    return sorted(checkpoint_lsn(name) for name in objects if name.endswith("/root"))


def without(objects: Objects, *names: str) -> Objects:
    return {name: data for name, data in objects.items() if name not in names}


def snapshot_at(objects: Objects, lsn: int) -> Snapshot:
    async def opened() -> Snapshot:
        return await reader_of(await restored(objects)).open(lsn)

    return asyncio.run(opened())


def with_checkpoint(objects: Objects, snapshot: Snapshot) -> tuple[Objects, str]:
    """One more checkpoint, of whatever snapshot; and its directory."""

    async def written() -> tuple[Objects, str]:
        store = await restored(objects)
        info = await write_checkpoint(store, snapshot, CountedIds("extra"))
        return await copied(store), info.name.rpartition("/")[0]

    return asyncio.run(written())


def regrouped(objects: Objects, at: int, **header: Any) -> Objects:
    """With a group's header changed, its checksums right."""
    group = decode(objects[log_name(at)], "")
    changed = msgspec.structs.replace(group.header, **header)
    return {**objects, log_name(at): encode(dataclasses.replace(group, header=changed))}


# --- where it goes on -----------------------------------------------------------------------------


def test_behind_a_gap_it_goes_on_from_the_next_checkpoint(objects: Objects) -> None:
    first, second = checkpoint_lsns(objects)
    gap = range(first + 2, second - 1)
    assert len(gap) > 2
    found, report = checked(without(objects, *map(log_name, gap)))
    (only,) = found
    assert (only.object, only.severity, only.part) == (
        log_name(gap[0]),
        Severity.damage,
        Part.log,
    )
    assert log_name(gap[-1]) in only.found
    assert report.lsn == report.newest_lsn == newest(objects).lsn
    assert report.rows == checked(objects)[1].rows


def test_behind_the_last_checkpoint_nothing_stands_in_for_the_log(objects: Objects) -> None:
    lsn = newest(objects).lsn - 1
    assert lsn > checkpoint_lsns(objects)[-1]
    found, report = checked(without(objects, log_name(lsn)))
    assert [f.object for f in found] == [log_name(lsn)]
    assert (report.lsn, report.newest_lsn) == (lsn - 1, lsn + 1)
    assert report.rows == sum(t.row_count for t in snapshot_at(objects, lsn - 1).tables.values())


def test_checkpoints_prove_that_the_log_was_longer(objects: Objects) -> None:
    last = checkpoint_lsns(objects)[-1]
    gone = range(last - 2, newest(objects).lsn + 1)
    found, report = checked(without(objects, *map(log_name, gone)))
    assert [f.object for f in found] == [log_name(gone[0])]
    assert log_name(last) in found[0].found
    assert report.lsn == last


def test_without_any_log_checkpoints_are_checked(objects: Objects) -> None:
    logs = [name for name in objects if name.startswith("log/")]
    found, report = checked(without(objects, *logs))
    assert [f.object for f in found] == [log_name(1)]
    last = checkpoint_lsns(objects)[-1]
    assert log_name(last) in found[0].found
    assert report.lsn == last
    one = next(n for n in objects if checkpoint_of(n) == checkpoint_lsns(objects)[0])
    found, _ = checked(without({**objects, one: b"x"}, *logs))
    assert {f.object for f in found} == {log_name(1), one}


def test_what_lies_behind_damage_is_found_too(objects: Objects) -> None:
    """Another group, a checkpoint, a file, an index run, each behind a damaged group."""
    first, second = checkpoint_lsns(objects)
    run = table(objects, "t").index_runs[0].name
    file = table(objects, "wide").files.names[0]
    part = next(n for n in objects if checkpoint_of(n) == second and n.endswith("part-5"))
    broken = [log_name(first - 2), log_name(first + 1), log_name(second + 1), run, file]
    found, report = checked({**objects, **dict.fromkeys(broken, b"x")})
    assert {f.object for f in found} == set(broken)
    assert report.lsn == second
    # with that part damaged there is nothing to go on from but the first checkpoint
    found, report = checked({**objects, **dict.fromkeys([*broken, part], b"x")})
    assert {f.object for f in found} == {*broken, part}
    assert report.lsn == first


def checkpoint_of(name: str) -> int:
    return checkpoint_lsn(name) if name.startswith("checkpoint/") else 0


def test_a_damaged_body_leaves_the_chain_whole(objects: Objects) -> None:
    """The header is read by itself, so the next group is still compared with it."""
    lsn = checkpoint_lsns(objects)[0] + 2
    name = log_name(lsn)
    body_cut = objects[name][:-1]
    found, _ = checked({**objects, name: body_cut})
    assert [f.object for f in found] == [name]
    foreign = regrouped({**objects, name: body_cut}, lsn + 1, previous="0" * 32)
    found, _ = checked(foreign)
    assert [f.object for f in found] == [name, log_name(lsn + 1)]


# --- wrong with right checksums -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"previous": "0" * 32}, "checksum of the group before"),
        ({"tso": 1}, "a TSO above"),
        ({"epoch": 0}, "an epoch not below"),
        ({"lsn": 3}, "group 15"),
        ({"database_id": "e" * 32}, "group 15 of database dddd"),
        ({"branch_id": "trial"}, "group 15"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_group_that_does_not_continue_the_log(
    objects: Objects, changed: dict[str, Any], expected: str
) -> None:
    found, report = checked(regrouped(objects, 15, **changed))
    assert [f.object for f in found] == [log_name(15)], found
    assert expected in found[0].expected
    assert report.lsn == newest(objects).lsn  # a checkpoint behind it is whole


def test_another_history_is_noticed_at_the_next_group(objects: Objects) -> None:
    found, _ = checked(regrouped(objects, 15, nonce="other"))
    assert [f.object for f in found] == [log_name(16)]
    assert "checksum of the group before" in found[0].expected
    assert log_name(15) in found[0].expected


def test_a_group_of_a_writer_that_does_not_own_the_epoch(objects: Objects) -> None:
    """Its owner is compared with the groups of the epoch."""
    fence = regrouped(objects, 1, writer_id="somebody else")
    found, _ = checked(fence)
    assert "epoch/00000000000000000001/owner" in {f.object for f in found}


@pytest.mark.parametrize(
    "change",
    [
        c.RemoveRows(delta_ids=(999,)),
        c.RemoveFiles(file_ids=(999,)),
        c.AddBitmaps(bitmaps=(c.Bitmap(file_id=999, deleted_count=0, positions=b""),)),
        c.AddBitmaps(bitmaps=(c.Bitmap(file_id=1, deleted_count=1, positions=b"rubbish"),)),
        c.AddFiles(first_file_id=999, file_count=1, files=b"rubbish"),
        c.AddRows(delta_id=1, schema_version=1, row_count=1, rows=b""),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_group_that_does_not_fit_the_version_before(objects: Objects, change: Any) -> None:
    broken = appended(objects, table(objects, "lines").id, change)
    found, report = checked(broken)
    assert [f.object for f in found] == [last_log(broken)], found
    assert report.lsn == report.newest_lsn - 1 == newest(objects).lsn


def test_a_table_that_comes_and_goes_in_one_group_is_fine(objects: Objects) -> None:
    definition = c.TableDefinition(
        id=newest(objects).next_id,
        schema_id=1,
        name="brief",
        schema=TableSchema(version=1, columns=table(objects, "lines").columns),
    )
    create, drop = c.CreateTable(table=definition), c.DropTable(table_id=definition.id)
    found, report = checked(appended(objects, 0, catalogue=(create, drop)))
    assert not found
    assert report.lsn == newest(objects).lsn + 1


def test_a_bitmap_of_a_row_that_the_file_does_not_have(objects: Objects) -> None:
    lines = table(objects, "lines")
    file = lines.files.table.slice(0, 1).to_pylist()[0]
    for rows, fits in (([0], True), ([file["row_count"]], False)):
        bitmap = bitmap_of(file["file_id"], rows)
        broken = appended(objects, lines.id, c.AddBitmaps(bitmaps=(bitmap,)))
        found, _ = checked(broken)
        assert [f.object for f in found] == ([] if fits else [last_log(broken)])


def test_a_bitmap_that_miscounts(objects: Objects) -> None:
    lines = table(objects, "lines")
    bitmap = bitmap_of(int(lines.files.ids[0]), [0, 2])
    wrong = msgspec.structs.replace(bitmap, deleted_count=3)
    broken = appended(objects, lines.id, c.AddBitmaps(bitmaps=(wrong,)))
    found, _ = checked(broken)
    assert [f.object for f in found] == [last_log(broken)]
    assert found[0].expected.startswith("3 deleted rows")
    assert "2 positions" in found[0].found


def bitmap_of(file_id: int, rows: list[int]) -> c.Bitmap:
    return c.Bitmap(
        file_id=file_id, deleted_count=len(rows), positions=encode_positions(Positions(rows))
    )


# --- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["now", "earlier"])
def test_another_checkpoint_of_the_log_is_fine(objects: Objects, at: str) -> None:
    lsn = newest(objects).lsn - (0 if at == "now" else 4)
    found, report = checked(with_checkpoint(objects, snapshot_at(objects, lsn))[0])
    assert not found
    assert report.objects > checked(objects)[1].objects


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("settings", {"a": "b"}),
        ("next_id", 1_000),
        ("tokens", {"w": {1: Receipt(lsn=1, tso=1, row_counts=())}}),
        ("horizon", 3),
        ("checksum", "0" * 32),
        ("tso", 1 << 40),
        ("schemas", {1: "public", 9: "other"}),
        ("database_id", "e" * 32),
        ("branch_id", "trial"),
    ],
)
def test_a_checkpoint_that_is_not_what_the_log_gives(
    objects: Objects, field: str, value: Any
) -> None:
    snapshot = dataclasses.replace(newest(objects), **{field: value})
    broken, directory = with_checkpoint(objects, snapshot)
    found, _ = checked(broken)
    assert [f.object for f in found] == [f"{directory}/root"], found
    assert found[0].part is Part.checkpoint


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("next_file_id", 99, "next_file_id"),
        ("comment", "other", "comment"),
        ("bitmaps", {}, "bitmaps"),
        ("index_runs", (), "index_runs"),
        ("deltas", (), "rows are deleted of a file that is not live"),
    ],
)
def test_a_part_that_is_not_what_the_log_gives(
    objects: Objects, field: str, value: Any, text: str
) -> None:
    snapshot = newest(objects)
    state = table(objects, "t")
    assert getattr(state, field) != value
    other = dataclasses.replace(state, **{field: value})
    tables = {**snapshot.tables, state.id: other}
    broken, directory = with_checkpoint(objects, dataclasses.replace(snapshot, tables=tables))
    found, _ = checked(broken)
    assert [f.object for f in found] == [f"{directory}/part-{state.id}"]
    assert text in found[0].found
    assert found[0].table == "t"


def test_a_part_that_miscounts_deleted_rows(objects: Objects) -> None:
    snapshot, state = newest(objects), table(objects, "t")
    (number, *_) = state.bitmaps
    wrong = DeleteBitmap(number, state.bitmaps[number].row_count, state.bitmaps[number].bitmap)
    wrong.deleted_count += 1
    other = dataclasses.replace(state, bitmaps={**state.bitmaps, number: wrong})
    tables = {**snapshot.tables, state.id: other}
    broken, directory = with_checkpoint(objects, dataclasses.replace(snapshot, tables=tables))
    found, _ = checked(broken)
    assert [f.object for f in found] == [f"{directory}/part-{state.id}"]
    assert "deleted rows of file" in found[0].expected


def test_a_checkpoint_that_lacks_a_table(objects: Objects) -> None:
    snapshot = newest(objects)
    tables = {k: v for k, v in snapshot.tables.items() if v.name != "lines"}
    broken, directory = with_checkpoint(objects, dataclasses.replace(snapshot, tables=tables))
    found, _ = checked(broken)
    assert [f.object for f in found] == [f"{directory}/root"]


def test_a_wrong_checkpoint_does_not_stand_in_for_the_log(objects: Objects) -> None:
    """Where the log breaks off before it, but its group is there, the group says what it must."""
    lsn = newest(objects).lsn
    wrong = dataclasses.replace(newest(objects), tso=5)
    broken, directory = with_checkpoint(objects, wrong)
    found, report = checked(without(broken, log_name(lsn - 1)))
    assert {f.object for f in found} == {log_name(lsn - 1), f"{directory}/root"}
    assert report.lsn == lsn - 2


def test_a_checkpoint_that_is_not_finished_is_no_damage(objects: Objects) -> None:
    broken, directory = with_checkpoint(objects, newest(objects))
    found, report = checked(without(broken, f"{directory}/root"))
    assert [(f.object, f.severity) for f in found] == [(f"{directory}/root", Severity.note)]
    assert report.clean


# --- names and epochs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "log/1",
        "log/00000000000000000005.bak",
        "epoch/x/owner",
        "epoch/00000000000000000001/notes",
        "checkpoint/x/root",
        "checkpoint/x/part-1",
        "holiday.jpg",
        "logpack/1",
    ],
)
def test_names_that_mobula_does_not_write(objects: Objects, name: str) -> None:
    found, _ = checked({**objects, name: b"x"})
    assert [(f.object, f.severity) for f in found] == [(name, Severity.note)]


def test_many_strangers_are_one_note(objects: Objects) -> None:
    found, _ = checked({**objects, **{f"photos/{n}": b"x" for n in range(50)}})
    assert [f.object for f in found] == ["photos/0"]
    assert found[0].found.startswith("50 objects")


def test_missing_epochs_are_one_finding(objects: Objects) -> None:
    owner = objects["epoch/00000000000000000002/owner"]
    found, _ = checked({**objects, "epoch/00000000000000000900/owner": owner})
    assert [f.object for f in found] == ["epoch/00000000000000000003/owner"]
    assert "899" in found[0].found


def test_an_owner_without_a_lease(objects: Objects) -> None:
    name = "epoch/00000000000000000002/owner"
    owner = msgspec.json.decode(objects[name])
    found, _ = checked({**objects, name: msgspec.json.encode({**owner, "lease_ms": 0})})
    assert [(f.object, f.found) for f in found] == [(name, "0 ms")]


def test_an_owner_that_only_a_checkpoint_proves(objects: Objects) -> None:
    owner = "epoch/00000000000000000002/owner"
    second = [name for name in objects if name.startswith("log/") and epoch_of(objects[name]) == 2]
    assert len(second) > 3
    found, _ = checked(without(objects, owner, *second))
    assert {f.object for f in found} == {owner, min(second)}


def epoch_of(group: bytes) -> int:
    return decode(group, "").header.epoch


def test_an_epoch_that_has_written_nothing_yet_is_fine(objects: Objects) -> None:
    owner = objects["epoch/00000000000000000002/owner"]
    assert not checked({**objects, "epoch/00000000000000000003/owner": owner})[0]


def test_log_lsn_of_helpers(objects: Objects) -> None:
    """These tests build on what the small database is like."""
    assert log_lsn(last_log(objects)) == newest(objects).lsn > 20
    assert len(checkpoint_lsns(objects)) == 2
    assert isinstance(decode(objects[log_name(15)], ""), Group)
    assert isinstance(decode(objects[log_name(15)], "").header, GroupHeader)

"""Index runs whose checksums are right, but that are not runs, or do not lead to the rows."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
import xxhash

from storage.primary_key import (
    ROW_BITS,
    Keys,
    Run,
    Words,
    locations_in,
    merge_runs,
    open_run,
    write_run,
)
from storage.primary_key.locations import LiveRows
from storage.primary_key.run import Trailer
from storage.scrub import Finding, Part, Severity, runs
from storage.snapshot import changes as c
from storage.snapshot.changes import IndexRun
from tests.unit.storage.scrub.database import (
    Objects,
    appended,
    checked,
    newest,
    small_database,
    table,
)

NAME = f"index/main-9-{'f' * 32}.run"
Change = Callable[[Words], Words]  # locations to others


@pytest.fixture
def objects() -> Objects:
    return small_database()


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    assert found[0].severity is Severity.damage
    assert found[0].part is Part.index
    assert "--repair-index" in found[0].next_step
    return found[0]


def opened(objects: Objects, run: IndexRun) -> Run:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        path.write_bytes(objects[run.name])
        return open_run(path, run.name)


def runs_of(objects: Objects, name: str, key: int = 0) -> tuple[IndexRun, ...]:
    state = table(objects, name)
    return tuple(run for run in state.index_runs if run.key_id == state.keys[key].id)


def exchanged(objects: Objects, name: str, gone: IndexRun, data: bytes, **said: object) -> Objects:
    """With an object of these bytes in the place of a run, and whatever the catalogue says."""
    made = msgspec.structs.replace(
        gone, name=NAME, checksum=xxhash.xxh3_128_hexdigest(data), size_bytes=len(data), **said
    )
    state = table(objects, name)
    return appended(
        {**objects, NAME: data},
        state.id,
        c.RemoveIndexRuns(names=(gone.name,)),
        c.AddIndexRuns(runs=(made,)),
    )


def rewritten(objects: Objects, name: str, key: int, change: Change, number: int = 0) -> Objects:
    """With a run of a key written once more by the real writer, its locations changed."""
    run = runs_of(objects, name, key)[number]
    entries = opened(objects, run).entries
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        write_run(path, entries.keys(), change(entries.rows[:, -1].copy()))
        return exchanged(objects, name, run, path.read_bytes())


def test_a_run_that_is_written_again_is_fine(objects: Objects) -> None:
    for name, key in (("t", 0), ("t", 1), ("wide", 0), ("wide", 1)):
        found, report = checked(rewritten(objects, name, key, lambda at: at))
        assert not found
        assert not report.broken_indexes


def at_file(file_id: int, row: int) -> int:
    return file_id << ROW_BITS | row


def live_entry(objects: Objects, name: str, key: int, number: int = 0) -> int:
    """The position in a run of an entry whose row is live."""
    run = runs_of(objects, name, key)[number]
    at = opened(objects, run).moved(opened(objects, run).entries.rows[:, -1].copy())
    at += np.uint64(run.first_file_id << ROW_BITS)
    live = LiveRows.of(table(objects, name)).contains(at)
    return int(np.flatnonzero(live)[0])


# --- where entries lead ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "key"), [("t", 0), ("t", 1), ("wide", 0), ("wide", 1)])
@pytest.mark.parametrize("where", ["neighbour", "dead row", "end", "unborn", "delta"])
def test_an_entry_that_leads_elsewhere(objects: Objects, name: str, key: int, where: str) -> None:
    state = table(objects, name)
    run = runs_of(objects, name, key)[0]
    first = np.uint64(run.first_file_id << ROW_BITS)
    position = live_entry(objects, name, key)

    def change(at: Words) -> Words:
        places = at + first
        live = LiveRows.of(state).contains(places)
        others = live.copy()
        others[position] = False
        file_id = int(places[position]) >> ROW_BITS
        target = {
            "neighbour": lambda: int(places[np.flatnonzero(others)[0]]),
            "dead row": lambda: int(places[np.flatnonzero(~live)[0]]),
            "end": lambda: at_file(file_id, 1_000_000),
            "unborn": lambda: at_file(state.next_file_id, 0),
            "delta": lambda: at_file(state.deltas[-1].id, 0),
        }[where]()
        at[position] = np.uint64(target) - first
        return at

    found, report = checked(rewritten(objects, name, key, change))
    assert {f.object for f in found} == {NAME}, found
    assert all(f.part is Part.index and f.table == f"public.{name}" for f in found)
    assert state.keys[key].name in found[0].expected
    assert report.broken_indexes == (state.id,)
    texts = " ".join(f.found for f in found)
    assert "rows have none" in texts
    assert ("lead past the end" in texts) == (where in ("end", "unborn"))
    assert ("lead to others" in texts) == (where in ("neighbour", "delta"))


def test_a_run_whose_entries_all_lead_one_row_on(objects: Objects) -> None:
    found, _ = checked(rewritten(objects, "t", 0, lambda at: at ^ np.uint64(1)))
    assert {f.object for f in found} == {NAME}


def test_a_run_that_lacks_a_key(objects: Objects) -> None:
    run = runs_of(objects, "t")[0]
    entries = opened(objects, run).entries
    position = live_entry(objects, "t", 0)
    kept = np.delete(np.arange(len(entries)), position)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        write_run(path, entries.keys().take(kept), entries.rows[kept, -1])
        broken = exchanged(objects, "t", run, path.read_bytes(), key_count=len(kept))
    found = only(checked(broken)[0])
    assert found.object == NAME
    assert found.found.startswith("1 rows have none")


def test_a_run_that_the_catalogue_forgot(objects: Objects) -> None:
    state = table(objects, "t")
    run = runs_of(objects, "t")[0]
    found = only(checked(appended(objects, state.id, c.RemoveIndexRuns(names=(run.name,))))[0])
    assert found.object == "index of key t_pkey"
    assert "rows have none" in found.found
    assert state.files.names[0] in found.found


def test_a_key_with_null_has_no_entry(objects: Objects) -> None:
    """An entry that leads to a live row whose key has NULL."""
    state = table(objects, "t")
    run = runs_of(objects, "t", 1)[0]
    rows = (opened(objects, run).entries.rows[:, -1] & np.uint64((1 << ROW_BITS) - 1)).tolist()
    free = next(r for r in range(20) if r not in rows and r not in _deleted(objects, run))
    assert run.first_file_id in state.files.ids
    broken = rewritten(objects, "t", 1, lambda at: np.append(at[:-1], np.uint64(free)))
    found, _ = checked(broken)
    assert {f.object for f in found} == {NAME}
    assert any("lead to others" in f.found for f in found)


def _deleted(objects: Objects, run: IndexRun) -> list[int]:
    bitmap = table(objects, "t").bitmaps.get(run.first_file_id)
    return [] if bitmap is None else list(bitmap.bitmap)


def test_runs_that_say_the_same_twice_are_fine(objects: Objects) -> None:
    """As where an index was made anew while others wrote."""
    state = table(objects, "t")
    (run, *_) = runs_of(objects, "t")
    copy = msgspec.structs.replace(run, name=NAME)
    made = appended({**objects, NAME: objects[run.name]}, state.id, c.AddIndexRuns(runs=(copy,)))
    assert not checked(made)[0]


def test_merged_runs_are_fine(objects: Objects) -> None:
    state = table(objects, "t")
    old = runs_of(objects, "t")
    assert len(old) == 2
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "merged"
        placed = []
        for run in old:
            part = Path(directory) / f"part {len(placed)}"
            part.write_bytes(objects[run.name])
            placed.append(open_run(part, run.name, first_file_id=run.first_file_id))
        written = merge_runs(placed[::-1], path, LiveRows.of(state))
        data = path.read_bytes()
    merged = IndexRun(
        name=NAME,
        checksum=written.checksum,
        size_bytes=written.size_bytes,
        key_count=written.key_count,
        generation=old[-1].generation,
        key_id=old[0].key_id,
    )
    made = appended(
        {**objects, NAME: data},
        state.id,
        c.RemoveIndexRuns(names=tuple(run.name for run in old)),
        c.AddIndexRuns(runs=(merged,)),
    )
    assert not checked(made)[0]


def test_a_run_of_a_key_that_the_table_does_not_have(objects: Objects) -> None:
    state = table(objects, "t")
    run = msgspec.structs.replace(runs_of(objects, "t")[0], name=NAME, key_id=99)
    made = appended({**objects, NAME: b""}, state.id, c.AddIndexRuns(runs=(run,)))
    assert only(checked(made)[0]).object == NAME


# --- runs that are none ---------------------------------------------------------------------------


def forged(data: bytes, change: Callable[[bytearray, int, int], None]) -> bytes:
    """With bytes changed, and the trailer's checksum right. `change` gets where the directory and
    the trailer begin."""
    made = bytearray(data)
    trailer = len(made) - 48
    count, bits = struct.unpack_from("<QI", made, trailer)
    change(made, trailer - 4 - 4 * ((1 << bits) + 1), trailer)
    assert count
    digest = xxhash.xxh3_128_digest(bytes(made[:16]) + bytes(made[trailer:-16]))
    made[-16:] = digest
    return bytes(made)


def swap_entries(data: bytearray, directory: int, trailer: int) -> None:
    data[16:32], data[32:48] = data[32:48], data[16:32]


def repeat_an_entry(data: bytearray, directory: int, trailer: int) -> None:
    data[32:40] = data[16:24]


def shift_a_bucket(data: bytearray, directory: int, trailer: int) -> None:
    (number,) = struct.unpack_from("<I", data, directory + 4)
    struct.pack_into("<I", data, directory + 4, number + 1)
    struct.pack_into("<I", data, trailer + 12, 1000)  # the largest bucket that there may be


def disorder_the_directory(data: bytearray, directory: int, trailer: int) -> None:
    struct.pack_into("<I", data, directory + 4, 1 << 20)


def understate_the_largest_bucket(data: bytearray, directory: int, trailer: int) -> None:
    struct.pack_into("<I", data, trailer + 12, 1)


def misstate_the_files(data: bytearray, directory: int, trailer: int) -> None:
    struct.pack_into("<q", data, trailer + 24, 77)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (swap_entries, "not ascending"),
        (repeat_an_entry, "not ascending"),
        (shift_a_bucket, "leads past a key"),
        (disorder_the_directory, "directory is not ascending"),
        (understate_the_largest_bucket, "entries, expected 1 at most"),
        (misstate_the_files, "file ids"),
    ],
)
def test_an_object_that_is_no_run(
    objects: Objects, change: Callable[[bytearray, int, int], None], text: str
) -> None:
    run = runs_of(objects, "t")[0]
    found = only(checked(exchanged(objects, "t", run, forged(objects[run.name], change)))[0])
    assert found.object == NAME
    assert text in found.found


@pytest.mark.parametrize("entries", [1, 2, 3])
def test_order_is_checked_across_slices(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, entries: int
) -> None:
    monkeypatch.setattr(runs, "SLICE_ENTRIES", entries)
    assert not checked(objects)[0]
    run = runs_of(objects, "t")[0]
    for position in range(1, 5):

        def swap(data: bytearray, directory: int, trailer: int, at: int = 16 * position) -> None:
            data[at : at + 16], data[at + 16 : at + 32] = (
                data[at + 16 : at + 32],
                data[at : at + 16],
            )

        broken = exchanged(objects, "t", run, forged(objects[run.name], swap))
        assert "not ascending" in only(checked(broken)[0]).found


def test_a_run_with_another_number_of_keys(objects: Objects) -> None:
    run = runs_of(objects, "t")[0]
    broken = exchanged(objects, "t", run, objects[run.name], key_count=run.key_count + 1)
    assert "keys, expected" in only(checked(broken)[0]).found


def test_a_run_of_another_kind_of_keys(objects: Objects) -> None:
    wide = runs_of(objects, "wide")[0]
    run = runs_of(objects, "t")[0]
    broken = exchanged(objects, "t", run, objects[wide.name], key_count=wide.key_count)
    assert "expected exact keys, found hashed ones" in only(checked(broken)[0]).found


def test_an_unreadable_run_stops_the_search_for_missing_keys_alone(objects: Objects) -> None:
    """What its neighbours say that is wrong is still found."""
    first, second = runs_of(objects, "t")
    broken = rewritten(objects, "t", 0, lambda at: at ^ np.uint64(1), 1)
    found, _ = checked({**broken, first.name: b"x"})
    assert {f.object for f in found} == {first.name, NAME}
    assert not any("have none" in f.found for f in found)
    assert second.name not in {f.object for f in found}


def test_keys_and_trailer_of_the_helpers() -> None:
    """The forgeries above know the format."""
    assert (
        Trailer(count=3, bits=1, bucket_max=3, file_ids=(0, 0)).size_bytes(True)
        == 16 + 56 + 16 + 48
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "run"
        keys = Keys(np.array([5, 1, 9], np.uint64))
        write_run(path, keys, locations_in(2, np.arange(3)))
        data = path.read_bytes()
    assert forged(data, lambda *_: None) == data
    assert newest(small_database()).lsn > 0

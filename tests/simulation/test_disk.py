"""The simulated disk: it answers as a real one does, and loses what a real one may lose."""

from __future__ import annotations

import errno
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.objects.disk import Disk, SystemDisk
from tests.simulation.disk import Crashed, Mount, SimulatedDisk

ROOT = Path("/db")
SEEDS = range(200)


def prepared() -> tuple[SimulatedDisk, Mount]:
    """A disk with a durable directory, and a process that sees it."""
    disk = SimulatedDisk()
    mount = disk.mount("one")
    mount.make_directories(ROOT)
    mount.sync_directory(Path("/"))
    return disk, mount


def losses(
    act: Callable[[Mount], None], kept: float = 0.5
) -> Counter[tuple[tuple[str, bytes], ...]]:
    """What may be left after `act` and a power loss, and how often."""
    found: Counter[tuple[tuple[str, bytes], ...]] = Counter()
    for seed in SEEDS:
        disk, mount = prepared()
        act(mount)
        disk.power_loss(random.Random(seed), kept=kept)
        found[tuple(disk.files(ROOT).items())] += 1
    return found


# --- it answers as a real one does --------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "b/x", "a/x/z"])
DATA = st.binary(max_size=6)
CALLS = st.one_of(
    st.tuples(st.just("write"), NAMES, DATA),
    st.tuples(st.sampled_from(["link", "replace"]), NAMES, NAMES),
    st.tuples(
        st.sampled_from(
            [
                "unlink",
                "make_directories",
                "remove_directory",
                "sync_directory",
                "scan",
                "is_directory",
                "size",
            ]
        ),
        NAMES,
    ),
    st.tuples(st.just("read"), NAMES, st.integers(-8, 8), st.one_of(st.none(), st.integers(0, 8))),
)


def outcome(disk: Disk, root: Path, method: str, *arguments: Any) -> object:
    """What a call returns, or how it fails."""
    paths = [root / one if isinstance(one, str) else one for one in arguments]
    try:
        found = getattr(disk, method)(*paths)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return sorted(found) if isinstance(found, list) else found


@settings(max_examples=300, deadline=None)
@given(calls=st.lists(CALLS, max_size=30))
def test_it_answers_as_the_system_does(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[Any, ...]]
) -> None:
    root = tmp_path_factory.mktemp("disk")
    real, simulated = SystemDisk(), SimulatedDisk().mount("one")
    simulated.make_directories(root)
    for number, call in enumerate(calls):
        if call[0] == "replace" and real.is_directory(root / call[1]):
            continue  # directories are not renamed
        expected = outcome(real, root, *call)
        assert outcome(simulated, root, *call) == expected, (number, call)


def test_files_come_from_outside_and_go_there(tmp_path: Path) -> None:
    _, mount = prepared()
    (tmp_path / "source").write_bytes(b"12345")
    mount.copy(tmp_path / "source", ROOT / "a")
    assert mount.fetch(ROOT / "a", tmp_path / "target") == 5
    assert (tmp_path / "target").read_bytes() == b"12345"
    with pytest.raises(FileExistsError):
        mount.fetch(ROOT / "a", tmp_path / "target")
    with pytest.raises(FileNotFoundError):
        mount.fetch(ROOT / "b", tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        mount.copy(tmp_path / "absent", ROOT / "b")
    assert not (tmp_path / "other").exists()
    assert not mount.is_directory(ROOT / "b")


def test_files_are_written_at_the_time_of_the_world() -> None:
    now = [1_000]
    disk = SimulatedDisk(now_ms=lambda: now[0])
    mount = disk.mount("one")
    mount.write(Path("/a"), b"1")
    now[0] = 2_000
    mount.link(Path("/a"), Path("/b"))
    assert mount.modified_ms(Path("/b")) == 1_000


# --- it loses what a real one may lose ----------------------------------------------------------


def test_what_was_synced_stays() -> None:
    def act(mount: Mount) -> None:
        mount.write(ROOT / "a", b"1")
        mount.sync_directory(ROOT)

    assert set(losses(act)) == {(("a", b"1"),)}


def test_a_name_may_be_lost_until_its_directory_is_synced() -> None:
    found = losses(lambda mount: mount.write(ROOT / "a", b"1"))
    assert set(found) == {(), (("a", b"1"),)}
    assert all(count > len(SEEDS) // 4 for count in found.values())


def test_a_name_is_lost_with_the_directory_that_it_is_in() -> None:
    def act(mount: Mount) -> None:
        mount.make_directories(ROOT / "new")
        mount.write(ROOT / "new/a", b"1")
        mount.sync_directory(ROOT / "new")

    assert set(losses(act)) == {(), (("new/a", b"1"),)}


def test_bytes_that_were_not_synced_may_be_empty_cut_off_or_zeros() -> None:
    def act(mount: Mount) -> None:
        mount._make(ROOT / "a")
        mount._fill(ROOT / "a", b"12345678")
        mount.sync_directory(ROOT)

    contents = [dict(left)["a"] for left in losses(act)]
    assert b"" in contents
    assert b"12345678" in contents
    assert b"1234\0\0\0\0" in contents
    assert b"1234" in contents
    for content in contents:
        assert b"12345678".startswith(content.rstrip(b"\0"))


def test_two_names_of_a_file_have_the_same_bytes() -> None:
    def act(mount: Mount) -> None:
        mount._make(ROOT / "a")
        mount._fill(ROOT / "a", b"12345678")
        mount.link(ROOT / "a", ROOT / "b")
        mount.sync_directory(ROOT)

    for left in losses(act):
        assert len({content for _, content in left}) == 1


def test_a_deletion_may_be_undone_until_the_directory_is_synced() -> None:
    def act(mount: Mount) -> None:
        mount.make_directories(ROOT / "new")
        mount.write(ROOT / "new/a", b"1")
        mount.sync_directory(ROOT / "new")
        mount.sync_directory(ROOT)
        mount.unlink(ROOT / "new/a")
        mount.remove_directory(ROOT / "new")

    def act_and_sync(mount: Mount) -> None:
        act(mount)
        mount.sync_directory(ROOT)

    assert set(losses(act)) == {(), (("new/a", b"1"),)}
    assert set(losses(act_and_sync)) == {()}


def test_a_replaced_name_is_the_old_file_or_the_new_one() -> None:
    def act(mount: Mount) -> None:
        mount.write(ROOT / "a", b"old")
        mount.write(ROOT / "new", b"new")
        mount.sync_directory(ROOT)
        mount.replace(ROOT / "new", ROOT / "a")

    found = losses(act)
    assert {dict(left)["a"] for left in found} == {b"old", b"new"}
    assert {dict(left).get("new") for left in found} == {b"new", None}


def test_a_directory_made_anew_is_another_one() -> None:
    def act(mount: Mount) -> None:
        mount.make_directories(ROOT / "new")
        mount.sync_directory(ROOT)
        mount.remove_directory(ROOT / "new")
        mount.make_directories(ROOT / "new")
        mount.write(ROOT / "new/a", b"1")
        mount.sync_directory(ROOT / "new")

    assert () in losses(act)


def test_all_or_nothing_of_it_can_be_lost() -> None:
    def act(mount: Mount) -> None:
        for name in ("a", "b"):
            mount.write(ROOT / name, b"1")

    assert set(losses(act, kept=0.0)) == {()}
    assert set(losses(act, kept=1.0)) == {(("a", b"1"), ("b", b"1"))}


def test_what_has_survived_is_durable() -> None:
    for seed in SEEDS:
        disk, mount = prepared()
        for name in ("a", "b", "c"):
            mount.write(ROOT / name, b"1")
        disk.power_loss(random.Random(seed))
        left = disk.files(ROOT)
        disk.power_loss(random.Random(seed + 1), kept=0.0)
        assert disk.files(ROOT) == left


def test_a_seed_is_one_story() -> None:
    def story(seed: int) -> dict[str, bytes]:
        disk, mount = prepared()
        for name in "fedcba":
            mount._make(ROOT / name)
            mount._fill(ROOT / name, name.encode() * 20)
        disk.power_loss(random.Random(seed))
        return disk.files(ROOT)

    assert [story(seed) for seed in range(20)] == [story(seed) for seed in range(20)]


# --- processes, their locks and their deaths ----------------------------------------------------


def test_a_lock_is_held_until_its_process_dies() -> None:
    disk, one = prepared()
    two = disk.mount("two")
    held = one.try_lock(ROOT / "lock")
    assert held is not None
    assert two.try_lock(ROOT / "lock") is None
    assert one.try_lock(ROOT / "lock") is None
    disk.crash("one")
    lock = two.try_lock(ROOT / "lock")
    assert lock is not None
    held.release()  # in a `finally` of the dead one
    assert disk.mount("three").try_lock(ROOT / "lock") is None
    lock.release()
    lock.release()
    assert disk.mount("three").try_lock(ROOT / "lock") is not None


def test_a_power_loss_frees_all_locks() -> None:
    disk, one = prepared()
    assert one.try_lock(ROOT / "lock") is not None
    disk.power_loss(random.Random(0))
    assert disk.mount("one").try_lock(ROOT / "lock") is not None


def test_a_dead_process_does_nothing_any_more() -> None:
    disk, one = prepared()
    one.write(ROOT / "a", b"1")
    disk.crash("one")
    for call in (
        lambda: one.unlink(ROOT / "a"),
        lambda: one.read(ROOT / "a", 0, None),
        lambda: one.try_lock(ROOT / "lock"),
    ):
        with pytest.raises(Crashed):
            call()
    assert disk.files(ROOT) == {"a": b"1"}
    with pytest.raises(KeyError):
        disk.crash("one")
    disk.mount("one").unlink(ROOT / "a")


@pytest.mark.parametrize(
    ("step", "done", "left"),
    [
        (0, False, {}),
        (0, True, {"a": b""}),
        (1, False, {"a": b""}),
        (1, True, {"a": b"1234"}),
        (2, True, {"a": b"1234"}),
    ],
)
def test_a_process_dies_before_or_after_any_step(
    step: int, done: bool, left: dict[str, bytes]
) -> None:
    disk, one = prepared()
    one.crash_at(step, done=done)
    with pytest.raises(Crashed):
        one.write(ROOT / "a", b"1234")
    assert disk.files(ROOT) == left
    with pytest.raises(Crashed):
        one.scan(ROOT)


# --- errors by plan -----------------------------------------------------------------------------


def test_a_planned_error_comes_instead_of_the_step() -> None:
    disk, _ = prepared()
    asked: list[tuple[str, Path]] = []

    def fault(step: str, path: Path) -> OSError | None:
        asked.append((step, path))
        full = step == "write"
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) if full else None

    mount = disk.mount("one", fault=fault)
    with pytest.raises(OSError, match="No space left"):
        mount.write(ROOT / "a", b"1234")
    assert asked == [("make", ROOT / "a"), ("write", ROOT / "a")]
    assert disk.files(ROOT) == {"a": b"12"}


def test_a_reply_is_lost_after_the_step() -> None:
    disk, one = prepared()
    one.write(ROOT / "a", b"1")
    one.reply = lambda step, path: OSError(errno.EIO, "lost") if step == "link" else None
    with pytest.raises(OSError, match="lost"):
        one.link(ROOT / "a", ROOT / "b")
    assert disk.files(ROOT) == {"a": b"1", "b": b"1"}


def test_a_sync_that_fails_makes_nothing_durable() -> None:
    disk, one = prepared()
    one.write(ROOT / "a", b"1")
    one.fault = lambda step, path: OSError(errno.EIO, "the disk coughed")
    with pytest.raises(OSError, match="coughed"):
        one.sync_directory(ROOT)
    disk.power_loss(random.Random(0), kept=0.0)
    assert disk.files(ROOT) == {}

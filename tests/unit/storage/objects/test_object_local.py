"""What a directory store owes to the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import InvalidRequest, ObjectExists, ObjectMissing, Unavailable
from storage.objects import Created, LocalStore, ObjectInfo, create_settled
from tests.fakes import FakeClock


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Paths in the order in which they are fsync'd."""
    paths: list[Path] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return paths


def test_create_syncs_the_file_then_its_directory_and_every_new_parent(
    tmp_path: Path, synced: list[Path]
) -> None:
    root = tmp_path / "new" / "root"
    store = LocalStore(root)
    asyncio.run(store.create("epoch/1/owner", b"1"))
    written = next(n for n, path in enumerate(synced) if path.parent == root / "tmp")
    assert written == 0
    way = [root / "epoch/1", root / "epoch", root, root.parent, tmp_path, *tmp_path.parents]
    assert synced[1:] == way
    synced.clear()
    asyncio.run(store.create("log/1", b"1"))
    assert synced[1:] == [root / "log", root]
    synced.clear()
    asyncio.run(store.create("log/2", b"1"))
    assert [path.parent for path in synced[:1]] == [root / "tmp"]
    assert synced[1:] == [root / "log"]


def test_a_directory_that_others_may_remove_is_synced_with_the_one_above_it(
    tmp_path: Path, synced: list[Path]
) -> None:
    store = LocalStore(tmp_path)
    asyncio.run(store.create("epoch/1/owner", b"1"))
    for write in (store.create, store.put):
        synced.clear()
        asyncio.run(write("epoch/1/alive", b"1"))
        assert synced[1:] == [tmp_path / "epoch/1", tmp_path / "epoch"]


def test_parents_made_by_another_process_are_synced_once(
    tmp_path: Path, synced: list[Path]
) -> None:
    (tmp_path / "root/log").mkdir(parents=True)
    store = LocalStore(tmp_path / "root")
    asyncio.run(store.create("log/1", b"1"))
    assert {tmp_path, tmp_path / "root", tmp_path / "root/log"} <= set(synced)


def test_put_syncs_the_file_and_its_directory(tmp_path: Path, synced: list[Path]) -> None:
    store = LocalStore(tmp_path)
    asyncio.run(store.put("a/b", b"1"))
    assert synced[0].parent == tmp_path / "tmp"
    assert synced[1] == tmp_path / "a"


def test_the_directory_is_synced_before_another_writers_object_is_reported(
    tmp_path: Path, synced: list[Path]
) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log/1").write_bytes(b"theirs")
    with pytest.raises(ObjectExists):
        asyncio.run(LocalStore(tmp_path).create("log/1", b"ours"))
    assert synced[1:3] == [tmp_path / "log", tmp_path]


def test_an_object_whose_directory_failed_to_sync_is_synced_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path)
    fsync = os.fsync
    failures = [True]
    log_syncs = []

    def sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path == tmp_path / "log" and (path / "1").exists():
            log_syncs.append(path)
            if failures and failures.pop():
                raise OSError(errno.EIO, "the disk coughed")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    outcome = asyncio.run(create_settled(store, "log/1", b"ours", clock=FakeClock()))
    assert outcome == Created()
    assert len(log_syncs) == 2


def test_staged_files_are_never_listed_and_never_stay(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    async def main() -> None:
        await store.create("a", b"1")
        with pytest.raises(ObjectExists):
            await store.create("a", b"2")
        (tmp_path / "tmp/abandoned").write_bytes(b"half")
        assert [info.name async for info in store.list("")] == ["a"]
        assert [info.name async for info in store.list("t")] == []

    asyncio.run(main())
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == ["abandoned"]


def test_abandoned_files_are_found_by_age_and_removed_by_name(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    assert list(asyncio.run(store.abandoned(before_ms=2_000_000))) == []
    (tmp_path / "tmp/lock").mkdir(parents=True)
    for name, age_s in (("old", 1_000), ("new", 3_000)):
        (tmp_path / "tmp" / name).write_bytes(b"half")
        os.utime(tmp_path / "tmp" / name, (age_s, age_s))
    found = asyncio.run(store.abandoned(before_ms=2_000_000))
    assert list(found) == [ObjectInfo(name="tmp/old", size_bytes=4)]
    for _ in range(2):
        asyncio.run(store.discard("tmp/old"))
    assert sorted(path.name for path in (tmp_path / "tmp").iterdir()) == ["lock", "new"]


def test_delete_removes_directories_left_empty_except_the_top(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    async def main() -> None:
        for name in ("checkpoint/1/a", "checkpoint/1/b", "top"):
            await store.put(name, b"1")
            await store.delete(name)
        assert (tmp_path / "checkpoint").is_dir()
        assert not (tmp_path / "checkpoint/1").exists()
        await store.create("checkpoint/1/a", b"2")
        assert await store.get("checkpoint/1/a") == b"2"

    asyncio.run(main())


def test_a_directory_removed_by_another_process_is_made_again(tmp_path: Path) -> None:
    one, two = LocalStore(tmp_path), LocalStore(tmp_path)

    async def main() -> None:
        await one.create("checkpoint/1/a", b"1")
        await two.delete("checkpoint/1/a")
        assert not (tmp_path / "checkpoint/1").exists()
        await one.create("checkpoint/1/a", b"2")
        assert await two.get("checkpoint/1/a") == b"2"

    asyncio.run(main())


def test_names_that_clash_with_a_directory_are_refused(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)

    async def main() -> None:
        await store.create("a/b", b"1")
        for call in (store.create("a", b"1"), store.put("a", b"1"), store.put("a/b/c", b"1")):
            with pytest.raises(InvalidRequest, match="object 'a"):
                await call
        await store.delete("a")
        await store.delete("a/b/c")
        assert await store.get("a/b") == b"1"
        with pytest.raises(ObjectMissing):
            await store.get("a")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("number", "error", "told"),
    [
        (errno.ENOSPC, Unavailable, "no space left"),
        (errno.EDQUOT, Unavailable, "no space left"),
        (errno.EIO, Unavailable, "check the disk"),
        (errno.EROFS, InvalidRequest, "read-only"),
        (errno.EACCES, InvalidRequest, "permission"),
    ],
)
def test_errors_of_the_disk_name_the_object(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
    told: str,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(error, match=told) as caught:
        asyncio.run(LocalStore(tmp_path).create("log/1", b"1"))
    assert "log/1" in str(caught.value)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_fetch_links_and_copies_where_it_cannot_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalStore(tmp_path / "root")

    async def main() -> None:
        await store.create("data/1", b"12345")
        assert await store.fetch("data/1", tmp_path / "linked") == 5

        def refuse(*_: object) -> None:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

        monkeypatch.setattr(os, "link", refuse)
        assert await store.fetch("data/1", tmp_path / "copied") == 5
        with pytest.raises(InvalidRequest):
            await store.fetch("data/1", tmp_path / "copied")

    asyncio.run(main())
    source = tmp_path / "root/data/1"
    assert (tmp_path / "linked").samefile(source)
    assert not (tmp_path / "copied").samefile(source)
    assert (tmp_path / "copied").read_bytes() == b"12345"


def test_a_lock_is_held_by_one_until_it_is_released(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    held = store.try_lock("primary")
    assert held is not None
    assert store.try_lock("primary") is None
    assert LocalStore(tmp_path).try_lock("primary") is None
    other = store.try_lock("branch/1/primary")
    assert other is not None
    other.release()
    held.release()
    held.release()
    again = store.try_lock("primary")
    assert again is not None
    again.release()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from storage.objects import LocalStore; "
        "lock = LocalStore(pathlib.Path(sys.argv[1])).try_lock('primary'); "
        "print(lock is not None, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert LocalStore(tmp_path).try_lock("primary") is None
        process.kill()
    held = LocalStore(tmp_path).try_lock("primary")
    assert held is not None
    held.release()

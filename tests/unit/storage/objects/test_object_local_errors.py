"""Bad luck on a directory: full, read-only, closed to us. Who is told what, and how soon."""

from __future__ import annotations

import asyncio
import errno
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from storage.errors import InvalidRequest, MobulaError, Unavailable
from storage.objects import Created, LocalStore, create_settled
from storage.objects.os_errors import os_error
from tests.fakes import FakeClock
from tests.simulation.disk import Mount, SimulatedDisk

ROOT = Path("/mnt/db")


class Told(NamedTuple):
    """What the error of a number is, and says."""

    number: int
    kind: type[MobulaError]
    sqlstate: str
    next_step: str


TOLD = [
    Told(errno.ENOSPC, Unavailable, "53100", "free some"),
    Told(errno.EDQUOT, Unavailable, "53100", "raise the quota"),
    Told(errno.EIO, Unavailable, "58030", "check the disk"),
    Told(errno.EMFILE, Unavailable, "53000", "ulimit -n"),
    Told(errno.ESTALE, Unavailable, "57P03", "check the disk"),
    Told(errno.EROFS, InvalidRequest, "42501", "mount it writable"),
    Told(errno.EACCES, InvalidRequest, "42501", "read and write access"),
    Told(errno.EPERM, InvalidRequest, "42501", "read and write access"),
    Told(errno.EFBIG, InvalidRequest, "22023", "ulimit -f"),
    Told(errno.EXDEV, InvalidRequest, "22023", "hard links"),
    Told(errno.EOPNOTSUPP, InvalidRequest, "22023", "hard links"),
    Told(errno.ENAMETOOLONG, InvalidRequest, "22023", "shorter root"),
]
told = pytest.mark.parametrize("told", TOLD, ids=lambda one: errno.errorcode[one.number])


def check(error: MobulaError, told: Told) -> None:
    assert type(error) is told.kind
    assert error.sqlstate == told.sqlstate
    assert told.next_step in error.message
    assert os.strerror(told.number) in error.message


def fails(number: int, path: Path | str = "") -> OSError:
    return OSError(number, os.strerror(number), str(path))


def only(mount: Mount, steps: dict[str, int]) -> None:
    """Steps of those kinds fail from now on."""
    mount.fault = lambda step, path: fails(steps[step], path) if step in steps else None


@pytest.fixture
def mount() -> Mount:
    """A disk with a database that has one object, `log/1`."""
    mount = SimulatedDisk().mount("primary")
    asyncio.run(LocalStore(ROOT, disk=mount).create("log/1", b"first"))
    return mount


@pytest.fixture
def store(mount: Mount) -> LocalStore:
    return LocalStore(ROOT, url="file:///mnt/db", disk=mount)


Use = Callable[[LocalStore, Path], Coroutine[Any, Any, object]]
WRITES: dict[str, Use] = {
    "create": lambda store, file: store.create("log/2", b"second"),
    "put": lambda store, file: store.put("log/2", b"second"),
    "put_file": lambda store, file: store.put_file("log/2", file),
    "create in a new directory": lambda store, file: store.create("epoch/log/2", b"second"),
}
MAKING = {"make", "write", "sync_file", "link", "replace", "make_directory"}


@told
def test_the_next_step_is_told(told: Told) -> None:
    what = "file:///mnt/db: create object 'log/1'"
    error = os_error(fails(told.number, "/mnt/db/tmp/1"), what)
    check(error, told)
    assert error.message.startswith(f"{what}: ")


@told
@pytest.mark.parametrize(
    ("write", "step"),
    [
        *((write, step) for write in WRITES for step in ("make", "write", "sync_file")),
        ("create", "link"),
        ("put", "replace"),
        ("put_file", "replace"),
        ("create in a new directory", "make_directory"),
    ],
)
def test_a_write_that_fails_names_its_object_and_leaves_nothing(
    mount: Mount, tmp_path: Path, write: str, step: str, told: Told
) -> None:
    (tmp_path / "file").write_bytes(b"second")
    store = LocalStore(ROOT, url="file:///mnt/db", disk=mount)
    only(mount, {step: told.number})
    with pytest.raises(told.kind, match=r"file:///mnt/db: \w+ object '(epoch/)?log/2': ") as caught:
        asyncio.run(WRITES[write](store, tmp_path / "file"))
    check(caught.value, told)
    assert [info.name for info in asyncio.run(listed(store))] == ["log/1"]
    assert [one for one in mount.scan(ROOT / "tmp") if not one.endswith("/")] == []


async def listed(store: LocalStore) -> list[Any]:
    return [info async for info in store.list("")]


@pytest.mark.parametrize("number", [errno.EIO, errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_once_the_name_is_given_nobody_is_told_that_nothing_happened(
    mount: Mount, store: LocalStore, number: int
) -> None:
    only(mount, {"sync_directory": number})
    for write in (store.create, store.put):
        with pytest.raises(Unavailable, match="'log/2' is written, but may not survive") as caught:
            asyncio.run(write("log/2", b"second"))
        assert "repeat the call" in caught.value.message
    mount.fault = None
    assert asyncio.run(store.get("log/2")) == b"second"


def test_an_error_while_clearing_up_does_not_hide_what_happened(
    mount: Mount, store: LocalStore
) -> None:
    only(mount, {"write": errno.ENOSPC, "unlink": errno.EROFS})
    with pytest.raises(Unavailable, match="no space left"):
        asyncio.run(store.create("log/2", b"second"))
    only(mount, {"unlink": errno.EROFS})
    asyncio.run(store.create("log/2", b"second"))
    assert asyncio.run(store.get("log/2")) == b"second"


@told
@pytest.mark.parametrize(
    ("step", "use"),
    [
        ("read", lambda store: store.get("log/1")),
        ("read", lambda store: store.get_range("log/1", 0, 1)),
        ("unlink", lambda store: store.delete("log/1")),
    ],
)
def test_other_calls_name_the_object_too(
    mount: Mount,
    step: str,
    use: Callable[[LocalStore], Coroutine[Any, Any, object]],
    told: Told,
) -> None:
    only(mount, {step: told.number})
    with pytest.raises(told.kind, match=r"/mnt/db: \w+ object 'log/1': ") as caught:
        asyncio.run(use(LocalStore(ROOT, disk=mount)))
    check(caught.value, told)


def test_a_lock_that_cannot_be_had_says_why(mount: Mount, store: LocalStore) -> None:
    only(mount, {"make_directory": errno.EROFS})
    with pytest.raises(InvalidRequest, match=r"lock 'primary': the file system is read-only"):
        store.try_lock("primary")


# --- what the log writer does next --------------------------------------------------------------


def settle(store: LocalStore, clock: FakeClock) -> object:
    rng = random.Random(0)
    return asyncio.run(create_settled(store, "log/2", b"second", clock=clock, rng=rng))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_commit_waits_for_space_and_goes_on(mount: Mount, store: LocalStore, number: int) -> None:
    clock = FakeClock()
    only(mount, {"write": number})
    slept = clock.sleep_ms

    async def sleep_ms(duration_ms: float) -> None:
        await slept(duration_ms)
        if clock.moved_ms > 5_000:
            mount.fault = None  # somebody has freed some

    clock.sleep_ms = sleep_ms  # type: ignore[method-assign]
    assert settle(store, clock) == Created()
    assert 5_000 < clock.moved_ms < 30_000
    assert asyncio.run(store.get("log/2")) == b"second"


def test_a_commit_on_a_full_disk_gives_up_in_the_end_and_says_why(
    mount: Mount, store: LocalStore
) -> None:
    clock = FakeClock()
    only(mount, {"write": errno.ENOSPC})
    with pytest.raises(Unavailable, match=r"'log/2'.*no space left on the disk: free some"):
        settle(store, clock)
    assert clock.moved_ms > 20_000


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV])
@pytest.mark.parametrize("step", ["make", "link"])
def test_a_commit_that_waiting_does_not_help_is_refused_at_once(
    mount: Mount, store: LocalStore, step: str, number: int
) -> None:
    clock = FakeClock()
    only(mount, {step: number})
    with pytest.raises(InvalidRequest, match="'log/2'"):
        settle(store, clock)
    assert clock.sleeps_ms == []


def test_a_disk_that_becomes_read_only_after_the_name_was_given_leaves_it_unknown(
    mount: Mount, store: LocalStore
) -> None:
    clock = FakeClock()
    mount.fault = read_only_from("sync_directory")
    with pytest.raises(Unavailable, match="unknown"):
        settle(store, clock)
    assert clock.moved_ms < 5_000  # the second attempt is refused
    mount.fault = None
    assert settle(store, clock) == Created()


def read_only_from(first: str) -> Callable[[str, Path], OSError | None]:
    """That step and all that write after it fail; what is read may be read."""
    begun: list[bool] = []

    def fault(step: str, path: Path) -> OSError | None:
        if step == first:
            begun.append(True)
        if begun and step in MAKING | {"unlink", "sync_directory"}:
            return fails(errno.EROFS, path)
        return None

    return fault


# --- a real directory ---------------------------------------------------------------------------


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A root with `log/1` that this user may read and not write."""
    if os.geteuid() == 0:
        pytest.skip("permissions are nothing to this user")
    root = tmp_path / "root"
    asyncio.run(LocalStore(root).create("log/1", b"first"))
    directories = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for path in directories:
        path.chmod(0o500)
    yield root
    for path in directories:
        path.chmod(0o700)


def test_a_directory_without_write_access_is_read_and_refuses_to_be_written(closed: Path) -> None:
    store, clock = LocalStore(closed), FakeClock()
    for write in (store.create, store.put):
        with pytest.raises(InvalidRequest, match="'log/2': permission denied: give this user"):
            asyncio.run(write("log/2", b"second"))
    with pytest.raises(InvalidRequest, match=r"'log/2'.*permission denied"):
        settle(store, clock)
    assert clock.sleeps_ms == []
    with pytest.raises(InvalidRequest, match="lock 'primary': permission denied"):
        store.try_lock("primary")
    with pytest.raises(InvalidRequest, match="'log/1': permission denied"):
        asyncio.run(store.delete("log/1"))
    assert asyncio.run(store.get("log/1")) == b"first"


def test_a_root_that_cannot_be_made_is_refused(closed: Path) -> None:
    with pytest.raises(InvalidRequest, match="'format': permission denied"):
        asyncio.run(LocalStore(closed / "new/root").create("format", b"1"))

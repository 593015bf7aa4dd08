"""A disk that is full, or turns read-only, under a database that runs.

What shall hold: errors are of our tree, name the object and say what to do; readers go on with
their snapshot; and when the disk is well again writes go on, and nothing acknowledged is lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import warehouse
from storage.errors import InvalidRequest, MobulaError, Unavailable
from storage.names import log_name
from storage.objects import create_settled
from storage.objects.disk import SystemDisk
from tests.durability.test_bad_luck_s3 import rows, until_known
from warehouse import Commit, Database, IngestToken, Settings

SETTINGS = Settings(lease_ms=500, poll_ms=50, rows_inline_bytes_max=1 << 10)
ROWS = 5_000
QUERY = "SELECT count(*), sum(v) FROM t"
EXPECTED = [(ROWS, sum(range(ROWS)))]
SMALL_BYTES = 16 << 20
WRITES = ("write", "copy", "link", "replace", "unlink", "make_directories")
TOKEN = IngestToken(writer="trial", sequence=1)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a minute of attempts is more than a test waits for."""
    assert create_settled.__kwdefaults__ is not None
    monkeypatch.setitem(create_settled.__kwdefaults__, "budget_ms", 300)


class Sick:
    """The disk of this process, on which whatever writes fails with `number`, as long as it is
    set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.number: int | None = None
        for name in WRITES:
            monkeypatch.setattr(SystemDisk, name, self._guarded(getattr(SystemDisk, name)))

    def _guarded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(disk: SystemDisk, path: Path, *more: Any) -> Any:
            if self.number is not None:
                raise OSError(self.number, os.strerror(self.number), str(path))
            return call(disk, path, *more)

        return guarded


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that can be filled."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_BYTES}", "tmpfs", place],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("this user cannot mount file systems")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def connected(place: Path) -> Database:
    return warehouse.connect(str(place / "db"), engine="local", settings=SETTINGS)


def filled(place: Path) -> Database:
    db = connected(place)
    db.sql("CREATE TABLE t (k BIGINT PRIMARY KEY, v BIGINT)")
    db.sql("CREATE TABLE u (k BIGINT)")
    db.table("t").upsert(rows(range(ROWS)))
    db.create_virtual_warehouse("bi", size=1)
    return db


def fill_up(path: Path) -> None:
    """Write into a file until its disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


def append(db: Database, key: int, token: IngestToken | None = None) -> Commit:
    return db.table("u").append(rows([key]).select("k"), token=token)


def answers(db: Database, expected: list[tuple[int]]) -> None:
    """Both the primary's connection and the virtual warehouse answer."""
    for where in (db, db.virtual_warehouse("bi")):
        assert where.sql(QUERY).rows() == EXPECTED
        assert where.sql("SELECT k FROM u ORDER BY k").rows() == expected


def goes_on(db: Database, place: Path) -> None:
    """1 is there, 2 was tried with a token in vain: all is well again, and each is there once."""
    until_known(lambda: append(db, 2, TOKEN))
    last = append(db, 3)
    db.table("t").upsert(rows(range(ROWS)))
    assert db.virtual_warehouse("bi").sql(QUERY, min_lsn=last.lsn).rows() == EXPECTED
    answers(db, [(1,), (2,), (3,)])
    db.close()
    with connected(place) as again:
        answers(again, [(1,), (2,), (3,)])


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "no space left.*free some"),
        (errno.EROFS, "read-only.*mount it writable"),
        *(
            pytest.param(number, told, marks=pytest.mark.slow)
            for number, told in (
                (errno.EDQUOT, "no space left.*raise the quota"),
                (errno.EIO, "device failed.*check the disk"),
                (errno.EACCES, "permission denied.*write access"),
            )
        ),
    ],
)
def test_while_nothing_can_be_written_reads_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    disk = Sick(monkeypatch)
    db = filled(tmp_path)
    lsn = append(db, 1).lsn
    answers(db, [(1,)])
    disk.number = number
    with pytest.raises(MobulaError, match=f"data/.*{told}"):
        db.table("t").upsert(rows(range(ROWS)))
    name = log_name(lsn + 1)
    with pytest.raises(MobulaError, match=f"{name}.*{told}"):
        append(db, 2, TOKEN)
    for _ in range(2):
        with pytest.raises(MobulaError, match=told) as caught:
            append(db, 2, TOKEN)
        assert isinstance(caught.value, Unavailable | InvalidRequest)
        answers(db, [(1,)])
    disk.number = None
    goes_on(db, tmp_path)


def test_a_disk_that_is_full_takes_writes_again_when_there_is_room(small: Path) -> None:
    db = filled(small)
    lsn = append(db, 1).lsn
    answers(db, [(1,)])
    filler = small / "filler"
    fill_up(filler)
    with pytest.raises(Unavailable, match=r"data/.*no space left.*free some"):
        db.table("t").upsert(rows(range(ROWS)))
    with pytest.raises(Unavailable, match=f"{log_name(lsn + 1)}.*no space left.*free some"):
        append(db, 2, TOKEN)
    with pytest.raises(Unavailable, match="no space left"):
        append(db, 2, TOKEN)
    answers(db, [(1,)])
    filler.unlink()
    goes_on(db, small)

"""Where files of a process are on its own disk, and that those of killed processes go."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl
import pytest

import warehouse
from actors.local_files import own_files, remove_left, scratch
from storage.errors import MobulaError
from warehouse import Settings


def test_what_a_killed_process_left_goes_and_ours_stays(tmp_path: Path) -> None:
    settings = Settings(cache_directory=str(tmp_path))
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, sys\n"
            "from actors.local_files import scratch\n"
            "from warehouse import Settings\n"
            "place = scratch(Settings(cache_directory=sys.argv[1]))\n"
            "(place / 'half').write_bytes(b'half')\n"
            "print(place, flush=True)\n"
            "os.kill(os.getpid(), 9)",
            str(tmp_path),
        ],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    theirs = Path(killed.stdout.strip())
    assert (theirs / "half").exists()
    ours = scratch(settings)
    assert ours.is_dir()
    assert ours.is_relative_to(own_files(settings))
    assert str(os.getpid()) in own_files(settings).name
    remove_left(settings)
    assert not theirs.parent.exists()
    assert ours.is_dir()


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MobulaError, match="for temporary files"):
        scratch(Settings(cache_directory=str(tmp_path / "file")))


def test_a_primary_without_a_place_does_not_keep_the_directory_from_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    settings = Settings(cache_directory=str(tmp_path / "file"))
    with warehouse.connect(tmp_path / "db", engine="local", settings=settings) as without:
        with pytest.raises(MobulaError, match="for temporary files"):
            without.sql("CREATE TABLE t (k BIGINT)")
        with warehouse.connect(tmp_path / "db", engine="local") as other:
            other.sql("CREATE TABLE t (k BIGINT)")


def test_all_temporary_files_are_in_the_directory_that_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own has no room for them: here there is none at all."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    settings = Settings(cache_directory=str(tmp_path / "here"), rows_inline_bytes_max=1 << 10)
    pl.DataFrame({"k": range(9_000, 10_000), "v": range(1_000)}).write_csv(tmp_path / "more.csv")
    for _ in range(2):
        with warehouse.connect(tmp_path / "db", engine="local", settings=settings) as db:
            db.sql("CREATE TABLE IF NOT EXISTS t (k BIGINT PRIMARY KEY, v BIGINT)")
            for first in range(3):
                keys = range(first, 6_000, 2)
                db.table("t").upsert(pl.DataFrame({"k": keys, "v": [first] * len(keys)}))
                db.sql("CALL mobula.flush()")
            db.sql("DELETE FROM t WHERE k < 6000 AND k % 3 = 0")
            db.sql("CALL mobula.compact()")
            db.sql("CALL mobula.recluster()")
            db.sql("CALL mobula.repair_index()")
            if db.sql("SELECT count(*) FROM t WHERE k >= 9000").scalar() == 0:
                db.load("t", tmp_path / "more.csv")
            assert db.sql("SELECT count(*) FROM t").scalar() == 4_000 + 1_000
    assert not (tmp_path / "none").exists()

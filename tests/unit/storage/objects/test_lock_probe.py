"""Asking whether a lock is held: it is never taken, and nothing is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import InvalidRequest
from storage.objects import LocalStore, MemoryStore
from storage.objects.lock_probe import is_locked

HOLDER = (
    "import pathlib, sys; from storage.objects import LocalStore; "
    "lock = LocalStore(pathlib.Path(sys.argv[1])).try_lock('primary'); "
    "print('held', flush=True); sys.stdin.read()"
)


def test_a_lock_that_is_held_here(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    held = store.try_lock("primary")
    assert held is not None
    assert is_locked(store, "primary") is True
    assert is_locked(LocalStore(tmp_path), "primary") is True
    assert is_locked(store, "other") is False
    held.release()
    assert is_locked(store, "primary") is False
    again = store.try_lock("primary")
    assert again is not None
    again.release()


def test_a_lock_that_another_process_holds(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert is_locked(store, "primary") is True
        process.kill()
    assert is_locked(store, "primary") is False


def test_nothing_is_made(tmp_path: Path) -> None:
    assert is_locked(LocalStore(tmp_path / "db"), "primary") is False
    assert list(tmp_path.iterdir()) == []


def test_other_stores_have_no_locks() -> None:
    assert is_locked(MemoryStore(), "primary") is None


def test_a_lock_that_must_not_be_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    path = store.lock_path("primary")
    path.parent.mkdir(parents=True)
    path.symlink_to(path)  # which nobody can open, whatever rights they have
    with pytest.raises(InvalidRequest, match="lock 'primary'"):
        is_locked(store, "primary")

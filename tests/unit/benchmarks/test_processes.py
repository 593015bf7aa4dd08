"""What Linux says of processes: their descendants, their CPU, and the cores that they are given."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks.processes import core_halves, cpu_seconds, descendants, pin

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux'")


@pytest.fixture
def child() -> subprocess.Popen[str]:
    """A process with a thread and a child of its own, that ends when its input does."""
    text = (
        "import subprocess, sys, threading\n"
        "inner = subprocess.Popen(['cat'], stdin=subprocess.PIPE)\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "print(inner.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process  # type: ignore[misc]
    process.communicate()


def test_children_of_children_are_found(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    inner = int(child.stdout.readline())
    assert {child.pid, inner} <= descendants(os.getpid())
    assert descendants(child.pid) == {inner}
    assert os.getpid() not in descendants(os.getpid())


def test_all_threads_are_pinned(child: subprocess.Popen[str]) -> None:
    assert child.stdout is not None
    child.stdout.readline()
    core = {min(os.sched_getaffinity(0))}
    pin(child.pid, core)
    threads = [int(name) for name in os.listdir(f"/proc/{child.pid}/task")]  # noqa: PTH208
    assert len(threads) == 2
    assert all(os.sched_getaffinity(thread) == core for thread in threads)


def test_a_process_that_is_gone_is_left_alone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    pin(gone.pid, {0})
    assert descendants(gone.pid) == set()


def test_cpu_is_counted() -> None:
    before, used = cpu_seconds([os.getpid()]), time.process_time()
    while time.process_time() - used < 0.1:
        pass
    assert cpu_seconds([os.getpid()]) - before >= 0.08


def test_halves_share_no_core() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        with pytest.raises(RuntimeError, match="one core"):
            core_halves()
        return
    first, second = core_halves()
    assert first
    assert second
    assert not first & second
    assert first | second <= os.sched_getaffinity(0)

"""The keeper of test clusters ends all that came from its command, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.autoscaling_cluster import needs_linux

pytestmark = needs_linux

KEEPER = Path(__file__).parents[1] / "keeper.py"
DAEMON = """
import os, sys, time
heard, tell = os.pipe()
if os.fork():
    os.read(heard, 1)  # the keeper may kill it as soon as this process is over
    sys.exit(int(sys.argv[2]))
os.setsid()
if os.fork():
    sys.exit()
with open(sys.argv[1], "w") as file:
    file.write(str(os.getpid()) + "\\n")
os.write(tell, b"1")
time.sleep(1000)
"""


def start(pid_file: Path, code: int = 0) -> subprocess.Popen[str]:
    os.mkfifo(pid_file)
    return subprocess.Popen(
        [sys.executable, str(KEEPER), sys.executable, "-c", DAEMON, str(pid_file), str(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_daemon_that_left_its_parents_is_ended(tmp_path: Path) -> None:
    with (
        subprocess.Popen(["sleep", "1000"]) as stranger,
        start(tmp_path / "pid") as keeper,
    ):
        pid = int((tmp_path / "pid").read_text())
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "started\n"
        assert is_alive(pid)
        keeper.communicate()  # closes its standard input
        assert keeper.returncode == 0
        assert not is_alive(pid)
        assert stranger.poll() is None
        stranger.kill()


def test_the_daemon_goes_too_when_the_command_fails(tmp_path: Path) -> None:
    with start(tmp_path / "pid", code=3) as keeper:
        pid = int((tmp_path / "pid").read_text())
        out, _ = keeper.communicate()
        assert (out, keeper.returncode) == ("", 3)
        assert not is_alive(pid)


@pytest.mark.parametrize("code", [0, 3])
def test_it_ends_when_whoever_started_it_is_gone(tmp_path: Path, code: int) -> None:
    """A killed parent leaves the pipe closed, which is all that the keeper looks at."""
    with start(tmp_path / "pid", code) as keeper:
        pid = int((tmp_path / "pid").read_text())
        assert keeper.stdin is not None
        keeper.stdin.close()
        assert keeper.wait(30) == code
        assert not is_alive(pid)

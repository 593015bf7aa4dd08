"""`make demo` works, a second time too, and leaves no process and no file of Ray behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import warehouse

pytestmark = [pytest.mark.ray]

DEMO_S = 150
ENVIRONMENT_MARK = "MOBULA_TEST_DEMO"


def _demo(directory: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment[ENVIRONMENT_MARK] = str(directory)
    done = subprocess.run(
        [sys.executable, "-m", "warehouse.demo", "--directory", str(directory), "--scale", "0.01"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEMO_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _left_behind(directory: Path) -> list[str]:
    """Processes that inherited the demo's environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(ENVIRONMENT_MARK) == str(directory):
                found.append(f"{process.pid} {process.name()}")
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_the_demo_runs_and_leaves_nothing_behind(times: int, tmp_path: Path) -> None:
    directories = set(Path("/tmp").glob("mobula-demo-ray-*"))
    for _ in range(times):
        text = _demo(tmp_path)
        assert _left_behind(tmp_path) == []
        assert len(re.findall(r"^│ +\d+ │", text, re.MULTILINE)) == 22
        assert "Every count saw whole batches" in text
    assert set(Path("/tmp").glob("mobula-demo-ray-*")) <= directories
    assert not (tmp_path / "cache").exists()
    with warehouse.connect(str(tmp_path / "database"), engine="local", create=False) as db:
        assert db.sql("SELECT count(*) FROM lineitem").scalar() == 60_175

"""`ray job submit` of `jobs.load`: a cluster started, used and ended as a user would, from outside.

Its ports, directory and token are its own. At the end exactly its own processes are ended: those
that descend from the `ray start` of this test, and those that name its directory.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import psutil
import pytest

import warehouse
from tests.ray_cluster import private_token, ray_directory

pytestmark = [pytest.mark.ray]

REPOSITORY = Path(__file__).resolve().parents[2]
BINARIES = Path(sys.executable).parent
START_S = 90
JOB_S = 180
END_S = 5  # for each of asking and killing
ROWS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A started head node: its dashboard, and the environment that lets processes in."""

    dashboard: str
    environment: dict[str, str]

    def submit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m jobs.load` as a job and wait for it; stdout holds its log."""
        command = [str(BINARIES / "ray"), "job", "submit", "--address", self.dashboard]
        command += ["--log-color=false", "--working-dir", ".", "--", "python", "-m", "jobs.load"]
        return subprocess.run(
            [*command, *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=JOB_S,
        )


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    directory = ray_directory()
    environment = {**os.environ, **private_token(directory)}
    environment.pop("RAY_ADDRESS", None)
    environment["PATH"] = f"{BINARIES}{os.pathsep}{environment['PATH']}"
    gcs, dashboard, client = _free_ports(3)
    command = [str(BINARIES / "ray"), "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--port={gcs}", f"--dashboard-port={dashboard}"]
    command += [f"--ray-client-server-port={client}", "--dashboard-agent-listen-port=0"]
    command += ["--num-cpus=4", f"--object-store-memory={128 << 20}", f"--temp-dir={directory}"]
    log = directory / "start.log"
    with log.open("wb") as output:
        started = subprocess.Popen(
            command,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{dashboard}/api/version", started, log)
        yield Head(dashboard=f"http://127.0.0.1:{dashboard}", environment=environment)
    finally:
        _end(started, directory)
        shutil.rmtree(directory, ignore_errors=True)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _wait_for(url: str, started: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the dashboard answers, be it to ask for the token."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and started.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"the head node did not start:\n{log.read_text(errors='replace')}")


def _end(started: subprocess.Popen[bytes], directory: Path) -> None:
    """End the processes of this cluster and wait until they are gone."""
    found = {started.pid: psutil.Process(started.pid)} if started.poll() is None else {}
    for root in list(found.values()):
        found |= {child.pid: child for child in root.children(recursive=True)}
    for process in psutil.process_iter(["cmdline"]):
        if any(str(directory) in part for part in process.info["cmdline"] or []):
            found[process.pid] = process
    for process in found.values():
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(list(found.values()), timeout=END_S)
    for process in alive:
        process.kill()
    started.wait(timeout=END_S)


def test_a_job_loads_a_file_and_prints_its_commit(head: Head, tmp_path: Path) -> None:
    days = [date(2026, 1, 1 + i % 28) for i in range(ROWS)]
    expected = pl.DataFrame({"id": list(range(ROWS)), "day": days})
    expected.write_parquet(tmp_path / "orders-1.parquet")
    root, pattern = str(tmp_path / "db"), str(tmp_path / "*.parquet")

    job = head.submit("--root", root, "--table", "orders", "--source", pattern, "--create")

    assert job.returncode == 0, job.stdout + job.stderr
    commit = next(json.loads(line) for line in job.stdout.splitlines() if line.startswith('{"t'))
    assert commit["rows"] == ROWS
    assert f"orders: {ROWS:,} of {ROWS:,} rows" in job.stdout
    with warehouse.connect(root, engine="local", create=False) as db:
        found = db.sql("SELECT id, day FROM orders ORDER BY id").polars()
        assert db.snapshot().lsn >= commit["lsn"]
    assert found.equals(expected)


@pytest.mark.slow
def test_a_job_that_cannot_load_fails_and_says_why(head: Head, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.parquet")
    root = str(tmp_path / "db")

    job = head.submit("--root", root, "--table", "orders", "--source", missing, "--create")

    assert job.returncode != 0
    assert f"error: {missing}: there is no such file" in job.stdout

"""A writer that is killed at random moments loses, doubles and tears nothing (`kills.py`)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.s3_server import real_server

REPOSITORY = Path(__file__).parents[2]
SEED = 20261129


def killed(kind: str, rounds: int, *more: str, timeout_s: float = 120.0) -> dict[str, Any]:
    """Run so many rounds; the summary."""
    command = [
        *(sys.executable, "-m", "tests.durability.kills", "--root-kind", kind),
        *("--rounds", str(rounds), "--seed", str(SEED), *more),
    ]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    sys.stdout.write(f"seed {SEED}\n{done.stdout}\n{done.stderr[-5000:]}")
    assert done.stdout, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def check(found: dict[str, Any]) -> None:
    assert found["violations"] == []
    assert found["killed"] + found.get("stopped", 0) == found["rounds"] + 1
    assert found["commits"] > found["rounds"]
    assert found["versions"] > 0
    assert found["reader"]["answers"] > 0


def test_a_few_kills_over_a_directory() -> None:
    check(killed("directory", 3, "--versions", "20"))


def test_a_kill_over_s3_whose_network_fails() -> None:
    found = killed("moto", 1, "--proxy", "--versions", "5")
    check(found)
    assert found["faults"]["requests"] > 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_fifty_kills_over_a_directory() -> None:
    check(killed("directory", 50, timeout_s=1800))


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_twenty_kills_over_s3_whose_network_fails() -> None:
    check(killed("moto", 20, "--proxy", "--audit-every", "4", timeout_s=3600))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(real_server() is None, reason="MOBULA_TEST_S3_ENDPOINT is not set")
def test_twenty_kills_over_a_real_server_whose_network_fails() -> None:
    check(killed("real", 20, "--proxy", "--audit-every", "4", timeout_s=3600))

"""Random kills of workers, coordinators, the fleet, the primary and nodes, under a load whose
answers are checked. `kills.py` says how; it has a Ray cluster of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.autoscaling_cluster import needs_linux
from tests.ray_cluster import private_token

pytestmark = [pytest.mark.ray, needs_linux]

REPOSITORY = Path(__file__).parents[2]
SEED = 20261128
PER_ROUND_S = 30.0


def rounds(count: int, directory: Path) -> dict[str, Any]:
    """Run so many; the summary. `keeper.py` ends whatever they leave."""
    command = [
        sys.executable,
        "-m",
        "tests.cluster.kills",
        "--rounds",
        str(count),
        "--seed",
        str(SEED),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "tests" / "keeper.py"), *command],
        cwd=REPOSITORY,
        env={**environment, **private_token(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120 + count * PER_ROUND_S,
        check=False,
    )
    sys.stdout.write(f"seed {SEED}\n{done.stdout}")
    printed = (done.stdout + done.stderr).splitlines()  # the keeper passes it on as an error text
    summaries = [line for line in printed if line.startswith("{")]
    assert summaries, done.stderr[-5000:]
    found: dict[str, Any] = json.loads(summaries[-1])
    return found


def check(found: dict[str, Any]) -> None:
    assert found["wrong"] == []
    assert found["stuck"] == 0
    assert found["left"] == []
    assert found["answers"] > found["rounds"]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_hundred_random_kills(tmp_path: Path) -> None:
    check(rounds(100, tmp_path))

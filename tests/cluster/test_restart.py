"""The head is restarted, which ends every process of the cluster: all that matters is in the store.

Ray keeps the names of actors in the head's memory, so a new head knows none. What a user sees is
that the virtual warehouses are there, stopped, and that the first query starts one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.autoscaling_cluster import autoscaling_cluster, needs_linux

pytestmark = [pytest.mark.ray, pytest.mark.slow, needs_linux]

SCENARIOS = "tests.cluster.restart_scenarios"


def test_a_new_head_finds_the_database_and_its_virtual_warehouses(tmp_path: Path) -> None:
    root = str(tmp_path / "db")
    with autoscaling_cluster(version=2) as first:
        before = first.drive(f"{SCENARIOS}:before", root=root)
    assert before["sum"] == sum(range(1, 1002))
    with autoscaling_cluster(version=2) as second:
        after = second.drive(f"{SCENARIOS}:after", root=root)
    assert after == {
        "states": {"bi": "stopped", "off": "stopped"},
        "comment": "kept",
        "max_queued": 7,
        "sum": before["sum"],
        "lsn": before["lsn"],
        "count": 1002,
    }

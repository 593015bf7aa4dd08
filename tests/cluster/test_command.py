"""The command `mobula` beside a running cluster: it joins, and finds what others started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.ray_cluster import RayCluster

pytestmark = [pytest.mark.ray]

MOBULA = str(Path(sys.executable).with_name("mobula"))


def _run(cluster: RayCluster, directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [MOBULA, *arguments],
        cwd=directory,
        env=cluster.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_commands_join_the_cluster_and_share_its_primary(
    ray_cluster: RayCluster, tmp_path: Path
) -> None:
    pl.DataFrame({"id": list(range(500))}).write_parquet(tmp_path / "orders.parquet")

    _run(ray_cluster, tmp_path, "load", "db", "orders", "orders.parquet", "--create")
    _run(ray_cluster, tmp_path, "vw", "create", "db", "bi")
    query = ("sql", "db", "--vw", "bi", "--format", "csv", "SELECT count(*) AS n FROM orders")
    assert _run(ray_cluster, tmp_path, *query) == "n\n500\n"

    status = json.loads(_run(ray_cluster, tmp_path, "status", "db", "--format", "json"))[0]
    assert status["engine"] == "ray (a Ray cluster is reachable)"
    assert status["primary"].startswith("ray-")
    assert status["epoch"] == 1
    assert status["virtual_warehouses"] == "bi"
    _run(ray_cluster, tmp_path, "vw", "drop", "db", "bi")


@pytest.mark.slow
def test_commands_promote_and_release_its_primary(ray_cluster: RayCluster, tmp_path: Path) -> None:
    _run(ray_cluster, tmp_path, "sql", "db", "CREATE TABLE orders (id BIGINT)")
    status = json.loads(_run(ray_cluster, tmp_path, "status", "db", "--format", "json"))[0]
    reigning = ("primary", "promote", "db", "--yes", "--format", "json")
    promoted = json.loads(_run(ray_cluster, tmp_path, *reigning))[0]
    assert (promoted["owner"], promoted["ms"]) == (status["primary"].partition(" ")[0], None)
    _run(ray_cluster, tmp_path, "primary", "release", "db")
    promoted = json.loads(_run(ray_cluster, tmp_path, *reigning))[0]
    # Its process begins by itself to take over; where that is interrupted, an epoch is left out.
    assert promoted["epoch"] > 1
    assert promoted["state"] == "reigns"

"""Ray's real autoscaler, both versions: need brings nodes up, idleness brings them to zero.

Each test prints a timeline: `pytest -s`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.autoscaling_cluster import AutoscalingCluster, autoscaling_cluster, needs_linux

pytestmark = [pytest.mark.ray, needs_linux]

SCENARIOS = "tests.autoscaling_scenarios"


@pytest.fixture(scope="module", params=[1, 2], ids=["v1", "v2"])
def cluster(request: pytest.FixtureRequest) -> Iterator[AutoscalingCluster]:
    """One cluster for all long tests of a version: each leaves it without nodes."""
    with autoscaling_cluster(version=request.param) as made:
        yield made


def test_a_virtual_warehouse_that_queues_gets_nodes_and_leaves_none() -> None:
    with autoscaling_cluster(version=2) as cluster:
        seen = cluster.drive(f"{SCENARIOS}:elastic", rounds=1, workers=2, clients=4)
    assert seen["peaks"] == [2]
    assert seen["answers"] == 1


@pytest.mark.slow
def test_queueing_brings_nodes_and_idleness_leaves_none_twice_in_a_row(
    cluster: AutoscalingCluster,
) -> None:
    seen = cluster.drive(f"{SCENARIOS}:elastic", rounds=2, workers=3, clients=6)
    assert seen["peaks"] == [3, 3]
    assert seen["answers"] == 1


@pytest.mark.slow
def test_actors_that_wait_bring_nodes_and_idleness_takes_them_away(
    cluster: AutoscalingCluster,
) -> None:
    rounds = cluster.drive(f"{SCENARIOS}:demand", rounds=2, workers=3)
    assert [one["nodes"] for one in rounds] == [2, 2]


@pytest.mark.slow
def test_wishes_bring_nodes_twice_in_a_row(cluster: AutoscalingCluster) -> None:
    assert len(cluster.drive(f"{SCENARIOS}:wishes", rounds=2)) == 2


@pytest.mark.slow
def test_a_dead_broker_loses_no_node_and_a_dead_holder_holds_none(
    cluster: AutoscalingCluster,
) -> None:
    seen = cluster.drive(f"{SCENARIOS}:deaths")
    assert seen["restarted"]
    assert seen["inherited"]
    assert seen["down_s"] > seen["lease_s"] / 2


@pytest.mark.slow
def test_what_no_node_type_has_is_said(cluster: AutoscalingCluster) -> None:
    said = cluster.drive(f"{SCENARIOS}:shortage")
    assert (
        "this database asks for 1 × {CPU: 64, vw: 0.01}; none of the cluster's 1 node can hold"
        in said
    )
    if cluster.version == 2:  # the other one does not tell
        assert "no node type has {CPU: 64, vw: 0.01}" in said

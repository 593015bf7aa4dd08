"""`cluster.yaml` is one that Ray accepts, and that fits what the actors ask for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.house.source_tree import text


@pytest.fixture(scope="module")
def cluster() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text("cluster.yaml"))
    return found


@pytest.fixture(scope="module")
def workers(cluster: dict[str, Any]) -> dict[str, Any]:
    types: dict[str, Any] = cluster["available_node_types"]
    return {name: kind for name, kind in types.items() if name != cluster["head_node_type"]}


def test_rays_own_schema_accepts_it(cluster: dict[str, Any]) -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(cluster))


def test_rays_schema_would_notice_a_mistake(cluster: dict[str, Any]) -> None:
    import jsonschema
    from ray.autoscaler._private.util import prepare_config, validate_config

    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        validate_config(prepare_config({**cluster, "max_worker": 1}))


def test_the_head_runs_no_actor(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"]["CPU"] == 0
    assert any("--num-cpus=0" in command for command in cluster["head_start_ray_commands"])


def test_node_types_offer_the_resources_that_pin_actors(workers: dict[str, Any]) -> None:
    offered = {name: set(kind["resources"]) for name, kind in workers.items()}
    assert offered == {
        "primary": {"CPU", "primary"},
        "vw_on_demand": {"CPU", "vw"},
        "vw_spot": {"CPU", "vw"},
    }


def test_every_type_has_limits_that_fit_the_clusters(
    cluster: dict[str, Any], workers: dict[str, Any]
) -> None:
    for kind in workers.values():
        assert 0 <= kind["min_workers"] <= kind["max_workers"]
    assert sum(kind["max_workers"] for kind in workers.values()) <= cluster["max_workers"]

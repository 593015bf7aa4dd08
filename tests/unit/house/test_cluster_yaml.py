"""`cluster.yaml` is one that Ray accepts, and that fits what the actors ask for."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.house.deployment import pins, shown_settings
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


def test_node_types_offer_the_resources_that_pin_actors(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    assert {name: set(kind["resources"]) for name, kind in types.items()} == {
        "head": {"CPU", "head"},
        "primary": {"CPU", "primary"},
        "vw_on_demand": {"CPU", "vw"},
        "vw_spot": {"CPU", "vw_spot"},
    }


def test_the_settings_shown_find_a_node_for_every_actor(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    settings = shown_settings("cluster.yaml")
    found = {
        actor: [name for name, kind in types.items() if set(wanted) <= set(kind["resources"])]
        for actor, wanted in pins(settings).items()
    }
    assert found == {
        "primary": ["primary"],
        "coordinator": ["head"],
        "default": ["vw_on_demand"],
        "spot": ["vw_spot"],
    }
    assert all(
        0 < amount <= 0.01 for wanted in pins(settings).values() for amount in wanted.values()
    )


def test_the_document_shows_the_same_settings() -> None:
    assert shown_settings("docs/deploy.md") == shown_settings("cluster.yaml")


def test_the_head_has_room_for_what_coordinates(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"]["CPU"] >= 10 * shown_settings("cluster.yaml").coordinator_cpus
    assert not any("--num-cpus" in command for command in cluster["head_start_ray_commands"])


def test_nodes_of_virtual_warehouses_go_when_nobody_asks(workers: dict[str, Any]) -> None:
    assert workers["primary"]["min_workers"] == 1
    assert [kind["min_workers"] for name, kind in workers.items() if name != "primary"] == [0, 0]


def test_several_nodes_may_start_at_once_where_there_is_none(cluster: dict[str, Any]) -> None:
    """The second autoscaler starts `upscaling_speed` nodes of a type for each that runs, or one."""
    assert cluster["upscaling_speed"] >= max(
        kind.get("max_workers", 0) for kind in cluster["available_node_types"].values()
    )


def test_labels_are_ones_that_ray_takes(cluster: dict[str, Any]) -> None:
    from ray._private.label_utils import validate_node_label_syntax, validate_node_labels

    for kind in cluster["available_node_types"].values():
        validate_node_label_syntax(kind["labels"])
        validate_node_labels(kind["labels"])


def test_every_type_has_limits_that_fit_the_clusters(
    cluster: dict[str, Any], workers: dict[str, Any]
) -> None:
    for kind in workers.values():
        assert 0 <= kind["min_workers"] <= kind["max_workers"]
    assert sum(kind["max_workers"] for kind in workers.values()) <= cluster["max_workers"]

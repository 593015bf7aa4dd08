"""The Kubernetes files are ones that Ray and Kubernetes read as meant, and that fit the actors."""

from __future__ import annotations

import shlex
import tomllib
from typing import Any

import pytest
import yaml

from tests.unit.house.deployment import pins, shown_settings
from tests.unit.house.source_tree import text

FILE = "docs/deploy/kuberay.yaml"
KUBERNETES = "1.33"
# Of KubeRay's RayCluster, v1; the schema itself is large and in no package.
CLUSTER_FIELDS = {"rayVersion", "enableInTreeAutoscaling", "autoscalerOptions", "authOptions"}
GROUP_FIELDS = {"resources", "labels", "rayStartParams", "template"}
WORKER_FIELDS = GROUP_FIELDS | {"groupName", "replicas", "minReplicas", "maxReplicas"}


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text(FILE)))


@pytest.fixture(scope="module")
def cluster(documents: list[dict[str, Any]]) -> dict[str, Any]:
    [found] = [document for document in documents if document["kind"] == "RayCluster"]
    return found


@pytest.fixture(scope="module")
def groups(cluster: dict[str, Any]) -> dict[str, dict[str, Any]]:
    workers = {group["groupName"]: group for group in cluster["spec"]["workerGroupSpecs"]}
    return {"headgroup": cluster["spec"]["headGroupSpec"], **workers}


@pytest.fixture(scope="module")
def read_by_ray(cluster: dict[str, Any]) -> dict[str, Any]:
    """The node types as the autoscaler on the cluster makes them of the file."""
    from ray.autoscaler._private.kuberay.autoscaling_config import (
        _derive_autoscaling_config_from_ray_cr,
    )

    found: dict[str, Any] = _derive_autoscaling_config_from_ray_cr(cluster)
    return found


def test_groups_have_fields_that_the_operator_knows(
    cluster: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> None:
    own = {"headGroupSpec", "workerGroupSpecs"}
    assert cluster["apiVersion"] == "ray.io/v1"
    assert set(cluster["spec"]) == CLUSTER_FIELDS | own
    for name, group in groups.items():
        assert set(group) == (GROUP_FIELDS if name == "headgroup" else WORKER_FIELDS)
        # The operator refuses a group that says its resources or labels twice.
        assert not {"num-cpus", "memory", "resources", "labels"} & set(group["rayStartParams"])


def test_the_second_autoscaler_runs_and_pods_are_not_restarted_in_place(
    cluster: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> None:
    assert cluster["spec"]["enableInTreeAutoscaling"] is True
    assert cluster["spec"]["autoscalerOptions"]["version"] == "v2"
    for group in groups.values():
        assert group["template"]["spec"].get("restartPolicy", "Never") == "Never"


def test_ray_reads_the_resources_that_pin_actors(read_by_ray: dict[str, Any]) -> None:
    types = read_by_ray["available_node_types"]
    offered = {name: set(kind["resources"]) for name, kind in types.items()}
    found = {
        actor: [name for name, resources in offered.items() if set(wanted) <= resources]
        for actor, wanted in pins(shown_settings("cluster.yaml")).items()
    }
    assert found == {
        "primary": ["primary"],
        "coordinator": ["headgroup"],
        "default": ["vw-on-demand"],
        "spot": ["vw-spot"],
    }


def test_limits_and_labels_are_those_of_the_virtual_machines(read_by_ray: dict[str, Any]) -> None:
    machines = yaml.safe_load(text("cluster.yaml"))["available_node_types"]
    names = {"primary": "primary", "vw-on-demand": "vw_on_demand", "vw-spot": "vw_spot"}
    for name, other in names.items():
        kind, machine = read_by_ray["available_node_types"][name], machines[other]
        for key in ("min_workers", "max_workers", "labels"):
            assert kind[key] == machine[key], f"{name}: {key}"


def test_ray_is_promised_no_more_than_the_pod_has(groups: dict[str, dict[str, Any]]) -> None:
    for name, group in groups.items():
        limits = group["template"]["spec"]["containers"][0]["resources"]["limits"]
        requests = group["template"]["spec"]["containers"][0]["resources"]["requests"]
        assert limits == requests, name
        cpus = str(limits["cpu"])
        available = int(cpus[:-1]) / 1000 if cpus.endswith("m") else float(cpus)
        assert int(group["resources"]["CPU"]) <= available, name


def test_pods_on_spot_machines_tolerate_them_and_others_do_not(
    groups: dict[str, dict[str, Any]],
) -> None:
    tolerant = [
        name for name, group in groups.items() if "tolerations" in group["template"]["spec"]
    ]
    assert tolerant == ["vw-spot"]
    assert groups["vw-spot"]["template"]["spec"]["nodeSelector"]


def test_all_pods_run_the_same_image_and_ray_as_the_package(
    cluster: dict[str, Any], groups: dict[str, dict[str, Any]]
) -> None:
    images = {
        container["image"]
        for group in groups.values()
        for container in group["template"]["spec"]["containers"]
    }
    [image] = images
    assert image in text("docs/deploy/Dockerfile")
    machines = yaml.safe_load(text("cluster.yaml"))["docker"]["image"]
    assert f"FROM {machines}\n" in text("docs/deploy/Dockerfile")
    version = cluster["spec"]["rayVersion"]
    assert machines.startswith(f"rayproject/ray:{version}-")
    needed = tomllib.loads(text("pyproject.toml"))["project"]["dependencies"]
    assert [one for one in needed if one.startswith(f"ray[default]>={version[:4]},")]


def test_kubernetes_accepts_every_pod_and_the_service_account(
    documents: list[dict[str, Any]], groups: dict[str, dict[str, Any]]
) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    for document in documents:
        if not document["apiVersion"].startswith("ray.io/"):
            validate(document, KUBERNETES, strict=True)
    for name, group in groups.items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, **group["template"]}
        validate(pod, KUBERNETES, strict=True)


def test_kubernetes_would_notice_a_mistake(groups: dict[str, dict[str, Any]]) -> None:
    package = pytest.importorskip("kubernetes_validate")
    spec = {**groups["headgroup"]["template"]["spec"], "serviceAcountName": "mobula"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "head"}, "spec": spec}
    with pytest.raises(package.ValidationError, match="serviceAcountName"):
        package.validate(pod, KUBERNETES, strict=True)


def test_the_job_runs_on_this_cluster_with_arguments_that_the_job_knows(
    cluster: dict[str, Any],
) -> None:
    from jobs import load

    job = yaml.safe_load(text("docs/deploy/rayjob.yaml"))
    assert job["metadata"]["namespace"] == cluster["metadata"]["namespace"]
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    python, module, name, *arguments = shlex.split(job["spec"]["entrypoint"])
    assert (python, module, name) == ("python", "-m", "jobs.load")
    assert load._parser().parse_args(arguments).table == "orders"

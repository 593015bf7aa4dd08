"""Ray's real autoscaler over nodes that are processes of this machine, private and gone afterwards.

    with autoscaling_cluster(version=2) as cluster:
        timeline = cluster.drive("tests.cluster.autoscaling_scenarios:demand", rounds=2)

The autoscaler, the demand that it sees and the nodes' raylets are Ray's own; only the provider that
"launches" a node is Ray's fake one, named as an external provider because Ray's package lacks the
example file that its test class reads. Scenarios run in a process of their own, since the process
of the tests may be connected to another cluster.

The head runs under `keeper`, which ends it and every node with all their processes, and nothing
else.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ray_cluster import private_token, ray_directory

__all__ = ["HEAD", "NODE_TYPES", "AutoscalingCluster", "autoscaling_cluster", "needs_linux"]

HEAD: Mapping[str, int] = {"CPU": 4, "head": 1}
"""Room for the primary, coordinators and the broker."""

NODE_TYPES: Mapping[str, Mapping[str, Any]] = {
    "vw_on_demand": {
        "resources": {"CPU": 2, "vw": 1},
        "labels": {"mobula.io/market": "on-demand"},
        "node_config": {},
        "min_workers": 0,
        "max_workers": 4,
    },
    "vw_spot": {
        "resources": {"CPU": 2, "vw_spot": 1},
        "labels": {"mobula.io/market": "spot"},
        "node_config": {},
        "min_workers": 0,
        "max_workers": 4,
    },
}

REPOSITORY = Path(__file__).parents[1]
OBJECT_STORE_BYTES = 100 << 20
START_S = 60.0
END_S = 30.0
SCENARIO_S = 240.0

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="tests/keeper.py needs Linux")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingCluster:
    """Where the cluster is. `environment` is complete, for processes that shall use it."""

    address: str
    version: int
    environment: Mapping[str, str]

    def drive(self, scenario: str, **arguments: Any) -> Any:
        """Run a function in a process that is connected to the cluster.

        Args:
            scenario: `module:function`; its arguments and what it returns are JSON.
        """
        done = subprocess.run(
            [sys.executable, "-m", "tests.autoscaling_driver", scenario, json.dumps(arguments)],
            cwd=REPOSITORY,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            timeout=SCENARIO_S,
            check=False,
        )
        printed, _, result = done.stdout.rstrip("\n").rpartition("\n")
        sys.stdout.write(f"autoscaler v{self.version}\n{printed}\n")
        if done.returncode != 0:
            pytest.fail(f"{scenario} failed:\n{done.stdout}\n{done.stderr}", pytrace=False)
        return json.loads(result)


@contextlib.contextmanager
def autoscaling_cluster(
    *,
    version: int,
    head: Mapping[str, int] = HEAD,
    node_types: Mapping[str, Mapping[str, Any]] = NODE_TYPES,
    idle_s: float = 3.0,
) -> Iterator[AutoscalingCluster]:
    """A head whose autoscaler adds and removes nodes of these types. Afterwards no process is left.

    Args:
        version: of the autoscaler, 1 or 2.
        idle_s: how long a node is idle before it is taken away.
    """
    directory = ray_directory()
    try:
        address = f"{_own_address()}:{_free_port()}"
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("RAY_")},
            **private_token(directory),
            "RAY_ADDRESS": address,
            # every node would else reserve 30 % of the machine
            "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(OBJECT_STORE_BYTES),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        configuration = directory / "autoscaler.json"
        configuration.write_text(
            json.dumps(_configuration(version, address, head, node_types, idle_s)), "utf-8"
        )
        command = _start_command(address, head, configuration, directory)
        with _kept(command, {**environment, **_head_environment(version)}, directory):
            yield AutoscalingCluster(address=address, version=version, environment=environment)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _configuration(
    version: int,
    address: str,
    head: Mapping[str, int],
    node_types: Mapping[str, Mapping[str, Any]],
    idle_s: float,
) -> dict[str, Any]:
    """What `ray up` would have written to the head."""
    from ray.autoscaler._private.fake_multi_node.node_provider import (
        FAKE_HEAD_NODE_ID,
        FAKE_HEAD_NODE_TYPE,
    )

    provider: dict[str, Any] = {
        "type": "external",
        "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
        "gcs_address": address,
        "use_node_id_as_ip": True,
        "disable_node_updaters": True,
        "disable_launch_config_check": True,
    }
    if version == 2:
        provider |= {"launch_multiple": True, "head_node_id": FAKE_HEAD_NODE_ID}
    head_type = {"resources": dict(head), "node_config": {}, "max_workers": 0}
    return {
        "cluster_name": "mobula-test",
        "provider": provider,
        "max_workers": sum(kind["max_workers"] for kind in node_types.values()),
        "upscaling_speed": 20.0,
        "idle_timeout_minutes": idle_s / 60,
        "head_node_type": FAKE_HEAD_NODE_TYPE,
        "available_node_types": {**node_types, FAKE_HEAD_NODE_TYPE: head_type},
        "auth": {},
        "docker": {},
        "file_mounts": {},
        "file_mounts_sync_continuously": False,
        "cluster_synced_files": [],
        "initialization_commands": [],
        "setup_commands": [],
        "head_setup_commands": [],
        "worker_setup_commands": [],
        "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
    }


def _head_environment(version: int) -> dict[str, str]:
    from ray.autoscaler._private.fake_multi_node.node_provider import FAKE_HEAD_NODE_ID

    chosen = {"AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1"}
    if version == 2:
        chosen |= {
            "RAY_enable_autoscaler_v2": "1",
            "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID,
        }
    return chosen


def _start_command(
    address: str, head: Mapping[str, int], configuration: Path, directory: Path
) -> list[str]:
    others = {name: amount for name, amount in head.items() if name != "CPU"}
    return [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head"),
        f"--port={address.rpartition(':')[2]}",
        f"--num-cpus={head['CPU']}",
        f"--resources={json.dumps(others)}",
        f"--autoscaling-config={configuration}",
        f"--temp-dir={directory}",
        f"--ray-client-server-port={_free_port()}",
        "--include-dashboard=false",
        "--dashboard-agent-listen-port=0",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--disable-usage-stats",
    ]


@contextlib.contextmanager
def _kept(command: list[str], environment: Mapping[str, str], directory: Path) -> Iterator[None]:
    """What the command starts runs in this scope, and is ended to the last process after it."""
    log = directory / "start.log"
    with log.open("wb") as errors:
        keeper = subprocess.Popen(
            [sys.executable, str(REPOSITORY / "tests" / "keeper.py"), *command],
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    try:
        if keeper.stdout.readline() != "started\n":
            raise RuntimeError(f"the cluster did not start: {log.read_text('utf-8')}")
        yield
    finally:
        keeper.stdin.close()
        code = keeper.wait(END_S)
        keeper.stdout.close()
        assert code == 0, f"processes are left, or the start failed ({code})"


def _own_address() -> str:
    import ray

    return str(ray.util.get_node_ip_address())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])

"""One Ray cluster for all tests of a run that ask for it: private, small, gone afterwards.

    @pytest.mark.ray
    def test_something(ray_cluster: RayCluster) -> None: ...

This process is connected to it. Other processes find it through `ray_cluster.environment`. Its CPUs
are logical, so that a primary and some virtual warehouses fit on any machine; its token is its own,
so that no other cluster on the machine is disturbed, and `address="auto"` without that environment
does not get in.

Ray reads RAY_AUTH_MODE when it is imported. So the token is made when pytest is configured, before
any test module; making it costs nothing where no test wants Ray.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["RayCluster", "private_token", "ray_cluster", "ray_directory"]

CPUS = 8
OBJECT_STORE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """Where the cluster is. `environment` is complete, for subprocesses that shall use it."""

    address: str
    environment: dict[str, str]


def pytest_configure(config: pytest.Config) -> None:
    """Make every Ray of this run, and of its subprocesses, use a token of its own."""
    directory = ray_directory()
    patch = pytest.MonkeyPatch()
    patch.delenv("RAY_ADDRESS", raising=False)
    for name, value in private_token(directory).items():
        patch.setenv(name, value)
    config.add_cleanup(patch.undo)
    config.add_cleanup(lambda: shutil.rmtree(directory, ignore_errors=True))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[RayCluster]:
    """The cluster; this process is its driver."""
    import ray

    directory = ray_directory()
    try:
        context = ray.init(
            address="local",
            num_cpus=CPUS,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=OBJECT_STORE_BYTES,
            _temp_dir=str(directory),
        )
        address = context.address_info["gcs_address"]
        yield RayCluster(address=address, environment={**os.environ, "RAY_ADDRESS": address})
    finally:
        ray.shutdown()
        shutil.rmtree(directory, ignore_errors=True)


def ray_directory() -> Path:
    """A directory for one cluster, with a path short enough for the sockets in it."""
    return Path(tempfile.mkdtemp(prefix="mobula-ray-", dir="/tmp"))


def private_token(directory: Path) -> dict[str, str]:
    """A token of one cluster's own, and the environment that makes processes use it."""
    path = directory / "token"
    path.write_text(secrets.token_hex(32), encoding="ascii")
    path.chmod(0o600)
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(path)}

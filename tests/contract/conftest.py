"""Every object store there is, for the one suite that all of them must pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from storage.clock import SystemClock
from storage.objects import LocalStore, MemoryStore, ObjectStore, open_store
from tests.s3_server import S3Server, moto_server, real_server
from tests.simulation.disk import SimulatedDisk

MakeStore = Callable[[], ObjectStore]
BUCKET = "mobula-contract"


@pytest.fixture(scope="session")
def moto() -> Iterator[S3Server]:
    with moto_server() as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture(scope="session")
def real() -> S3Server:
    server = real_server()
    if server is None:
        pytest.skip("MOBULA_TEST_S3_ENDPOINT is not set")
    server.make_bucket(BUCKET)
    return server


def s3_store(server: S3Server) -> ObjectStore:
    """A store over a prefix that nobody else uses."""
    return open_store(f"s3://{BUCKET}/{uuid4().hex}/root", server.options(), clock=SystemClock())


@pytest.fixture(params=["memory", "directory", "directory-simulated", "s3-moto", "s3-real"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """An empty store; its event loop is the one of the test's only `run`."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "directory":
        return open_store(f"file://{tmp_path}/a/root", None, clock=SystemClock())
    if request.param == "directory-simulated":
        return LocalStore(Path("/a/root"), disk=SimulatedDisk().mount("one"))
    return s3_store(request.getfixturevalue(request.param.removeprefix("s3-")))


@pytest.fixture(params=["moto", "real"])
def s3_server(request: pytest.FixtureRequest) -> S3Server:
    """Each S3 server, for what only S3 has."""
    server: S3Server = request.getfixturevalue(request.param)
    return server

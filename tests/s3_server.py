"""S3 servers for tests: moto in a process of its own, or a real one named by the environment.

    with moto_server() as server:
        server.make_bucket("trial")
        store = open_store("s3://trial/root", server.options(), clock=SystemClock())

moto listens on a real TCP port of the loopback, so cluster tests reach it from every process. A
real server is used where MOBULA_TEST_S3_ENDPOINT, MOBULA_TEST_S3_KEY and MOBULA_TEST_S3_SECRET are
set.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from storage.objects import StoreOptions

__all__ = ["S3Server", "free_port", "moto_server", "real_server"]

_START_S_MAX = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """Where a server listens, and who may enter."""

    endpoint_url: str
    key: str = "test"
    secret: str = "test"
    region: str = "us-east-1"

    def options(self, *, retry_budget_ms: int = 30_000) -> StoreOptions:
        """What a store needs to reach it."""
        return StoreOptions(
            endpoint_url=self.endpoint_url,
            key=self.key,
            secret=self.secret,
            region=self.region,
            retry_budget_ms=retry_budget_ms,
        )

    def environment(self) -> dict[str, str]:
        """The variables that tell another process the same."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }

    def make_bucket(self, bucket: str) -> None:
        """Make the bucket unless it is there."""
        import boto3  # type: ignore[import-untyped]

        client = boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=self.region,
        )
        try:
            if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
                client.create_bucket(Bucket=bucket)
        finally:
            client.close()


def free_port() -> int:
    """A TCP port of the loopback that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def moto_server() -> Iterator[S3Server]:
    """moto in a process of its own, empty, ended with the block."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        server = S3Server(endpoint_url=f"http://127.0.0.1:{port}")
        _wait_until_it_answers(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=10)


def real_server() -> S3Server | None:
    """The server that the environment names, or None."""
    endpoint = os.environ.get("MOBULA_TEST_S3_ENDPOINT")
    if not endpoint:
        return None
    return S3Server(
        endpoint_url=endpoint,
        key=os.environ["MOBULA_TEST_S3_KEY"],
        secret=os.environ["MOBULA_TEST_S3_SECRET"],
    )


def _wait_until_it_answers(server: S3Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"moto ended with code {process.returncode} before it answered")
        try:
            with urllib.request.urlopen(f"{server.endpoint_url}/moto-api/", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"moto did not answer at {server.endpoint_url} in {_START_S_MAX:.0f} s")

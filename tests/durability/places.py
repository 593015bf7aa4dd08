"""Where a database is while its writer is killed: a directory, moto, or a real S3 server, through a
proxy that fails (`proxy.py`) or without.

On S3 the lease is short, because a successor waits for as long as that, and so is the time that a
request may take: a stalled one lasts a little longer.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from storage.ids import RandomIds
from storage.objects import StoreOptions
from tests.durability.proxy import Fault, Proxy, Waits, running_proxy, seeded
from tests.s3_server import S3Server, moto_server, real_server

__all__ = ["KINDS_OF_ROOT", "Place", "place_of"]

KINDS_OF_ROOT = ("directory", "moto", "real")
BUCKET = "mobula-durability"
LEASE_MS = 1_000  # on S3; 10 s by default
READ_TIMEOUT_MS = 1_000
STALL_S = 1.5

FAULTS: Mapping[Fault, float] = {
    Fault.DROP: 0.02,
    Fault.LOSE_REPLY: 0.03,
    Fault.CUT_REPLY: 0.02,
    Fault.DELAY_REQUEST: 0.04,
    Fault.DELAY_REPLY: 0.04,
    Fault.STALL_REQUEST: 0.003,
    Fault.STALL_REPLY: 0.003,
    Fault.SLOW_DOWN: 0.02,
    Fault.CONFLICT: 0.02,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the database is.

    Attributes:
        options: for the audit, which nothing disturbs.
        disturbed: for writer and reader.
    """

    kind: str
    root: str
    options: StoreOptions
    disturbed: StoreOptions
    lease_ms: int

    @property
    def on_s3(self) -> bool:
        """No file lock says that a writer is dead: its successor waits for the lease."""
        return self.kind != "directory"


def directory_place(directory: str) -> Place:
    """A database in a directory."""
    return Place(
        kind="directory",
        root=f"{directory}/db",
        options=StoreOptions(),
        disturbed=StoreOptions(),
        lease_ms=10_000,
    )


def s3_place(kind: str, server: S3Server, proxy: Proxy | None) -> Place:
    """A prefix that nobody else uses."""
    server.make_bucket(BUCKET)
    options = server.options()
    endpoint = server.endpoint_url if proxy is None else proxy.url
    return Place(
        kind=kind,
        root=f"s3://{BUCKET}/{RandomIds().new()}",
        options=options,
        disturbed=replace(options, endpoint_url=endpoint, read_timeout_ms=READ_TIMEOUT_MS),
        lease_ms=LEASE_MS,
    )


@contextmanager
def place_of(
    kind: str, seed: int, *, proxied: bool, kept: str | None = None
) -> Iterator[tuple[Place, Proxy | None]]:
    """The place of a run, and the proxy in front of it.

    Args: kept: a directory to use, which stays; else one that is gone afterwards.
    """
    with ExitStack() as stack:
        if kind == "directory":
            directory = kept or stack.enter_context(tempfile.TemporaryDirectory())
            yield directory_place(directory), None
            return
        server = stack.enter_context(moto_server()) if kind == "moto" else real_server()
        if server is None:
            raise SystemExit("set MOBULA_TEST_S3_ENDPOINT, …_KEY and …_SECRET")
        proxy = None
        if proxied:
            source = random.Random(seed)
            waits = Waits(stall_s=STALL_S)
            proxy = stack.enter_context(
                running_proxy(
                    server.endpoint_url, seeded(source, FAULTS), waits=waits, source=source
                )
            )
        yield s3_place(kind, server, proxy), proxy

"""Where the fleet's processes run, as a protocol: on a Ray cluster, or in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from actors.fleet.port import CoordinatorHandle
from actors.fleet.shapes import Shape
from actors.observed import Observed

__all__ = ["FoundProcess", "Host"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundProcess:
    """A process that runs already when the fleet begins.

    `warehouse`: that it leads, or is lent to; empty: neither.
    """

    id: str
    shape: Shape
    handle: Any
    pid: int
    warehouse: str = ""


class Host(Protocol):
    """Starts, watches and ends processes. A handle is whatever `start` returns."""

    def start(self, id: str, shape: Shape) -> Any:  # noqa: A002
        """Begin to start a process; returns at once."""
        ...

    async def ready(self, handle: Any) -> int:
        """Its process id, once it can be used. Raises if it cannot be started."""
        ...

    async def gone(self, handle: Any) -> None:
        """Return once the process is gone."""
        ...

    def kill(self, handle: Any) -> None:
        """End the process at once, started or not."""
        ...

    async def lend(self, handle: Any, warehouse: str) -> None:
        """Tell a worker whose it is; empty: nobody's. Raises WorkerLost."""
        ...

    async def busy(self, handle: Any) -> bool:
        """Whether a worker works on a fragment. Raises WorkerLost."""
        ...

    def coordinator(self, handle: Any) -> CoordinatorHandle: ...

    async def found(self) -> list[FoundProcess]:
        """The processes that an earlier fleet of this database has started."""
        ...

    async def observed_by_primary(self, kind: str) -> Sequence[Observed]:
        """What the primary has to show (`PrimaryService.observed`), if it runs."""
        ...

    async def nodes(self, bundles: Sequence[Mapping[str, float]]) -> None:
        """Wish nodes with room for these resources, all at a time."""
        ...

    def bundle(self, shape: Shape) -> Mapping[str, float]:
        """What a process of this shape takes of its node."""
        ...

    async def supply(self) -> str:
        """What the cluster has, in words."""
        ...

"""Opening the database that a command works on, on the engine that it should run on.

Commands that only read the catalogue or the log run in this process: they need no Ray. The others
run on Ray where a cluster is there to be used, since that is where a primary would be found, else
in this process. A cluster is never started for the length of one command.
"""

from __future__ import annotations

import enum
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import typer

from actors.settings import Settings
from storage.errors import InvalidRequest, Unavailable
from warehouse.database import Database, connect
from warehouse.settings_file import read_settings

__all__ = ["Engine", "EngineChoice", "Session", "fold_name", "join_cluster"]

ADDRESS_VARIABLE = "RAY_ADDRESS"
PROBE_S = 3.0


class Engine(enum.StrEnum):
    """Where the primary and the virtual warehouses of a command run."""

    ray = "ray"
    local = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """The engine, and why it is that one."""

    engine: Engine
    reason: str


def join_cluster() -> str | None:
    """Connect this process to the Ray cluster that RAY_ADDRESS names or this machine runs.

    Returns: why there is none to use, or None when connected.
    """
    import ray

    if ray.is_initialized():
        return None
    if (silent := _silence(os.environ.get(ADDRESS_VARIABLE, ""))) is not None:
        return silent
    try:
        ray.init(address="auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        return str(error).strip().split("\n")[0]
    return None


def _silence(address: str) -> str | None:
    """Why nothing listens at `host:port`, or None. Ray itself takes 80 s to notice."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit()) or "/" in host:
        return None
    try:
        socket.create_connection((host, int(port)), timeout=PROBE_S).close()
    except OSError as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The options of one call of `mobula`.

    Attributes:
        settings: a file of them.
        join: returns why there is no Ray, or None.
    """

    asked: Engine | None = None
    settings: Path | None = None
    join: Callable[[], str | None] = join_cluster

    @classmethod
    def of(cls, context: typer.Context) -> Session:
        """The session that the command line's first part made."""
        found = context.find_object(cls)
        assert found is not None
        return found

    def choose(self) -> EngineChoice:
        """The engine to run on.

        Raises:
            Unavailable: Ray was asked for, by --engine or RAY_ADDRESS, and is not there.
        """
        address = os.environ.get(ADDRESS_VARIABLE)
        if self.asked is Engine.local:
            return EngineChoice(engine=Engine.local, reason="asked for")
        missing = self.join()
        if missing is None:
            reason = "asked for" if self.asked else "a Ray cluster is reachable"
            return EngineChoice(engine=Engine.ray, reason=reason)
        if self.asked is Engine.ray or address:
            raise Unavailable(
                f"no Ray cluster at {address or 'this machine'} ({missing}); start one with "
                "`ray start --head`, set RAY_ADDRESS, or say --engine local"
            )
        return EngineChoice(engine=Engine.local, reason="no Ray cluster is reachable")

    def open(self, root: str, *, create: bool = False) -> Database:
        """The database, for a command that may write or compute."""
        return connect(root, engine=self.choose().engine, create=create, settings=self._settings())

    def open_to_read(self, root: str) -> Database:
        """The database, for a command that reads catalogue and log; nothing is created."""
        return connect(root, engine="local", create=False, settings=self._settings())

    def _settings(self) -> Settings | None:
        return None if self.settings is None else read_settings(self.settings)


def fold_name(name: str) -> str:
    """`table` or `schema.table` as SQL reads it: in lower case, unless in double quotes."""
    parts = [
        part[1:-1] if len(part) > 2 and part[0] == part[-1] == '"' else part.lower()
        for part in name.split(".")
    ]
    if len(parts) > 2 or not all(parts):
        raise InvalidRequest(f"table name {name!r}: expected table or schema.table")
    return ".".join(parts)

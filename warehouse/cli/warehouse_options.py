"""The options of `mobula vw create` and `alter`: texts, read as SQL reads the values of options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from storage.errors import InvalidRequest
from warehouse.syntax.warehouse_options import option_named

__all__ = [
    "AutoResume",
    "AutoSuspend",
    "Cache",
    "Comment",
    "Concurrency",
    "Cpus",
    "MaxClusters",
    "MaxQueued",
    "Memory",
    "MinClusters",
    "NodeType",
    "Policy",
    "QueueTimeout",
    "Size",
    "StatementTimeout",
    "fields_of",
    "settings_of",
]


def _option(name: str, meaning: str, metavar: str, default: str) -> Any:
    return typer.Option(f"--{name}", metavar=metavar, help=meaning, show_default=default)


Size = Annotated[
    str | None,
    _option("size", "Workers per cluster: a number, or xsmall (1), small (2), medium …", "N", "1"),
]
Cpus = Annotated[str | None, _option("worker-cpus", "CPUs of each worker.", "N", "1")]
Memory = Annotated[
    str | None,
    _option("worker-memory", "Of each worker: 4GB, or none for no limit.", "SIZE", "none"),
]
Cache = Annotated[
    str | None, _option("cache", "File cache of each worker: 10GB, 512MB.", "SIZE", "4GB")
]
MinClusters = Annotated[
    str | None, _option("min-clusters", "Clusters while it is awake, at least.", "N", "1")
]
MaxClusters = Annotated[str | None, _option("max-clusters", "And at most.", "N", "1")]
Policy = Annotated[
    str | None,
    _option(
        "scaling-policy",
        "standard adds a cluster when queries wait, economy when one more would be kept busy.",
        "POLICY",
        "standard",
    ),
]
AutoSuspend = Annotated[
    str | None,
    _option(
        "auto-suspend",
        "Give the workers back after so long without a query: seconds, 10min, never.",
        "TIME",
        "10min",
    ),
]
AutoResume = Annotated[
    bool | None,
    typer.Option(
        "--auto-resume/--no-auto-resume",
        show_default="--auto-resume",
        help="A query wakes it.",
    ),
]
Concurrency = Annotated[
    str | None,
    _option(
        "max-concurrency",
        "Queries that a cluster runs at a time; none for one per worker.",
        "N",
        "none",
    ),
]
StatementTimeout = Annotated[
    str | None, _option("statement-timeout", "Of each query: 30s, 5min, none.", "TIME", "none")
]
QueueTimeout = Annotated[
    str | None,
    _option("queue-timeout", "Of its waiting for a worker: 30s, 5min, none.", "TIME", "none"),
]
MaxQueued = Annotated[
    str | None, _option("max-queued", "Queries that may wait; more are refused.", "N", "1000")
]
NodeType = Annotated[str | None, _option("node-type", "Where the workers run.", "NAME", "default")]
Comment = Annotated[str | None, _option("comment", "A text to remember it by.", "TEXT", "none")]


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by field of those options that were given; names with `_` as SQL has them.

    Raises InvalidRequest: a value does not read.
    """
    found = {}
    for name, raw in given.items():
        option = option_named(name)
        if option is None or raw is None:
            continue
        try:
            found[option.field] = option.read(raw)
        except InvalidRequest as error:
            told = name.replace("_", "-")
            raise InvalidRequest(f"--{told}: {error.message}", error.sqlstate) from None
    return found


def fields_of(names: list[str]) -> list[str]:
    """The fields of options by their names, with `-` or `_`. Raises InvalidRequest: unknown."""
    found = []
    for name in names:
        option = option_named(name.lower().replace("-", "_"))
        if option is None:
            raise InvalidRequest(f"--unset {name}: virtual warehouses have no such option", "42704")
        found.append(option.field)
    return found

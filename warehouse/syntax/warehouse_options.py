"""The options of virtual warehouses: their names in SQL, how their values are read, their defaults.

They are the fields of the catalogue's `VirtualWarehouse`. SQL, Python and the command line share
this table; which values make sense is the primary's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from storage.snapshot.changes import VirtualWarehouse
from warehouse.syntax.quantities import (
    Raw,
    read_bytes,
    read_count,
    read_number,
    read_seconds,
    read_text,
    read_truth,
    read_workers,
)

__all__ = [
    "AUTO_SUSPEND_S",
    "CACHE_BYTES",
    "INITIALLY_SUSPENDED",
    "OPTIONS",
    "WarehouseOption",
    "default_of",
    "option_named",
]

AUTO_SUSPEND_S = 600
CACHE_BYTES = 4 << 30
INITIALLY_SUSPENDED = "initially_suspended"  # of CREATE only: no field of the catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseOption:
    """One option: the field that it sets, its names in SQL, and how its value is read."""

    field: str
    names: tuple[str, ...]
    read: Callable[[Raw], Any]


def _policy(raw: Raw) -> str:
    return str(raw).lower()


OPTIONS = tuple(
    WarehouseOption(field=field, names=names, read=read)
    for field, names, read in (
        ("size", ("size", "warehouse_size"), read_workers),
        ("worker_cpus", ("worker_cpus",), read_number),
        ("worker_memory_bytes", ("worker_memory", "worker_memory_bytes"), read_bytes),
        ("cache_bytes", ("cache", "cache_bytes"), read_bytes),
        ("min_clusters", ("min_clusters", "min_cluster_count"), read_count),
        ("max_clusters", ("max_clusters", "max_cluster_count"), read_count),
        ("scaling_policy", ("scaling_policy",), _policy),
        ("auto_suspend_s", ("auto_suspend", "auto_suspend_s"), read_seconds),
        ("auto_resume", ("auto_resume",), read_truth),
        ("max_concurrency", ("max_concurrency", "max_concurrency_level"), read_count),
        (
            "statement_timeout_s",
            ("statement_timeout", "statement_timeout_s", "statement_timeout_in_seconds"),
            read_seconds,
        ),
        (
            "queue_timeout_s",
            ("queue_timeout", "queue_timeout_s", "statement_queued_timeout_in_seconds"),
            read_seconds,
        ),
        ("max_queued", ("max_queued",), read_count),
        ("node_type", ("node_type",), read_text),
        ("comment", ("comment",), read_text),
        (INITIALLY_SUSPENDED, (INITIALLY_SUSPENDED,), read_truth),
    )
)
_BY_NAME = {name: option for option in OPTIONS for name in option.names}
_DEFAULTS: Mapping[str, Any] = {
    **{
        name: getattr(
            VirtualWarehouse(name="", size=1, worker_cpus=1.0, cache_bytes=CACHE_BYTES), name
        )
        for name in VirtualWarehouse.__struct_fields__
        if name != "name"
    },
    "auto_suspend_s": AUTO_SUSPEND_S,
}


def option_named(name: str) -> WarehouseOption | None:
    """The option of one of its names, in lower case."""
    return _BY_NAME.get(name)


def default_of(field: str) -> Any:
    """What a new virtual warehouse has where nothing is said."""
    return _DEFAULTS[field]

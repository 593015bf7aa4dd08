"""The rules of `resolve` for virtual warehouses: their settings, and which of them make sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from actors.operations import AlterWarehouse, DropWarehouse, NewWarehouse
from actors.primary.resolved import Resolved
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.snapshot import changes as c
from storage.snapshot.model import Snapshot

__all__ = ["alter", "checked", "create", "drop", "find_warehouse"]

NAME_CHARACTERS_MAX = 63
POLICIES = ("standard", "economy")
WORKERS_MAX = 1024
CLUSTERS_MAX = 100
QUEUED_MAX = 1_000_000
SECONDS_MAX = 366 * 86_400
MEBIBYTE = 1 << 20
WORKER_MEMORY_MIN = 256 * MEBIBYTE


def create(operation: NewWarehouse, snapshot: Snapshot, lsn: int) -> Resolved:
    """A new virtual warehouse. Raises InvalidRequest: it is there, or a setting is out of range."""
    warehouse = checked(operation.warehouse)
    if warehouse.name in snapshot.virtual_warehouses:
        if operation.if_not_exists:
            return Resolved(kind="create_virtual_warehouse")
        raise InvalidRequest(f"virtual warehouse {warehouse.name} exists already", "42710")
    return Resolved(
        kind="create_virtual_warehouse",
        catalogue=(c.CreateVirtualWarehouse(warehouse=warehouse),),
    )


def alter(operation: AlterWarehouse, snapshot: Snapshot, lsn: int) -> Resolved:
    """Other settings. Raises UnknownObject; InvalidRequest: there is no such setting, or its value
    is out of range."""
    if operation.if_exists and operation.name not in snapshot.virtual_warehouses:
        return Resolved(kind="alter_virtual_warehouse")
    found = find_warehouse(operation.name, snapshot)
    known = [field for field in c.VirtualWarehouse.__struct_fields__ if field != "name"]
    for name in operation.changes:
        if name not in known:
            raise InvalidRequest(
                f"virtual warehouse {operation.name}: there is no setting {name}"
                f"{nearest(name, known)}",
                "42704",
            )
    changed = checked(msgspec.structs.replace(found, **operation.changes))
    if changed == found:
        return Resolved(kind="alter_virtual_warehouse")
    return Resolved(
        kind="alter_virtual_warehouse", catalogue=(c.AlterVirtualWarehouse(warehouse=changed),)
    )


def drop(operation: DropWarehouse, snapshot: Snapshot, lsn: int) -> Resolved:
    """Remove one. Raises UnknownObject."""
    if operation.if_exists and operation.name not in snapshot.virtual_warehouses:
        return Resolved(kind="drop_virtual_warehouse")
    found = find_warehouse(operation.name, snapshot)
    return Resolved(
        kind="drop_virtual_warehouse", catalogue=(c.DropVirtualWarehouse(name=found.name),)
    )


def find_warehouse(name: str, snapshot: Snapshot) -> c.VirtualWarehouse:
    """The settings of a virtual warehouse. Raises UnknownObject, with the nearest name."""
    found = snapshot.virtual_warehouses.get(name)
    if found is None:
        hint = nearest(name, snapshot.virtual_warehouses)
        raise UnknownObject(f"virtual warehouse {name} does not exist{hint}")
    return found


# --- ranges ---------------------------------------------------------------------------------------


def checked(warehouse: c.VirtualWarehouse) -> c.VirtualWarehouse:
    """The same, once every setting is in range. Raises InvalidRequest (22023; 42602: the name)."""
    name = warehouse.name
    plain = name.replace("_", "").replace("-", "") if isinstance(name, str) else ""
    if not (plain.isascii() and plain.isalnum() and len(name) <= NAME_CHARACTERS_MAX):
        raise InvalidRequest(
            f"virtual warehouse {name!r}: a name is 1 to {NAME_CHARACTERS_MAX} letters, digits, "
            "'_' and '-'",
            "42602",
        )
    for setting, (good, expected) in _RANGES.items():
        value = getattr(warehouse, setting)
        if not good(value):
            raise _out_of_range(name, setting, value, expected)
    if warehouse.min_clusters > warehouse.max_clusters:
        raise _out_of_range(
            name, "min_clusters", warehouse.min_clusters, f"at most max_clusters, which is "
            f"{warehouse.max_clusters}"
        )  # fmt: skip
    if (warehouse.max_concurrency or 0) > warehouse.size:
        raise _out_of_range(
            name, "max_concurrency", warehouse.max_concurrency, "at most size, which is "
            f"{warehouse.size}: a worker runs one query at a time"
        )  # fmt: skip
    return warehouse


def _out_of_range(name: str, setting: str, value: object, expected: str) -> InvalidRequest:
    return InvalidRequest(
        f"virtual warehouse {name}: {setting} is {value!r}; expected {expected}", "22023"
    )


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _number(above: float, high: float) -> Callable[[Any], bool]:
    def good(value: Any) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and above < value <= high  # which NaN is not

    return good


def _or_none(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or good(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= NAME_CHARACTERS_MAX


_SECONDS = "seconds above 0 up to a year, or none"
_RANGES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "size": (_whole(1, WORKERS_MAX), f"1 to {WORKERS_MAX} workers"),
    "worker_cpus": (_number(0, 1024), "CPUs above 0 up to 1024"),
    "cache_bytes": (_whole(MEBIBYTE, 1 << 50), "at least 1 MiB"),
    "min_clusters": (_whole(1, CLUSTERS_MAX), f"1 to {CLUSTERS_MAX}"),
    "max_clusters": (_whole(1, CLUSTERS_MAX), f"1 to {CLUSTERS_MAX}"),
    "scaling_policy": (lambda value: value in POLICIES, " or ".join(POLICIES)),
    "auto_suspend_s": (
        _or_none(_whole(1, SECONDS_MAX)),
        "whole seconds from 1 up to a year, or none: never",
    ),
    "worker_memory_bytes": (
        _or_none(_whole(WORKER_MEMORY_MIN, 1 << 50)),
        f"at least {WORKER_MEMORY_MIN // MEBIBYTE} MiB, or none",
    ),
    "node_type": (_text, "the name of a node type"),
    "max_concurrency": (_or_none(_whole(1, WORKERS_MAX)), "at least 1, or none: one per worker"),
    "auto_resume": (lambda value: isinstance(value, bool), "true or false"),
    "statement_timeout_s": (_or_none(_number(0, SECONDS_MAX)), _SECONDS),
    "queue_timeout_s": (_or_none(_number(0, SECONDS_MAX)), _SECONDS),
    "max_queued": (_whole(0, QUEUED_MAX), f"0 to {QUEUED_MAX}"),
    "comment": (_or_none(lambda value: isinstance(value, str)), "a text, or none"),
}

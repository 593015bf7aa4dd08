"""Mobula, as users import it.

import warehouse
db = warehouse.connect("s3://bucket/prefix")

A name is loaded when it is first asked for: workers load packages of this one, and neither the
planner nor what users see.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.settings import NodeType, RaySettings, Settings
    from storage.errors import (
        Cancelled,
        Conflict,
        CorruptData,
        Fenced,
        InternalError,
        InvalidRequest,
        MobulaError,
        NotYet,
        OutOfMemory,
        SqlSyntaxError,
        Unavailable,
        UnknownObject,
    )
    from storage.objects import StoreOptions
    from storage.snapshot.model import IngestToken
    from warehouse.database import Database, connect
    from warehouse.result import Commit, Result
    from warehouse.stream import RowStream
    from warehouse.table import Table
    from warehouse.transaction import TransactionScope
    from warehouse.values import Interval
    from warehouse.virtual_warehouse import VirtualWarehouse

__all__ = [
    "Cancelled",
    "Commit",
    "Conflict",
    "CorruptData",
    "Database",
    "Fenced",
    "IngestToken",
    "InternalError",
    "Interval",
    "InvalidRequest",
    "MobulaError",
    "NodeType",
    "NotYet",
    "OutOfMemory",
    "RaySettings",
    "Result",
    "RowStream",
    "Settings",
    "SqlSyntaxError",
    "StoreOptions",
    "Table",
    "TransactionScope",
    "Unavailable",
    "UnknownObject",
    "VirtualWarehouse",
    "connect",
]

_HOMES = {
    "Commit": "warehouse.result",
    "Database": "warehouse.database",
    "IngestToken": "storage.snapshot.model",
    "Interval": "warehouse.values",
    "NodeType": "actors.settings",
    "RaySettings": "actors.settings",
    "Result": "warehouse.result",
    "RowStream": "warehouse.stream",
    "Settings": "actors.settings",
    "StoreOptions": "storage.objects",
    "Table": "warehouse.table",
    "TransactionScope": "warehouse.transaction",
    "VirtualWarehouse": "warehouse.virtual_warehouse",
    "connect": "warehouse.database",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES.get(name, "storage.errors")), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

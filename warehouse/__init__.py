"""Mobula, as users import it.

import warehouse
db = warehouse.connect("s3://bucket/prefix")
"""

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

"""PARTITION BY of CREATE TABLE, and the forms of ALTER TABLE that are about partitions."""

from __future__ import annotations

from typing import Any

from warehouse.syntax.tree import Node

__all__ = [
    "AddPartitions",
    "AttachPartition",
    "DropPartitions",
    "ExchangePartition",
    "PartitionBy",
    "PartitionDef",
]


class PartitionDef(Node, frozen=True):
    """PARTITION name and its bounds; `kind`: "less", "range", "in", "default".

    `low`, `high`: expressions, or the words "minvalue" and "maxvalue"; `values`: of VALUES IN.
    """

    name: str
    kind: str
    low: tuple[Any, ...] = ()
    high: tuple[Any, ...] = ()
    values: tuple[Any, ...] = ()


class PartitionBy(Node, frozen=True):
    """PARTITION BY kind (columns); `kind`: "hash", "key", "range", "list". `count`: PARTITIONS."""

    kind: str
    columns: tuple[str, ...]
    count: int | None = None
    parts: tuple[PartitionDef, ...] = ()


class AddPartitions(Node, frozen=True):
    """ALTER TABLE [IF EXISTS] table ADD PARTITION …, one or more."""

    table: tuple[str, ...]
    parts: tuple[PartitionDef, ...]
    exists: bool = False


class DropPartitions(Node, frozen=True):
    """ALTER TABLE [IF EXISTS] table DROP PARTITION [IF EXISTS] names; `known`: the latter."""

    table: tuple[str, ...]
    names: tuple[str, ...]
    exists: bool = False
    known: bool = False


class AttachPartition(Node, frozen=True):
    """ALTER TABLE [IF EXISTS] table ATTACH PARTITION … FROM 'path'."""

    table: tuple[str, ...]
    part: PartitionDef
    path: str
    exists: bool = False


class ExchangePartition(Node, frozen=True):
    """ALTER TABLE [IF EXISTS] table EXCHANGE PARTITION name WITH TABLE other."""

    table: tuple[str, ...]
    name: str
    other: tuple[str, ...]
    exists: bool = False

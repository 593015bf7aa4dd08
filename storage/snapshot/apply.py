"""snapshot + group -> snapshot. Pure: no clock, no store, no randomness.

Readers and the primary use this very function on the same bytes, so they cannot disagree. What a
group may not do (break the chain, name an unknown table, reuse an id) is CorruptData: the primary
checks requests before it writes them, so a log that breaks a rule is not one that it wrote.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import singledispatch
from typing import TypeVar

import msgspec

from storage.errors import CorruptData, NewerFormat
from storage.log.record import Group, GroupHeader
from storage.names import begun_lsn, log_name
from storage.partitions.scheme import partition_added, partition_dropped
from storage.schema import Column, TableSchema
from storage.snapshot import changes as c
from storage.snapshot.changes import CatalogueChange, TableChange
from storage.snapshot.files import FileSet
from storage.snapshot.graveyard import Grave, graves_of, moved_files, without
from storage.snapshot.model import Delta, Receipt, Sequence, Snapshot, TableState, UserType

__all__ = ["TOKENS_PER_WRITER", "TOKEN_LIFETIME_MS", "apply", "apply_changes", "tso_ms"]

TOKENS_PER_WRITER = 64  # receipts kept for each writer's newest sequence numbers
TOKEN_LIFETIME_MS = 24 * 3600 * 1000  # a writer silent for longer is forgotten
_FORGET_EVERY_LSN = 1024
TSO_COUNTER_BITS = 18

K = TypeVar("K")
V = TypeVar("V")


def tso_ms(tso: int) -> int:
    """The wall time of a TSO: milliseconds since 1970-01-01 UTC."""
    return tso >> TSO_COUNTER_BITS


def apply(snapshot: Snapshot, group: Group) -> Snapshot:
    """The snapshot after `group`.

    Raises:
        CorruptData: naming the log object: it does not continue this snapshot, or its changes
            do not fit it.
    """
    header = group.header
    _check_chain(snapshot, header)
    try:
        changed = apply_changes(snapshot, group.catalogue, group.tables, lsn=header.lsn)
    except KeyError as error:
        raise CorruptData(f"{log_name(header.lsn)}: no object of id {error} to change") from error
    return dataclasses.replace(
        changed,
        lsn=header.lsn,
        tso=header.tso,
        epoch=header.epoch,
        checksum=group.checksum,
        tokens=_tokens(snapshot.tokens, header),
    )


def apply_changes(
    snapshot: Snapshot,
    catalogue: tuple[CatalogueChange, ...],
    tables: Mapping[int, tuple[TableChange, ...]],
    *,
    lsn: int,
) -> Snapshot:
    """Catalogue changes first, then each table's. Raises KeyError, CorruptData."""
    graves: list[Grave] = []
    for change in catalogue:
        if isinstance(change, c.DropTable):
            graves += graves_of(change, snapshot.tables[change.table_id], lsn)
        snapshot = _catalogue(change, snapshot)
    states = dict(snapshot.tables)
    for table_id, table_changes in tables.items():
        state = states[table_id]
        for table_change in table_changes:
            graves += graves_of(table_change, state, lsn)
            state = _table(table_change, state, lsn)
        states[table_id] = state
    if not (tables or graves):
        return snapshot
    graves = list(without(tuple(graves), moved_files(tables, lsn)))
    graveyard = (*snapshot.graveyard, *graves) if graves else snapshot.graveyard
    return dataclasses.replace(snapshot, tables=states, graveyard=graveyard)


def _check_chain(snapshot: Snapshot, header: GroupHeader) -> None:
    name = log_name(snapshot.lsn + 1)
    expected = (
        ("database", snapshot.database_id, header.database_id),
        ("branch", snapshot.branch_id, header.branch_id),
        ("LSN", snapshot.lsn + 1, header.lsn),
        ("checksum of the group before", snapshot.checksum, header.previous),
    )
    for what, wanted, found in expected:
        if wanted != found:
            raise CorruptData(f"{name}: expected {what} {wanted!r}, found {found!r}")
    if header.tso <= snapshot.tso:
        raise CorruptData(f"{name}: TSO {header.tso} is not above {snapshot.tso}")
    if header.epoch < snapshot.epoch:
        raise CorruptData(f"{name}: epoch {header.epoch} is below {snapshot.epoch}")


def _tokens(
    tokens: Mapping[str, Mapping[int, Receipt]], header: GroupHeader
) -> Mapping[str, Mapping[int, Receipt]]:
    """Receipts of the group's transactions; bounded per writer, silent writers forgotten."""
    merged = dict(tokens)
    for transaction in header.transactions:
        if transaction.token_writer is None or transaction.token_sequence is None:
            continue
        receipts = dict(merged.get(transaction.token_writer, {}))
        receipts[transaction.token_sequence] = Receipt(
            lsn=header.lsn,
            tso=header.tso,
            row_counts=tuple(o.row_count for o in transaction.operations),
        )
        newest = sorted(receipts)[-TOKENS_PER_WRITER:]
        merged[transaction.token_writer] = {s: receipts[s] for s in newest}
    if header.lsn % _FORGET_EVERY_LSN == 0:
        limit = (tso_ms(header.tso) - TOKEN_LIFETIME_MS) << TSO_COUNTER_BITS
        merged = {w: r for w, r in merged.items() if max(x.tso for x in r.values()) >= limit}
    return merged


# --- catalogue ------------------------------------------------------------------------------------


@singledispatch
def _catalogue(change: CatalogueChange, snapshot: Snapshot) -> Snapshot:
    raise NewerFormat(f"no rule for the record {type(change).__name__}")


def _with(mapping: Mapping[K, V], key: K, value: V) -> dict[K, V]:
    return {**mapping, key: value}


def _without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    if key not in mapping:
        raise KeyError(key)
    return {k: v for k, v in mapping.items() if k != key}


def _fresh(snapshot: Snapshot, new_id: int) -> int:
    """The next free id after `new_id`, which must not be in use."""
    if new_id < snapshot.next_id:
        raise CorruptData(f"id {new_id} is used twice; the next free one is {snapshot.next_id}")
    return new_id + 1


@_catalogue.register
def _(change: c.CreateSchema, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(
        snapshot,
        next_id=_fresh(snapshot, change.id),
        schemas=_with(snapshot.schemas, change.id, change.name),
    )


@_catalogue.register
def _(change: c.DropSchema, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, schemas=_without(snapshot.schemas, change.id))


@_catalogue.register
def _(change: c.CreateTable, snapshot: Snapshot) -> Snapshot:
    table = change.table
    state = TableState(
        id=table.id,
        schema_id=table.schema_id,
        name=table.name,
        schemas=(table.schema,),
        cluster_by=table.cluster_by,
        options=dict(table.options),
        checks=table.checks,
        keys=table.keys,
        partitioning=table.partitioning,
        comment=table.comment,
        column_comments=dict(table.column_comments),
        next_column_id=max((x.id for x in table.schema.columns), default=0) + 1,
    )
    return dataclasses.replace(
        snapshot,
        next_id=_fresh(snapshot, table.id),
        tables=_with(snapshot.tables, table.id, state),
    )


@_catalogue.register
def _(change: c.DropTable, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, tables=_without(snapshot.tables, change.table_id))


def _replace_table(snapshot: Snapshot, state: TableState) -> Snapshot:
    return dataclasses.replace(snapshot, tables=_with(snapshot.tables, state.id, state))


def _new_columns(state: TableState, columns: tuple[Column, ...]) -> TableState:
    version = TableSchema(version=state.schema.version + 1, columns=columns)
    return dataclasses.replace(state, schemas=(*state.schemas, version))


@_catalogue.register
def _(change: c.RenameTable, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    return _replace_table(snapshot, dataclasses.replace(state, name=change.name))


@_catalogue.register
def _(change: c.AddColumn, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    if change.column.id < state.next_column_id:
        raise CorruptData(f"table {state.name}: column id {change.column.id} is used twice")
    state = dataclasses.replace(state, next_column_id=change.column.id + 1)
    return _replace_table(snapshot, _new_columns(state, (*state.columns, change.column)))


@_catalogue.register
def _(change: c.DropColumn, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    kept = tuple(x for x in state.columns if x.id != change.column_id)
    if len(kept) == len(state.columns):
        raise KeyError(change.column_id)
    comments = {k: v for k, v in state.column_comments.items() if k != change.column_id}
    state = dataclasses.replace(state, column_comments=comments)
    return _replace_table(snapshot, _new_columns(state, kept))


@_catalogue.register
def _(change: c.RenameColumn, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    if state.schema.by_id(change.column_id) is None:
        raise KeyError(change.column_id)
    renamed = tuple(
        msgspec.structs.replace(x, name=change.name) if x.id == change.column_id else x
        for x in state.columns
    )
    return _replace_table(snapshot, _new_columns(state, renamed))


@_catalogue.register
def _(change: c.ClusterTable, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    return _replace_table(snapshot, dataclasses.replace(state, cluster_by=change.cluster_by))


@_catalogue.register
def _(change: c.AddPartition, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    made = partition_added(state.partitioning, change.partition)
    return _replace_table(snapshot, dataclasses.replace(state, partitioning=made))


@_catalogue.register
def _(change: c.DropPartition, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    kept = partition_dropped(state.partitioning, change.partition_id)
    return _replace_table(snapshot, dataclasses.replace(state, partitioning=kept))


@_catalogue.register
def _(change: c.SetTableOptions, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    return _replace_table(snapshot, dataclasses.replace(state, options=dict(change.options)))


@_catalogue.register
def _(change: c.CommentOn, snapshot: Snapshot) -> Snapshot:
    state = snapshot.tables[change.table_id]
    if change.column_id is None:
        return _replace_table(snapshot, dataclasses.replace(state, comment=change.comment))
    if state.schema.by_id(change.column_id) is None:
        raise KeyError(change.column_id)
    kept = {k: v for k, v in state.column_comments.items() if k != change.column_id}
    if change.comment is not None:
        kept[change.column_id] = change.comment
    return _replace_table(snapshot, dataclasses.replace(state, column_comments=kept))


@_catalogue.register
def _(change: c.CreateType, snapshot: Snapshot) -> Snapshot:
    made = UserType(
        id=change.id,
        schema_id=change.schema_id,
        name=change.name,
        definition=change.definition,
    )
    return dataclasses.replace(
        snapshot,
        next_id=_fresh(snapshot, change.id),
        types=_with(snapshot.types, change.id, made),
    )


@_catalogue.register
def _(change: c.DropType, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, types=_without(snapshot.types, change.id))


@_catalogue.register
def _(change: c.CreateSequence, snapshot: Snapshot) -> Snapshot:
    made = Sequence(
        id=change.id,
        schema_id=change.schema_id,
        name=change.name,
        next_value=change.start,
        increment=change.increment,
        low=change.low,
        high=change.high,
    )
    return dataclasses.replace(
        snapshot,
        next_id=_fresh(snapshot, change.id),
        sequences=_with(snapshot.sequences, change.id, made),
    )


@_catalogue.register
def _(change: c.AdvanceSequence, snapshot: Snapshot) -> Snapshot:
    state = msgspec.structs.replace(snapshot.sequences[change.id], next_value=change.next_value)
    return dataclasses.replace(snapshot, sequences=_with(snapshot.sequences, change.id, state))


@_catalogue.register
def _(change: c.DropSequence, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, sequences=_without(snapshot.sequences, change.id))


@_catalogue.register(c.CreateVirtualWarehouse)
@_catalogue.register(c.AlterVirtualWarehouse)
def _(change: c.CreateVirtualWarehouse | c.AlterVirtualWarehouse, snapshot: Snapshot) -> Snapshot:
    made = change.warehouse
    return dataclasses.replace(
        snapshot, virtual_warehouses=_with(snapshot.virtual_warehouses, made.name, made)
    )


@_catalogue.register
def _(change: c.DropVirtualWarehouse, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(
        snapshot, virtual_warehouses=_without(snapshot.virtual_warehouses, change.name)
    )


@_catalogue.register
def _(change: c.ChangeSetting, snapshot: Snapshot) -> Snapshot:
    kept = {k: v for k, v in snapshot.settings.items() if k != change.name}
    if change.value is not None:
        kept[change.name] = change.value
    return dataclasses.replace(snapshot, settings=kept)


@_catalogue.register
def _(change: c.MoveHorizon, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, horizon=max(snapshot.horizon, change.lsn))


@_catalogue.register
def _(change: c.PlanCollection, snapshot: Snapshot) -> Snapshot:
    names = frozenset(change.names)
    floor = max(snapshot.upload_floor, change.upload_floor)
    return dataclasses.replace(
        snapshot,
        graveyard=without(snapshot.graveyard, names),
        planned=snapshot.planned | names,
        collected=_still_nameable(snapshot.collected, floor, snapshot.branch_id),
        upload_floor=floor,
    )


@_catalogue.register
def _(change: c.EndCollection, snapshot: Snapshot) -> Snapshot:
    ended = snapshot.planned & set(change.names)
    nameable = _still_nameable(ended, snapshot.upload_floor, snapshot.branch_id)
    return dataclasses.replace(
        snapshot, planned=snapshot.planned - ended, collected=snapshot.collected | nameable
    )


def _still_nameable(names: frozenset[str], floor: int, branch_id: str) -> frozenset[str]:
    """Those that the floor does not keep out of later commits."""
    return frozenset(name for name in names if (begun_lsn(name, branch_id) or 0) >= floor)


@_catalogue.register
def _(change: c.PinBranch, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(
        snapshot, branch_pins=_with(snapshot.branch_pins, change.branch_id, change.lsn)
    )


@_catalogue.register
def _(change: c.UnpinBranch, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(
        snapshot, branch_pins=_without(snapshot.branch_pins, change.branch_id)
    )


@_catalogue.register
def _(change: c.CreateTag, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, tags=_with(snapshot.tags, change.name, change.lsn))


@_catalogue.register
def _(change: c.DropTag, snapshot: Snapshot) -> Snapshot:
    return dataclasses.replace(snapshot, tags=_without(snapshot.tags, change.name))


# --- tables ---------------------------------------------------------------------------------------


@singledispatch
def _table(change: TableChange, state: TableState, lsn: int) -> TableState:
    raise NewerFormat(f"no rule for the record {type(change).__name__}")


@_table.register
def _(change: c.AddRows, state: TableState, lsn: int) -> TableState:
    if change.delta_id < state.next_file_id:
        raise CorruptData(f"table {state.name}: delta id {change.delta_id} is used twice")
    delta = Delta(
        id=change.delta_id,
        lsn=lsn,
        schema_version=change.schema_version,
        row_count=change.row_count,
        rows=change.rows,
        partitions=change.partitions,
    )
    return dataclasses.replace(
        state, deltas=(*state.deltas, delta), next_file_id=change.delta_id + 1
    )


@_table.register
def _(change: c.RemoveRows, state: TableState, lsn: int) -> TableState:
    gone = set(change.delta_ids)
    if missing := gone - {d.id for d in state.deltas}:
        raise CorruptData(f"table {state.name}: deltas {sorted(missing)} are not live")
    return dataclasses.replace(
        state,
        deltas=tuple(d for d in state.deltas if d.id not in gone),
        bitmaps={k: v for k, v in state.bitmaps.items() if k not in gone},
    )


@_table.register
def _(change: c.AddFiles, state: TableState, lsn: int) -> TableState:
    added = FileSet.decode(change.files, f"{log_name(lsn)} table {state.name}")
    first = change.first_file_id
    ids = added.table["file_id"].to_pylist()
    if first < state.next_file_id or ids != list(range(first, first + change.file_count)):
        raise CorruptData(f"table {state.name}: file ids {ids[:3]}… are not {first} and on")
    return dataclasses.replace(
        state,
        files=state.files.added(added),
        next_file_id=first + change.file_count,
    )


@_table.register
def _(change: c.RemoveFiles, state: TableState, lsn: int) -> TableState:
    gone = set(change.file_ids)
    return dataclasses.replace(
        state,
        files=state.files.removed(gone),
        bitmaps={k: v for k, v in state.bitmaps.items() if k not in gone},
    )


@_table.register
def _(change: c.AddBitmaps, state: TableState, lsn: int) -> TableState:
    return state.deleting(change.bitmaps, log_name(lsn))


@_table.register
def _(change: c.RemoveBitmaps, state: TableState, lsn: int) -> TableState:
    gone = set(change.file_ids)
    return dataclasses.replace(
        state, bitmaps={k: v for k, v in state.bitmaps.items() if k not in gone}
    )


@_table.register
def _(change: c.AddIndexRuns, state: TableState, lsn: int) -> TableState:
    return dataclasses.replace(state, index_runs=(*state.index_runs, *change.runs))


@_table.register
def _(change: c.RemoveIndexRuns, state: TableState, lsn: int) -> TableState:
    gone = set(change.names)
    return dataclasses.replace(
        state, index_runs=tuple(r for r in state.index_runs if r.name not in gone)
    )

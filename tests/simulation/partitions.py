"""Tables in partitions: in two of nine seeds all are, and clients exchange partitions or drop them.

Whether they are is asked of the seed alone, so that the others stay what they were.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from actors.messages import TableInfo, Transaction
from actors.operations import AddPartitions, DropPartitions, NewPartitioning, NewTable, Operation
from actors.primary.primary import Primary
from storage.partitions.scheme import Bound, Partition, PartitionKind
from storage.snapshot.model import IngestToken, Receipt, Snapshot
from tests.simulation.model import Key

__all__ = [
    "EDGES",
    "SPARE",
    "buried_alive",
    "divided",
    "emptied",
    "exchanged",
    "is_divided",
    "range_of",
]

SPARE = "spare"  # a table that takes the place of the middle partition of events, now and then
EDGES = (20, 40)


def is_divided(seed: int) -> bool:
    """Whether the tables of a case are in partitions."""
    return seed % 9 in (3, 4)


def divided(tables: Sequence[NewTable]) -> tuple[NewTable, ...]:
    """The tables in partitions, without keys that could not be there; and the spare one."""
    made = [dataclasses.replace(table, partitioning=_of(table)) for table in tables]
    made = [
        dataclasses.replace(table, keys=tuple(key for key in table.keys if key.primary))
        for table in made
    ]
    events = next(table for table in tables if table.name == "events")
    return (*made, dataclasses.replace(events, name=SPARE))


def _of(table: NewTable) -> NewPartitioning:
    kind: PartitionKind
    match table.name:
        case "events":
            kind, parts = "range", tuple(_range(number) for number in range(len(EDGES) + 1))
        case "items":
            kind, parts = "list", (_listed("few", range(4)), _listed("more", range(4, 9)), _REST)
        case _:
            kind, parts = "hash", tuple(Partition(id=0, name=f"p{number}") for number in range(3))
    return NewPartitioning(kind=kind, columns=("id",), parts=parts)


_REST = Partition(id=0, name="rest", default=True)


def _listed(name: str, keys: Sequence[int]) -> Partition:
    return Partition(id=0, name=name, values=tuple((key,) for key in keys))


def _range(number: int) -> Partition:
    ends = [Bound(side=-1), *(Bound(value=edge) for edge in EDGES), Bound(side=1)]
    return Partition(id=0, name=f"p{number}", low=(ends[number],), high=(ends[number + 1],))


def range_of(number: int) -> tuple[Key, int]:
    """The ids that a partition of events takes: the first, and the one behind the last."""
    edges = [-1_000, *EDGES, 1_000]
    return edges[number], edges[number + 1]


def emptied(info: TableInfo, number: int) -> tuple[Operation, ...]:
    """A partition of events goes with its rows, and comes anew, at once."""
    known = info.target.partitioning
    assert known is not None
    part = _range(number)
    dropped = DropPartitions(table_id=info.table_id, names=(part.name,))
    added = AddPartitions(
        table_id=info.table_id, parts=(part,), version=known.version + 1, read_lsn=0
    )
    return dropped, added


def buried_alive(snapshot: Snapshot) -> set[str]:
    """Files that some table has and that the collector would take."""
    live = {name for table in snapshot.tables.values() for name in table.files.names}
    return live & {one.name for grave in snapshot.graveyard for one in grave.objects}


async def exchanged(primary: Primary, token: IngestToken) -> Receipt:
    """The middle partition of events and the spare table change places, as a statement does it."""
    for prepared in (False, True):
        table = primary.snapshot.find_table("events")
        other = primary.snapshot.find_table(SPARE)
        assert table is not None
        assert table.partitioning is not None
        assert other is not None
        part = table.partitioning.by_name("p1")
        assert part is not None
        if not prepared:
            await primary.exchange.flush(table, part, other)
    operation = await primary.exchange.operation(table, part, other)
    return await primary.submit(Transaction(operations=(operation,), token=token))

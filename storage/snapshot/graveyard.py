"""Objects that have left the newest version, and that earlier ones may still read.

`apply` buries what a group takes out of the catalogue: micropartitions and index runs, but for
files that it puts into another table. So whoever has a snapshot knows all objects that some version
reads: those of its tables, and these. The collector digs them up once no version before their
removal can be opened any more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from storage.names import log_name
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet

if TYPE_CHECKING:
    from storage.snapshot.model import TableState

__all__ = ["Buried", "Grave", "graves_of", "moved_files", "without"]


class Buried(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object; versions from `lsn_added` on read it, until that of its grave."""

    name: str
    checksum: str
    size_bytes: int
    lsn_added: int


class Grave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the group at `lsn_removed` took out of a table; `table` is for people."""

    lsn_removed: int
    table: str
    objects: tuple[Buried, ...]


def graves_of(change: c.TableChange | c.DropTable, state: TableState, lsn: int) -> Iterator[Grave]:
    """What `change`, in the group at `lsn`, takes out of a table as it stands before."""
    match change:
        case c.RemoveFiles(file_ids=ids):
            gone = list(_files(state.files, ids))
        case c.RemoveIndexRuns(names=names):
            gone = list(_runs(state.index_runs, set(names)))
        case c.DropTable():
            gone = [*_files(state.files, None), *_runs(state.index_runs, None)]
        case _:
            return
    if gone:
        yield Grave(lsn_removed=lsn, table=state.name, objects=tuple(gone))


def moved_files(tables: Mapping[int, tuple[c.TableChange, ...]], lsn: int) -> set[str]:
    """The files that leave one table and come to another in the same group: they stay alive."""
    losing = {i for i, made in tables.items() if any(isinstance(x, c.RemoveFiles) for x in made)}
    return {
        name
        for table_id, made in tables.items()
        for change in made
        if isinstance(change, c.AddFiles) and losing - {table_id}
        for name in FileSet.decode(change.files, f"{log_name(lsn)} table {table_id}").names
    }


def without(graveyard: tuple[Grave, ...], names: Collection[str]) -> tuple[Grave, ...]:
    """Without the objects of these names."""
    if not names:
        return graveyard
    left = []
    for grave in graveyard:
        kept = tuple(one for one in grave.objects if one.name not in names)
        if len(kept) == len(grave.objects):
            left.append(grave)
        elif kept:
            left.append(msgspec.structs.replace(grave, objects=kept))
    return tuple(left)


def _files(files: FileSet, ids: Collection[int] | None) -> Iterator[Buried]:
    """Args: ids: None: all of them."""
    found = files.table.select(["file_id", "name", "checksum", "size_bytes", "lsn_added"])
    if ids is not None:
        found = found.filter(pc.is_in(found["file_id"], value_set=pa.array(ids, pa.int64())))
    for row in found.drop_columns(["file_id"]).to_pylist():
        yield Buried(**row)


def _runs(runs: Iterable[c.IndexRun], names: Collection[str] | None) -> Iterator[Buried]:
    for run in runs:
        if names is None or run.name in names:
            yield Buried(
                name=run.name,
                checksum=run.checksum,
                size_bytes=run.size_bytes,
                lsn_added=run.generation,
            )

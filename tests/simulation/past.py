"""Which objects versions read, told from the records of the log alone: nothing else of Mobula's is
asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from storage.log.record import Group
from storage.names import log_name
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet

__all__ = ["Past"]


@dataclass(slots=True)
class Past:
    """Of a log as far as it goes.

    Attributes:
        horizon: versions below it need not be readable.
        removed: names of objects that have left the newest version, with the LSN at which.
    """

    horizon: int = 0
    live: dict[tuple[int, int | str], str] = field(default_factory=dict)  # by table and file or run
    removed: dict[str, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def logged(self, group: Group) -> str | None:
        """Returns the name of an object that the group adds and that is deleted already."""
        lsn = group.header.lsn
        before = set(self.live.values())
        for change in group.catalogue:
            match change:
                case c.MoveHorizon():
                    self.horizon = max(self.horizon, change.lsn)
                case c.DropTable(table_id=table_id):
                    for key in [key for key in self.live if key[0] == table_id]:
                        self.removed[self.live.pop(key)] = lsn
        added: list[str] = []
        for table_id, changes in group.tables.items():
            for record in changes:
                added += self._changed(table_id, record, lsn)
        for name in set(added) - before - set(self.live.values()):
            self.removed.pop(name, None)  # it came and went with this group: no version reads it
        return next((name for name in added if name in self.gone), None)

    def _changed(self, table_id: int, change: c.TableChange, lsn: int) -> list[str]:
        """Returns the names that it adds."""
        match change:
            case c.AddFiles():
                files = FileSet.decode(change.files, log_name(lsn))
                self.live |= {
                    (table_id, i): name for i, name in zip(files.ids, files.names, strict=True)
                }
                return files.names
            case c.AddIndexRuns():
                self.live |= {(table_id, run.name): run.name for run in change.runs}
                return [run.name for run in change.runs]
            case c.RemoveFiles(file_ids=keys) | c.RemoveIndexRuns(names=keys):
                for key in keys:
                    self.removed[self.live.pop((table_id, key))] = lsn
        return []

    def deleted(self, name: str) -> str | None:
        """An object is deleted. Returns why it must not be."""
        self.gone.add(name)
        if name in self.live.values():
            return "is in the newest version"
        removed = self.removed.get(name, 0)
        if name.startswith("data/") and removed > self.horizon:
            return f"was removed at LSN {removed}, the horizon is {self.horizon}"
        return None

"""Virtual warehouses made, changed, dropped, suspended and resumed, for one connection.

The catalogue comes first: a commit on the primary, which checks the settings. Then the engine
starts or ends processes. What fails in between leaves a virtual warehouse that the catalogue has
and that does not run, and the error says so; or one that runs on and is not in the catalogue, which
the same drop with IF EXISTS ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from actors.client import Engine, WarehouseClient
from actors.operations import AlterWarehouse, DropWarehouse, NewWarehouse, Operation
from actors.primary.warehouses import find_warehouse
from storage.errors import Unavailable, UnknownObject
from storage.snapshot.changes import VirtualWarehouse as WarehouseSettings
from warehouse.result import Commit
from warehouse.syntax import warehouse_statements as said
from warehouse.syntax.quantities import read_workers
from warehouse.syntax.warehouse_options import default_of

__all__ = ["WarehouseLifeCycle", "plain_settings"]


@dataclass(frozen=True, slots=True)
class WarehouseLifeCycle:
    """`commit`: of one operation."""

    engine: Engine
    commit: Callable[[Operation], Commit]

    def create(
        self, name: str, settings: Mapping[str, Any], *, if_not_exists: bool = False
    ) -> Commit:
        """Add one to the catalogue; nothing is started.

        Args: settings: by field of the catalogue; those left out get their defaults.
        Raises InvalidRequest: it is there already (42710), or a setting is out of range (22023).
        """
        known = [field for field in WarehouseSettings.__struct_fields__ if field != "name"]
        made = {field: default_of(field) for field in known} | plain_settings(settings)
        warehouse = WarehouseSettings(name=name, **made)
        return self.commit(NewWarehouse(warehouse=warehouse, if_not_exists=if_not_exists))

    def start_new(self, name: str) -> WarehouseClient:
        """The engine's hold on one that was just made, once a worker of it serves.

        Raises Unavailable: it does not run."""
        with _Explained(name, "is in the catalogue, but does not run"):
            client = self.engine.start_warehouse(name, self.settings(name))
            client.resume()
            return client

    def alter(self, name: str, changes: Mapping[str, Any], *, if_exists: bool = False) -> Commit:
        """Change what `changes` names. Raises UnknownObject; InvalidRequest: out of range."""
        operation = AlterWarehouse(name=name, changes=plain_settings(changes), if_exists=if_exists)
        commit = self.commit(operation)
        if not if_exists or name in self.engine.snapshot().virtual_warehouses:
            self.engine.refresh_warehouse(name)
        return commit

    def drop(self, name: str, *, if_exists: bool = False, force: bool = False) -> Commit:
        """Remove it, and end its processes: when its queries are over, or with `force` at once."""
        commit = self.commit(DropWarehouse(name=name, if_exists=if_exists))
        self.engine.stop_warehouse(name, force=force)
        return commit

    def suspend(self, name: str, *, force: bool = False) -> None:
        """Give its workers back: when its queries are over, or with `force` at once."""
        self.settings(name)
        self.engine.start_warehouse(name).suspend(force=force)

    def resume(self, name: str) -> None:
        """Wake it; one that is awake stays so. Raises Unavailable: it does not get its workers."""
        self.settings(name)
        with _Explained(name, "stays suspended"):
            self.engine.start_warehouse(name).resume()

    def start(self, name: str, outcome: str = "does not run") -> WarehouseClient:
        """The engine's hold on it; `outcome`: what an error says of it."""
        with _Explained(name, outcome):
            return self.engine.start_warehouse(name)

    def settings(self, name: str) -> WarehouseSettings:
        """Of the newest catalogue. Raises UnknownObject, with the nearest name."""
        return find_warehouse(name, self.engine.snapshot())

    def run(self, node: Any) -> tuple[str, Commit | None]:
        """Carry out a statement: its tag, and what was committed."""
        match node:
            case said.CreateWarehouse():
                commit = self.create(node.name, dict(node.settings), if_not_exists=node.exists)
                if not node.suspended:
                    self.start_new(node.name)
                return "CREATE WAREHOUSE", commit
            case said.DropWarehouse():
                commit = self.drop(node.name, if_exists=node.exists, force=node.force)
                return "DROP WAREHOUSE", commit
            case said.AlterWarehouse(action="set"):
                commit = self.alter(node.name, dict(node.settings), if_exists=node.exists)
                return "ALTER WAREHOUSE", commit
            case _:
                return self._woken_or_suspended(node)

    def _woken_or_suspended(self, node: said.AlterWarehouse) -> tuple[str, None]:
        if not (node.exists and node.name not in self.engine.snapshot().virtual_warehouses):
            if node.action == "suspend":
                self.suspend(node.name, force=node.force)
            else:
                self.resume(node.name)
        return "ALTER WAREHOUSE", None

    def cancel(self, query_id: str, *, must: bool = False) -> bool:
        """End a query. Raises UnknownObject if there is none and it `must` be one."""
        found = self.engine.cancel(query_id)
        if must and not found:
            raise UnknownObject(f"no query {query_id!r} waits or runs; it may be over already")
        return found


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the catalogue has them: sizes as numbers of workers, no auto-suspend as None.

    Raises InvalidRequest: a size that is neither.
    """
    found = dict(settings)
    if isinstance(size := found.get("size"), str):
        found["size"] = read_workers(size)
    for field in ("auto_suspend_s", "statement_timeout_s", "queue_timeout_s"):
        if found.get(field) == 0:
            found[field] = None
    return found


class _Explained:
    """Adds to `Unavailable` what has become of the virtual warehouse, and what to do."""

    def __init__(self, name: str, outcome: str) -> None:
        self._name = name
        self._outcome = outcome

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Unavailable):
            raise Unavailable(
                f"virtual warehouse {self._name} {self._outcome}: {error.message}; resume it later"
                f" (ALTER WAREHOUSE {self._name} RESUME), or drop it (DROP WAREHOUSE {self._name})",
                error.sqlstate,
            ) from error

"""The part of `Database` that is about virtual warehouses: making, changing and using them."""

from __future__ import annotations

from typing import Any

from actors.client import Engine
from actors.observed import WarehouseRecord
from storage.errors import InvalidRequest
from storage.snapshot.changes import VirtualWarehouse as WarehouseSettings
from warehouse.catalogue_tables.observed import warehouse_records
from warehouse.life_cycle import WarehouseLifeCycle
from warehouse.requests import Requests
from warehouse.result import Commit
from warehouse.routes import Routes
from warehouse.session import SqlSession
from warehouse.session_settings import WAREHOUSE
from warehouse.session_transactions import SessionTransactions
from warehouse.syntax.warehouse_options import AUTO_SUSPEND_S, CACHE_BYTES
from warehouse.syntax.warehouse_statements import (
    AlterWarehouse,
    CreateWarehouse,
    DropWarehouse,
    UseWarehouse,
)
from warehouse.virtual_warehouse import VirtualWarehouse

__all__ = ["WarehouseFace"]


class WarehouseFace:
    """A base of `Database`, which has the parts."""

    _engine: Engine
    _session: SqlSession
    _transactions: SessionTransactions
    _requests: Requests
    _life: WarehouseLifeCycle
    _routes: Routes

    def create_virtual_warehouse(
        self,
        name: str,
        *,
        size: int | str = 1,
        worker_cpus: float = 1.0,
        worker_memory_bytes: int | None = None,
        cache_bytes: int = CACHE_BYTES,
        min_clusters: int = 1,
        max_clusters: int = 1,
        scaling_policy: str = "standard",
        max_concurrency: int | None = None,
        auto_suspend_s: int | None = AUTO_SUSPEND_S,
        auto_resume: bool = True,
        statement_timeout_s: float | None = None,
        queue_timeout_s: float | None = None,
        max_queued: int = 1000,
        node_type: str = "default",
        comment: str | None = None,
        initially_suspended: bool = False,
        if_not_exists: bool = False,
    ) -> VirtualWarehouse:
        """Make a virtual warehouse in the catalogue and start it, unless `initially_suspended`.

        Args:
            size: workers per cluster, or "xsmall" (1), "small" (2), "medium" (4), …
            auto_suspend_s: None or 0: never. The others: see `storage.snapshot.changes`.
            if_not_exists: one that is there stays as it is.
        Raises:
            InvalidRequest: a setting is out of range. Unavailable: it is in the catalogue, but the
                cluster does not start it.
        """
        given = {k: v for k, v in locals().items() if k in WarehouseSettings.__struct_fields__}
        del given["name"]
        self._refuse_in_transaction("CREATE")
        self._life.create(name, given, if_not_exists=if_not_exists)
        client = None if initially_suspended else self._life.start_new(name)
        return VirtualWarehouse(name, self._life, self._session, self._requests, client)

    def virtual_warehouse(self, name: str) -> VirtualWarehouse:
        """The virtual warehouse of the catalogue, found running or started."""
        client = self._life.start(name)
        return VirtualWarehouse(name, self._life, self._session, self._requests, client)

    def alter_virtual_warehouse(self, name: str, **changes: Any) -> Commit:
        """Change settings of a virtual warehouse, named as `create_virtual_warehouse` has them.

        Raises UnknownObject; InvalidRequest: there is no such setting, or it is out of range.
        """
        self._refuse_in_transaction("ALTER")
        return self._life.alter(name, changes)

    def drop_virtual_warehouse(
        self, name: str, *, if_exists: bool = False, force: bool = False
    ) -> None:
        """Remove it from the catalogue and end its processes, once its queries are over.

        Args: force: end its queries now.
        """
        self._refuse_in_transaction("DROP")
        self._life.drop(name, if_exists=if_exists, force=force)
        self._dropped(name)

    def suspend_virtual_warehouse(self, name: str, *, force: bool = False) -> None:
        """See `VirtualWarehouse.suspend`. Raises UnknownObject."""
        self._life.suspend(name, force=force)

    def resume_virtual_warehouse(self, name: str) -> None:
        """See `VirtualWarehouse.resume`. Raises UnknownObject."""
        self._life.resume(name)

    def use_warehouse(self, name: str | None) -> None:
        """Run the reads of this connection on this virtual warehouse from now on, or with None on
        the primary. Raises UnknownObject, with the nearest name."""
        if name is not None:
            self._life.settings(name)
        self._session.use(name)

    @property
    def warehouse_in_use(self) -> str | None:
        """The virtual warehouse that reads run on; None: the primary's own compute."""
        return self._session.current.settings.get(WAREHOUSE)

    def virtual_warehouses(self) -> dict[str, WarehouseSettings]:
        """The settings of every virtual warehouse, by name."""
        return dict(self._engine.snapshot().virtual_warehouses)

    def virtual_warehouse_records(self) -> list[WarehouseRecord]:
        """Every virtual warehouse with its settings and what there is of it now; as
        `mobula.warehouses()` shows them, but this starts nothing."""
        known = self._engine.snapshot().virtual_warehouses
        settings = [known[name] for name in sorted(known)]
        return warehouse_records(settings, self._engine.observe("warehouses"))

    def cancel(self, query_id: str) -> bool:
        """End a query of anybody, wherever it waits or runs: it raises Cancelled there.

        Returns: whether there was one.
        """
        return self._life.cancel(query_id)

    def _about_warehouses(
        self, node: CreateWarehouse | AlterWarehouse | DropWarehouse | UseWarehouse
    ) -> tuple[str, Commit | None]:
        """Carry out a statement: its tag, and what was committed."""
        if isinstance(node, UseWarehouse):
            self.use_warehouse(node.name)
            return "USE", None
        self._refuse_in_transaction(type(node).__name__.removesuffix("Warehouse").upper())
        found = self._life.run(node)
        if isinstance(node, DropWarehouse):
            self._dropped(node.name)
        return found

    def _refuse_in_transaction(self, verb: str) -> None:
        if self._transactions.current:
            raise InvalidRequest(f"{verb} WAREHOUSE cannot run inside a transaction block", "25001")

    def _dropped(self, name: str) -> None:
        """A virtual warehouse is gone; if it was in use, the primary is."""
        self._routes.forget(name)
        if self.warehouse_in_use == name:
            self._session.use(None)

"""Objects by name and by OID: what `'orders'::regclass` means and how an OID shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from storage.errors import InvalidRequest, NotYet, SqlSyntaxError, UnknownObject
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.definitions import Definitions, qualified, searched
from warehouse.catalogue_tables.routines import routines
from warehouse.catalogue_tables.server import DATABASE, OWNER
from warehouse.catalogue_tables.type_names import by_name, by_oid
from warehouse.functions.identifiers import name_parts
from warehouse.functions.quoting import quoted_identifier
from warehouse.syntax.tree import TypeName
from warehouse.syntax.types import TypeGrammar

__all__ = ["ObjectsByName"]


class ObjectsByName:
    """The objects of a database under a search path. Kept with the definitions."""

    def __init__(self, known: Definitions, path: tuple[str, ...]) -> None:
        self._known = known
        self._path = path

    def names(self, kind: str) -> Mapping[int, str]:
        """How objects of a kind show, by OID."""
        key = ("names", kind, self._path)
        found: Mapping[int, str] = self._kept(key, lambda: self._names(kind))
        return found

    def numbers(self, kind: str) -> Mapping[str, str]:
        """OIDs as texts, by every name that means the object; empty if it means several."""
        key = ("numbers", kind, self._path)
        found: Mapping[str, str] = self._kept(key, lambda: self._numbers(kind))
        return found

    def number(self, kind: str, text: str) -> int:
        """The OID of the object that a text names. Raises UnknownObject, InvalidRequest."""
        if text == "-":
            return 0
        if text.isdigit():
            return int(text)
        if kind == "regtype":
            return self._type(text)
        parts = name_parts(text)
        if len(parts) == 3 and parts[0] == DATABASE:
            parts = parts[1:]
        quoted = ".".join(quoted_identifier(part) for part in parts)
        found = self.numbers(kind).get(".".join(parts) if kind == "regproc" else quoted)
        if found:
            return int(found)
        shown = ".".join(parts)
        if found == "":
            raise InvalidRequest(f'more than one function named "{shown}"', "42725")
        word, sqlstate = {
            "regclass": ("relation", "42P01"),
            "regnamespace": ("schema", "3F000"),
            "regproc": ("function", "42883"),
            "regrole": ("role", "42704"),
        }[kind]
        raise UnknownObject(f'{word} "{shown}" does not exist', sqlstate)

    def _kept(self, key: Any, make: Callable[[], Any]) -> Any:
        kept = self._known.kept
        if key not in kept:
            kept[key] = make()
        return kept[key]

    def _names(self, kind: str) -> Mapping[int, str]:
        known = self._known
        if kind == "regclass":
            visible = known.visible(self._path)
            return {
                row.oid: qualified(row.schema, row.name, visible=row.oid in visible)
                for row in known.relations
            }
        if kind == "regtype":
            own = {oid: row.display for oid, row in by_oid().items()}
            return {**own, **known.type_names(self._path)}
        if kind == "regnamespace":
            return {oid: quoted_identifier(name) for name, oid in known.schema_oids.items()}
        if kind == "regrole":
            return {oids.OWNER_OID: quoted_identifier(OWNER)}
        counts = self.numbers("regproc")
        return {
            r.oid: quoted_identifier(r.name) if counts[r.name] else f"pg_catalog.{r.name}"
            for r in routines()
        }

    def _numbers(self, kind: str) -> Mapping[str, str]:
        known = self._known
        found: dict[str, str] = {}
        if kind == "regclass":
            visible = known.visible(self._path)
            for row in known.relations:
                found[qualified(row.schema, row.name, visible=False)] = str(row.oid)
                if row.oid in visible:
                    found[quoted_identifier(row.name)] = str(row.oid)
        elif kind == "regtype":
            for oid, name in self.names("regtype").items():
                found[name] = str(oid)
            for name, own in by_name().items():
                found[name] = found[f"pg_catalog.{name}"] = str(own.oid)
        elif kind == "regproc":
            for routine in routines():
                number = str(routine.oid)
                for name in (routine.name, f"pg_catalog.{routine.name}"):
                    found[name] = "" if name in found else number
        else:
            found = {name: str(oid) for oid, name in self.names(kind).items()}
        return found

    # --- types ------------------------------------------------------------------------------------

    def _type(self, text: str) -> int:
        try:
            name = TypeGrammar(text).type_name()
        except (SqlSyntaxError, NotYet):
            name = TypeName(0, name_parts(text.removesuffix("[]")), (), text.count("[]"))
        found = self._named_type(name)
        if found is None:
            shown = re.sub(r"\(.*\)", "", text)
            raise UnknownObject(f'type "{shown}" does not exist', "42704")
        return found

    def _named_type(self, name: TypeName) -> int | None:
        base, array = name.name[-1], bool(name.dimensions)
        if len(name.name) == 1 or name.name[0] == "pg_catalog":
            row = by_name().get(base)
            if row is not None:
                return row.array if array else row.oid
        schemas = name.name[:1] if len(name.name) > 1 else searched(self._path)
        suffix = "[]" if array else ""
        for schema in schemas:
            for own, known, oid, ending in self._known.named_types:
                if (own, known, ending) == (schema, base, suffix):
                    return oid
        return None

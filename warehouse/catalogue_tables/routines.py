"""pg_proc and information_schema.routines: the functions of the registry, and those of types.

An input or output function of a type cannot be called; it is listed because pg_type refers to it,
and clients look there for what a type is (`typinput = 'array_in'::regproc`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import warehouse.functions.all  # noqa: F401 (registers every function)
from warehouse.catalogue_tables import oids
from warehouse.catalogue_tables.rows import Builder, Rows, Subject, rows_of
from warehouse.catalogue_tables.server import DATABASE
from warehouse.catalogue_tables.type_names import by_name, by_oid, type_rows
from warehouse.functions.registry import Function, functions_named, known_names

__all__ = ["BUILDERS", "Routine", "routines"]

_KINDS = {"scalar": "f", "table": "f", "aggregate": "a", "window": "w"}
_INPUT, _OUTPUT, _RECEIVE, _SEND, _MODIFIER_IN, _MODIFIER_OUT = range(6)


@dataclass(frozen=True, slots=True)
class Routine:
    """A row of pg_proc. `arguments`, `result`: OIDs of types."""

    oid: int
    name: str
    kind: str
    arguments: tuple[int, ...]
    result: int
    strict: bool = True
    rows: bool = False
    volatile: bool = False
    variadic: int = 0

    @property
    def shown_arguments(self) -> str:
        """As \\df shows them."""
        shown = [by_oid()[oid].display for oid in self.arguments]
        if self.variadic:
            shown[-1] = f"VARIADIC {shown[-1]}"
        return ", ".join(shown)

    @property
    def shown_result(self) -> str:
        """As \\df shows it."""
        return ("SETOF " if self.rows else "") + by_oid()[self.result].display


@functools.cache
def routines() -> tuple[Routine, ...]:
    """All of them, by name."""
    found = {routine.oid: routine for routine in _of_types()}
    for name in known_names():
        if name.isidentifier():
            for entry in functions_named(name):
                routine = _of_entry(entry)
                if routine is not None:
                    found[routine.oid] = routine
    return tuple(sorted(found.values(), key=lambda routine: (routine.name, routine.oid)))


def _of_entry(entry: Function) -> Routine | None:
    signature = entry.signature
    known = by_name()
    words = [word for word in signature.arguments if word != "*"]
    if any(word not in known for word in (*words, signature.returns)):
        return None
    variadic = 0
    arguments = [known[word].oid for word in words]
    if signature.variadic and arguments:
        last = known[words[-1]]
        variadic = last.oid
        arguments[-1] = last.array or last.oid
    return Routine(
        oid=oids.function_oid(signature.key),
        name=signature.name,
        kind=_KINDS[entry.kind],
        arguments=tuple(arguments),
        result=known[signature.returns].oid,
        strict=entry.strict,
        rows=entry.kind == "table",
        volatile=entry.volatile,
        variadic=variadic,
    )


def _of_types() -> list[Routine]:
    known = by_name()
    cstring, internal, integer = known["cstring"].oid, known["internal"].oid, known["int4"].oid
    bytea, oid = known["bytea"].oid, known["oid"].oid
    found = []
    for row in type_rows():
        shapes: dict[int, tuple[tuple[int, ...], int]] = {
            _INPUT: ((cstring,), row.oid),
            _OUTPUT: ((row.oid,), cstring),
            _RECEIVE: ((internal,), row.oid),
            _SEND: ((row.oid,), bytea),
            _MODIFIER_IN: ((known["_cstring"].oid,), integer),
            _MODIFIER_OUT: ((integer,), cstring),
        }
        for position, (name, number) in enumerate(row.functions):
            arguments, result = shapes[position]
            if name.startswith("array_"):
                anyarray = known["anyarray"].oid
                arguments, result = {
                    _INPUT: ((cstring, oid, integer), anyarray),
                    _OUTPUT: ((anyarray,), cstring),
                    _RECEIVE: ((internal, oid, integer), anyarray),
                    _SEND: ((anyarray,), bytea),
                }[position]
            if number:
                found.append(Routine(number, name, "f", arguments, result))
    return found


def _procedures(subject: Subject) -> Rows:
    names = (
        "oid", "proname", "prokind", "proargtypes", "prorettype", "pronargs", "proisstrict",
        "proretset", "provolatile", "provariadic", "prorows", "prosrc",
    )  # fmt: skip
    return rows_of(
        names,
        (
            (r.oid, r.name, r.kind, list(r.arguments), r.result, len(r.arguments), r.strict,
             r.rows, "v" if r.volatile else "i", r.variadic, 1000.0 if r.rows else 0.0, r.name)
            for r in routines()
        ),
        pronamespace=oids.CATALOGUE_SCHEMA,
        proowner=oids.OWNER_OID,
        prolang=12,
        procost=1.0,
        prosupport=0,
        pronargdefaults=0,
        prosecdef=False,
        proleakproof=False,
        proparallel="s",
    )  # fmt: skip


def _routine_views(subject: Subject) -> Rows:
    rows = []
    for routine in routines():
        result = by_oid()[routine.result]
        data_type = "ARRAY" if result.name.startswith("_") else result.display
        rows.append(
            (f"{routine.name}_{routine.oid}", routine.name,
             "FUNCTION" if routine.kind == "f" else None, data_type, result.name, routine.name,
             "NO" if routine.volatile else "YES", "YES" if routine.strict else "NO")
        )  # fmt: skip
    names = (
        "specific_name", "routine_name", "routine_type", "data_type", "type_udt_name",
        "routine_definition", "is_deterministic", "is_null_call",
    )  # fmt: skip
    catalogues = ("specific_catalog", "routine_catalog", "type_udt_catalog")
    schemas = ("specific_schema", "routine_schema", "type_udt_schema")
    return rows_of(
        names,
        rows,
        **dict.fromkeys(catalogues, DATABASE),
        **dict.fromkeys(schemas, "pg_catalog"),
        dtd_identifier="0",
        routine_body="EXTERNAL",
        external_language="INTERNAL",
        parameter_style="GENERAL",
        sql_data_access="MODIFIES",
        schema_level_routine="YES",
        max_dynamic_result_sets=0,
        security_type="INVOKER",
        as_locator="NO",
        is_udt_dependent="NO",
    )


BUILDERS: dict[str, Builder] = {"pg_proc": _procedures, "routines": _routine_views}

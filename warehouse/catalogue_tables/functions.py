"""Functions and casts that ask the catalogue or the session, bound to what they mean now.

A worker has neither, so the binder replaces each call by an expression that carries what it needs:
a constant, a lookup in a table of constants, or its own argument (`pg_get_expr`, whose text is kept
as it was written). A lookup of an object that does not exist is NULL, as in PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set

from actors.messages import Session
from actors.temporary import temporary_schema
from storage.errors import NotYet, UnknownObject
from storage.schema import ArrayType
from storage.snapshot.model import Snapshot
from warehouse.algebra.expressions import Call, Case, Cast, Expr, Literal
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER, TEXT, UNKNOWN, AnyType, is_integer
from warehouse.binder.coercion import coerce
from warehouse.binder.objects import OBJECT_TYPES, kind_of, named, number_of, pairs
from warehouse.catalogue_tables import descriptions, oids
from warehouse.catalogue_tables.definitions import definitions_of, path_of, searched
from warehouse.catalogue_tables.keys import index_texts
from warehouse.catalogue_tables.objects_by_name import ObjectsByName
from warehouse.catalogue_tables.partitions import partition_key_texts
from warehouse.catalogue_tables.server import DATABASE, ENCODING, setting

__all__ = ["SessionObjects"]

_TEXTS = ArrayType(element=TEXT)
# Always true for the one role that there is; each has an argument that may be NULL.
_PRIVILEGES = frozenset(
    f"has_{what}_privilege"
    for what in (
        "any_column", "column", "database", "foreign_data_wrapper", "function", "language",
        "parameter", "schema", "sequence", "server", "table", "tablespace", "type",
    )
) | {"pg_has_role"}  # fmt: skip
_ALWAYS_VISIBLE = frozenset(
    f"pg_{what}_is_visible"
    for what in ("collation", "conversion", "function", "opclass", "operator", "opfamily",
                 "statistics_obj", "ts_config", "ts_dict", "ts_parser", "ts_template")
)  # fmt: skip
# Of objects that there are none of: NULL, whatever the argument.
_OF_NOTHING = frozenset(
    """
    pg_get_function_arg_default pg_get_functiondef pg_get_function_sqlbody
    pg_get_partition_constraintdef pg_get_ruledef pg_get_statisticsobjdef
    pg_get_statisticsobjdef_columns pg_get_statisticsobjdef_expressions pg_get_triggerdef
    pg_get_viewdef pg_index_column_has_property pg_index_has_property shobj_description
    inet_client_addr inet_client_port inet_server_addr inet_server_port
    """.split()  # noqa: SIM905
)
_FALSE = frozenset(
    """
    pg_is_in_recovery pg_is_other_temp_schema pg_relation_is_publishable row_security_active
    """.split()  # noqa: SIM905
)


_CONSTANT = _PRIVILEGES | _ALWAYS_VISIBLE | _OF_NOTHING | _FALSE


def _is_maybe(name: str) -> bool:
    return name.startswith("to_reg") and name[3:] in OBJECT_TYPES


class SessionObjects:
    """Implements `binder.objects.SystemObjects` for one session at one snapshot."""

    def __init__(self, snapshot: Snapshot, session: Session) -> None:
        self._snapshot = snapshot
        self._session = session
        self._known = definitions_of(snapshot, session)
        self._path = path_of(session)
        self._objects = ObjectsByName(self._known, self._path)

    # --- objects ----------------------------------------------------------------------------------

    def object(self, kind: str, arg: Expr) -> Expr:
        """`arg::kind`."""
        names = self._objects.names(kind)
        if kind_of(arg) is not None:
            return named(kind, number_of(arg), names)
        if isinstance(arg, Literal) and arg.type in (UNKNOWN, TEXT):
            if arg.value is None:
                return Literal(type=TEXT, value=None)
            number: Expr = Literal(type=BIGINT, value=self._objects.number(kind, arg.value))
            return named(kind, number, names)
        if is_integer(arg.type):
            return named(kind, coerce(arg, BIGINT), names)
        keys, values = pairs(self._objects.numbers(kind))
        text = coerce(arg, TEXT)
        number = Call(type=BIGINT, fn=f"{kind} number(_text,_text,text)", args=(keys, values, text))
        return named(kind, number, names)

    def _number(self, arg: Expr, kind: str = "") -> Expr:
        """An argument of type oid, or of `kind`, which a text may name."""
        if kind_of(arg) is not None:
            return number_of(arg)
        if kind and not is_integer(arg.type):
            return number_of(self.object(kind, arg))
        return coerce(arg, BIGINT)

    def _maybe(self, kind: str, args: Sequence[Expr]) -> Expr:
        """`to_regclass` and the like: NULL for a name of nothing."""
        (arg,) = args
        if not isinstance(arg, Literal):
            raise NotYet(f"to_{kind} of anything but a constant is not available; write ::{kind}")
        try:
            return self.object(kind, arg)
        except UnknownObject:
            return Literal(type=TEXT, value=None)

    # --- functions --------------------------------------------------------------------------------

    def knows(self, name: str) -> bool:
        """Is it one of these functions?"""
        return name in _HANDLERS or name in _CONSTANT or _is_maybe(name)

    def call(self, name: str, args: Sequence[Expr]) -> Expr:
        """The meaning of a call. Raises UnknownObject (42883) for a wrong number of arguments."""
        if name in _PRIVILEGES or name in _ALWAYS_VISIBLE:
            return _unless_null(args, Literal(type=BOOLEAN, value=True))
        if name in _OF_NOTHING:
            return Literal(type=TEXT, value=None)
        if name in _FALSE:
            return Literal(type=BOOLEAN, value=False)
        if _is_maybe(name):
            return self._maybe(name[3:], args)
        counts, make = _HANDLERS[name]
        if len(args) not in counts:
            shown = f"{name} with {len(args)} arguments"
            raise UnknownObject(f"function {shown} does not exist", "42883")
        return make(self, args)

    def _looked_up(self, found: Mapping[str, str], *keys: Expr, kind: AnyType = TEXT) -> Expr:
        fn = "looked up(_text,_text,variadic int8)"
        value = Call(type=TEXT, fn=fn, args=(*pairs(found), *keys))
        return value if kind == TEXT else Cast(type=kind, arg=value, explicit=True)

    def _visible(self, args: Sequence[Expr], what: str) -> Expr:
        path = self._path
        names: Mapping[int, str]
        if what == "relation":
            names = self._objects.names("regclass")
            visible: Set[int] = self._known.visible(path)
        else:
            names = self._objects.names("regtype")
            own = self._known.type_names(path)
            visible = (names.keys() - own.keys()) | self._known.visible_types(path)
        found = {str(oid): "t" if oid in visible else "f" for oid in names}
        return self._looked_up(found, self._number(args[0]), kind=BOOLEAN)

    def _format_type(self, args: Sequence[Expr]) -> Expr:
        names = self._known.type_names(self._path)
        number, modifier = self._number(args[0]), coerce(args[1], INTEGER)
        fn = "type name(_text,_text,int8,int4)"
        return Call(type=TEXT, fn=fn, args=(*pairs(names), number, modifier))

    def _owner(self, args: Sequence[Expr]) -> Expr:
        number = self._number(args[0])
        name = self._looked_up({str(oids.OWNER_OID): self._session_owner}, number)
        return Call(type=TEXT, fn="coalesce", args=(name, _unknown_owner(number)))

    @property
    def _session_owner(self) -> str:
        return self._objects.names("regrole")[oids.OWNER_OID].strip('"')

    def _expression(self, args: Sequence[Expr]) -> Expr:
        return coerce(args[0], TEXT)

    def _constraint(self, args: Sequence[Expr]) -> Expr:
        pretty = len(args) > 1 and isinstance(args[1], Literal) and args[1].value is True
        return self._looked_up(
            descriptions.constraints(self._known, pretty=pretty), self._number(args[0])
        )

    def _index(self, args: Sequence[Expr]) -> Expr:
        return self._looked_up(index_texts(self._known), self._number(args[0]))

    def _partition_key(self, args: Sequence[Expr]) -> Expr:
        return self._looked_up(partition_key_texts(self._known), self._number(args[0]))

    def _comment(self, args: Sequence[Expr]) -> Expr:
        catalogue = "pg_class"
        if len(args) > 1:
            given = args[1]
            if not isinstance(given, Literal):
                raise NotYet("obj_description wants a constant as its second argument")
            if given.value is None:
                return Literal(type=TEXT, value=None)
            catalogue = str(given.value)
        found = descriptions.object_comments(self._known, catalogue if len(args) > 1 else None)
        return self._looked_up(found, self._number(args[0]))

    def _column_comment(self, args: Sequence[Expr]) -> Expr:
        found = descriptions.column_comments(self._known)
        return self._looked_up(found, self._number(args[0]), coerce(args[1], BIGINT))

    def _serial_sequence(self, args: Sequence[Expr]) -> Expr:
        """The table by a text as regclass reads it; the column by its exact name."""
        found = descriptions.serial_sequences(self._known)
        number = self._number(args[0], "regclass")
        text = Cast(type=TEXT, arg=number, explicit=True)
        fn = "looked up name(_text,_text,variadic text)"
        return Call(type=TEXT, fn=fn, args=(*pairs(found), text, coerce(args[1], TEXT)))

    def _size(self, args: Sequence[Expr]) -> Expr:
        found = descriptions.sizes(self._known, self._snapshot)
        return self._looked_up(found, self._number(args[0], "regclass"), kind=BIGINT)

    def _no_size(self, args: Sequence[Expr]) -> Expr:
        number = self._number(args[0], "regclass")
        return _unless_null([number], Literal(type=BIGINT, value=0))

    def _database_size(self, args: Sequence[Expr]) -> Expr:
        total = sum(int(size) for size in descriptions.sizes(self._known, self._snapshot).values())
        arg = args[0] if is_integer(args[0].type) else coerce(args[0], TEXT)
        return _unless_null([arg], Literal(type=BIGINT, value=total))

    def _live_rows(self, args: Sequence[Expr]) -> Expr:
        found = descriptions.row_counts(self._known, self._snapshot)
        return self._looked_up(found, self._number(args[0]), kind=BIGINT)

    def _last_value(self, args: Sequence[Expr]) -> Expr:
        found = descriptions.last_values(self._known, self._snapshot)
        return self._looked_up(found, self._number(args[0], "regclass"), kind=BIGINT)

    def _routine(self, args: Sequence[Expr], what: str) -> Expr:
        return self._looked_up(descriptions.routine_texts(what), self._number(args[0]))

    def _encoding(self, args: Sequence[Expr]) -> Expr:
        name = self._looked_up({str(ENCODING): "UTF8"}, coerce(args[0], BIGINT))
        return Call(type=TEXT, fn="coalesce", args=(name, Literal(type=TEXT, value="")))

    # --- the session ------------------------------------------------------------------------------

    def _schemas(self, args: Sequence[Expr]) -> Expr:
        implicit = args[0]
        if not isinstance(implicit, Literal) or implicit.type not in (BOOLEAN, UNKNOWN):
            raise NotYet("current_schemas wants a constant")
        every = coerce(implicit, BOOLEAN)
        path = tuple(self._session.schema_path)
        if isinstance(every, Literal) and every.value:
            path = searched(self._path)
        known = self._known.schema_oids
        return Literal(type=_TEXTS, value=tuple(name for name in path if name in known))

    def _schema(self, args: Sequence[Expr]) -> Expr:
        known = self._known.schema_oids
        found = next((name for name in self._session.schema_path if name in known), None)
        return Literal(type=TEXT, value=found)

    def _temporary(self, args: Sequence[Expr]) -> Expr:
        own = temporary_schema(self._session)
        return Literal(type=BIGINT, value=self._known.schema_oids.get(own or "", 0))

    def _setting(self, args: Sequence[Expr]) -> Expr:
        name = args[0]
        if not isinstance(name, Literal) or not isinstance(name.value, str):
            raise NotYet("current_setting wants a constant name")
        value = setting(name.value, self._session)
        missing_ok = len(args) > 1 and isinstance(args[1], Literal) and args[1].value is True
        if value is None and not missing_ok:
            raise UnknownObject(f'unrecognized configuration parameter "{name.value}"', "42704")
        return Literal(type=TEXT, value=value)

    def _user(self, args: Sequence[Expr]) -> Expr:
        return Literal(type=TEXT, value=self._session.user)

    def _warehouse(self, args: Sequence[Expr]) -> Expr:
        return Literal(type=TEXT, value=setting("warehouse", self._session) or None)

    def _database(self, args: Sequence[Expr]) -> Expr:
        return Literal(type=TEXT, value=DATABASE)


def _unless_null(args: Sequence[Expr], value: Literal) -> Expr:
    """The value, or NULL if an argument is."""
    tested = [number_of(arg) for arg in args if not isinstance(arg, Literal)]
    if any(isinstance(arg, Literal) and arg.value is None for arg in args):
        return Literal(type=value.type, value=None)
    if not tested:
        return value
    null = tuple(Call(type=BOOLEAN, fn="is null", args=(arg,)) for arg in tested)
    either = null[0] if len(null) == 1 else Call(type=BOOLEAN, fn="or", args=null)
    return Case(
        type=value.type,
        branches=((either, Literal(type=value.type, value=None)),),
        default=value,
    )


def _unknown_owner(number: Expr) -> Expr:
    text = Cast(type=TEXT, arg=number, explicit=True)
    parts = (Literal(type=TEXT, value="unknown (OID="), text, Literal(type=TEXT, value=")"))
    joined: Expr = parts[0]
    for part in parts[1:]:
        joined = Call(type=TEXT, fn="||(text,text)", args=(joined, part))
    return joined


_Make = Callable[[SessionObjects, Sequence[Expr]], Expr]


def _empty(_: SessionObjects, args: Sequence[Expr]) -> Expr:
    return _unless_null(args, Literal(type=TEXT, value=""))


_one, _two = (1,), (1, 2)
_HANDLERS: dict[str, tuple[tuple[int, ...], _Make]] = {
    "col_description": ((2,), SessionObjects._column_comment),
    "current_catalog": ((0,), SessionObjects._database),
    "current_database": ((0,), SessionObjects._database),
    "current_role": ((0,), SessionObjects._user),
    "current_schema": ((0,), SessionObjects._schema),
    "current_schemas": (_one, SessionObjects._schemas),
    "current_setting": (_two, SessionObjects._setting),
    "current_user": ((0,), SessionObjects._user),
    "current_warehouse": ((0,), SessionObjects._warehouse),
    "getdatabaseencoding": ((0,), lambda s, a: Literal(type=TEXT, value="UTF8")),
    "format_type": ((2,), SessionObjects._format_type),
    "obj_description": (_two, SessionObjects._comment),
    "pg_database_size": (_one, SessionObjects._database_size),
    "pg_encoding_to_char": (_one, SessionObjects._encoding),
    "pg_get_constraintdef": (_two, SessionObjects._constraint),
    "pg_get_expr": ((2, 3), SessionObjects._expression),
    "pg_get_function_arguments": (_one, lambda s, a: s._routine(a, "arguments")),
    "pg_get_function_identity_arguments": (_one, lambda s, a: s._routine(a, "arguments")),
    "pg_get_function_result": (_one, lambda s, a: s._routine(a, "result")),
    "pg_get_indexdef": (_one, SessionObjects._index),
    "pg_get_partkeydef": (_one, SessionObjects._partition_key),
    "pg_get_serial_sequence": ((2,), SessionObjects._serial_sequence),
    "pg_get_userbyid": (_one, SessionObjects._owner),
    "pg_indexes_size": (_one, SessionObjects._no_size),
    "pg_my_temp_schema": ((0,), SessionObjects._temporary),
    "pg_relation_size": (_two, SessionObjects._size),
    "pg_sequence_last_value": (_one, SessionObjects._last_value),
    "pg_stat_get_dead_tuples": (_one, SessionObjects._no_size),
    "pg_stat_get_live_tuples": (_one, SessionObjects._live_rows),
    "pg_table_is_visible": (_one, lambda s, a: s._visible(a, "relation")),
    "pg_table_size": (_one, SessionObjects._size),
    "pg_tablespace_location": (_one, _empty),
    "pg_total_relation_size": (_one, SessionObjects._size),
    "pg_type_is_visible": (_one, lambda s, a: s._visible(a, "type")),
    "session_user": ((0,), SessionObjects._user),
    "user": ((0,), SessionObjects._user),
}

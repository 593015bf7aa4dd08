"""Backslash commands of the prompt, named as psql names them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import EnumType, type_name
from warehouse.cli.output import say
from warehouse.cli.shell import Shell
from warehouse.functions.registry import functions_named, known_names

__all__ = ["COMMANDS", "run_command"]

COMMANDS = {
    "\\?": "this help",
    "\\c": "[name] run reads on this virtual warehouse; without a name on the primary",
    "\\conninfo": "where the database is and what runs the statements",
    "\\d": "[table] the columns of a table; without a name the tables",
    "\\df": "[pattern] functions",
    "\\di": "[pattern] indexes",
    "\\dn": "[pattern] schemas",
    "\\dt": "[pattern] tables",
    "\\dT": "[pattern] types that were created",
    "\\dw": "[pattern] virtual warehouses",
    "\\i": "file: run the statements in it",
    "\\l": "the database",
    "\\o": "[file] write rows there; without a name to the terminal",
    "\\q": "leave; Ctrl-D too",
    "\\timing": "[on|off] say how long each statement takes",
    "\\vw": "as \\c",
    "\\x": "[on|off] a line per column",
}
KEYS = "Tab completes, Ctrl-R searches the history, Ctrl-X Ctrl-E opens $EDITOR, Ctrl-C cancels."

_INDEXES = (
    "SELECT schemaname AS schema, indexname AS name, tablename AS table, indexdef AS definition"
    " FROM pg_indexes ORDER BY 1, 2"
)
_KEYS = (
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE conrelid = to_regclass($1) AND contype IN ('p', 'u') ORDER BY contype, conname"
)

_PARTITIONS = "SELECT partition_key, partition_name, bounds FROM mobula.partitions($1)"

_Rows = Sequence[Sequence[Any]]


def run_command(shell: Shell, text: str) -> None:
    """Run one. Raises UnknownObject for a command that does not exist, and its own errors."""
    command, _, argument = text.partition(" ")
    found = _RUN.get(command)
    if found is None:
        raise UnknownObject(
            f"there is no command {command}{nearest(command, COMMANDS)}; \\? shows all", "42601"
        )
    found(shell, argument.strip().rstrip(";").strip())


def _help(shell: Shell, argument: str) -> None:
    width = max(map(len, COMMANDS))
    for name, meaning in COMMANDS.items():
        say(f"{name:<{width}}  {meaning}")
    say(f"Statements end with a semicolon. {KEYS}")


def _quit(shell: Shell, argument: str) -> None:
    shell.done = True


def _describe(shell: Shell, argument: str) -> None:
    if not argument:
        _tables(shell, "")
        return
    found = shell.db.sql(f"DESCRIBE {argument}")
    shell.table(found.columns, found.rows())
    keys = shell.db.sql(_KEYS, [argument])
    if len(keys):
        say("Keys:")
    for name, definition in keys.rows():
        say(f'    "{name}" {definition}')
    partitions = shell.db.sql(_PARTITIONS, [argument]).rows()
    if partitions:
        say(f"Partitioned by {partitions[0][0]}:")
    for _, name, bounds in partitions:
        say(f'    "{name}" {bounds}')


def _tables(shell: Shell, argument: str) -> None:
    found = shell.db.sql("SHOW TABLES")
    rows = [row for row in found.rows() if _matches(argument, row[1], row[0])]
    _listed(shell, found.columns, rows, "tables", argument)


def _schemas(shell: Shell, argument: str) -> None:
    rows = [(name,) for name in sorted(shell.db.snapshot().schemas.values())]
    rows = [row for row in rows if _matches(argument, row[0])]
    _listed(shell, ["schema"], rows, "schemas", argument)


def _types(shell: Shell, argument: str) -> None:
    snapshot = shell.db.snapshot()
    rows = []
    for found in snapshot.types.values():
        schema, kind = snapshot.schemas[found.schema_id], found.definition
        if isinstance(kind, EnumType):
            meaning = "enum: " + ", ".join(kind.labels)
        else:
            meaning = ", ".join(f"{name} {type_name(inner)}" for name, inner in kind.fields)
        if _matches(argument, found.name, schema):
            rows.append((schema, found.name, meaning))
    _listed(shell, ["schema", "type", "definition"], sorted(rows), "types", argument)


def _functions(shell: Shell, argument: str) -> None:
    rows = [
        (name, ", ".join(entry.signature.arguments), entry.signature.returns, entry.kind)
        for name in sorted(known_names())
        if name.isidentifier() and _matches(argument, name)
        for entry in functions_named(name)
    ]
    _listed(shell, ["function", "arguments", "returns", "kind"], rows, "functions", argument)


def _indexes(shell: Shell, argument: str) -> None:
    """Of keys; besides, statistics of micropartitions prune."""
    found = shell.db.sql(_INDEXES)
    rows = [row for row in found.rows() if _matches(argument, row[1], row[0])]
    _listed(shell, found.columns, rows, "indexes", argument)


def _warehouses(shell: Shell, argument: str) -> None:
    found = shell.db.sql("SHOW WAREHOUSES")
    rows = [row for row in found.rows() if _matches(argument, row[0])]
    _listed(shell, found.columns, rows, "virtual warehouses", argument)


def _database(shell: Shell, argument: str) -> None:
    snapshot = shell.db.snapshot()
    row = (shell.db.root, shell.db.id, snapshot.lsn, len(snapshot.tables))
    shell.table(["root", "id", "lsn", "tables"], [row])


def _connection(shell: Shell, argument: str) -> None:
    on = "statements run on the primary"
    if shell.warehouse is not None:
        on = f"reads run on virtual warehouse {shell.warehouse}, all else on the primary"
    say(f"Database {shell.db.root} ({shell.db.id}); {on}.")


def _use(shell: Shell, argument: str) -> None:
    shell.use(argument or None)
    _connection(shell, "")


def _timing(shell: Shell, argument: str) -> None:
    shell.timing = _switched(argument, shell.timing)
    say(f"Timing is {'on' if shell.timing else 'off'}.")


def _expanded(shell: Shell, argument: str) -> None:
    shell.expanded = _switched(argument, shell.expanded)
    say(f"Expanded display is {'on' if shell.expanded else 'off'}.")


def _write_to(shell: Shell, argument: str) -> None:
    shell.write_to(argument or None)


def _include(shell: Shell, argument: str) -> None:
    if not argument:
        raise InvalidRequest("\\i wants the name of a file")
    try:
        text = Path(argument).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{argument} does not read: {error}", "58030") from error
    shell.run(text)


def _switched(argument: str, now: bool) -> bool:
    if argument not in ("", "on", "off"):
        raise InvalidRequest(f"expected on or off, found {argument!r}")
    return not now if not argument else argument == "on"


def _matches(pattern: str, name: str, schema: str | None = None) -> bool:
    """psql's patterns: `*` and `?`, a name alone or `schema.name`; an empty one matches all."""
    if not pattern:
        return True
    whole = name if schema is None or "." not in pattern else f"{schema}.{name}"
    return fnmatch.fnmatchcase(whole, pattern)


def _listed(shell: Shell, columns: Sequence[str], rows: _Rows, what: str, pattern: str) -> None:
    if rows:
        shell.table(columns, rows)
    else:
        say(f"There are no {what}" + (f" like {pattern}." if pattern else "."))


_RUN: dict[str, Callable[[Shell, str], None]] = {
    "\\?": _help,
    "\\c": _use,
    "\\conninfo": _connection,
    "\\d": _describe,
    "\\df": _functions,
    "\\di": _indexes,
    "\\dn": _schemas,
    "\\dt": _tables,
    "\\dT": _types,
    "\\dw": _warehouses,
    "\\i": _include,
    "\\l": _database,
    "\\o": _write_to,
    "\\q": _quit,
    "\\timing": _timing,
    "\\vw": _use,
    "\\x": _expanded,
}

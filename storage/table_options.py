"""The options of a table, of CREATE TABLE … WITH (…) and ALTER TABLE … SET (…): which there are,
what they may be, and the policies that they make of those of the database.

A table has those that were given, and no others: what is not given is the database's to say, also
when that changes. Numbers that are no whole ones, and switches, stand in the catalogue as texts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from storage.compaction_policy import CompactionPolicy
from storage.errors import InvalidRequest
from storage.flush_policy import FlushPolicy
from storage.micropartition.writer import ROWS_MAX
from storage.nearest import nearest

__all__ = [
    "TABLE_OPTIONS",
    "Options",
    "TableOption",
    "check_names",
    "checked",
    "compaction_policy",
    "flush_policy",
    "is_maintained",
    "options_text",
]

Options = Mapping[str, int | str]
Policy = Literal["flush", "compaction"]


@dataclass(frozen=True, slots=True)
class TableOption:
    """One option.

    Attributes:
        kind: "count" and "bytes": whole numbers; "number" and "seconds": with a fraction;
            "switch": on or off.
        low, high: of a number.
        sets: the policy and its field that it takes the place of; None: it is no policy's.
    """

    kind: Literal["count", "bytes", "number", "seconds", "switch"]
    low: float = 0
    high: float = 0
    sets: tuple[Policy, str] | None = None

    @property
    def expected(self) -> str:
        """What a value may be, in words."""
        if self.kind == "switch":
            return "on or off"
        unit = {"bytes": " bytes", "seconds": " seconds"}.get(self.kind, "")
        return f"{self.low:,} to {self.high:,}{unit}"


TABLE_OPTIONS: Mapping[str, TableOption] = {
    "micropartition_rows": TableOption("count", 1, ROWS_MAX),
    "auto_maintenance": TableOption("switch"),
    "flush_rows": TableOption("count", 1, 1 << 30, ("flush", "rows_max")),
    "flush_bytes": TableOption("bytes", 1, 16 << 30, ("flush", "bytes_max")),
    "flush_deltas": TableOption("count", 1, 1 << 20, ("flush", "deltas_max")),
    "flush_age_s": TableOption("seconds", 1, 30 * 86_400, ("flush", "age_s_max")),
    "holes_max": TableOption("number", 0.01, 1, ("compaction", "holes_max")),
    "depth_max": TableOption("count", 1, 1 << 20, ("compaction", "depth_max")),
    "merge_rows_max": TableOption("count", 1, 1 << 30, ("compaction", "merge_rows_max")),
    "level_share_max": TableOption("number", 0, 1_000_000, ("compaction", "level_share_max")),
    "fan_in": TableOption("count", 2, 1 << 20, ("compaction", "fan_in")),
    "small_files_max": TableOption("count", 2, 1 << 20, ("compaction", "small_files_max")),
}


def check_names(table: str, names: Iterable[str]) -> None:
    """Raises InvalidRequest for what is no option, with those that there are."""
    for name in names:
        if name not in TABLE_OPTIONS:
            hint = nearest(name, TABLE_OPTIONS)
            meant = f"{hint} " if hint.endswith("?") else "; "
            raise InvalidRequest(
                f"table {table}: unknown table option {name}{meant}"
                f"options are {', '.join(TABLE_OPTIONS)}",
                "22023",
            )


def checked(table: str, name: str, value: object) -> int | str:
    """An option's value as it stands in the catalogue.

    Args: value: a number, a Boolean, or a text of either.
    Raises InvalidRequest: there is no such option, or it cannot have that value.
    """
    check_names(table, [name])
    option = TABLE_OPTIONS[name]
    found = _switch(value) if option.kind == "switch" else _number(option, value)
    if found is None:
        raise InvalidRequest(
            f"table {table}: {name} = {value}: expected {option.expected}", "22023"
        )
    return found


def _switch(value: object) -> str | None:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value) if value in ("on", "off") else None


def _number(option: TableOption, value: object) -> int | str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if not option.low <= number <= option.high:  # a NaN is not in it either
        return None
    if option.kind in ("count", "bytes"):
        return int(number) if number == int(number) else None
    return repr(number).removesuffix(".0")


def flush_policy(database: FlushPolicy, options: Options) -> FlushPolicy:
    """When a table with these options is flushed."""
    changes = _fields("flush", options)
    return dataclasses.replace(database, **changes) if changes else database


def compaction_policy(database: CompactionPolicy, options: Options) -> CompactionPolicy:
    """When files of a table with these options are rewritten."""
    changes = _fields("compaction", options)
    return dataclasses.replace(database, **changes) if changes else database


def is_maintained(options: Options) -> bool:
    """Is a table with these options flushed and compacted by itself?"""
    return options.get("auto_maintenance") != "off"


def options_text(options: Options) -> tuple[str, ...]:
    """`name=value`, as PostgreSQL shows them, by name."""
    return tuple(f"{name}={options[name]}" for name in sorted(options))


def _fields(policy: Policy, options: Options) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in options.items():
        option = TABLE_OPTIONS.get(name)
        if option is not None and option.sets is not None and option.sets[0] == policy:
            whole = option.kind in ("count", "bytes")
            found[option.sets[1]] = int(value) if whole else float(value)
    return found

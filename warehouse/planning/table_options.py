"""Options of tables as SQL gives them: WITH (…) of CREATE TABLE, SET (…) of ALTER TABLE."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import InvalidRequest
from storage.table_options import TABLE_OPTIONS, check_names, checked
from warehouse.syntax.quantities import Raw, duration_ms, read_bytes, read_truth

__all__ = ["table_options"]


def table_options(table: str, given: Sequence[tuple[str, Raw]]) -> dict[str, int | str]:
    """Raises InvalidRequest for what is unknown, given twice, or out of range."""
    options: dict[str, int | str] = {}
    for name, value in given:
        check_names(table, [name])
        if name in options:
            raise InvalidRequest(f"table option {name} is given twice", "42601")
        options[name] = checked(table, name, _plain(name, value))
    return options


def _plain(name: str, value: Raw) -> object:
    """'64 MB', '5 min' and the like as numbers; what does not read as it is."""
    try:
        match TABLE_OPTIONS[name].kind:
            case "bytes":
                found = read_bytes(value)
                return value if found is None else found
            case "seconds":
                return duration_ms(value, "s", "seconds, or a text such as '5 min'") / 1000
            case "switch":
                return read_truth(value)
    except InvalidRequest:
        return value
    return value

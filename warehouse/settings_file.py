"""Settings from a TOML file, for programs that take a path instead of Python.

The keys are the fields of `Settings`, by the same names:

    cache_directory = "/mnt/nvme"

    [ray]
    primary_resources = { primary = 0.01 }

    [ray.node_types.spot]
    resources = { vw_spot = 0.01 }
    floor = 2
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec

from actors.settings import Settings
from storage.errors import InvalidRequest
from storage.nearest import nearest

__all__ = ["SETTINGS_VARIABLE", "read_settings"]

SETTINGS_VARIABLE = "MOBULA_SETTINGS"  # names the file for `mobula` and the jobs


def read_settings(path: Path) -> Settings:
    """The settings of a file; what it does not say is as `Settings` has it.

    Raises:
        InvalidRequest: it does not read as TOML, or has a key that is none, or a value of another
            type.
    """
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(f"settings {path} do not read as TOML: {error}") from error
    _check_keys(path, Settings, found, "")
    try:
        return msgspec.convert(found, Settings)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"settings {path}: {error}") from error


def _check_keys(path: Path, kind: Any, found: Any, place: str) -> None:
    """Every key is a field: a conversion passes over those that are not."""
    if not isinstance(found, Mapping):
        return  # its type is wrong, or right, which the conversion finds
    if not dataclasses.is_dataclass(kind):
        for name, value in found.items():
            for inner in get_args(kind)[1:]:  # of a dictionary, its values
                _check_keys(path, inner, value, f"{place}{name}.")
        return
    known = get_type_hints(kind)
    for name, value in found.items():
        if name not in known:
            raise InvalidRequest(
                f"settings {path}: {place}{name} is no setting{nearest(name, known)}"
            )
        _check_keys(path, known[name], value, f"{place}{name}.")

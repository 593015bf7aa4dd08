"""Importing this module registers every function and operator."""

from __future__ import annotations

import importlib
import pkgutil

import warehouse.functions

__all__ = ["MODULES"]

MODULES = tuple(
    found.name
    for found in pkgutil.walk_packages(warehouse.functions.__path__, "warehouse.functions.")
    if found.name != __name__
)

for _name in MODULES:
    importlib.import_module(_name)

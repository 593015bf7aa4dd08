"""The command `mobula`."""

from warehouse.cli.app import main

__all__ = ["main"]

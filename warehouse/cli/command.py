"""What every command shares: errors as one line, and where ROOT comes from.

ROOT is the first argument of every command. When MOBULA_ROOT is set it may be left out; it counts
as given when it is written as a place (`./db`, `/db`, `~/db`, `s3://…`), or when there are more
arguments than the command takes without it.
"""

from __future__ import annotations

import os
import re
from typing import Any

from typer import Exit
from typer._click import Context
from typer.core import TyperCommand, TyperGroup

from storage.errors import MobulaError
from warehouse.cli.output import say_error

__all__ = ["CommandGroup", "RootCommand"]

ROOT_VARIABLE = "MOBULA_ROOT"
_PLACE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|~?/(?!\*)|\.\.?(/|$)")


class CommandGroup(TyperGroup):
    """A group of commands. An error of ours becomes one line on stderr and exit status 1."""

    def invoke(self, ctx: Context) -> Any:
        try:
            return super().invoke(ctx)
        except MobulaError as error:
            say_error(error)
            raise Exit(1) from error


class RootCommand(TyperCommand):
    """A command whose first argument, `root`, may come from the environment."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        fallback = os.environ.get(ROOT_VARIABLE)
        if fallback and self._lacks_root(ctx, args):
            args = [fallback, *args]
        return super().parse_args(ctx, args)

    def _lacks_root(self, ctx: Context, args: list[str]) -> bool:
        """Whether the arguments make sense with a root before them only."""
        given = self.make_parser(ctx).parse_args(list(args))[0].get("root")
        if isinstance(given, str) and _PLACE.match(given):
            return False
        surplus = self.make_parser(ctx).parse_args(["root", *args])[1]
        return not surplus

"""What every job takes: the database, where it runs, settings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import warehouse
from warehouse.settings_file import SETTINGS_VARIABLE, read_settings

__all__ = ["connected", "job_parser"]


def job_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """A parser of `python -m jobs.{name}` with --root, --engine and --settings."""
    parser = argparse.ArgumentParser(
        prog=f"python -m jobs.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", required=True, help="directory or URL of the database")
    parser.add_argument("--engine", choices=("ray", "local"), default="ray")
    parser.add_argument(
        "--settings",
        type=Path,
        default=os.environ.get(SETTINGS_VARIABLE),
        help=f"a TOML file of settings, {SETTINGS_VARIABLE} by default",
    )
    return parser


def connected(options: argparse.Namespace, *, create: bool = False) -> warehouse.Database:
    """The database of these options. Args: create: it may be made. Raises what `connect` does."""
    settings = read_settings(options.settings) if options.settings else None
    return warehouse.connect(options.root, engine=options.engine, create=create, settings=settings)

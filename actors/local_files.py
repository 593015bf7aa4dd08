"""Where the processes of a machine keep files on its own disk.

    <cache_directory>/mobula-<user>/cache-<pid>/<database>-<worker>/    what a worker has cached
    <cache_directory>/mobula-<user>/cache-<pid>/scratch/                of work that is under way

A process that is killed leaves its files; whoever begins next on that machine removes them.
"""

from __future__ import annotations

import getpass
import tempfile
from pathlib import Path

from actors.settings import Settings
from storage.cache import own_directory, remove_stale
from storage.objects.os_errors import os_errors

__all__ = ["own_files", "remove_left", "scratch"]


def own_files(settings: Settings) -> Path:
    """The directory of this process; need not exist."""
    return own_directory(_root(settings))


def scratch(settings: Settings) -> Path:
    """Where this process puts temporary files. Raises Unavailable, InvalidRequest: it cannot be
    made."""
    directory = own_files(settings) / "scratch"
    with os_errors(f"directory {directory} for temporary files"):
        directory.mkdir(parents=True, exist_ok=True)
    return directory


def remove_left(settings: Settings) -> None:
    """Remove what killed processes left behind, of whichever database."""
    remove_stale(_root(settings))


def _root(settings: Settings) -> Path:
    parent = settings.cache_directory or tempfile.gettempdir()
    return Path(parent) / f"mobula-{getpass.getuser()}"

"""TPC-H data as Parquet files, one per table, made by the command `tpchgen-cli`.

Steps of `generate`:
1. A directory whose marker names the same scale factor and generator is complete: nothing to do.
2. The generator writes into a fresh staging directory inside the target.
3. Each file is renamed into place, then the marker; both are atomic.

Invariant: where the marker exists, all eight files are whole. Concurrent runs at one scale factor
do the work twice and leave the same bytes.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from storage.errors import InvalidRequest, Unavailable
from warehouse.tpch.definition import TABLES

__all__ = ["generate", "generator_version"]

_COMMAND = "tpchgen-cli"
_MARKER = "tpch.json"


def generate(directory: str | Path, scale_factor: float) -> dict[str, Path]:
    """Fill a directory with the eight tables as Parquet, unless they are there already.

    Prints nothing: a caller who wants to show progress does so around the call, which takes one
    second at scale factor 0.01 and five at 1 (2 cores).

    Args:
        directory: made when missing; holds `<table>.parquet` afterwards.
        scale_factor: 1 stands for 6,001,215 rows of `lineitem` and 362 MB of files.
    Returns:
        The file of each table, in the order of `TABLES`.
    Raises:
        InvalidRequest: the directory holds another scale factor, the scale factor is not positive,
            or the generator is not installed.
        Unavailable: the generator failed (a full disk, for one); its own words are in the message.
    """
    if scale_factor <= 0:
        raise InvalidRequest(f"TPC-H scale factor: expected a number above 0, found {scale_factor}")
    target = Path(directory)
    target.mkdir(parents=True, exist_ok=True)
    paths = {table: target / f"{table}.parquet" for table in TABLES}
    content = {"scale_factor": float(scale_factor), "generator": generator_version()}
    if not _is_complete(target, paths, content):
        _fill(target, paths, content)
    return paths


@cache
def generator_version() -> str:
    """The generator's name and version, such as `tpchgen-cli 4.0.0`."""
    return _run("--version").strip()


def _is_complete(target: Path, paths: dict[str, Path], content: dict[str, object]) -> bool:
    marker = target / _MARKER
    if not marker.exists() or not all(path.exists() for path in paths.values()):
        return False
    found = json.loads(marker.read_text(encoding="utf-8"))
    if found != content:
        raise InvalidRequest(
            f"directory {target}: expected TPC-H data of {content}, found {found}; "
            "name another directory, or delete this one"
        )
    return True


def _fill(target: Path, paths: dict[str, Path], content: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory(dir=target, prefix=".generating-") as staging:
        scale_factor = str(content["scale_factor"])
        _run("parquet", "--quiet", "--scale-factor", scale_factor, "--output-dir", staging)
        for path in paths.values():
            (Path(staging) / path.name).replace(path)
        marker = Path(staging) / _MARKER
        marker.write_text(json.dumps(content), encoding="utf-8")
        marker.replace(target / _MARKER)


def _run(*arguments: str) -> str:
    try:
        done = subprocess.run(
            [_command(), *arguments], capture_output=True, text=True, check=True, env={}
        )
    except subprocess.CalledProcessError as error:
        raise Unavailable(
            f"{_COMMAND} ended with status {error.returncode}: {error.stderr.strip()}"
        ) from error
    return done.stdout


def _command() -> str:
    """The generator beside the running interpreter, else on the search path."""
    beside = Path(sys.executable).parent / _COMMAND
    found = str(beside) if beside.exists() else shutil.which(_COMMAND)
    if found is None:
        raise InvalidRequest(
            f"command {_COMMAND} not found: install it with `pip install tpchgen-cli`"
        )
    return found

"""Environments of their own for the peers, whose dependencies clash with ours and with each other.

An environment is made once under `.bench/`; its marker is written last, so that one left half made
is made again.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["BENCH_DIRECTORY", "peer_python"]

BENCH_DIRECTORY = Path(".bench")


def peer_python(name: str, *requirements: str) -> Path:
    """The interpreter of an environment that holds exactly these requirements.

    Args:
        name: part of the directory's name, together with the first requirement's version.
        requirements: pinned, as for pip; the first is the peer itself.
    """
    directory = (BENCH_DIRECTORY / f"venv-{name}-{requirements[0].partition('==')[2]}").absolute()
    marker = directory / "requirements.txt"
    wanted = "\n".join(requirements)
    python = directory / "bin" / "python"
    if not marker.exists() or marker.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([str(python), *install, *requirements], check=True)
        marker.write_text(wanted, encoding="utf-8")
    return python

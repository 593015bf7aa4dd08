"""What benchmarks share of this machine: where their files go, environments of the peers, progress.

Peers live in environments of their own, since their dependencies clash with ours and with each
other. An environment is made once under `.bench/`; its marker is written last, so that one left
half made is made again.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["BENCH_DIRECTORY", "machine", "peer_python", "say"]

BENCH_DIRECTORY = Path(".bench")


def machine() -> dict[str, str | int]:
    """What a report says of the machine."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory_bytes / 2**30),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def say(text: str) -> None:
    """Progress, on stderr and on one line where that is a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    print(f"{text:<60}", end=end, file=sys.stderr, flush=True)


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

"""Runs a command, and ends everything that came from it when standard input closes. Linux only.

    python tests/keeper.py COMMAND ARGUMENT...

1. Become the process that orphans are given to, so that a daemon cannot slip away.
2. Run the command to its end; it may leave daemons behind. Print `started`, or leave with its code.
3. Wait until standard input ends. It ends too when whoever started us is killed.
4. Kill all descendants, again and again, until there is none. Leaving with 0 says so.

Only descendants are killed: nothing else of the machine, whatever it is called.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
ROUNDS_MAX = 200
PAUSE_S = 0.05


def descendants(ancestor: int) -> list[int]:
    """Process ids of all that came from `ancestor`, dead ones that nobody waited for included."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # proc(5): "pid (name) state parent …", and a name may have spaces in it
                state = (entry / "stat").read_text("utf-8", "replace")
                parents[int(entry.name)] = int(state.rpartition(")")[2].split()[1])
    found: set[int] = set()
    new = {ancestor}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return sorted(found)


def reap() -> None:
    """Wait for orphans that have ended, so that their ids become free."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_descendants() -> bool:
    """Kill until nobody is left; False when somebody does not go."""
    for _ in range(ROUNDS_MAX):
        left = descendants(os.getpid())
        if not left:
            return True
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        select.select([], [], [], PAUSE_S)
        reap()
    return False


def main(command: list[str]) -> int:
    """See the module."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    code = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
    ).returncode
    if code == 0:
        sys.stdout.write("started\n")
        sys.stdout.flush()
        while not (select.select([sys.stdin], [], [], 1.0)[0] and not os.read(0, 1024)):
            reap()
    return code if end_descendants() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Time and randomness come from outside: ruff refuses their use anywhere but in one place."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.house.source_tree import PACKAGES, ROOT, sources, text

FORBIDDEN = [
    "import time\n\nNOW = time.time()\n",
    "from time import time\n\nNOW = time()\n",
    "from time import time as clock\n\nNOW = clock()\n",
    "import time\n\nNOW = time.time_ns()\n",
    "import datetime\n\nNOW = datetime.datetime.now()\n",
    "from datetime import datetime\n\nNOW = datetime.now()\n",
    "from datetime import datetime\n\nNOW = datetime.utcnow()\n",
    "import random\n\nDRAWN = random.random()\n",
    "from random import random\n\nDRAWN = random()\n",
]


def _findings(source: str) -> str:
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "check", "--no-cache", "--select", "TID251", "--output-format", "concise"]
    found = subprocess.run(
        [*command, "--stdin-filename", "storage/example.py", "-"],
        input=source,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode in (0, 1), found.stderr
    return found.stdout


@pytest.mark.parametrize("source", FORBIDDEN)
def test_ruff_refuses_the_machines_clock_and_randomness(source: str) -> None:
    assert "TID251" in _findings(source)


def test_ruff_allows_the_injected_clock() -> None:
    source = "from storage.clock import Clock\n\n\ndef now(clock: Clock) -> int:\n"
    assert "TID251" not in _findings(source + "    return clock.now_ms()\n")


def test_one_module_alone_is_exempt() -> None:
    exempt = re.compile(r"#\s*(noqa: .*TID251|noqa\s*$|ruff: noqa)", re.MULTILINE)
    found = [path for path in sources(*PACKAGES) if exempt.search(text(path))]
    assert found == ["storage/clock.py"]

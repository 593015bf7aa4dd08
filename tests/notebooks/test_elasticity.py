"""The notebook about elasticity runs on a Ray of its own, and shows what it says."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "elasticity.ipynb"
CELL_S = 120


@pytest.mark.ray
@pytest.mark.slow  # it shows half a minute of load
@pytest.mark.filterwarnings("default")  # those of nbclient and of the kernel are not ours
def test_elasticity_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    # The kernel that is meant is this interpreter, whatever kernels the machine knows.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)

    NotebookClient(
        notebook, timeout=CELL_S, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = "".join(output.get("text", "") for output in outputs)
    assert "queries, 3 clusters at most" in texts
    for action in ("scale out", "suspend", "resume"):
        assert action in texts
    assert "worker-seconds, and a query took" in texts
    assert any("image/png" in output.get("data", {}) for output in outputs)

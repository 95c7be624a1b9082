"""The quick start runs as it is shipped, and finds what the simulator built."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "quickstart.ipynb"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # the kernel's own
def test_the_quick_start_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("torn down between 9 May and 25 July 2023" in o.get("text", "") for o in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "report.html" in notebook.cells[-1]["outputs"][-1]["data"]["text/plain"]

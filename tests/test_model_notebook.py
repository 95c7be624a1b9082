"""The training notebook runs as it is shipped."""

from ast import literal_eval
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "train_and_evaluate.ipynb"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # the kernel's own
def test_the_training_notebook_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    client = NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    last = notebook.cells[-1]["outputs"][0]["data"]["text/plain"]
    assert {"metrics.json", "page.html"} <= set(literal_eval(last))

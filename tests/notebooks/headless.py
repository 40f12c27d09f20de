"""What the tests of the notebooks share: run one headless, read its cells."""

import subprocess
import sys

import nbformat

from tests.conftest import ROOT


def path(name):
    return ROOT / "notebooks" / f"{name}.ipynb"


def run(notebook, results, *settings):
    command = [sys.executable, ROOT / "notebooks" / "run.py", notebook, *settings, "--results", results]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_committed(name, pictures):
    """Check that the committed outputs come from one run, top to bottom, without warnings; return the printed text."""
    cells = code_cells(nbformat.read(path(name), as_version=4))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.get("name", "") for output in outputs} <= {"stdout", ""}
    assert not [output for output in outputs if output.output_type == "error"]
    assert len([output for output in outputs if "image/png" in output.get("data", {})]) == pictures
    return "".join(output.get("text", "") for output in outputs)

"""What the tests of the notebooks share: run one headless, type a command of the README, read cells."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def path(name):
    return ROOT / "notebooks" / f"{name}.ipynb"


def run(notebook, results, *settings):
    command = [sys.executable, ROOT / "notebooks" / "run.py", notebook, *settings, "--results", results]
    return subprocess.run(command, capture_output=True, text=True, timeout=900)


def typed(command, results, *more):
    """Type a command of the README, and return it when it has ended. Arguments as in `line_and_environment`."""
    line, environment = line_and_environment(command, results, *more)
    return subprocess.run(["bash", "-c", line], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def line_and_environment(command, results, *more):
    """Return a command of the README as a line for the shell that works in the environment that runs these tests.

    Args:
        command: it has to stand in the README.
        results: folder for what `make run` writes.
        more: further words, such as settings that make it short.
    """
    assert f"`{command}`" in README or f"$ {command}\n" in README
    own, environment = make_here(results)
    line = re.sub(r"^make \w+", rf"\g<0> {shlex.join(own)}", command)
    line = re.sub(r"^(?:\.venv/bin/)?(python|pip|jupyter)\b", rf"{Path(sys.executable).parent}/\1", line)
    return f"{line} {shlex.join(more)}", environment


def make_here(results):
    """Return the words, and the environment, with which make works in the environment that runs these tests."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    ready = Path(results) / "ready"
    ready.touch()  # newer than requirements.txt: make finds its environment complete
    # What pytest and make tell their own children would make these children behave otherwise.
    own = "MAKE", "NOTEBOOK", "OPENED", "RESULTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "PYTEST_CURRENT"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return [f"BIN={Path(sys.executable).parent}", f"READY={ready}", f"RESULTS={results}"], environment


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

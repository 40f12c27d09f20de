"""notebooks/your_network.ipynb: the committed outputs, and a run with small parameters."""

import re

import nbformat

from tests.notebooks.headless import check_committed, path, run

TEXT = "ab ba abba baab. "


def ranks(text):
    """Return the ranks in the lists that are printed."""
    return [int(rank.replace(",", "")) for rank in re.findall(r"rank\(H_[foL]\) +=\s+([\d,]+) ", text)]


def test_committed_outputs():
    printed = check_committed("your_network", pictures=2)
    assert len(ranks(printed)) == 3 * 8
    assert printed.count("clear") > printed.count("open")


def test_its_first_cell_stands_alone(capsys):
    first = next(cell for cell in nbformat.read(path("your_network"), as_version=4).cells if cell.cell_type == "code")
    exec(first.source, {})
    printed = capsys.readouterr().out
    assert ranks(printed) == [55, 55, 55]
    assert printed.count("clear") == 3


def test_a_small_run(tmp_path):
    settings = "n_train=20", "hidden=3", "steps=20", "width=4", "length=5", f"text={3 * TEXT}"
    finished = run(path("your_network"), tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr

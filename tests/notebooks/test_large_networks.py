"""notebooks/large_networks.ipynb: the committed outputs, and a run with small parameters."""

import re

from tests.notebooks.headless import check_committed, typed


def test_committed_outputs():
    printed = check_committed("large_networks", pictures=3)
    assert "275" in printed
    assert re.search(r"with the bound: .* s, \d+ clear, \d+ clear, \d+ clear\n", printed)
    assert "find the ranks without the matrix, by matrix_free.sketched_ranks" in printed


def test_a_small_run(tmp_path):
    settings = ["dim=16", "widths=[4, 6]", "classes=5", "sweep_classes=2", "sweep_widths=[4, 8]", "dense_widths=[4]"]
    finished = typed("make run NOTEBOOK=notebooks/large_networks.ipynb", tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    rows = [line.split() for line in finished.stdout.splitlines() if "  H_" in line]
    assert [row[-3] for row in rows] == ["yes"] * 3

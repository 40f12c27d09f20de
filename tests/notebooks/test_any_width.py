"""notebooks/any_width.ipynb: the committed outputs, and a run with small parameters."""

import re

from tests.notebooks.headless import check_committed, path, run


def equal(text):
    """Return the column that says whether counted signs and those from the structure are equal."""
    return [line.split()[-2] for line in text.splitlines() if "  H_" in line]


def test_committed_outputs():
    printed = check_committed("any_width", pictures=6)
    assert equal(printed) == ["yes"] * 3
    assert "p = 74,000,000: all eigenvalues of three matrices in" in printed
    rows = [line.split() for line in printed.splitlines() if re.match(r"H_. +\d", line)]
    assert [(row[1], row[-1]) for row in rows] == [("20,000,000",) * 2, ("530",) * 2, ("20,000,430",) * 2]
    assert [row[3] for row in rows] == ["clear"] * 3
    assert "too little to be sure" in printed
    undecided = dict(re.findall(r"^rank\(H_(.)\) += +\d+ +gap .* (\w+)$", printed, flags=re.M))
    assert undecided == {"f": "open", "o": "clear", "L": "open"}
    assert "exact ranks: 18 9 17" in printed
    assert "linear_networks.inertia has the ranks and the signs of all three matrices without T" in printed
    assert "without biases: with biases the structure is another one" in printed


def test_a_small_run(tmp_path):
    settings = ["dim=9", "widths=[4, 3]", "classes=4", "picture_widths=[5]", "wide_dim=16", "wide_width=500"]
    settings += ["sweep_widths=[5, 10]", "sweep_depths=[3]", "sweep_width=20"]
    finished = run(path("any_width"), tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    assert equal(finished.stdout) == ["yes"] * 3

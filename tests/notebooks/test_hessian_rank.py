"""notebooks/hessian_rank.ipynb and notebooks/run.py: the committed outputs, and runs with other hyperparameters."""

import nbformat
import numpy as np
import pytest

from tests.notebooks.headless import check_committed, code_cells, path, run
from tests.oracles.hyperparameters import run_cells

NOTEBOOK = path("hessian_rank")


def ranks(text):
    """Return the measured and predicted ranks from the rows of the table in a text."""
    rows = [line.split() for line in text.splitlines() if "  H_" in line]
    assert [row[2] for row in rows] == ["H_f", "H_o", "H_L"]
    return [int(row[3]) for row in rows], [int(row[-4]) for row in rows]


@pytest.fixture(scope="module")
def committed():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_committed_outputs():
    printed = check_committed("hessian_rank", pictures=3)
    table, signs = printed.split("eigenvalues  ")
    assert ranks(table) == ([175, 150, 250], [175, 150, 250])
    rows = [line.split() for line in signs.splitlines() if "  H_" in line]
    assert [row[3:6] for row in rows] == [["85", "90", "100"], ["150", "0", "125"], ["181", "69", "25"]]
    assert [row[-2] for row in rows] == ["yes"] * 3
    assert "\n\nAll three ranks are those of the closed form, and exact arithmetic proves all three.\n" in printed


def test_exactly_one_cell_has_the_parameters(committed):
    tagged = [cell for cell in committed.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    values = {}
    exec(tagged[0].source, values)
    expected = dict(dataset="digits", n_train=50, dim=25, widths=[5, 10], classes=10, bs=10, seed=1)
    expected |= dict(activation="linear", init_name="glorot", loss_name="mse", bias=False)
    assert {name: value for name, value in values.items() if not name.startswith("__")} == expected


def test_a_cell_run_twice_gives_the_same_answer(committed, tmp_path):
    twice = nbformat.from_dict(committed)
    twice.cells = [cell for cell in committed.cells for _ in range(1 + (cell.cell_type == "code"))]
    for i, cell in enumerate(twice.cells):
        twice.cells[i] = nbformat.from_dict({**cell, "id": f"cell-{i}"})
    # papermill takes one cell of parameters
    twice.cells = [c for i, c in enumerate(twice.cells) if not ("parameters" in c.metadata.get("tags", []) and i % 2)]
    nbformat.write(twice, tmp_path / "twice.ipynb")
    finished = run(tmp_path / "twice.ipynb", tmp_path)
    assert finished.returncode == 0, finished.stderr
    tables = finished.stdout.split("matrix  ")[1:]
    assert len(tables) == 2
    assert [ranks(table) for table in tables] == [([175, 150, 250], [175, 150, 250])] * 2


def printed(**setting):
    """Return the table that the cells print with these hyperparameters."""
    outcome = run_cells(setting)
    assert outcome.error is None
    assert outcome.warnings == []
    return outcome.table


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (
            dict(loss_name="cross", init_name="uniform", widths=[3, 20], bs=7),
            [138 + 54 - 27, 93, 138 - 27 + 102],
        ),
        (dict(classes=1, loss_name="cosh", init_name="orthogonal"), [2 * 15 + 2 - 3, 25, 30 - 3 + 26]),
        (dict(dataset="gaussian", dim=7, n_train=4, bs=100, widths=[6]), [2 * 24 + 32 - 32, 40, 48 - 32 + 56]),
        (dict(bias=True, widths=[10, 5]), [180, 160, 270]),
    ],
    ids=["cross", "one output", "gaussian", "bias"],
)
def test_other_hyperparameters(setting, expected):
    assert ranks(printed(**setting)) == (expected, expected)


def test_a_run_leaves_the_notebook_and_its_figures(tmp_path):
    finished = run(NOTEBOOK, tmp_path, "bias=no", "widths=(5, 10)")
    assert finished.returncode == 0, finished.stderr
    assert ranks(finished.stdout) == ([175, 150, 250],) * 2
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"figure-{i}.png" for i in (1, 2, 3)),
        "hessian_rank.ipynb",
    ]
    executed = nbformat.read(folder / "hessian_rank.ipynb", as_version=4)
    assert not [output for cell in code_cells(executed) for output in cell.outputs if output.get("name") == "stderr"]


def test_a_network_beyond_the_theorem():
    table = printed(activation="relu", n_train=20)
    assert "linear network" in table
    measured, linear = ranks(table)
    assert linear == [175 - 0, 150 - 5 * 5, 250 - 5 * 5]  # r = 20 in place of 25
    assert measured[1] > linear[1]  # relu masks differ from sample to sample, so that the gradients span more


def test_a_zero_hessian_is_an_answer():
    """With the first seed all units of this relu network are dead."""
    outcome = run_cells(dict(activation="relu", widths=[2, 2]))
    assert outcome.error is None
    assert not any(np.any(outcome.namespace[name]) for name in ("H_f", "H_o", "H_L"))
    assert "H_L = H_o + H_f to 0e+00 of the largest entry" in outcome.text
    measured, linear = ranks(outcome.table)
    assert measured == [0, 0, 0]
    assert linear == [44, 66, 74]
    assert outcome.warnings == []


def data_row(table):
    """Return the rank of the data and the rest of its row: the exact rank, if there are such, the gap and the grade."""
    (row,) = [line.split() for line in table.splitlines() if line.startswith("data")]
    return int(row[2]), row[3:]


def test_the_rank_of_the_data_is_that_of_the_inputs_and_not_of_their_squares(image_sets):
    """The covariance has the rank 57, and with it the formulas would be 57 / 57 and a wrong yes."""
    table = printed(dataset="MNIST", dim=64, classes=1, n_train=70)
    rank, (exact, gap, grade) = data_row(table)
    assert rank == int(exact) == 58
    assert 1e7 < float(gap) < 1e9
    assert grade == "proved"
    assert ranks(table)[1] == [29, 58, 86]


def test_a_rank_that_the_pixels_have_only_by_rounding():
    table = printed(dim=49)
    assert data_row(table)[0] == 45
    assert ranks(table)[1] == [175, 250, 350]
    assert "\nr: the stored inputs have rank 49 in exact arithmetic, 4 more.\n" in table
    assert "of the largest: they can be rounding alone." in table
    sentence = " ".join(table.split("\n\n")[-1].split())
    assert sentence.endswith("; the closed form has r = 45, but the stored inputs have rank 49.")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("widths=[]", "error: ValueError: widths is empty"),
        ("widths=[4000, 4000]", "error: MemoryError: a Hessian of p = 16140000 parameters takes 2083"),
    ],
)
def test_bad_hyperparameters_end_with_the_reason(setting, message, tmp_path):
    finished = run(NOTEBOOK, tmp_path, setting)
    assert finished.returncode == 1
    assert message in finished.stderr
    assert "unfinished.ipynb" in finished.stderr


def test_unknown_hyperparameters_are_refused(tmp_path):
    finished = run(NOTEBOOK, tmp_path, "width=[5]")
    assert finished.returncode == 1
    assert "'width=[5]' sets no hyperparameter of the notebook" in finished.stderr
    assert "'widths'" in finished.stderr
    assert not list(tmp_path.iterdir())

"""notebooks/hessian_rank.ipynb and notebooks/run.py: the committed outputs, and runs with other hyperparameters."""

import nbformat
import pytest

from tests.notebooks.headless import check_committed, code_cells, path, run

NOTEBOOK = path("hessian_rank")


def ranks(text):
    """Return the measured and predicted ranks from the rows of the table in a text."""
    rows = [line.rstrip(" *").split() for line in text.splitlines() if "  H_" in line]
    assert [row[-5] for row in rows] == ["H_f", "H_o", "H_L"]
    return [int(row[-4]) for row in rows], [int(row[-3]) for row in rows]


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


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            ["loss_name=cross", "init_name=uniform", "widths=[3, 20]", "bs=7"],
            [138 + 54 - 27, 93, 138 - 27 + 102],
        ),
        (["classes=1", "loss_name=cosh", "init_name=orthogonal"], [2 * 15 + 2 - 3, 25, 30 - 3 + 26]),
        (["dataset=gaussian", "dim=7", "n_train=4", "bs=100", "widths=[6]"], [2 * 24 + 32 - 32, 40, 48 - 32 + 56]),
        (["bias=True", "widths=[10, 5]"], [180, 160, 270]),
    ],
    ids=["cross", "one output", "gaussian", "bias"],
)
def test_other_hyperparameters(settings, expected, tmp_path):
    finished = run(NOTEBOOK, tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    assert ranks(finished.stdout) == (expected, expected)
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"figure-{i}.png" for i in (1, 2, 3)),
        "hessian_rank.ipynb",
    ]
    executed = nbformat.read(folder / "hessian_rank.ipynb", as_version=4)
    assert not [output for cell in code_cells(executed) for output in cell.outputs if output.get("name") == "stderr"]


def test_a_network_beyond_the_theorem(tmp_path):
    finished = run(NOTEBOOK, tmp_path, "activation=relu", "n_train=20")
    assert finished.returncode == 0, finished.stderr
    assert "linear network" in finished.stdout
    measured, linear = ranks(finished.stdout)
    assert linear == [175 - 0, 150 - 5 * 5, 250 - 5 * 5]  # r = 20 in place of 25
    assert measured[1] > linear[1]  # relu masks differ from sample to sample, so that the gradients span more


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

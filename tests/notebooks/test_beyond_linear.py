"""notebooks/beyond_linear.ipynb: the committed outputs, and a run with small parameters."""

from tests.notebooks.headless import check_committed, path, run

MATRICES = "functional Hessian", "outer product", "loss Hessian"


def rows(text):
    """Return the measured and predicted ranks from the rows of the tables in a text."""
    lines = [line.split() for line in text.splitlines() if line.startswith(MATRICES)]
    return [(int(line[-5]), int(line[-4])) for line in lines]


def test_committed_outputs():
    printed = check_committed("beyond_linear", pictures=9)
    assert len(rows(printed)) == 6
    assert all(measured == predicted for measured, predicted in rows(printed))
    cubes = [line.split() for line in printed.splitlines() if line.startswith(("6  ", "7  ", "8  "))]
    assert cubes == [["6", "30", "30", "30"], ["7", "35", "34", "34"], ["8", "35", "35", "35"]]


def test_a_small_run(tmp_path):
    settings = ["n_train=12", "dim=4", "widths=[3]", "classes=2", "seeds=[2]", "steps=60", "training_widths=[2, 3]"]
    settings += [
        "activation=relu",
        "image_samples=20",
        "image_widths=[4]",
        "image_steps=20",
        "unit_dim=4",
        "unit_samples=20",
        "unit_classes=2",
        "more_units=[2]",
        f"folder={tmp_path / 'f'}",
    ]
    finished = run(path("beyond_linear"), tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    assert len(rows(finished.stdout)) == 6
    assert len(list((tmp_path / "f").iterdir())) == 2

"""notebooks/beyond_linear.ipynb: the committed outputs, and a run with small parameters."""

from tests.notebooks.headless import check_committed, path, run

MATRICES = "functional Hessian", "outer product", "loss Hessian"


def rows(text):
    """Return the measured and predicted ranks from the rows of the tables in a text."""
    lines = [line.split() for line in text.splitlines() if line.startswith(MATRICES)]
    return [(int(line[-5]), int(line[-4])) for line in lines]


def test_committed_outputs():
    found = rows(check_committed("beyond_linear", pictures=5))
    assert len(found) == 6
    assert all(measured == predicted for measured, predicted in found)


def test_a_small_run(tmp_path):
    settings = ["n_train=12", "dim=4", "widths=[3]", "classes=2", "seeds=[2]", "steps=60", "training_widths=[2, 3]"]
    settings += [
        "activation=relu",
        "image_samples=20",
        "image_widths=[4]",
        "image_steps=20",
        f"folder={tmp_path / 'f'}",
    ]
    finished = run(path("beyond_linear"), tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    assert len(rows(finished.stdout)) == 6
    assert len(list((tmp_path / "f").iterdir())) == 2

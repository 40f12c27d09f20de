"""notebooks/rank_sweeps.ipynb: the committed outputs, and a run with small parameters."""

from tests.notebooks.headless import check_committed, typed


def test_committed_outputs():
    printed = check_committed("rank_sweeps", pictures=4)
    sentences = [line for line in printed.splitlines() if "ranks are the closed forms" in line]
    assert len(sentences) == 3 * 3 + 1
    for sentence in sentences:
        found, total = sentence.split(" ranks are")[0].split()[-3::2]
        assert found == total
        assert "at most 0" in sentence


def test_a_small_run(tmp_path):
    settings = ["losses=['cross']", "classes=3", "sweep_widths=[2, 4]", "depths=[1, 2]"]
    settings += ["most_samples=20", f"folder={tmp_path / 'points'}"]
    finished = typed('make run NOTEBOOK=notebooks/rank_sweeps.ipynb seeds="[1]"', tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    for name in ("width", "depth", "sample size"):
        assert f"{name}, cross" in finished.stdout
    assert finished.stdout.count("6 of 6 ranks are the closed forms") == 4
    assert len(list((tmp_path / "points").iterdir())) == 4

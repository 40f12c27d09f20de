"""notebooks/convolutions.ipynb: the committed outputs, and a run with small parameters."""

from tests.notebooks.headless import check_committed, path, run
from tests.notebooks.test_attention import rows


def test_committed_outputs():
    printed = check_committed("convolutions", pictures=5)
    found = rows(printed)
    assert [word for *_, word in found] == ["yes"] * 4 + ["below", "yes"]
    assert all(measured <= form for measured, form, _ in found)
    assert "= 2 x 3 taps" in printed


def test_a_small_run(tmp_path):
    settings = ["n_train=12", "side=4", "classes=2", "channels=[2]", "kernel=2", "length=6", "more_channels=[2]"]
    settings += ["longer_kernels=[3]", "growing_channels=[1, 4]", "init_name=orthogonal"]
    finished = run(path("convolutions"), tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    assert len(rows(finished.stdout)) == 6
    assert all(measured <= form for measured, form, _ in rows(finished.stdout))

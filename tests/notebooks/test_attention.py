"""notebooks/attention.ipynb: the committed outputs, and a run with small parameters."""

import re

from tests.notebooks.headless import check_committed, path, run


def rows(text):
    """Return, for each row of a table of ranks, the measured rank, the closed form and how they compare."""
    lines = re.findall(r"^(?:functional|outer|loss) .* H_[foL] +(\d+) +(?:\d+ +)?(?:<= )?(\d+) +(\w+) ", text, re.M)
    return [(int(measured), int(form), word) for measured, form, word in lines]


def test_committed_outputs():
    printed = check_committed("attention", pictures=4)
    found = rows(printed)
    assert [word for *_, word in found] == ["yes"] * 4 + ["below", "yes"]
    assert all(measured <= form for measured, form, _ in found)
    table = re.findall(r"^(?:mse|cross), .*?((?: +\d+){6})$", printed, re.M)
    assert len(table) == 8
    for row in table:
        exact, forms = row.split()[:3], row.split()[3:]
        assert exact == forms


def test_a_small_run(tmp_path):
    settings = ["n_train=8", "dim=3", "classes=3", "keys=1", "values=1", "more_keys=[1]", "more_heads=[2]"]
    settings += ["more_heads_dim=2", "fewer_samples=[1]", "loss_name=cross", "dataset=gaussian"]
    finished = run(path("attention"), tmp_path, *settings)
    assert finished.returncode == 0, finished.stderr
    assert len(rows(finished.stdout)) == 6
    assert all(measured <= form for measured, form, _ in rows(finished.stdout))

"""A few of the random hyperparameters of which benchmarks/notebooks/random_hyperparameters.py takes 200."""

import nbformat
import numpy as np
import pytest

import checks
from tests.notebooks.headless import code_cells, path
from tests.oracles.hyperparameters import Verdict, examine, foreign, invalid, valid


@pytest.mark.parametrize("seed", range(4))
def test_a_valid_setting_runs_and_no_rank_with_the_mark_is_wrong(seed):
    case = examine(valid(np.random.default_rng([1, seed]), largest=80))
    assert case.failures == [], case.setting
    assert len(case.verdicts) == 3


@pytest.mark.parametrize("seed", range(40))
def test_an_invalid_setting_is_refused_by_this_project(seed):
    case = examine(*invalid(np.random.default_rng([2, seed])))
    assert case.failures == [], case.setting
    assert case.outcome.error


def test_every_hyperparameter_is_drawn():
    (cell,) = [
        cell
        for cell in code_cells(nbformat.read(path("hessian_rank"), as_version=4))
        if "parameters" in cell.metadata.get("tags", [])
    ]
    values = {}
    exec(cell.source, values)
    rng = np.random.default_rng(0)
    assert set(valid(rng)) == {name for name in values if not name.startswith("__")}
    assert {name for _ in range(200) for name in invalid(rng)[1]} == set(valid(rng))


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: checks.integer("bs", 5.0), ""),
        (lambda: np.linalg.eigvalsh(np.zeros(3)), "LinAlgError"),
        (lambda: np.zeros(3).reshape(2), "no raise statement"),
        (lambda: {}[5], "KeyError"),
        (lambda: nbformat.reads("{", as_version=4), "site-packages"),
        (lambda: np.zeros(2**58), "numpy._core"),
    ],
)
def test_whose_exception_it_is(call, reason):
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of any kind
        call()
    assert bool(foreign(caught.value)) == bool(reason)
    assert reason in foreign(caught.value)


def test_what_a_wrong_rank_is_called():
    right = Verdict("H_f", measured=5, marked=True, gap=1e12, form=None, truth=5, judge="exact ranks")
    assert right.kind == "right"
    assert right._replace(measured=6).kind == "wrong with the mark"
    assert right._replace(measured=6, marked=False).kind == "wrong without the mark"
    assert right._replace(truth=None, judge="no exact form").kind == "no exact form"

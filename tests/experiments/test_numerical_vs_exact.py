import numpy as np
import pytest

from counting import CLIFF
from experiments.numerical_vs_exact import Trial, certificates, survey
from figures import judgement_table
from hessians import HessianTriple


def test_a_small_survey():
    trials = survey(["digits", "gaussian"], draws=4, largest=45)
    assert len(trials) == 3 * 4 * 3  # matrices, draws, activations of the smallest shape without biases
    assert len({trial.setting for trial in trials}) == 12
    assert [trial.matrix for trial in trials[:3]] == ["functional", "outer", "loss"]
    judged = [trial for trial in trials if trial.exact is not None]
    assert len(judged) > 24
    for trial in judged:
        assert trial.numerical == trial.exact or trial.gap < CLIFF
        assert np.all(np.diff(trial.sizes) <= 0)
    # Linear networks of this size are well conditioned: there the numerical rank has to be right.
    linear = [trial for trial in judged if "linear" in trial.setting]
    assert len(linear) == 12
    assert all(trial.numerical == trial.exact for trial in linear)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([], 4), ValueError, "datasets is empty: name at least one data set"),
        ((["digits"], 0), ValueError, "draws must be at least 1, got 0"),
        ((["digits"], "4"), TypeError, "draws must be an integer, got '4'"),
        ((["digits"], 4, 45.5), TypeError, "largest must be an integer, got 45.5"),
        ((["digit"], 4), ValueError, "unknown dataset 'digit'"),
    ],
    ids=str,
)
def test_bad_surveys(arguments, error, message):
    with pytest.raises(error, match=message):
        survey(*arguments)


@pytest.mark.parametrize("bias", [False, True])
def test_certificates(bias):
    (certificate,) = certificates([(5, [3, 4], 3)], bias=bias).items()
    name, (predicted, attained) = certificate
    assert name == "5-3-4-3"
    assert isinstance(attained, HessianTriple)
    assert predicted == attained


def test_judgement_table():
    sizes = np.ones(3)
    trials = [
        Trial("a", "outer", 3, 5e9, 3, sizes),
        Trial("a", "loss", 2, 50.0, 3, sizes),
        Trial("a", "functional", 3, 20.0, 2, sizes),
        Trial("b", "outer", 0, np.inf, 0, sizes),
        Trial("b", "loss", 2, 1e3, None, sizes),
    ]
    rows = {line[:18].strip(): line[18:].split() for line in judgement_table(trials).splitlines()}
    assert rows["1e+09 and more"] == ["2", "2", "0", "0"]
    assert rows["1e+01 to 1e+02"] == ["2", "0", "1", "1"]
    assert rows["1e+03 to 1e+04"] == ["0", "0", "0", "0"]
    assert rows["all"] == ["4", "2", "1", "1"]
    assert judgement_table(trials).endswith("no Hessian, a unit being on its kink: 1")

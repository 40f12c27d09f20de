import io

import numpy as np
import pytest
from tqdm import tqdm

from architectures import fully_connected
from counting import CLIFF, GRADES
from experiments.numerical_vs_exact import Trial, certificates, judge, saturation, survey
from figures import grade_table, judgement_table
from hessians import HessianTriple
from initializers import get_init, random_key
from losses import get_loss, squared


def test_a_small_survey():
    trials = survey(["digits", "gaussian"], draws=4, largest=45)
    assert len(trials) == 3 * 4 * 3  # matrices, draws, activations of the smallest shape without biases
    assert len({trial.setting for trial in trials}) == 12
    assert [trial.matrix for trial in trials[:3]] == ["functional", "outer", "loss"]
    judged = [trial for trial in trials if trial.exact is not None]
    assert len(judged) > 24
    for trial in judged:
        assert trial.grade in GRADES
        assert trial.numerical == trial.exact or trial.grade == "open"
        assert np.all(np.diff(trial.sizes) <= 0)
    # Linear networks of this size are well conditioned: there the numerical rank has to be right.
    linear = [trial for trial in judged if "linear" in trial.setting]
    assert len(linear) == 12
    assert all(trial.numerical == trial.exact for trial in linear)
    assert {trial.grade for trial in linear} == {"clear"}


def test_bars():
    with tqdm(file=io.StringIO()) as bar:
        assert len(survey(["digits"], draws=2, largest=45, bar=bar)) == 3 * 2 * 3
        assert bar.n == bar.total == 2 * 3
    with tqdm(file=io.StringIO()) as bar:
        with_bar = saturation(2, [2], 3, [1.0, 2.0], samples=4, bar=bar)
        assert bar.n == 2 * 4 * 10  # two scales; ten products, and ten rows of each of three matrices
    assert with_bar == saturation(2, [2], 3, [1.0, 2.0], samples=4)


@pytest.mark.parametrize("loss_name", ["mse", "cross"])
def test_the_sizes_are_those_that_the_rank_counts(loss_name):
    """The gap is that of two neighbours among them. Two inputs are zero, and so there is no full rank."""
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(12, 5)) * [1.0, 1.0, 1.0, 0.0, 0.0], np.eye(4)[rng.integers(4, size=12)]
    init_fn, apply_fn = fully_connected([3], 4, "relu", get_init("glorot"))
    _, params = init_fn(random_key(0), (-1, 5))
    trials = judge("a", get_loss(loss_name), apply_fn, params, [(inputs, targets)])
    for trial in trials:
        assert 0 < trial.numerical < len(trial.sizes)
        counted, rest = trial.sizes[trial.numerical - 1 :][:2]
        assert trial.gap == pytest.approx(counted / max(rest, np.finfo(float).eps))


def test_ranks_that_float64_cannot_see():
    """A unit has weights of 1e-17 above it. They count for the rank, and sink below rounding."""
    rng = np.random.default_rng(0)
    batches = [(rng.normal(size=(9, 3)), rng.normal(size=(9, 2)))]
    init_fn, apply_fn = fully_connected([3], 2, "relu", get_init("glorot"))
    _, (first, second) = init_fn(random_key(0), (-1, 3))
    trials = judge("a", squared, apply_fn, [first, second * np.array([[1.0], [1.0], [1e-17]])], batches)
    assert [(trial.numerical, trial.exact, trial.grade) for trial in trials] == [
        (12, 12, "clear"),
        (10, 12, "open"),
        (14, 15, "open"),
    ]
    assert all(trial.gap > CLIFF for trial in trials)


def test_a_unit_on_its_kink_has_no_verdict():
    batches = [(np.eye(3), np.ones((3, 2)))]
    _, apply_fn = fully_connected([2], 2, "relu", get_init("glorot"))
    trials = judge("a", squared, apply_fn, [np.eye(3)[:, :2] - np.eye(3)[:, 1:], np.eye(2) + 1], batches)
    assert [(trial.numerical, trial.exact, trial.grade) for trial in trials] == [(None, None, "open")] * 3
    assert judgement_table(trials).endswith("no Hessian, a unit being on its kink: 3")
    assert grade_table(trials).splitlines()[-1].split() == ["all", "0", "0", "0"]


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


def test_grade_table():
    sizes = np.ones(3)
    trials = [
        Trial("a", "outer", 3, 5e9, 3, sizes, "clear"),
        Trial("a", "loss", 2, 5e9, 3, sizes, "open"),
        Trial("a", "functional", 3, 20.0, 3, sizes, "open"),
        Trial("b", "outer", 3, 5e9, 3, sizes, "proved"),
        Trial("b", "loss", 2, 1e3, None, sizes, "open"),
    ]
    header, _, *rows = (line.split() for line in grade_table(trials).splitlines())
    assert header == ["grade", "matrices", "right", "wrong"]
    assert rows == [
        ["proved", "1", "1", "0"],
        ["clear", "1", "1", "0"],
        ["open", "2", "1", "1"],
        ["all", "4", "3", "1"],
    ]

"""Exact ranks of networks and losses with exp, tanh and erf, by elimination in balls."""

import itertools

import jax
import numpy as np
import pytest

from architectures import fully_connected
from closed_forms import biased_ranks, linear_ranks
from exact import UndecidedError, exact_ranks
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from losses import LOSSES, get_loss
from ranks import dense_ranks, numerical_rank

SMOOTH = "tanh", "sigmoid", "elu", "gelu"
WIDTHS = [4], [3, 4]


def network(activation, loss_name, widths, bias=False, scale=1.0, dim=5, classes=4, n=12):
    """Return (loss, apply_fn, params, batches) on Gaussian data, the last layer multiplied by `scale`."""
    init_fn, apply_fn = fully_connected(widths, classes, activation, get_init("glorot"), bias=bias)
    params = init_fn(jax.random.PRNGKey(1), (-1, dim))[1]
    params[-1] = jax.tree.map(lambda x: scale * x, params[-1])
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(n, dim)), np.eye(classes)[rng.integers(classes, size=n)]
    return get_loss(loss_name), apply_fn, params, [(inputs, targets)]


def ranks(triple):
    return HessianTriple(*(found.rank for found in triple))


@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize("loss_name", LOSSES)
@pytest.mark.parametrize("bias", [False, True])
def test_linear_networks_attain_the_closed_forms(loss_name, widths, bias):
    found = exact_ranks(*network("linear", loss_name, widths, bias))
    expected = biased_ranks(5, 4, widths, loss_name) if bias else linear_ranks(5, 4, widths, loss_name)
    assert ranks(found) == expected
    assert all((exactly.digits is None) == (loss_name == "mse") for exactly in found)
    assert all(exactly.gap > 200 for exactly in found if exactly.digits)


@pytest.mark.parametrize("scale", [10.0, 40.0])
def test_saturated_softmax(scale):
    """Ten classes: what float64 is sure of is right, also where the softmax saturates."""
    problem = network("linear", "cross", [4], scale=scale, dim=3, classes=10, n=3)
    found = exact_ranks(*problem)
    assert ranks(found) == linear_ranks(3, 10, [4], "cross")
    for measured, exactly in zip(dense_ranks(*problem), found, strict=True):
        assert measured.rank == exactly.rank or measured.grade == "open"
    assert all(exactly.gap > 100 for exactly in found)


@pytest.mark.parametrize(("activation", "loss_name"), [*itertools.product(SMOOTH, LOSSES)])
def test_smooth_networks(activation, loss_name):
    """Nothing can be moved from one layer to the next: the rank is full, but for what the loss does not see."""
    p = 5 * 3 + 3 * 4 + 4 * 4
    found = exact_ranks(*network(activation, loss_name, [3, 4]))
    lost = 4 if loss_name == "cross" else 0  # the softmax does not see a vector that is added to all columns of W_3
    assert ranks(found) == (p - lost, min(p - lost, 12 * (4 - lost // 4)), p - lost)
    assert all(exactly.gap > 200 and exactly.digits >= 300 for exactly in found)


@pytest.mark.parametrize(("activation", "loss_name"), [("tanh", "mse"), ("sigmoid", "cross"), ("gelu", "cosh")])
def test_smooth_networks_against_float64(activation, loss_name):
    problem = network(activation, loss_name, [4])
    for exactly, measured in zip(exact_ranks(*problem), dense_ranks(*problem), strict=True):
        assert measured.gap > 1e6
        assert exactly.rank == measured.rank


def test_small_weights_hide_the_rank_from_float64():
    """With small weights tanh is almost linear. The matrix H_o has the linear network's rank, with a wide gap.

    Its factor shows some more, and the rank is open.
    """
    loss, apply_fn, params, batches = network("tanh", "mse", [3, 5], dim=9, n=20)
    problem = loss, apply_fn, [3e-4 * W for W in params], batches
    measured, found = numerical_rank(dense_hessians(*problem).outer), exact_ranks(*problem).outer
    assert measured.rank == linear_ranks(9, 4, [3, 5]).outer
    assert measured.gap > 1e9
    by_factor = dense_ranks(*problem).outer
    assert measured.rank < by_factor.rank < found.rank
    assert by_factor.grade == "open"
    assert found.rank == sum(W.size for W in params)
    assert found.gap == np.inf


def test_more_digits_where_units_saturate():
    """The slope of tanh at 150 is 1e-130. Its square stands in H_o, and 300 digits would be too few."""
    apply_fn = lambda w, x: jax.numpy.tanh(x @ w)
    found = exact_ranks(get_loss("mse"), apply_fn, np.array([[150.0]]), [(np.ones((1, 1)), np.zeros((1, 1)))])
    assert ranks(found) == (1, 1, 1)
    assert found.outer.digits > 400


def test_units_that_saturate_beyond_all_digits_are_refused():
    with pytest.raises(UndecidedError, match=r"would take \d+ digits or more, .*: scale the weights or the data down"):
        exact_ranks(get_loss("mse"), lambda w, x: jax.numpy.tanh(x @ w), np.array([[1e200]]), [(np.ones((1, 1)),) * 2])


def test_digits():
    problem = network("tanh", "mse", [2])
    assert exact_ranks(*problem, digits=500).loss.digits == 500
    with pytest.raises(ValueError, match="digits must be at least 50, got 20"):
        exact_ranks(*problem, digits=20)


def test_batches_and_sketches_of_balls():
    """The ranks of a sum over batches are those of all samples at once, and sketches have them too."""
    loss, apply_fn, params, ((inputs, targets),) = network("linear", "cross", [4], dim=20, n=30)
    whole = exact_ranks(loss, apply_fn, params, [(inputs, targets)])
    parts = [(inputs[:10], targets[:10]), (inputs[10:], targets[10:])]
    expected = linear_ranks(20, 4, [4], "cross")
    assert ranks(whole) == ranks(exact_ranks(loss, apply_fn, params, parts)) == expected
    assert ranks(exact_ranks(loss, apply_fn, params, parts, guess=HessianTriple(5, 9, 7))) == expected

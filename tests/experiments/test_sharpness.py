"""The largest eigenvalue along gradient descent: known Hessians, dense ones, and the threshold of stability."""

import jax
import numpy as np
import optax
import pytest
from numpy.testing import assert_allclose

from architectures import fully_connected
from data import get_dataset
from experiments.sharpness import sharpness_along
from experiments.training import train
from hessians import dense_hessians
from initializers import get_init
from losses import get_loss

DATA = get_dataset("gaussian", 20, 0, 3, 2)
BATCHES = [(DATA.x_train, DATA.y_train)]


def small_network():
    init_fn, apply_fn = fully_connected([4], 2, "tanh", get_init("glorot"))
    return apply_fn, init_fn(jax.random.PRNGKey(0), (-1, 3))[1]


def parabola(params, inputs):
    return inputs @ params


def test_the_eigenvalues_are_those_of_the_matrices():
    apply_fn, params = small_network()
    loss, told = get_loss("mse"), []
    bar = type("Bar", (), {"update": staticmethod(told.append)})
    found = sharpness_along(loss, apply_fn, params, BATCHES, 1e-2, 20, count=3, bar=bar)
    run = train(loss, apply_fn, params, BATCHES, optax.sgd(1e-2), 20, [0, 10, 20])
    assert_allclose(found.losses, run.losses, rtol=1e-12)
    assert found.steps.tolist() == [0, 10, 20]
    for step, value, error in zip(found.steps, found.values, found.errors, strict=True):
        exact = np.linalg.eigvalsh(dense_hessians(loss, apply_fn, run.params[step], BATCHES).loss)[-1]
        assert abs(value - exact) <= error <= 1e-9 * value
    assert sum(told) == 3


@pytest.mark.parametrize(("share", "falls"), [(0.95, True), (1.05, False)])
def test_a_parabola_is_descended_below_two_over_the_rate(share, falls):
    """L = |x w - y|^2 / 2 has one Hessian everywhere, with the largest eigenvalue 4."""
    X, Y = np.diag([1.0, 2.0]), np.ones((2, 1))
    rate = share * 2 / 4
    found = sharpness_along(get_loss("mse"), parabola, np.zeros((2, 1)), [(X, Y)], rate, 100, count=2)
    assert_allclose(found.values, 4.0, rtol=1e-12)
    assert (found.losses[-1] < found.losses[0]) == falls


def test_more_eigenvalues_than_steps_are_not_found_twice():
    apply_fn, params = small_network()
    found = sharpness_along(get_loss("mse"), apply_fn, params, BATCHES, 1e-3, 2, count=9)
    assert found.steps.tolist() == [0, 1, 2]
    assert len(found.values) == len(found.errors) == 3


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"rate": 0.0}, ValueError, "rate must be at least .* got 0.0"),
        ({"rate": "0.1"}, TypeError, "rate must be a number, got '0.1'"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"count": 1}, ValueError, "count must be at least 2, got 1"),
        ({"rate": 1e3, "steps": 200}, FloatingPointError, "diverged; take a smaller learning rate"),
    ],
    ids=str,
)
def test_bad_numbers(changed, error, message):
    numbers, batches = {"rate": 0.1, "steps": 3, "count": 2} | changed, [(np.ones((1, 1)), np.ones((1, 1)))]
    with pytest.raises(error, match=message):
        sharpness_along(get_loss("mse"), parabola, np.zeros((1, 1)), batches, **numbers)

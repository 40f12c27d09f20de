import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import architectures

# Each activation once more, in plain Python.
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
}
GRID = np.linspace(-4, 4, 33)  # with zero in the middle


def test_each_has_an_oracle_here():
    assert set(architectures.ACTIVATIONS) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values(name):
    found = architectures.ACTIVATIONS[name](GRID)
    assert found.dtype == np.float64
    assert_allclose(found, [ACTIVATIONS[name](x) for x in GRID.tolist()], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_piecewise_linear_ones_are_straight_on_both_sides_of_zero_and_the_others_are_not(name):
    values = np.asarray(architectures.ACTIVATIONS[name](GRID))
    bends = np.concatenate([np.diff(half, 2) for half in (values[:17], values[16:])])
    assert (abs(bends).max() < 1e-14) == (name in architectures.PIECEWISE_LINEAR)

"""A network with data, at random, for several tests."""

import functools

import jax
import numpy as np

from architectures import fully_connected
from initializers import get_init
from losses import get_loss


@functools.cache
def problem(activation="tanh", loss_name="mse", bias=False, units=(4, 6), n=9, dim=5, classes=3):
    """Return loss, network, params, inputs and one-hot targets, at random; the same objects in every test."""
    init_fn, apply_fn = fully_connected(list(units), classes, activation, get_init("glorot"), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(2), (-1, dim))
    rng = np.random.default_rng(3)
    inputs, targets = rng.normal(size=(n, dim)), np.eye(classes)[rng.integers(classes, size=n)]
    return get_loss(loss_name), apply_fn, params, inputs, targets

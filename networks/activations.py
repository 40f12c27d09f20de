"""Activation functions by name."""

import functools

import jax
import jax.numpy as jnp

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "leaky_relu": functools.partial(jax.nn.leaky_relu, negative_slope=0.01),
    "tanh": jnp.tanh,
    "elu": jax.nn.elu,
    "gelu": functools.partial(jax.nn.gelu, approximate=False),
    "sigmoid": jax.nn.sigmoid,
}
PIECEWISE_LINEAR = "linear", "relu", "leaky_relu"  # these turn fractions into fractions

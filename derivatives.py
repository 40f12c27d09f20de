"""Parts of losses whose derivatives are computed without cancellation.

Automatic derivatives would compute 1 - tanh^2 and 1 - pi, which are zero in float64 from residuals of 20 on.
"""

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero


@jax.custom_jvp
def log_cosh(residual):
    """Return log cosh(u) of every entry, by logaddexp, since cosh overflows at 710."""
    return jnp.logaddexp(residual, -residual) - jnp.log(2.0)


@jax.custom_jvp
def _tanh(residual):
    return jnp.tanh(residual)


log_cosh.defjvps(lambda tangent, _, residual: _tanh(residual) * tangent)
_tanh.defjvps(lambda tangent, _, residual: (1 / jnp.cosh(residual)) ** 2 * tangent)


@jax.custom_jvp
def softplus(logits):
    """Return log(1 + exp(f)) of every entry."""
    return jnp.logaddexp(logits, 0.0)


@jax.custom_jvp
def _sigmoid(logits):
    return jax.nn.sigmoid(logits)


softplus.defjvps(lambda tangent, _, logits: _sigmoid(logits) * tangent)
_sigmoid.defjvps(lambda tangent, _, logits: (0.5 / jnp.cosh(0.5 * logits)) ** 2 * tangent)


@jax.custom_jvp
def cross_entropy(predictions, targets):
    """Return -sum_i sum_k y_ik log softmax(f(x_i))_k."""
    return -jnp.sum(jax.nn.log_softmax(predictions) * targets)


@jax.custom_jvp
def _cross_entropy_residual(predictions, targets):
    """Return sum(y) pi - y as pi_k sum_{j != k} y_j - y_k sum_{j != k} pi_j, in which nothing cancels."""
    pi = jax.nn.softmax(predictions)
    others = 1 - jnp.eye(jnp.shape(pi)[-1])
    return pi * (targets @ others) - targets * (pi @ others)


@functools.partial(cross_entropy.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    along = jnp.sum(_cross_entropy_residual(*primals) * _dense(tangents[0]))
    if not isinstance(tangents[1], SymbolicZero):
        along -= jnp.sum(jax.nn.log_softmax(primals[0]) * tangents[1])
    return cross_entropy(*primals), along


@functools.partial(_cross_entropy_residual.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    pi = jax.nn.softmax(primals[0])
    along = jnp.sum(primals[1], axis=-1, keepdims=True) * pi * centred(primals[0], pi, _dense(tangents[0]))
    if not isinstance(tangents[1], SymbolicZero):
        along += pi * jnp.sum(tangents[1], axis=-1, keepdims=True) - tangents[1]
    return _cross_entropy_residual(*primals), along


def _dense(tangent):
    return jnp.zeros(tangent.shape) if isinstance(tangent, SymbolicZero) else tangent


def centred(predictions, pi, tangents):
    """Return v - <pi, v>, computed from the differences between v and its entry at the largest output."""
    largest = jnp.argmax(predictions, axis=-1, keepdims=True)
    differences = tangents - jnp.take_along_axis(tangents, largest, axis=-1)
    return differences - jnp.sum(pi * differences, axis=-1, keepdims=True)

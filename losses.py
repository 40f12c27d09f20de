"""Losses of predictions and targets, each defined once, summed over the samples."""

import functools

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

import checks


def squared(predictions, targets):
    """Return the squared loss with the 1/2, summed: 1/2 sum_i ||f(x_i) - y_i||^2.

    Its gradient in the outputs is the residual f - y and its Hessian the identity. Both arrays have shape (n, K).

    Raises:
        ValueError: if the shapes differ.
    """
    checks.equal_shapes(predictions, targets)
    return 0.5 * jnp.sum((predictions - targets) ** 2)


def cross_entropy(predictions, targets):
    """Return the cross-entropy of the softmax, summed: -sum_i sum_k y_ik log softmax(f(x_i))_k.

    Let pi = softmax(f), and let the targets of each sample sum to one. Then the gradient in the outputs is pi - y, and
    the Hessian is diag(pi) - pi pi^T. It couples the outputs, and its rank is K - 1: the loss does not change if a
    constant is added to all K outputs. Both arrays have shape (n, K), K >= 2.

    Raises:
        ValueError: if the shapes differ, or for K = 1, where the softmax is constant and the loss is zero.
    """
    checks.equal_shapes(predictions, targets)
    if jnp.shape(predictions)[-1] < 2:
        raise ValueError("cross-entropy needs at least two outputs (classes >= 2); with one, the softmax is always 1")
    return _cross_entropy(predictions, targets)


def log_cosh(predictions, targets):
    """Return the log-cosh loss, summed: sum_i sum_k log cosh(f_k(x_i) - y_ik).

    Its gradient in the outputs is tanh(f - y) and its Hessian diag(1 - tanh(f - y)^2). It is computed by logaddexp,
    since cosh overflows at 710. Both arrays have shape (n, K).

    Raises:
        ValueError: if the shapes differ.
    """
    checks.equal_shapes(predictions, targets)
    return jnp.sum(_log_cosh(predictions - targets))


LOSSES = {"mse": squared, "cross": cross_entropy, "cosh": log_cosh}
NULL_DIRECTIONS = {"mse": 0, "cross": 1, "cosh": 0}  # dimension of the kernel of the (K, K) matrix d^2 loss / df^2


def get_loss(name):
    """Return the loss `loss(predictions, targets) -> scalar` that is called 'mse', 'cross' or 'cosh'.

    These are `squared`, `cross_entropy` and `log_cosh`. All are sums over the samples.

    Raises:
        ValueError: for any other name.

    Example:
        >>> import numpy as np
        >>> from losses import get_loss
        >>> float(get_loss("mse")(np.array([[3.0, 4.0]]), np.zeros((1, 2))))  # (9 + 16) / 2
        12.5
    """
    return checks.choice("loss", name, LOSSES, "loss_name")


@functools.lru_cache(maxsize=64)
def of_params(loss, apply_fn):
    """Return the loss as a function of the parameters, L(params, inputs, targets) = loss(f_params(inputs), targets).

    The same loss and apply_fn always give the same function object, so that it is compiled once.

    Example:
        >>> import numpy as np
        >>> from losses import get_loss, of_params
        >>> apply_fn = lambda W, inputs: inputs @ W
        >>> loss_params = of_params(get_loss("mse"), apply_fn)
        >>> float(loss_params(2 * np.eye(2), np.array([[1.0, 2.0]]), np.zeros((1, 2))))  # (4 + 16) / 2
        10.0
        >>> loss_params is of_params(get_loss("mse"), apply_fn)
        True
    """

    def loss_params(params, inputs, targets):
        return loss(apply_fn(params, inputs), targets)

    return loss_params


def curvature_root(loss):
    """Return the root R of the loss's Hessian in the outputs, R^T R = d^2 ell / dF^2, as a function of tangents.

    The root is a formula, not a square root that is found numerically. That of a computed zero, 1e-16, would be 1e-8
    and no longer a zero.

        squared        R v = v
        log_cosh       R v = v / cosh(f - y)                   since 1 - tanh^2 = 1 / cosh^2
        cross_entropy  R v = sqrt(sum(y) pi) (v - <pi, v>)     since (I - 1 pi^T)^T diag(pi) (I - 1 pi^T)
                                                                                           = diag(pi) - pi pi^T

    Here pi = softmax(f), and the formulas are for each sample by itself. Every entry of R is accurate relative to
    itself, even where pi or 1 / cosh is 1e-100.

    Args:
        loss: `squared`, `cross_entropy` or `log_cosh`.

    Returns:
        root(predictions (n, K), targets (n, K), tangents (n, K)) -> (n, K).

    Raises:
        ValueError: for any other loss.
    """
    if not has_root(loss):
        known = ", ".join(function.__name__ for function in _ROOTS)
        raise ValueError(
            f"the root of {loss!r}'s Hessian is not known, only those of losses.{known}; H_o itself, "
            "matrix_free.outer_operator, needs no root"
        )
    return _ROOTS[loss]


def has_root(loss):
    """Return whether `curvature_root` knows the loss."""
    return loss in _ROOTS


# --- derivatives without cancellation: automatic ones would compute 1 - tanh^2 and 1 - pi, zero from residuals of 20 on


@jax.custom_jvp
def _log_cosh(residual):
    return jnp.logaddexp(residual, -residual) - jnp.log(2.0)


@jax.custom_jvp
def _tanh(residual):
    return jnp.tanh(residual)


_log_cosh.defjvps(lambda tangent, _, residual: _tanh(residual) * tangent)
_tanh.defjvps(lambda tangent, _, residual: (1 / jnp.cosh(residual)) ** 2 * tangent)


@jax.custom_jvp
def _cross_entropy(predictions, targets):
    return -jnp.sum(jax.nn.log_softmax(predictions) * targets)


@jax.custom_jvp
def _cross_entropy_residual(predictions, targets):
    """Return sum(y) pi - y as pi_k sum_{j != k} y_j - y_k sum_{j != k} pi_j, in which nothing cancels."""
    pi = jax.nn.softmax(predictions)
    others = 1 - jnp.eye(jnp.shape(pi)[-1])
    return pi * (targets @ others) - targets * (pi @ others)


@functools.partial(_cross_entropy.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    along = jnp.sum(_cross_entropy_residual(*primals) * _dense(tangents[0]))
    if not isinstance(tangents[1], SymbolicZero):
        along -= jnp.sum(jax.nn.log_softmax(primals[0]) * tangents[1])
    return _cross_entropy(*primals), along


@functools.partial(_cross_entropy_residual.defjvp, symbolic_zeros=True)
def _(primals, tangents):
    pi = jax.nn.softmax(primals[0])
    along = jnp.sum(primals[1], axis=-1, keepdims=True) * pi * _centred(primals[0], pi, _dense(tangents[0]))
    if not isinstance(tangents[1], SymbolicZero):
        along += pi * jnp.sum(tangents[1], axis=-1, keepdims=True) - tangents[1]
    return _cross_entropy_residual(*primals), along


def _dense(tangent):
    return jnp.zeros(tangent.shape) if isinstance(tangent, SymbolicZero) else tangent


def _centred(predictions, pi, tangents):
    """Return v - <pi, v>, computed from the differences between v and its entry at the largest output."""
    largest = jnp.argmax(predictions, axis=-1, keepdims=True)
    differences = tangents - jnp.take_along_axis(tangents, largest, axis=-1)
    return differences - jnp.sum(pi * differences, axis=-1, keepdims=True)


def _cross_entropy_root(predictions, targets, tangents):
    pi = jax.nn.softmax(predictions)
    return jnp.sqrt(jnp.sum(targets, axis=-1, keepdims=True) * pi) * _centred(predictions, pi, tangents)


_ROOTS = {
    squared: lambda predictions, targets, tangents: tangents,
    cross_entropy: _cross_entropy_root,
    log_cosh: lambda predictions, targets, tangents: tangents / jnp.cosh(predictions - targets),
}

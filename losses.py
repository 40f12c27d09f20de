"""Losses of predictions and targets, each defined once, summed over the samples."""

import functools

import jax
import jax.numpy as jnp

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

    For targets that sum to one its gradient in the outputs is softmax(f) - y and its Hessian diag(p) - p p^T with
    p = softmax(f), of rank K - 1: the K outputs are coupled, and adding a constant to all of them changes nothing.
    Both arrays have shape (n, K), K >= 2.

    Raises:
        ValueError: if the shapes differ, or for K = 1, where the softmax is constant and the loss is zero.
    """
    checks.equal_shapes(predictions, targets)
    if jnp.shape(predictions)[-1] < 2:
        raise ValueError("cross-entropy needs at least two outputs (classes >= 2); with one, the softmax is always 1")
    return -jnp.sum(jax.nn.log_softmax(predictions) * targets)


def log_cosh(predictions, targets):
    """Return the log-cosh loss, summed: sum_i sum_k log cosh(f_k(x_i) - y_ik).

    Its gradient in the outputs is tanh(f - y) and its Hessian diag(1 - tanh(f - y)^2). Written with logaddexp, since
    cosh overflows at 710. Both arrays have shape (n, K).

    Raises:
        ValueError: if the shapes differ.
    """
    checks.equal_shapes(predictions, targets)
    residual = predictions - targets
    return jnp.sum(jnp.logaddexp(residual, -residual) - jnp.log(2.0))


LOSSES = {"mse": squared, "cross": cross_entropy, "cosh": log_cosh}
NULL_DIRECTIONS = {"mse": 0, "cross": 1, "cosh": 0}  # dimensions of the kernel of d^2 loss / df^2, of K


def get_loss(name):
    """Return the loss `loss(predictions, targets) -> scalar` called 'mse', 'cross' or 'cosh'.

    Raises:
        ValueError: for any other name.
    """
    return checks.choice("loss", name, LOSSES)


@functools.lru_cache(maxsize=64)
def of_params(loss, apply_fn):
    """Return the loss as a function of the parameters, L(params, inputs, targets) = loss(f_params(inputs), targets).

    For the same loss and apply_fn it is the same function object, so that it is compiled once.
    """

    def loss_params(params, inputs, targets):
        return loss(apply_fn(params, inputs), targets)

    return loss_params


def curvature_root(loss):
    """Return the root R of the loss's Hessian in the outputs, R^T R = d^2 ell / dF^2, as a function of tangents.

    Written down, not computed: the square root of a computed zero, 1e-16, would be 1e-8, and no zero any more.

        squared        R v = v
        log_cosh       R v = v / cosh(f - y)                   since 1 - tanh^2 = 1 / cosh^2
        cross_entropy  R v = sqrt(sum(y) pi) (v - <pi, v>)     since (I - 1 pi^T)^T diag(pi) (I - 1 pi^T)
                                                                                           = diag(pi) - pi pi^T

    with pi = softmax(f), for each sample by itself.

    Args:
        loss: one of the three losses above.

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


def _cross_entropy_root(predictions, targets, tangents):
    pi = jax.nn.softmax(predictions)
    centred = tangents - jnp.sum(pi * tangents, axis=-1, keepdims=True)
    return jnp.sqrt(jnp.sum(targets, axis=-1, keepdims=True) * pi) * centred


_ROOTS = {
    squared: lambda predictions, targets, tangents: tangents,
    cross_entropy: _cross_entropy_root,
    log_cosh: lambda predictions, targets, tangents: tangents / jnp.cosh(predictions - targets),
}

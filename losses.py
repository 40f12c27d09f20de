"""Losses of predictions and targets, each defined once, summed over the samples."""

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


_LOSSES = {"mse": squared, "cross": cross_entropy, "cosh": log_cosh}


def get_loss(name):
    """Return the loss `loss(predictions, targets) -> scalar` called 'mse', 'cross' or 'cosh'.

    Raises:
        ValueError: for any other name.
    """
    return checks.choice("loss", name, _LOSSES)


def of_params(loss, apply_fn):
    """Return the loss as a function of the parameters, L(params, inputs, targets) = loss(f_params(inputs), targets)."""

    def loss_params(params, inputs, targets):
        return loss(apply_fn(params, inputs), targets)

    return loss_params

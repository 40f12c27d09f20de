"""Losses of predictions and targets, each defined once, summed over the samples."""

import functools

import jax
import jax.numpy as jnp

import checks
import derivatives


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
    return derivatives.cross_entropy(predictions, targets)


def log_cosh(predictions, targets):
    """Return the log-cosh loss, summed: sum_i sum_k log cosh(f_k(x_i) - y_ik).

    Its gradient in the outputs is tanh(f - y) and its Hessian diag(1 - tanh(f - y)^2). It is computed by logaddexp,
    since cosh overflows at 710. Both arrays have shape (n, K).

    Raises:
        ValueError: if the shapes differ.
    """
    checks.equal_shapes(predictions, targets)
    return jnp.sum(derivatives.log_cosh(predictions - targets))


def class_entropy(predictions, targets):
    """Return the negative log-likelihood of classes, summed: -sum_i log softmax(f(x_i))_{y_i}.

    This is the cross-entropy for targets that are the numbers of classes, not one-hot vectors. Predictions have shape
    (n, ..., K), such as (n, T, K) for T tokens, and targets (n, ...) integers from 0 to K - 1. A negative number, such
    as -1 or -100 in the place of padding, is left out. Logarithms of probabilities may take the place of f, since the
    softmax returns their probabilities.

    Raises:
        TypeError: for targets that are not integers.
        ValueError: if the shapes do not fit, or for K = 1.
    """
    return cross_entropy(predictions, _one_hot(predictions, targets))


def binary_cross_entropy(predictions, targets):
    """Return the binary cross-entropy of one logit per target, summed, which is sum_i log(1 + exp(f_i)) - y_i f_i.

    Let pi = 1 / (1 + exp(-f)). Then the gradient in the outputs is pi - y, and the Hessian is pi (1 - pi), diagonal.
    Both arrays have the same shape, (n,) or (n, K), and targets lie between 0 and 1. They may be integers or truth
    values.

    Raises:
        ValueError: if the shapes differ.
    """
    checks.equal_shapes(predictions, targets)
    targets = jnp.asarray(targets, predictions.dtype)
    # In this form nothing cancels in the gradient, either.
    softplus = derivatives.softplus
    return jnp.sum((1 - targets) * softplus(predictions) + targets * softplus(-predictions))


def huber(predictions, targets):
    """Return the Huber loss, summed over samples and outputs, of the residual u = f - y.

        1/2 u^2  where |u| <= 1,     |u| - 1/2  elsewhere

    The gradient in the outputs is u, cut off at -1 and 1, and the Hessian is diagonal, 1 where |u| < 1 and 0
    elsewhere. So the rank of H_o depends on which residuals are small. Both arrays have the same shape.

    Raises:
        ValueError: if the shapes differ.
    """
    checks.equal_shapes(predictions, targets)
    residual = predictions - targets
    inside = jnp.clip(residual, -1.0, 1.0)
    return jnp.sum(inside * (residual - 0.5 * inside))


def gaussian(predictions, targets):
    """Return the negative log-likelihood of normal distributions, summed, without the constant log(2 pi) / 2.

        sum_ik 1/2 (nu_ik + (mu_ik - y_ik)^2 exp(-nu_ik)),    mu the means, nu the logarithms of the variances

    The Hessian in the outputs couples mu_ik and nu_ik. It has one positive and one negative eigenvalue wherever the
    residual is not zero, and so it has no root. A closed form takes 2 K outputs in the place of K.

    Args:
        predictions: (..., 2 K), the K means first, then the K logarithms of variances.
        targets: (..., K).

    Raises:
        ValueError: if the shapes do not fit.
    """
    if jnp.shape(predictions)[-1:] != (2 * (jnp.shape(targets) or (0,))[-1],):
        raise ValueError(
            f"predictions have shape {jnp.shape(predictions)} and targets {jnp.shape(targets)}; the network must have "
            "two outputs for every target: all means first, then the logarithms of the variances"
        )
    means, logarithms = jnp.split(predictions, 2, axis=-1)
    checks.equal_shapes(means, targets)
    return 0.5 * jnp.sum(logarithms + (means - targets) ** 2 * jnp.exp(-logarithms))


LOSSES = {"mse": squared, "cross": cross_entropy, "cosh": log_cosh}  # of the notebooks: one-hot targets, closed forms
MORE_LOSSES = {"nll": class_entropy, "bce": binary_cross_entropy, "huber": huber, "gaussian": gaussian}
# Dimension of the kernel of the (K, K) matrix d^2 loss / df^2. That of the Huber loss depends on the residuals.
NULL_DIRECTIONS = {"mse": 0, "cross": 1, "cosh": 0, "nll": 1, "bce": 0, "gaussian": 0}


def get_loss(name):
    """Return the loss `loss(predictions, targets) -> scalar` of this name. All are sums over the samples.

        'mse'       `squared`                 1/2 ||f - y||^2
        'cross'     `cross_entropy`           targets are one-hot, or probabilities
        'cosh'      `log_cosh`
        'nll'       `class_entropy`           the cross-entropy, targets are numbers of classes
        'bce'       `binary_cross_entropy`    one logit per target
        'huber'     `huber`
        'gaussian'  `gaussian`                outputs are means and logarithms of variances

    Raises:
        ValueError: for any other name.

    Example:
        >>> import numpy as np
        >>> from losses import get_loss
        >>> float(get_loss("mse")(np.array([[3.0, 4.0]]), np.zeros((1, 2))))  # (9 + 16) / 2
        12.5
    """
    return checks.choice("loss", name, LOSSES | MORE_LOSSES, "loss_name")


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
        class_entropy  the same, with y one-hot
        binary_cross_entropy  R v = v / (2 cosh(f / 2))        since pi (1 - pi) = 1 / (2 cosh(f / 2))^2
        huber          R v = v where |f - y| < 1, 0 elsewhere

    Here pi = softmax(f), and the formulas are for each sample by itself. Every entry of R is accurate relative to
    itself, even where pi or 1 / cosh is 1e-100.

    Args:
        loss: one of these.

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


def is_known(loss):
    """Return whether the loss is one of this module, which contains no arrays."""
    return loss in {*LOSSES.values(), *MORE_LOSSES.values()}


def is_analytic(loss):
    """Return whether the loss is smooth, whatever comparisons keep it from overflowing."""
    return is_known(loss) and loss is not huber


def _one_hot(predictions, targets):
    if not jnp.issubdtype(jnp.asarray(targets).dtype, jnp.integer):
        raise TypeError(
            f"'nll' needs the numbers of classes as targets, integers, got {jnp.asarray(targets).dtype}; for one-hot "
            "targets or probabilities take 'cross'"
        )
    *shape, classes = jnp.shape(predictions) or (0,)
    if jnp.shape(targets) != tuple(shape):
        raise ValueError(
            f"predictions have shape {jnp.shape(predictions)} and targets {jnp.shape(targets)}; the targets of 'nll' "
            "must have the shape of the predictions without the last axis, that of the classes. (PyTorch has the "
            "classes in the second axis: adapters.torch_models.loss_from_torch takes its losses)"
        )
    # A class that does not exist makes the loss NaN, and the Hessians, which are then refused.
    missing = jnp.where(targets < classes, 0.0, jnp.nan)[..., None]
    return jnp.asarray(targets[..., None] == jnp.arange(classes), float) + missing


def _cross_entropy_root(predictions, targets, tangents):
    pi = jax.nn.softmax(predictions)
    return jnp.sqrt(jnp.sum(targets, axis=-1, keepdims=True) * pi) * derivatives.centred(predictions, pi, tangents)


_ROOTS = {
    squared: lambda predictions, targets, tangents: tangents,
    cross_entropy: _cross_entropy_root,
    class_entropy: lambda predictions, targets, tangents: _cross_entropy_root(
        predictions, _one_hot(predictions, targets), tangents
    ),
    log_cosh: lambda predictions, targets, tangents: tangents / jnp.cosh(predictions - targets),
    binary_cross_entropy: lambda predictions, targets, tangents: tangents * 0.5 / jnp.cosh(0.5 * predictions),
    huber: lambda predictions, targets, tangents: jnp.where(jnp.abs(predictions - targets) < 1, tangents, 0.0),
}

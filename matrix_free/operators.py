"""Products with the Hessians: of blocks of vectors, summed over batches, for matrices that do not fit in memory."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import losses
import premises
from hessians import checked, each_batch, in_parts
from matrix_free.sketches import BLOCK
from matvecs import (
    factor_matvec,
    functional_matvec,
    loss_matvec,
    num_params,
    outer_matvec,
    vectors_at_once,
)


def loss_operator(loss, apply_fn, params, batches, reduction="sum"):
    """Return the function V -> V H_L, where H_L is the Hessian of the sum of the batches' losses.

    Each row of V (b, p) is a vector, so that a block of b vectors is multiplied at once.

    Args:
        loss: ell(predictions (n, K), targets (n, K)) -> scalar.
        apply_fn: F(params, inputs) -> (n, K).
        params: pytree of float64 arrays, p numbers in all.
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a `torch.utils.data.DataLoader`. They are
            gone through once and kept, so that every product has the same samples in the same order.
        reduction: what the loss does over the samples of a batch, 'sum' or 'mean'. With 'mean' the Hessian is that of
            the mean over all samples, whatever the sizes of the batches.

    Returns:
        V (b, p) -> (b, p), compiled once per shape of V and of the batches. Rows sharded over devices stay sharded.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches. Also for functions with random parts, a
            loss that is no sum over the samples, and derivatives that are not those of the loss, as at the kink of a
            relu unit (`premises`).

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from losses import get_loss
        >>> from matrix_free import loss_operator
        >>> apply_fn = lambda w, inputs: inputs @ w  # least squares: H_L = X^T X
        >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> matvec = loss_operator(get_loss("mse"), apply_fn, np.zeros((2, 1)), [(X, np.ones((2, 1)))])
        >>> matvec(np.array([[1.0, 0.0]])).tolist()
        [[10.0, 14.0]]
    """
    setting = prepared(loss, apply_fn, params, batches, reduction)
    check_derivatives(setting)
    return operator(loss_matvec, setting)


def outer_operator(loss, apply_fn, params, batches, reduction="sum"):
    """Return the function V -> V H_o of blocks of row vectors. Arguments and errors as in `loss_operator`."""
    return operator(outer_matvec, prepared(loss, apply_fn, params, batches, reduction))


def functional_operator(loss, apply_fn, params, batches, reduction="sum"):
    """Return the function V -> V H_f of blocks of row vectors. Arguments and errors as in `loss_operator`."""
    return operator(functional_matvec, prepared(loss, apply_fn, params, batches, reduction))


def factor_operator(loss, apply_fn, params, batches):
    """Return the function V -> V A^T for the factor A of H_o = A^T A.

        A = R J,    R^T R = d^2 ell / dF^2,    J = dF / dtheta

    The singular values of A are the square roots of H_o's eigenvalues, and come with all their digits. An eigenvalue of
    1e-16 of the largest drowns in rounding. Its singular value is 1e-8 of the largest, and does not.

    Args:
        loss: one of the losses in `losses`, whose root R is known (`losses.curvature_root`).
        apply_fn, params, batches: as in `loss_operator`.

    Returns:
        V (b, p) -> (b, n K), n the number of all samples.

    Raises:
        TypeError, ValueError: as in `loss_operator`, and ValueError for a loss whose root is not known.
    """
    losses.curvature_root(loss)
    return operator(factor_matvec, prepared(loss, apply_fn, params, batches))


class Setting(NamedTuple):
    """What the products of a network take, after all checks of its functions."""

    loss: object
    apply_fn: object
    params: object  # of NumPy arrays, which can join vectors on any device
    batches: list  # pairs of what `apply_fn` and `loss` take, small enough for memory
    scale: float = 1.0  # of the Hessians


def prepared(loss, apply_fn, params, batches, reduction="sum"):
    """Return the Setting of a network. Arguments and errors as in `loss_operator`, derivatives aside."""
    batches = list(each_batch(batches))
    scale = 1 / sum(len(inputs) for inputs, _ in batches) if reduction == "mean" else 1.0
    loss, apply_fn = checked(loss, apply_fn, params, batches, reduction)
    params = jax.tree.map(np.asarray, params)
    return Setting(loss, apply_fn, params, list(in_parts(apply_fn, params, batches)), scale)


def check_derivatives(setting, own=None):
    """Check that the derivatives are those of the loss (`premises.check_derivatives`), at every batch.

    Args:
        setting: Setting.
        own: the same network in the form whose products are used, if it is another one.
    """
    own, p = own or setting, num_params(setting.params)
    for batch, same in zip(setting.batches, own.batches, strict=True):

        def product(v, same=same):
            vectors = np.zeros((min(BLOCK, p), p))  # of the shape that is compiled anyway
            vectors[0] = v
            return operator(loss_matvec, own._replace(batches=[same], scale=1.0))(vectors)[0]

        premises.check_derivatives(setting.loss, setting.apply_fn, setting.params, *batch, product)


def operator(product, setting):
    """Return the function V -> V H, or V A^T, for one of the products in `matvecs`."""
    loss, apply_fn, params, batches, scale = setting
    most = min(vectors_at_once(apply_fn, params, inputs) for inputs, _ in batches)

    def multiply(vectors):
        images = [_block(product, loss, apply_fn, most, params, *batch, vectors) for batch in batches]
        return jnp.concatenate(images, axis=1) if product is factor_matvec else scale * sum(images)

    return multiply


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _block(product, loss, apply_fn, most, params, inputs, targets, vectors):
    one = product(loss, apply_fn, params, inputs, targets)
    # Sharded rows are multiplied all at once, unless that takes too much memory.
    return jax.vmap(one)(vectors) if len(vectors) <= most else jax.lax.map(one, vectors, batch_size=most)

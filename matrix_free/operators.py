"""Products with the Hessians: of blocks of vectors, summed over batches, for matrices that do not fit in memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

import losses
from hessians import check_arguments, each_batch, functional_matvec, linearized, loss_matvec, outer_matvec


def loss_operator(loss, apply_fn, params, batches):
    """Return the function V -> V H_L, where H_L is the Hessian of the sum of the batches' losses.

    Each row of V (b, p) is a vector, so that a block of b vectors is multiplied at once.

    Args:
        loss: ell(predictions (n, K), targets (n, K)) -> scalar.
        apply_fn: F(params, inputs) -> (n, K).
        params: pytree of float64 arrays, p numbers in all.
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a `torch.utils.data.DataLoader`. Every
            product goes through them once more, in any order.

    Returns:
        V (b, p) -> (b, p), compiled once per shape of V and of the batches. Rows sharded over devices stay sharded.

    Raises:
        TypeError: for anything but float64, or batches that can be gone through only once.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches.

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
    return _over_batches(loss_matvec, loss, apply_fn, params, batches)


def outer_operator(loss, apply_fn, params, batches):
    """Return the function V -> V H_o of blocks of row vectors. Arguments and errors as in `loss_operator`."""
    return _over_batches(outer_matvec, loss, apply_fn, params, batches)


def functional_operator(loss, apply_fn, params, batches):
    """Return the function V -> V H_f of blocks of row vectors. Arguments and errors as in `loss_operator`."""
    return _over_batches(functional_matvec, loss, apply_fn, params, batches)


def factor_operator(loss, apply_fn, params, batches):
    """Return the function V -> V A^T for the factor A of H_o = A^T A.

        A = R J,    R^T R = d^2 ell / dF^2,    J = dF / dtheta

    The singular values of A are the square roots of H_o's eigenvalues, and come with all their digits. An eigenvalue of
    1e-16 of the largest drowns in rounding. Its singular value is 1e-8 of the largest, and does not.

    Args:
        loss: one of the losses in `losses`, whose root R is known (`losses.curvature_root`).
        apply_fn, params, batches: as in `loss_operator`, except that the order of the samples must not change.

    Returns:
        V (b, p) -> (b, n K), n the number of all samples.

    Raises:
        TypeError, ValueError: as in `loss_operator`, and ValueError for a loss whose root is not known.
    """
    losses.curvature_root(loss)
    return _over_batches(factor_matvec, loss, apply_fn, params, batches, add=lambda rows: jnp.concatenate(rows, axis=1))


def factor_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> A v for the factor A of one batch; v has shape (p,) and A v shape (n K,)."""
    predictions, jacobian, _ = linearized(apply_fn, params, inputs)
    root = losses.curvature_root(loss)
    return lambda v: root(predictions, targets, jacobian(v)).ravel()


def _over_batches(product, loss, apply_fn, params, batches, add=sum):
    if iter(batches) is batches:
        raise TypeError("batches can be gone through only once, and every product needs them; pass a list or a loader")
    # Arrays on the host can join vectors on any device.
    params = jax.tree.map(np.asarray, params)
    for inputs, targets in each_batch(batches):
        check_arguments(params, inputs, targets, apply_fn)
    return lambda vectors: add(
        [_block(product, loss, apply_fn, params, *batch, vectors) for batch in each_batch(batches)]
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _block(product, loss, apply_fn, params, inputs, targets, vectors):
    return jax.vmap(product(loss, apply_fn, params, inputs, targets))(vectors)

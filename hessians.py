"""The Hessian of a network's loss and the two terms it splits into, H_L = H_o + H_f.

The vector theta in R^p holds the parameters in the order of `jax.flatten_util.ravel_pytree`. F(theta) in R^(n x K) are
the network's outputs on a batch, and ell(F, Y) is the loss. By the chain rule

    H_L = J^T (d^2 ell / dF^2) J  +  sum_ik (d ell / dF_ik) d^2 F_ik / dtheta^2  =  H_o + H_f,     J = dF / dtheta.

Each matrix is built from its products with the unit vectors, H e_j, a block of them at a time. No Jacobian of size
n x K x p and no tensor of size n x K x p x p is ever formed. `loss_matvec`, `outer_matvec` and `functional_matvec` are
these products. `matrix_free` uses them for networks whose (p, p) matrix does not fit in memory, and `exact` carries
them out without rounding.

Everything is compiled once per function argument and shape. Pass the same function objects in every call of a loop: a
lambda made inside it is new each time. (`losses` and `architectures` always return the same function objects.)
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import checks
import losses

_BLOCK = 128  # unit vectors at a time; from 64 to 512 the time hardly changes, the memory grows with it


class HessianTriple(NamedTuple):
    """One value for each of the three matrices: the matrices, their ranks, their spectra, or their names."""

    functional: object  # of H_f
    outer: object  # of H_o
    loss: object  # of H_L


SYMBOLS = HessianTriple(functional="H_f", outer="H_o", loss="H_L")  # in plain text, for printed lines and messages


def dense_hessians(loss, apply_fn, params, batches):
    """Return H_f, H_o and H_L, each summed over the batches: the Hessians of the sum of the batches' losses.

    Args:
        loss: ell(predictions (n, K), targets (n, K)) -> scalar.
        apply_fn: F(params, inputs) -> (n, K).
        params: pytree of float64 arrays, p numbers in all.
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a `torch.utils.data.DataLoader`.

    Returns:
        HessianTriple of (p, p) arrays, symmetric to rounding.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches.
        MemoryError: if five such matrices would not fit in memory.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from hessians import dense_hessians
        >>> from losses import get_loss
        >>> apply_fn = lambda params, inputs: inputs @ params[0] @ params[1]  # f(x) = W_2 W_1 x, widths 3-2-2
        >>> params = [np.ones((3, 2)), np.eye(2)]
        >>> batches = [(np.eye(3), np.zeros((3, 2))), (np.ones((1, 3)), np.ones((1, 2)))]
        >>> H_f, H_o, H_L = dense_hessians(get_loss("mse"), apply_fn, params, batches)
        >>> H_L.shape
        (10, 10)
        >>> bool(np.allclose(H_L, H_o + H_f))
        True
    """
    check_memory(num_params(params))
    loss_params = losses.of_params(loss, apply_fn)
    functional = outer = total = None
    for batch in each_batch(batches):
        functional = _add(functional, functional_hessian(loss, apply_fn, params, *batch))
        outer = _add(outer, outer_prod(loss, apply_fn, params, *batch))
        total = _add(total, loss_hessian(loss_params, params, *batch))
    return HessianTriple(functional, outer, total)


def loss_hessian(loss_params, params, inputs, targets):
    """Return the loss Hessian H_L = d^2 L / dtheta^2 of a batch.

    Args:
        loss_params: L(params, inputs, targets) -> scalar, such as `losses.of_params(loss, apply_fn)`.
        params: pytree of float64 arrays, p numbers in all.
        inputs: (n, d) float64.
        targets: (n, K) float64.

    Returns:
        (p, p) array, symmetric to rounding. For a loss summed over samples the batches' matrices add up.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, or shapes that do not fit.
        MemoryError: if the matrix would not fit in memory.
    """
    check_arguments(params, inputs, targets)
    check_memory(num_params(params), matrices=2)
    return _loss_hessian(loss_params, params, jnp.asarray(inputs), jnp.asarray(targets))


def outer_prod(loss, apply_fn, params, inputs, targets, cross=None):
    """Return the outer product (Gauss-Newton) term H_o = J^T (d^2 ell / dF^2) J of a batch.

    It takes the full second derivative of the loss in the outputs, and so it is also right for a loss that couples the
    outputs, such as the cross-entropy. H_o is the Hessian of the loss of the linearized network.

    Args:
        loss: ell(predictions (n, K), targets (n, K)) -> scalar.
        apply_fn: F(params, inputs) -> (n, K).
        params, inputs, targets: as in `loss_hessian`.
        cross: ignored. The cells of the paper's notebook pass it.

    Returns:
        (p, p) array, symmetric to rounding.

    Raises:
        TypeError, ValueError, MemoryError: as in `loss_hessian`.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from hessians import outer_prod
        >>> from losses import get_loss
        >>> apply_fn = lambda w, inputs: inputs @ w  # least squares: H_o = X^T X
        >>> X = np.array([[1.0, 2.0], [3.0, 4.0]])
        >>> outer_prod(get_loss("mse"), apply_fn, np.zeros((2, 1)), X, np.ones((2, 1))).tolist()
        [[10.0, 14.0], [14.0, 20.0]]
    """
    del cross
    check_arguments(params, inputs, targets, apply_fn)
    check_memory(num_params(params), matrices=2)
    return _outer_prod(loss, apply_fn, params, jnp.asarray(inputs), jnp.asarray(targets))


def functional_hessian(loss, apply_fn, params, inputs, targets):
    """Return the functional Hessian H_f = sum_ik alpha_ik d^2 F_ik / dtheta^2, alpha = d ell / dF, of a batch.

    This is the Hessian of theta -> <alpha, F(theta)> with alpha held fixed. It is not computed as H_L - H_o, where
    digits cancel if the residuals are small: at residuals of 1e-6 the difference has the wrong rank, that of rounding
    errors.

    Args:
        loss, apply_fn, params, inputs, targets: as in `outer_prod`.

    Returns:
        (p, p) array, symmetric to rounding.

    Raises:
        TypeError, ValueError, MemoryError: as in `loss_hessian`.
    """
    check_arguments(params, inputs, targets, apply_fn)
    check_memory(num_params(params), matrices=2)
    return _functional_hessian(loss, apply_fn, params, jnp.asarray(inputs), jnp.asarray(targets))


def split_error(matrices):
    """Return max |H_L - (H_o + H_f)| over the largest entry of the three matrices, and 0 if all three are zero.

    Args:
        matrices: HessianTriple of (p, p) arrays.

    Returns:
        float, of the size of rounding if the three belong together.

    Example:
        >>> import numpy as np
        >>> from hessians import HessianTriple, split_error
        >>> split_error(HessianTriple(functional=np.eye(2), outer=np.eye(2), loss=4 * np.eye(2)))
        0.5
    """
    functional, outer, total = matrices
    largest = max(float(abs(matrix).max()) for matrix in matrices)
    return float(abs(total - (outer + functional)).max()) / (largest or 1.0)


# --- products with one vector: they can be traced, vmapped and compiled, and they do not check their arguments


def loss_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> H_L v, the derivative of the gradient along v. Both v and H_L v have shape (p,)."""
    return _hessian_product(lambda w: loss(apply_fn(w, inputs), targets), params)


def outer_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> H_o v = J^T (d^2 ell / dF^2) J v: J is forward through the network, J^T backward."""
    predictions, jacobian, theta = linearized(apply_fn, params, inputs)
    transposed = jax.linear_transpose(jacobian, theta)
    _, curvature = jax.linearize(jax.grad(lambda f: loss(f, targets)), predictions)
    return lambda v: transposed(curvature(jacobian(v)))[0]


def functional_matvec(loss, apply_fn, params, inputs, targets):
    """Return v -> H_f v, the derivative along v of the gradient of <alpha, F>, alpha = d ell / dF held fixed."""
    alpha = jax.grad(loss)(apply_fn(params, inputs), targets)
    return _hessian_product(lambda w: jnp.vdot(alpha, apply_fn(w, inputs)), params)


def num_params(params):
    """Return p, the number of parameters in a pytree of arrays."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def check_memory(p, matrices=5):
    """Check that `matrices` float64 arrays of shape (p, p) fit in the memory that is free now.

    The default is five: the three sums over the batches, the batch's own matrix and the new sum. This is also enough
    to find the eigenvalues.

    Raises:
        MemoryError: if they do not. The message gives the size, the free memory, and the largest p that fits.
    """
    largest = int((checks.free_memory() / (8 * matrices)) ** 0.5)
    checks.memory(
        8 * matrices * p**2,
        f"a Hessian of p = {p} parameters takes {8e-9 * p**2:.1f} GB and {matrices} such arrays are needed",
        f"That is enough for p = {largest}: choose smaller widths or a smaller dim, fewer classes, or find the ranks "
        "without the matrix, by matrix_free.sketched_ranks (see notebooks/large_networks.ipynb). For H_L alone, take "
        "matrix_free.sketched_rank with matrix_free.loss_operator",
    )


def each_batch(batches):
    """Yield the batches as pairs of NumPy arrays (inputs, targets).

    Raises:
        ValueError: at the end, if there was no sample in them.
    """
    samples = 0
    for inputs, targets in batches:
        samples += len(inputs)
        yield np.asarray(inputs), np.asarray(targets)
    if not samples:
        raise ValueError("batches is empty: there are no samples to sum over")


def check_arguments(params, inputs, targets, apply_fn=None):
    """Check the arguments that all functions here share: float64, finite, and predictions of the targets' shape.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, or predictions of another shape than the targets.
    """
    checks.float64(params=params, inputs=inputs, targets=targets)
    checks.finite(params=params, inputs=inputs, targets=targets)
    if apply_fn is not None:
        checks.equal_shapes(jax.eval_shape(apply_fn, params, inputs), targets)


@functools.partial(jax.jit, static_argnums=0)
def _loss_hessian(loss_params, params, inputs, targets):
    return _matrix(_hessian_product(lambda w: loss_params(w, inputs, targets), params), params)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _outer_prod(loss, apply_fn, params, inputs, targets):
    return _matrix(outer_matvec(loss, apply_fn, params, inputs, targets), params)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _functional_hessian(loss, apply_fn, params, inputs, targets):
    return _matrix(functional_matvec(loss, apply_fn, params, inputs, targets), params)


def _hessian_product(function, params):
    """Return v -> (d^2 function / dtheta^2) v."""
    theta, unravel = ravel_pytree(params)
    return jax.linearize(jax.grad(lambda t: function(unravel(t))), theta)[1]


def linearized(apply_fn, params, inputs):
    """Return F(theta), the map v -> J v, and theta."""
    theta, unravel = ravel_pytree(params)
    return *jax.linearize(lambda t: apply_fn(unravel(t), inputs), theta), theta


def _add(total, matrix):
    return matrix if total is None else total + matrix


def _matrix(product, params):
    """Return the matrix of the symmetric linear map `product`. Its rows are product(e_j), filled in by blocks."""
    p = num_params(params)
    block = min(_BLOCK, p)
    rows = jax.vmap(lambda j: product(jnp.zeros(p).at[j].set(1.0)))

    def fill(k, matrix):
        first = jnp.minimum(k * block, p - block)  # all blocks have one shape: the last overlaps the one before
        return jax.lax.dynamic_update_slice(matrix, rows(first + jnp.arange(block)), (first, 0))

    return jax.lax.fori_loop(0, -(-p // block), fill, jnp.zeros((p, p)))

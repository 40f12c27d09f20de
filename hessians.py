"""The Hessian of a network's loss and the two terms it splits into, H_L = H_o + H_f.

The vector theta in R^p holds the parameters in the order of `jax.flatten_util.ravel_pytree`. F(theta) in R^(n x K) are
the network's outputs on a batch, and ell(F, Y) is the loss. By the chain rule

    H_L = J^T (d^2 ell / dF^2) J  +  sum_ik (d ell / dF_ik) d^2 F_ik / dtheta^2  =  H_o + H_f,     J = dF / dtheta.

Each matrix is built from its products with the unit vectors, H e_j, a block of them at a time (`matvecs`). No tensor
of size n x K x p x p is ever formed. `matrix_free` uses the same products for networks whose (p, p) matrix does not fit
in memory, and `exact` carries them out without rounding.

Everything is compiled once per function argument and shape. Pass the same function objects in every call of a loop: a
lambda made inside it is new each time. (`losses` and `architectures` always return the same function objects.) If what
a function contains has changed, such as a frozen layer, it is compiled again (`premises.pure`).
"""

from typing import NamedTuple

import checks
import premises
from bars import told
from batching import arrays
from matvecs import functional_terms, loss_hessian_terms, loss_terms, num_params, outer_terms
from problem import check_batch, pose


class HessianTriple(NamedTuple):
    """One value for each of the three matrices: the matrices, their ranks, their spectra, or their names."""

    functional: object  # of H_f
    outer: object  # of H_o
    loss: object  # of H_L


class WithPenalty(NamedTuple):
    """The same where the loss has a term of the parameters alone, such as weight decay."""

    functional: object  # of H_f
    outer: object  # of H_o
    loss: object  # of H_L = H_f + H_o + the penalty's Hessian
    penalty: object  # of the penalty's Hessian
    without: object  # of H_L without it, H_f + H_o


SYMBOLS = HessianTriple(functional="H_f", outer="H_o", loss="H_L")  # in plain text, for printed lines and messages


def dense_hessians(loss, apply_fn, params, batches, reduction="sum", only=None, penalty=None, bar=None):
    """Return H_f, H_o and H_L, each summed over the batches: the Hessians of the sum of the batches' losses.

    Args:
        loss: ell(predictions, targets) -> scalar. For more than one batch, it has to be a sum or a mean over the
            samples.
        apply_fn: F(params, inputs) -> predictions, a float64 array (n, ...) or a pytree of them.
        params: pytree of float64 arrays, p numbers in all.
        batches: pairs (inputs, targets) of pytrees of arrays (n, ...), of any dtype: a list, a
            `torch.utils.data.DataLoader`, or one pair (X, Y). Floating point numbers become float64.
        reduction: what the loss does over the samples of a batch, 'sum' or 'mean'. With 'mean' the matrices are those
            of the mean over all samples, whatever the sizes of the batches.
        only: which parameters are free, while the others are constants. Either a function of their path, such as
            `lambda path: path.startswith("Dense_1/")`, or a mask (`parts.chosen`). p is then the number of the free.
        penalty: R(params) -> scalar, a term of the parameters alone such as weight decay. It counts once, not once per
            batch, and is part of H_L.
        bar: a `tqdm.tqdm`, which is told of three steps, one for each matrix, or as many for each large batch.

    Returns:
        HessianTriple of (p, p) arrays, symmetric to rounding. With a penalty WithPenalty, which also has the penalty's
        Hessian and H_L without it.

    Raises:
        TypeError: for parameters or outputs in anything but float64, or batches that are no pairs.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches. Also for functions with random parts, a
            loss that is no sum over the samples, arithmetic that is rounded to float32, and derivatives that are not
            those of the loss, as at the kink of a relu unit (`premises`).
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
    problem = pose(loss, apply_fn, params, batches, reduction, only, penalty)
    check_memory(num_params(problem.params))
    functional = outer = total = 0.0
    tell = told(bar, 3 * len(problem.batches))
    for batch in problem.batches:
        setting = *problem[:3], *batch
        functional = functional + problem.scale * tell(functional_terms(*setting))
        outer = outer + problem.scale * tell(outer_terms(*setting))
        new = tell(loss_terms(*setting))
        premises.check_derivatives(*setting, lambda v, new=new: new @ v)
        total = total + problem.scale * new
    if penalty is None:
        return HessianTriple(functional, outer, total)
    setting = *problem.penalty[:3], *problem.penalty.batches[0]
    added = loss_terms(*setting)
    premises.check_derivatives(*setting, lambda v: added @ v)
    return WithPenalty(functional, outer, total + added, added, total)


def loss_hessian(loss_params, params, inputs, targets):
    """Return the loss Hessian H_L = d^2 L / dtheta^2 of a batch.

    Args:
        loss_params: L(params, inputs, targets) -> scalar, such as `losses.of_params(loss, apply_fn)`.
        params: pytree of float64 arrays, p numbers in all.
        inputs, targets: arrays (n, ...) or pytrees of them, of any dtype.

    Returns:
        (p, p) array, symmetric to rounding. For a loss summed over samples the batches' matrices add up.

    Raises:
        TypeError: for parameters or outputs in anything but float64.
        ValueError: for NaN or infinity, or shapes that do not fit.
        MemoryError: if the matrix would not fit in memory.
    """
    inputs, targets = _checked(params, inputs, targets)
    (loss_params,) = premises.pure((loss_params,), params, inputs, targets)
    return loss_hessian_terms(loss_params, params, inputs, targets)


def outer_prod(loss, apply_fn, params, inputs, targets, cross=None):
    """Return the outer product (Gauss-Newton) term H_o = J^T (d^2 ell / dF^2) J of a batch.

    It takes the full second derivative of the loss in the outputs, and so it is also right for a loss that couples the
    outputs, such as the cross-entropy. H_o is the Hessian of the loss of the linearized network.

    Args:
        loss: ell(predictions, targets) -> scalar.
        apply_fn: F(params, inputs) -> predictions.
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
    inputs, targets = _checked(params, inputs, targets, loss, apply_fn)
    loss, apply_fn = premises.pure((loss, apply_fn), params, inputs, targets)
    return outer_terms(loss, apply_fn, params, inputs, targets)


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
    inputs, targets = _checked(params, inputs, targets, loss, apply_fn)
    loss, apply_fn = premises.pure((loss, apply_fn), params, inputs, targets)
    return functional_terms(loss, apply_fn, params, inputs, targets)


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


def _checked(params, inputs, targets, *functions):
    """Return the data of a batch as arrays, after the checks of `problem.pose` that need one batch only."""
    checks.parameters(params)
    checks.float64(params=params)
    inputs, targets = arrays(inputs, targets)
    checks.finite(params=params, inputs=inputs, targets=targets)
    if functions:
        check_batch(*functions, params, inputs, targets)
    check_memory(num_params(params), matrices=2)
    return inputs, targets

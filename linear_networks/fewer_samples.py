"""A data set replaced by as few samples as its Hessians can tell from it."""

import numpy as np

import premises
from linear_networks.data_factor import certain_rank, data_factor, most_directions, singular_inputs
from matvecs import loss_image, num_params
from problem import pose


def sufficient_samples(loss, apply_fn, params, batches):
    """Return r <= d samples with the same H_f, H_o and H_L as all batches together, for a linear network.

    Under the squared loss and without biases, H_o depends on the data through sum_i x_i x_i^T alone. H_f depends on
    them through sum_i (f(x_i) - y_i) x_i^T. So both depend on X^T X and X^T Y alone. With X = P X' and orthonormal
    columns in P, the samples X' with the targets Y' = P^T Y have the same X'^T X' and X'^T Y'.

    X^T X is not formed, since that would halve the digits of X. Instead the batches are added to the triangular factor
    of [X, Y]. A row of it is left out only if it is zero for certain. That is so if there are more rows than samples or
    inputs that are not zero. It is so too if exact arithmetic gives the rank that the singular values of X show. A
    singular value that may be rounding is kept.

    Args:
        loss, apply_fn, params: as in `matrix_free.loss_operator`, for that test only.
        batches: pairs (inputs (n, d), targets (n, K)), float64, gone through several times.

    Returns:
        inputs (r, d) and targets (r, K). In general r = rank(X). Where rounding hides the rank, r is the smaller of n
        and the number of inputs that are not zero, which is not less. For inputs of zero, r = 1.

    Raises:
        TypeError: as in `matrix_free.loss_operator`.
        ValueError: as there, and for another loss or network (with biases, with another activation).

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> import numpy as np
        >>> from linear_networks import sufficient_samples
        >>> from losses import get_loss
        >>> generator = np.random.default_rng(0)
        >>> X, Y = generator.standard_normal((99, 3)), generator.standard_normal((99, 2))
        >>> params = [np.eye(3), np.ones((3, 2))]
        >>> apply_fn = lambda params, inputs: inputs @ params[0] @ params[1]
        >>> inputs, targets = sufficient_samples(get_loss("mse"), apply_fn, params, [(X, Y)])
        >>> inputs.shape, targets.shape
        ((3, 3), (3, 2))
        >>> bool(np.allclose(inputs.T @ inputs, X.T @ X)), bool(np.allclose(inputs.T @ targets, X.T @ Y))
        (True, True)
    """
    whole = pose(loss, apply_fn, params, batches)
    for batch in whole.batches:
        premises.check_derivatives(*whole[:3], *batch, lambda v, batch=batch: loss_image(*whole[:3], *batch, v))
    factor = data_factor(batches)
    norms, P, S, Vt = singular_inputs(factor)
    r = certain_rank(factor, S, batches)
    if r is None:
        # The rows of the whole decomposition, down to what may be rounding.
        r = most_directions(factor)
    # One sample of zeros has the Hessian of many.
    inputs, targets = (
        (S[:r, None] * Vt[:r] * norms, P[:, :r].T @ factor.targets)
        if r
        else (
            np.zeros((1, len(norms))),
            np.zeros((1, factor.targets.shape[1])),
        )
    )
    compressed = np.ldexp(inputs, factor.units), np.ldexp(targets, factor.target_units)
    few = pose(loss, apply_fn, params, [compressed])
    vector = np.random.default_rng(0).normal(size=num_params(params))
    before, after = (
        sum(np.asarray(loss_image(*problem[:3], *batch, vector)) for batch in problem.batches)
        for problem in (whole, few)
    )
    difference, largest = abs(before - after).max(), abs(before).max()
    if difference > 1e-8 * largest:
        raise ValueError(
            f"the compressed data have another H_L, by {difference / largest:.1e} of the largest entry of a product. "
            "Only a linear network without biases under the squared loss sees no more of its data than X^T X "
            "and X^T Y. For others use the data as they are"
        )
    return compressed

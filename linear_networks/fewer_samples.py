"""A data set replaced by as few samples as its Hessians can tell from it."""

import numpy as np

import hessians
from counting import default_rtol
from matrix_free import loss_operator


def sufficient_samples(loss, apply_fn, params, batches):
    """Return r <= d samples with the same H_f, H_o and H_L as all batches together, for a linear network.

    Under the squared loss and without biases, H_o depends on the data through sum_i x_i x_i^T alone. H_f depends on
    them through sum_i (f(x_i) - y_i) x_i^T. So both depend on X^T X and X^T Y alone. Let X = U S V^T be the singular
    value decomposition. The r samples X' = S V^T with the targets Y' = U^T Y have the same X'^T X' and X'^T Y'.

    X^T X is not formed, since that would halve the digits of X. Instead the batches are added, one by one, to the
    triangular factor of [X, Y].

    The function tests whether the network and the loss are such: for a random vector v, H_L v must stay the same.

    Args:
        loss, apply_fn, params: as in `matrix_free.loss_operator`, for that test only.
        batches: pairs (inputs (n, d), targets (n, K)), float64, gone through several times.

    Returns:
        inputs (r, d) and targets (r, K), r = rank(X). Singular values of X below max(10, sqrt(n)) eps of the largest
        are left out.

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
    products = [loss_operator(loss, apply_fn, params, batches)]
    factor, samples = 0, 0
    for inputs, targets in batches:
        rows = np.concatenate([inputs, targets], axis=1)
        factor = np.linalg.qr(np.concatenate([factor, rows]) if samples else rows, mode="r")
        samples += len(rows)
    d = np.shape(inputs)[1]
    U, S, Vt = np.linalg.svd(factor[:, :d], full_matrices=False)
    kept = default_rtol(samples) * S[0] < S
    compressed = S[kept, None] * Vt[kept], U[:, kept].T @ factor[:, d:]
    if not kept.any():  # one sample of zeros has the Hessian of many
        compressed = np.zeros((1, d)), np.zeros((1, factor.shape[1] - d))
    products.append(loss_operator(loss, apply_fn, params, [compressed]))
    vector = np.random.default_rng(0).normal(size=(1, hessians.num_params(params)))
    before, after = (np.asarray(product(vector)) for product in products)
    difference, largest = abs(before - after).max(), abs(before).max()
    if difference > 1e-8 * largest:
        raise ValueError(
            f"the compressed data have another H_L, by {difference / largest:.1e} of the largest entry of a product. "
            "Only a linear network without biases under the squared loss sees no more of its data than X^T X "
            "and X^T Y. For others use the data as they are"
        )
    return compressed

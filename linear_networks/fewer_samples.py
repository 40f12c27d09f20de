"""A data set replaced by as few samples as its Hessians can tell from it."""

import numpy as np

import hessians
from matrix_free import loss_operator
from ranks import default_rtol


def sufficient_samples(loss, apply_fn, params, batches):
    """Return r <= d samples with the same H_f, H_o and H_L as all batches together, for a linear network.

    Without biases and under the squared loss, H_o depends on the data through sum_i x_i x_i^T and H_f through
    sum_i (f(x_i) - y_i) x_i^T alone, hence both through X^T X and X^T Y. With the singular value decomposition
    X = U S V^T, the r samples X' = S V^T with targets Y' = U^T Y have the same X'^T X' and X'^T Y'. X^T X is not
    formed, which would halve the digits of X: the batches are added to the triangular factor of [X, Y], one by one.

    Whether the network and the loss are such is tested: H_L v for a random vector v must be the same before and after.

    Args:
        loss, apply_fn, params: as in `matrix_free.loss_operator`, for that test only.
        batches: pairs (inputs (n, d), targets (n, K)), float64, gone through several times.

    Returns:
        inputs (r, d) and targets (r, K), r = rank(X); singular values of X below max(10, sqrt(n)) eps of the largest
        are left out.

    Raises:
        TypeError: as in `matrix_free.loss_operator`.
        ValueError: for another loss or network (with biases, another activation); or as in `matrix_free.loss_operator`.
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
            f"the compressed data have another H_L, by {difference / largest:.1e} of the largest entry of a product: "
            "only a linear network without biases under the squared loss sees no more of its data than X^T X "
            "and X^T Y; for others use the data as they are"
        )
    return compressed

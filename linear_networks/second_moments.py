"""What the Hessians of a linear network under the squared loss depend on: its weights and two sums over the data."""

import functools
import itertools

import jax
import numpy as np

import checks
from counting import default_rtol
from hessians import each_batch


def moments(batches):
    """Return Sxx = sum_i x_i x_i^T (d, d) and Sxy = sum_i x_i y_i^T (d, K), all that is needed of the data.

    Args:
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a `torch.utils.data.DataLoader`.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches.

    Example:
        >>> import numpy as np
        >>> from linear_networks import moments
        >>> one = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0], [3.0]])  # two samples
        >>> other = np.ones((1, 2)), np.ones((1, 1))
        >>> Sxx, Sxy = moments([one, other])
        >>> Sxx.tolist(), Sxy.tolist()
        ([[2.0, 1.0], [1.0, 5.0]], [[2.0], [7.0]])
    """
    Sxx = Sxy = None
    for inputs, targets in each_batch(batches):
        checks.float64(inputs=inputs, targets=targets)
        checks.finite(inputs=inputs, targets=targets)
        if inputs.ndim != 2 or targets.ndim != 2 or len(inputs) != len(targets):
            raise ValueError(
                f"inputs of shape {inputs.shape} and targets of shape {targets.shape} do not fit; "
                "they must be (n, d) and (n, K)"
            )
        sums = inputs.T @ inputs, inputs.T @ targets
        Sxx, Sxy = sums if Sxx is None else (Sxx + sums[0], Sxy + sums[1])
    return Sxx, Sxy


def checked_network(params, Sxx, Sxy):
    """Return the paper's weights W_l (m_l, m_{l-1}), Sxx and Sxy as NumPy arrays, and p, after checking all of them.

    Args:
        params: weights [W_1, ..., W_L] of `architectures.fully_connected`, (m_{l-1}, m_l), without biases.
        Sxx, Sxy: as `moments` returns them.

    Raises:
        TypeError: for anything but float64 weights without biases.
        ValueError: for NaN or infinity, or weights whose shapes do not chain. Also for an Sxx that is not symmetric
            positive semidefinite, or an Sxy whose columns are not in its range.
    """
    params = list(params)
    if not params or any(isinstance(layer, (tuple, list, dict)) for layer in params):
        raise TypeError(
            "params must be a list of weight matrices [W_1, ..., W_L], without biases: with biases the structure is "
            "another one; matrix_free.sketched_ranks and closed_forms.biased_ranks have them"
        )
    checks.float64(params=params, Sxx=Sxx, Sxy=Sxy)
    checks.finite(params=params, Sxx=Sxx, Sxy=Sxy)
    shapes = [np.shape(weights) for weights in params]
    if any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise ValueError(f"every weight matrix must have shape (m_in, m_out), got {shapes}")
    for layer, (one, other) in enumerate(itertools.pairwise(shapes), start=1):
        if one[1] != other[0]:
            raise ValueError(
                f"the weights do not chain: layer {layer} has {one[1]} outputs and layer {layer + 1} has {other[0]} "
                f"inputs; the shapes are {shapes}, each (m_in, m_out)"
            )
    d, K = shapes[0][0], shapes[-1][1]
    if np.shape(Sxx) != (d, d) or np.shape(Sxy) != (d, K):
        raise ValueError(
            f"for these weights Sxx must have shape {(d, d)} and Sxy {(d, K)}, got {np.shape(Sxx)} and "
            f"{np.shape(Sxy)}; they are X^T X and X^T Y of inputs X (n, d) and targets Y (n, K)"
        )
    weights, Sxx, Sxy = [np.asarray(W).T for W in params], np.asarray(Sxx), np.asarray(Sxy)
    largest = abs(Sxx).max()
    if abs(Sxx - Sxx.T).max() > 1e-12 * largest:
        raise ValueError(
            f"Sxx must be symmetric, but entries differ from those of its transpose by {abs(Sxx - Sxx.T).max():.1e} "
            f"(its largest entry is {largest:.1e}); it is X^T X"
        )
    Sxx = (Sxx + Sxx.T) / 2
    directions = np.linalg.eigh(Sxx)
    smallest, largest = directions[0][[0, -1]]
    if smallest < -1e-12 * largest:
        raise ValueError(
            f"Sxx must be positive semidefinite, but has the eigenvalue {smallest:.1e} (its largest is {largest:.1e}); "
            "it is X^T X"
        )
    outside = _outside(directions, Sxy)
    # A direction of the inputs may be rounding in Sxx, 1e-16 of the largest, and yet 1e-8 of the largest in Sxy.
    if outside > 1e-6:
        # Small inputs look like rounding at the scale of the large ones, but not relative to their own norms.
        norms, C = correlations(Sxx)
        outside = min(outside, _outside(np.linalg.eigh(C), Sxy / norms[:, None]))
    if outside > 1e-6:
        raise ValueError(
            f"{outside:.1e} of Sxy is outside the range of Sxx, where there are no inputs; take both from the same "
            "samples, Sxx = X^T X and Sxy = X^T Y"
        )
    return weights, Sxx, Sxy, sum(leaf.size for leaf in jax.tree.leaves(params))


def residual_moment(weights, Sxx, Sxy):
    """Return Omega = W Sxx - Sxy^T (K, d), the derivative of the loss in the end-to-end map W = W_L .. W_1.

    This is sum_i (f(x_i) - y_i) x_i^T, the moment of the residuals with the inputs. The product of the weights starts
    at its narrower end.

    Args:
        weights: [W_1, ..., W_L], the paper's, W_l of shape (m_l, m_{l-1}).
        Sxx, Sxy: as `moments` returns them.

    Example:
        >>> import numpy as np
        >>> from linear_networks.second_moments import residual_moment
        >>> weights = [np.array([[1.0, 2.0]]), np.array([[3.0]])]  # f(x) = 3 (x_1 + 2 x_2)
        >>> residual_moment(weights, Sxx=np.eye(2), Sxy=np.array([[1.0], [1.0]])).tolist()
        [[2.0, 5.0]]
    """
    if len(weights[-1]) < weights[0].shape[1]:
        product = functools.reduce(np.matmul, weights[::-1])
    else:
        product = functools.reduce(lambda W, V: V @ W, weights)
    return product @ Sxx - Sxy.T


def correlations(Sxx):
    """Return the norms u (d,) of the inputs, and C (d, d) with Sxx = diag(u) C diag(u).

    The diagonal of C holds ones or zeros. The norm of an input is its root sum of squares over the samples. An input
    that is zero gets the largest norm.

    Args:
        Sxx: (d, d), symmetric positive semidefinite to rounding.
    """
    squares = np.diag(Sxx)
    norms = np.sqrt(np.where(squares > 0, squares, squares.max())) if squares.max() > 0 else np.ones(len(Sxx))
    return norms, Sxx / norms / norms[:, None]


def _outside(directions, Sxy):
    """Return how much of Sxy, relative to its norm, is outside the range of a matrix, given its eigendecomposition."""
    eigenvalues, U = directions
    missed = U[:, eigenvalues <= default_rtol(len(U)) * eigenvalues[-1]].T @ Sxy
    return np.linalg.norm(missed) / (np.linalg.norm(Sxy) or 1.0)

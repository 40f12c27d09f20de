"""What the Hessians of a linear network under the squared loss depend on: its weights and two sums over the data."""

import functools
import itertools

import numpy as np

import checks
from batching import each_batch
from counting import default_rtol
from linear_networks.data_factor import check_batch
from linear_networks.powers_of_two import SMALLEST, exponents, normalized


def moments(batches):
    """Return Sxx = sum_i x_i x_i^T (d, d) and Sxy = sum_i x_i y_i^T (d, K), all that is needed of the data.

    Args:
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a `torch.utils.data.DataLoader`.

    Squaring halves the digits: an eigenvalue of Sxx below 1e-16 of the largest is rounding. So `inertia` and `spectrum`
    know more if they get the batches themselves. For many samples, Sxx and Sxy are faster.

    Raises:
        TypeError: for anything but float64.
        ValueError: for NaN or infinity, shapes that do not fit, or no batches. Also if a sum overflows, or a product
            underflows.

    Example:
        >>> import numpy as np
        >>> from linear_networks import moments
        >>> one = np.array([[1.0, 0.0], [0.0, 2.0]]), np.array([[1.0], [3.0]])  # two samples
        >>> other = np.ones((1, 2)), np.ones((1, 1))
        >>> Sxx, Sxy = moments([one, other])
        >>> Sxx.tolist(), Sxy.tolist()
        ([[2.0, 1.0], [1.0, 5.0]], [[2.0], [7.0]])
    """
    Sxx = Sxy = shape = None
    units = []
    for inputs, targets in each_batch(batches):
        check_batch(inputs, targets, shape)
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            sums = inputs.T @ inputs, inputs.T @ targets
            Sxx, Sxy = sums if Sxx is None else (Sxx + sums[0], Sxy + sums[1])
        shape = Sxy.shape
        units.append(exponents(np.concatenate([inputs, targets], axis=1), axis=0))
    _check_range(Sxx, Sxy, np.max(units, axis=0))
    return Sxx, Sxy


def checked_weights(params):
    """Return the paper's weights W_l (m_l, m_{l-1}) as NumPy arrays, and p, after checking them.

    Args:
        params: weights [W_1, ..., W_L] of `architectures.fully_connected`, (m_{l-1}, m_l), without biases.

    Raises:
        TypeError: for anything but float64 weights without biases.
        ValueError: for NaN or infinity, or weights whose shapes do not chain.
    """
    params = list(params)
    if not params or any(isinstance(layer, (tuple, list, dict)) for layer in params):
        raise TypeError(
            "params must be a list of weight matrices [W_1, ..., W_L], without biases: with biases the structure is "
            "another one; matrix_free.sketched_ranks and closed_forms.biased_ranks have them"
        )
    checks.float64(params=params)
    checks.finite(params=params)
    shapes = [np.shape(weights) for weights in params]
    if any(len(shape) != 2 or 0 in shape for shape in shapes):
        raise ValueError(f"every weight matrix must have shape (m_in, m_out), got {shapes}")
    for layer, (one, other) in enumerate(itertools.pairwise(shapes), start=1):
        if one[1] != other[0]:
            raise ValueError(
                f"the weights do not chain: layer {layer} has {one[1]} outputs and layer {layer + 1} has {other[0]} "
                f"inputs; the shapes are {shapes}, each (m_in, m_out)"
            )
    return [np.asarray(W).T for W in params], sum(W.size for W in params)


def check_one_way(Sxx, Sxy, batches):
    """Check that the data are given in one of two ways: as Sxx and Sxy, or as batches.

    Raises:
        TypeError: if not.
    """
    given = [name for name, value in dict(Sxx=Sxx, Sxy=Sxy, batches=batches).items() if value is not None]
    if given not in (["Sxx", "Sxy"], ["batches"]):
        raise TypeError(
            f"the data must be given as Sxx and Sxy, or as batches=[(inputs, targets), ...], got {given or 'neither'}; "
            "batches keep all digits"
        )


def checked_network(params, Sxx, Sxy):
    """Return the paper's weights W_l (m_l, m_{l-1}), Sxx and Sxy as NumPy arrays, and p, after checking all of them.

    Args:
        params: as in `checked_weights`.
        Sxx, Sxy: as `moments` returns them.

    Raises:
        TypeError: for anything but float64 weights without biases.
        ValueError: for NaN or infinity, or weights whose shapes do not chain. Also for an Sxx that is not symmetric
            positive semidefinite, or an Sxy whose columns are not in its range.
    """
    weights, p = checked_weights(params)
    checks.float64(Sxx=Sxx, Sxy=Sxy)
    checks.finite(Sxx=Sxx, Sxy=Sxy)
    d, K = weights[0].shape[1], len(weights[-1])
    if np.shape(Sxx) != (d, d) or np.shape(Sxy) != (d, K):
        raise ValueError(
            f"for these weights Sxx must have shape {(d, d)} and Sxy {(d, K)}, got {np.shape(Sxx)} and "
            f"{np.shape(Sxy)}; they are X^T X and X^T Y of inputs X (n, d) and targets Y (n, K)"
        )
    Sxx, Sxy = np.asarray(Sxx), np.asarray(Sxy)
    largest = abs(Sxx).max()
    if abs(Sxx - Sxx.T).max() > 1e-12 * largest:
        raise ValueError(
            f"Sxx must be symmetric, but entries differ from those of its transpose by {abs(Sxx - Sxx.T).max():.1e} "
            f"(its largest entry is {largest:.1e}); it is X^T X"
        )
    Sxx = Sxx + (Sxx.T - Sxx) / 2  # which neither overflows nor, where it is symmetric, underflows
    directions = np.linalg.eigh(Sxx)
    smallest, largest = directions[0][[0, -1]]
    if smallest < -1e-12 * largest:
        raise ValueError(
            f"Sxx must be positive semidefinite, but has the eigenvalue {smallest:.1e} (its largest is {largest:.1e}); "
            "it is X^T X"
        )
    sums, _ = normalized(Sxy)
    outside = _outside(directions, sums)
    # A direction of the inputs may be rounding in Sxx, 1e-16 of the largest, and yet 1e-8 of the largest in Sxy.
    if outside > 1e-6:
        # Small inputs look like rounding at the scale of the large ones, but not relative to their own norms.
        norms, C = correlations(Sxx)
        outside = min(outside, _outside(np.linalg.eigh(C), normalized(sums / normalized(norms)[0][:, None])[0]))
    if outside > 1e-6:
        raise ValueError(
            f"{outside:.1e} of Sxy is outside the range of Sxx, where there are no inputs; take both from the same "
            "samples, Sxx = X^T X and Sxy = X^T Y"
        )
    return weights, Sxx, Sxy, p


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


def _check_range(Sxx, Sxy, units):
    """Check that float64 holds the sums, given the binary exponents of the largest entries of inputs and targets."""
    inputs, targets = (part[part > -1100] for part in np.split(units, [len(Sxx)]))  # the others are zero
    lowest = inputs.min(initial=0) + min(inputs.min(initial=0), targets.min(initial=0))
    if np.isfinite(Sxx).all() and np.isfinite(Sxy).all() and (not len(inputs) or lowest > SMALLEST):
        return
    raise ValueError(
        "the sums X^T X and X^T Y overflow or underflow in float64: the largest entries of the inputs are from "
        f"2^{inputs.min()} to 2^{inputs.max()}. Multiply all inputs and targets by one power of two c, which "
        "multiplies the Hessians by c^2. Or pass batches= instead of the sums to inertia, descent or spectrum, which "
        "square nothing"
    )

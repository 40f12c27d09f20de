"""The end-to-end map of a linear network, W = W_L .. W_1, as a product of thin factors, and perturbations of it.

W has the rank q of the network's narrowest place. Its factors have q rows or q columns. Everything that decides the
signs is computed from these factors and the data. So it is cheap to compute it again for a network close by.
"""

import functools
from typing import NamedTuple

import numpy as np

from linear_networks.data_factor import singular_inputs, sure_rank
from linear_networks.general_position import UNDECIDED, NotGenericError, at_distance
from linear_networks.powers_of_two import SMALLEST, exponents, norm, normalized
from linear_networks.second_moments import correlations

# Rounding leaves some 1e-15 of a zero eigenvalue of Sxx, relative to the largest. One above this is not zero.
_CLEAR = 1e-13

# The binary exponent of the largest targets, relative to the weights, whose forms are computed without overflow.
_LARGEST = 400


class Directions(NamedTuple):
    """Where the inputs lie, with every input divided by its norm: X = P S U^T diag(norms) 2^exponent."""

    norms: np.ndarray  # (d,), the largest of moderate size
    roots: np.ndarray  # (r,) S, in decreasing order
    U: np.ndarray  # (d, r)
    targets: np.ndarray  # (K, r) Y^T P 2^-target_exponent: the sum of y_i x_i^T in coordinates in which Sxx = 1
    exponent: int
    target_exponent: int
    size: float | None  # the norm of all of Y 2^-target_exponent; None if all that is known is X^T X and X^T Y

    @property
    def spread(self):
        """The smallest direction relative to the largest: S or, where only its square is known, S^2."""
        ratio = self.roots[-1] / self.roots[0]
        return ratio**2 if self.size is None else ratio


class EndToEnd(NamedTuple):
    """W and Sxy for inputs in coordinates in which Sxx = 1."""

    factors: list  # W = factors[0] .. factors[-1]: (K, q), (q, q), .., (q, r), divided by 2^e
    targets: np.ndarray  # (K, r), sum_i y_i x_i^T, divided by 2^e too
    roots: np.ndarray  # (r,) S of `Directions`, the largest being 1
    size: float | None  # the norm of the targets, as in `Directions`


def directions_of_data(factor, batches):
    """Return the Directions of the inputs from the triangular factor of the data.

    Args:
        factor: DataFactor of the batches.
        batches: the data themselves, gone through again where the rank is less than it could be.

    Raises:
        NotGenericError: if the rank of the inputs is in doubt.
    """
    norms, P, S, Vt = singular_inputs(factor)
    r = sure_rank(factor, S, batches)
    exponent, target_exponent = int(factor.units.max()), int(factor.target_units.max())
    G = np.ldexp(factor.targets, factor.target_units - target_exponent)
    norms = np.ldexp(norms, factor.units - exponent)
    return Directions(norms, S[:r], Vt[:r].T, G.T @ P[:, :r], exponent, target_exponent, float(np.linalg.norm(G)))


def directions_of_moments(Sxx, Sxy):
    """Return the Directions of the inputs from two sums over the data.

    An input with the norm 0 is left out. For all others Sxx must show that none is a combination of others. A direction
    that is small, 1e-7 of the largest, looks like one that is zero: Sxx holds its square, which is rounding.

    Args:
        Sxx: (d, d), symmetric positive semidefinite.
        Sxy: (d, K).

    Raises:
        NotGenericError: if Sxx does not show the rank of the inputs.
    """
    remedy = "Pass the data themselves instead of Sxx and Sxy: batches=[(inputs, targets)]"
    squares = np.diag(Sxx)
    used = squares > 0
    if not used.any() or exponents(squares[used].min()) < SMALLEST:
        raise NotGenericError(
            "the diagonal of Sxx is zero, or so small that it has lost digits: sums of squares of small inputs are too "
            f"small for float64. {remedy}"
        )
    norms, exponent = normalized(np.sqrt(np.where(used, squares, squares.max())))
    sums, target_exponent = normalized(Sxy)
    _, C = correlations(Sxx)
    eigenvalues, U = np.linalg.eigh(C[np.ix_(used, used)])
    smallest = eigenvalues[0] / eigenvalues[-1]
    spread = np.linalg.eigvalsh(Sxx)
    # Where Sxx was rotated, rounding is left of inputs that are zero, with any correlations.
    clear = int((_CLEAR * spread[-1] < spread).sum())
    if not smallest > UNDECIDED or clear != used.sum():
        raise NotGenericError(
            f"Sxx does not show the rank of the inputs: {used.sum()} inputs are not zero, and {clear} eigenvalues of "
            f"Sxx are above {_CLEAR:.0e} of the largest. With every input divided by its norm the smallest is "
            f"{smallest:.0e} of the largest. What is below {UNDECIDED:.0e} may be zero or a small direction, since "
            f"squaring halves the digits. {remedy}"
        )
    order = np.arange(len(eigenvalues))[::-1]
    roots, basis = np.sqrt(eigenvalues[order]), np.zeros((len(Sxx), len(order)))
    basis[used] = U[:, order]
    targets = (sums.T / norms) @ (basis / roots)
    return Directions(norms, roots, basis, targets, exponent, target_exponent - exponent, None)


def end_to_end(weights, directions, q):
    """Return the EndToEnd of a network, and the numbers that must not be zero if W is to have rank q.

    The products start at the narrowest place, of q dimensions, and are kept orthonormal. So W has rank q if every step
    has rank q. The smallest singular value of each step counts relative to the norm of its weights.

    No sign changes if the weights of a layer and the targets are multiplied by one positive number. So all are divided
    by powers of two.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_l, m_{l-1}).
        directions: Directions of the inputs.
        q: the smallest of r, K and the hidden widths.

    Returns:
        EndToEnd, and a list of Decisive.

    Raises:
        NotGenericError: if one of these singular values is too small to be told from zero, or if the targets are so
            much larger than the products of the weights that their squares would overflow.
    """
    _, roots, U, targets, exponent, target_exponent, targets_size = directions
    units = [int(exponents(W)) if np.any(W) else 0 for W in weights]
    first = weights[0] * np.ldexp(directions.norms, -units[0])
    more = int(exponents(first)) if np.any(first) else 0
    np.ldexp(first, -more, out=first)
    shift = target_exponent - exponent - more - sum(units)
    if np.any(targets) and shift > _LARGEST:
        raise NotGenericError(
            f"the targets are 2^{shift} times as large as the products of the norms of the weights: float64 cannot "
            "hold their squares. Choose larger weights. exact.exact_ranks has the ranks of these"
        )
    # Powers of two go into the thin factors. A copy of the weights would take much memory.
    path = [(first @ U, np.linalg.norm(first), 0)]
    path += [(W, np.ldexp(norm(W), -e), e) for W, e in zip(weights[1:], units[1:], strict=True)]
    narrow = [len(roots), *(len(W) for W in weights)].index(q)
    up, numbers_up = _factors(path[narrow:], q)
    down, numbers_down = _factors([(W.T, size, e) for W, size, e in reversed(path[:narrow])], q)
    down[0] = roots[:, None] * down[0]
    factors = [*up, *(factor.T for factor in reversed(down))]
    targets = np.ldexp(targets, shift)
    size = None if targets_size is None else float(np.ldexp(targets_size, min(shift, _LARGEST)))
    return EndToEnd(factors, targets, roots / roots.max(), size), numbers_up + numbers_down


def perturb(network, change, rng):
    """Return the EndToEnd of a network whose weights and data are changed by `change`, relative to their norms.

    The data are X and Y or, if only these are known, Sxx and Sxy. Every input is divided by its norm. In coordinates in
    which Sxx = 1, a change of a small direction of X grows as much as the direction does, and in Sxx by the square.

    Args:
        network: EndToEnd.
        change: small.
        rng: numpy.random.Generator.
    """
    factors, targets, roots, size = network
    noise = lambda *shape: change * rng.normal(size=shape) / sum(np.sqrt(shape))  # of norm `change`, nearly
    around = lambda matrix: matrix + np.linalg.norm(matrix, 2) * noise(*matrix.shape)
    moved = noise(len(roots), len(roots)) / roots
    if size is None:
        half = (moved / roots[:, None] + moved.T / roots) / 4
        moments = around(targets * roots) / roots
    else:
        half = (moved + moved.T) / 2  # (1 + S)^(1/2) = 1 + half, nearly, where 1 + S is Sxx after the change
        moments = targets + size * noise(*targets.shape) / roots
    last = around(factors[-1] / roots) * roots
    return EndToEnd([*map(around, factors[:-1]), last + last @ half], moments - moments @ half, roots, size)


def in_bases(network):
    """Return the singular values of W, and Omega in bases of outputs and inputs that begin with W's singular vectors.

    Args:
        network: EndToEnd.

    Returns:
        (q,) and (K, r). In these bases W is the diagonal matrix of its singular values, filled up with zeros.
    """
    (first, *inner, last), targets, *_ = network
    left, above = np.linalg.qr(first)
    right, below = np.linalg.qr(last.T)
    U, sizes, Vt = np.linalg.svd(functools.reduce(np.matmul, [above, *inner, below.T]))
    omega = -_complete(left @ U).T @ targets @ _complete(right @ Vt.T)
    omega[: len(sizes), : len(sizes)] += np.diag(sizes)
    return sizes, omega


def _complete(basis):
    """Return an orthogonal matrix that begins with these orthonormal columns."""
    rest = np.linalg.qr(basis, mode="complete")[0][:, basis.shape[1] :]
    return np.concatenate([basis, rest], axis=1)


def _factors(path, q):
    """Return [F_0 (m, q), F_1 (q, q), ..], whose product is that of the path's matrices, the last of them leftmost.

    The path holds (W, norm, e) for the matrices 2^-e W with these norms.

    The second result is a list of Decisive, the smallest singular value of every step.
    """
    basis, steps, numbers = np.eye(q), [], []
    for W, size, e in path:
        basis, step = np.linalg.qr(W @ np.ldexp(basis, -e))
        smallest = np.linalg.svd(step, compute_uv=False)[-1]
        numbers.append(at_distance("the smallest singular value of a product of weights", smallest / (size or 1.0)))
        steps.insert(0, step)
    return ([basis @ steps[0], *steps[1:]] if steps else [basis]), numbers

"""The end-to-end map of a linear network, W = W_L .. W_1, as a product of thin factors, and perturbations of it.

W has the rank q of the network's narrowest place. Its factors have q rows or q columns. Everything that decides the
signs is computed from these factors, Sxx and Sxy. So it is cheap to compute it again for a network close by.
"""

import functools
from typing import NamedTuple

import numpy as np

from counting import default_rtol
from linear_networks.general_position import NotGenericError, at_distance
from linear_networks.second_moments import correlations

# Rounding leaves some 1e-15 of a zero eigenvalue of Sxx, relative to the largest. One above this is not zero.
_CLEAR = 1e-13


class EndToEnd(NamedTuple):
    """W and Sxy for inputs in coordinates in which Sxx = 1."""

    factors: list  # W = factors[0] .. factors[-1]: (K, q), (q, q), .., (q, r)
    targets: np.ndarray  # (K, r), sum_i y_i x_i^T
    roots: np.ndarray  # (r,) square roots of the eigenvalues of the given Sxx, the largest being 1


def input_directions(Sxx):
    """Return the directions in which the inputs lie, with every input divided by its norm.

    Args:
        Sxx: (d, d), symmetric positive semidefinite.

    Returns:
        norms (d,) of the inputs, and the nonzero eigenvalues (r,) and eigenvectors (d, r) of Sxx / (norms norms^T).

    Raises:
        NotGenericError: if r is another one at the scale of the largest input. What is small there may be an input of
            small norm, or the rounding of a zero. Only the maker of Sxx can know.
    """
    norms, C = correlations(Sxx)
    eigenvalues, U = np.linalg.eigh(C)
    kept = default_rtol(len(C)) * eigenvalues[-1] < eigenvalues
    spread = np.linalg.eigvalsh(Sxx)
    clear = int((_CLEAR * spread[-1] < spread).sum())
    # Rounding that is taken for inputs has correlations above 1, hence negative eigenvalues.
    if kept.sum() != clear or eigenvalues[0] < -1e-12 * eigenvalues[-1]:
        raise NotGenericError(
            f"small inputs cannot be told from rounding: the rank of Sxx is {clear} at the scale of the largest "
            f"eigenvalue and {kept.sum()} if every input counts relative to its own norm. (At the former scale, what "
            f"is below {_CLEAR:.0e} of the largest does not count.) Divide every input by its root mean square and "
            "multiply its weights in W_1 by the same number, which changes no sign. Or leave out the inputs that are "
            "zero"
        )
    return norms, eigenvalues[kept], U[:, kept]


def end_to_end(weights, Sxy, directions, q):
    """Return the EndToEnd of a network, and the numbers that must not be zero if W is to have rank q.

    The products start at the narrowest place, of q dimensions, and are kept orthonormal. So W has rank q if every step
    has rank q. The smallest singular value of each step counts relative to the norm of its weights.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_l, m_{l-1}).
        Sxy: (d, K).
        directions: as `input_directions` returns them.
        q: the smallest of r, K and the hidden widths.

    Returns:
        EndToEnd, and a list of Decisive.

    Raises:
        NotGenericError: if one of these singular values is too small to be told from zero.
    """
    input_norms, eigenvalues, U = directions
    first, roots = weights[0] * input_norms, np.sqrt(eigenvalues)
    norms = [np.linalg.norm(W) for W in (first, *weights[1:])]
    path = list(zip([first @ U, *weights[1:]], norms, strict=True))
    narrow = [len(eigenvalues), *(len(W) for W in weights)].index(q)
    up, numbers_up = _factors(path[narrow:], q)
    down, numbers_down = _factors([(W.T, norm) for W, norm in reversed(path[:narrow])], q)
    down[0] = roots[:, None] * down[0]
    factors = [*up, *(factor.T for factor in reversed(down))]
    targets = Sxy.T / input_norms @ (U / roots)
    return EndToEnd(factors, targets, roots / roots.max()), numbers_up + numbers_down


def perturb(network, size, rng):
    """Return the EndToEnd of a network whose weights, Sxx and Sxy are changed by `size`, relative to their norms.

    Every input is divided by its norm, as in `input_directions`. In coordinates in which Sxx = 1, a change of a small
    direction grows as much as the direction does.

    Args:
        network: EndToEnd.
        size: small.
        rng: numpy.random.Generator.
    """
    factors, targets, roots = network
    noise = lambda *shape: size * rng.normal(size=shape) / sum(np.sqrt(shape))  # of norm `size`, nearly
    around = lambda matrix: matrix + np.linalg.norm(matrix, 2) * noise(*matrix.shape)
    change = noise(len(roots), len(roots)) / roots / roots[:, None]
    half = (change + change.T) / 4  # (1 + S)^(1/2) = 1 + half, nearly, S the symmetric part of the change
    last = around(factors[-1] / roots) * roots
    moments = around(targets * roots) / roots
    return EndToEnd([*map(around, factors[:-1]), last + last @ half], moments - moments @ half, roots)


def in_bases(network):
    """Return the singular values of W, and Omega in bases of outputs and inputs that begin with W's singular vectors.

    Args:
        network: EndToEnd.

    Returns:
        (q,) and (K, r). In these bases W is the diagonal matrix of its singular values, filled up with zeros.
    """
    (first, *inner, last), targets, _ = network
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

    The second result is a list of Decisive, the smallest singular value of every step.
    """
    basis, steps, numbers = np.eye(q), [], []
    for W, norm in path:
        basis, step = np.linalg.qr(W @ basis)
        smallest = np.linalg.svd(step, compute_uv=False)[-1]
        numbers.append(at_distance("the smallest singular value of a product of weights", smallest / (norm or 1.0)))
        steps.insert(0, step)
    return ([basis @ steps[0], *steps[1:]] if steps else [basis]), numbers

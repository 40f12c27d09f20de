"""All eigenvalues of a linear network's Hessians, of any width, from its structure and without the matrix.

The network is f(x) = W_L .. W_1 x under the squared loss, without biases. `spectrum` restricts the three Hessians to
the subspaces that hold their ranges (`reduced_matrix`). Everything is NumPy, on the host. Symbols as in `signs`.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

import checks
from counting import count, default_rtol
from hessians import HessianTriple
from linear_networks.reduced_matrix import compress, pieces, reduced_matrix
from linear_networks.second_moments import checked_network, residual_moment


class Spectrum(NamedTuple):
    """All eigenvalues of a symmetric (p, p) matrix."""

    eigenvalues: np.ndarray  # float64, in decreasing order
    multiplicities: np.ndarray  # int64, at least 1; they add up to p


def spectrum(params, Sxx, Sxy, matrices=HessianTriple._fields):
    """Return all eigenvalues of H_f, H_o and H_L, with their multiplicities.

    Layers wider than both neighbours together are compressed first (`reduced_matrix.compress`). Then the matrices are
    restricted to pieces of every layer's variations that hold their ranges (`reduced_matrix.pieces`). All other
    eigenvalues are zero.

    In general the size of the restricted matrix T is the rank of H_L, 2 q M - L q^2 + q (r + K). Here M is that of the
    compressed network. For L <= 2 the size does not depend on the width, which costs one QR decomposition only.

    Args:
        params, Sxx, Sxy: as in `inertia`, but the weights need not be in general position.
        matrices: some of 'functional', 'outer' and 'loss'. The others are None in the result.

    Returns:
        HessianTriple of Spectrum. Errors have the size of rounding, relative to the largest |eigenvalue|. Those of H_f
        are also relative to the terms of Omega, which is a difference. So some zeros are zero by structure, with their
        multiplicity, and others are zero to rounding (`structured_ranks` counts them).

    Raises:
        TypeError: as in `inertia`.
        ValueError: as in `inertia`, and for an unknown name of a matrix.
        MemoryError: if T does not fit, with the memory needed to find its eigenvalues.

    Example:
        The loss (w_2 w_1 - 1)^2 / 2 of one number x = y = 1 has H_L = [[1/4, -1/2], [-1/2, 1/4]] at w_1 = w_2 = 1/2.

        >>> import numpy as np
        >>> from linear_networks import spectrum
        >>> found = spectrum([np.array([[0.5]]), np.array([[0.5]])], Sxx=np.eye(1), Sxy=np.eye(1))
        >>> found.loss.eigenvalues.round(9).tolist(), found.loss.multiplicities.tolist()
        ([0.75, -0.25], [1, 1])
    """
    unknown = [name for name in matrices if name not in HessianTriple._fields]
    if isinstance(matrices, str) or unknown:
        raise ValueError(f"matrices must be some of {HessianTriple._fields}, got {matrices!r}")
    weights, Sxx, Sxy, p = checked_network(params, Sxx, Sxy)
    weights, Sxx, Sxy = _inputs_that_count(weights, Sxx, Sxy)
    omega = residual_moment(weights, Sxx, Sxy)
    weights, copies = compress(weights, omega)
    _check_size(weights, omega)
    layers = pieces(weights, omega)
    seen_by_outer = [
        [piece for piece in found if piece.above is not None and piece.below is not None] for found in layers
    ]
    chosen = {
        "functional": (layers, dict(outer=False), copies),
        "outer": (seen_by_outer, dict(functional=False), []),
        "loss": (layers, {}, copies),
    }
    found = {}
    for name in matrices:
        subspace, terms, extra = chosen[name]
        T = reduced_matrix(subspace, weights, omega, Sxx, **terms)
        # This works in place: for eigenvalues alone, in Fortran's order, LAPACK needs no copy.
        values = scipy.linalg.eigvalsh(T, overwrite_a=True, check_finite=False) if len(T) else np.zeros(0)
        del T
        found[name] = _spectrum(values, extra, p)
    return HessianTriple(*(found.get(name) for name in HessianTriple._fields))


def structured_ranks(spectra):
    """Return the numerical ranks that follow from `spectrum`, as HessianTriple of NumericalRank.

    The threshold is `ranks.default_rtol` of the number of different eigenvalues. `NumericalRank.spectrum` holds each of
    these once, while `rank` counts each with its multiplicity. The gap is the ratio between the smallest size counted
    and the largest not counted.

    Args:
        spectra: what `spectrum` returns. Where one is None, so is its rank.

    Example:
        A network with 50 000 parameters, whose matrices are never formed:

        >>> import numpy as np
        >>> from closed_forms import linear_ranks
        >>> from linear_networks import moments, spectrum, structured_ranks
        >>> generator = np.random.default_rng(0)
        >>> params = [generator.standard_normal(shape) for shape in [(3, 10_000), (10_000, 2)]]
        >>> batches = [(generator.standard_normal((9, 3)), generator.standard_normal((9, 2)))]
        >>> [found.rank for found in structured_ranks(spectrum(params, *moments(batches)))]
        [40000, 6, 40002]
        >>> list(linear_ranks(r=3, classes=2, units=[10_000]))
        [40000, 6, 40002]
    """
    return HessianTriple(
        *(one and count(one.eigenvalues, default_rtol(len(one[0])), one.multiplicities) for one in spectra)
    )


# --- parts of the spectrum


def _inputs_that_count(weights, Sxx, Sxy):
    """Return the same in an orthonormal basis of the inputs' span. Weights of other inputs have no effect."""
    both = np.concatenate([S / (np.linalg.norm(S) or 1.0) for S in (Sxx, Sxy)], axis=1)
    U, S, _ = np.linalg.svd(both, full_matrices=False)
    kept = np.finfo(float).eps * S[0] < S
    if kept.all():
        return weights, Sxx, Sxy
    U = U[:, kept]
    return [weights[0] @ U, *weights[1:]], U.T @ Sxx @ U, U.T @ Sxy


def _check_size(weights, omega):
    """Check that T fits in memory, from the widths alone, before any basis is made."""
    widths = [omega.shape[1], *(len(W) for W in weights)]
    size = 0
    for i in range(len(weights)):
        a, b = min(widths[i + 1 :]), min(widths[: i + 1])
        e = min(widths)
        size += a * b + e * (widths[i + 1] - a) + e * (widths[i] - b)
    checks.memory(
        8 * 1.3 * size**2,
        f"a reduced matrix T of {size} rows is needed, with its largest blocks",
        "linear_networks.inertia has the ranks and the signs of all three matrices without T",
    )


def _spectrum(values, copies, p):
    eigenvalues = [values, *(sign * part.values for part in copies for sign in (1, -1))]
    multiplicities = [np.ones(len(values), np.int64)]
    multiplicities += [np.full(len(part.values), part.count) for part in copies for _ in (1, -1)]
    eigenvalues, multiplicities = np.concatenate(eigenvalues), np.concatenate(multiplicities)
    zeros = p - multiplicities.sum()
    if zeros:
        eigenvalues, multiplicities = np.append(eigenvalues, 0.0), np.append(multiplicities, zeros)
    order = np.argsort(-eigenvalues, kind="stable")
    return Spectrum(eigenvalues[order], multiplicities[order])

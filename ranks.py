"""Numerical ranks of symmetric matrices, always together with the evidence for them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import checks

# From notebooks/exact_rank.ipynb, over 1500 matrices with exact ranks: with a gap of 1e9 or more none was wrong; the
# largest gap of a wrong one was 4e8, a nonzero eigenvalue having sunk to the size of rounding errors.
WELL_DETERMINED = 1e9


class HessianRanks(NamedTuple):
    """One value for each of the three matrices: ranks, measured or predicted, or anything else that comes in threes."""

    functional: object  # of H_f
    outer: object  # of H_o
    loss: object  # of H_L


class NumericalRank(NamedTuple):
    """A numerical rank and what it rests on."""

    rank: int  # the number of eigenvalues with |lambda| > threshold
    gap: float  # smallest |lambda| counted / largest |lambda| not counted: 1e10 is a fact, 3 is a coin toss
    threshold: float  # absolute
    eigenvalues: np.ndarray  # (p,), signed, in decreasing order of |lambda|

    @property
    def well_determined(self):
        """Whether the gap is one at which no numerical rank was found wrong by exact arithmetic."""
        return self.gap >= WELL_DETERMINED


def numerical_rank(matrix, rtol=None):
    """Return the numerical rank of a symmetric matrix, with the gap, the threshold and the spectrum.

        rank = #{ i : |lambda_i| > rtol max_j |lambda_j| },    rtol = max(10, sqrt(p)) eps by default, eps = 2.2e-16

    In 1500 Hessians whose exact ranks are known (notebooks/exact_rank.ipynb), p from 42 to 552, rounding left no true
    zero above 4.4 eps, whatever p, while many nonzero eigenvalues lie below p eps, NumPy's convention.

    The gap is the ratio between the smallest |lambda| counted and the largest not counted. The latter is taken to be at
    least eps max |lambda|, what rounding leaves of a zero, so that a gap is never larger than 1 / eps = 4.5e15; where
    every eigenvalue is counted the threshold takes its place. A zero matrix has rank 0 and an infinite gap. What has
    sunk below rounding no gap can show: only `exact.exact_ranks` tells a zero from 1e-16.

    Args:
        matrix: (p, p) float64, symmetric to rounding; eigenvalues are computed from its lower triangle.
        rtol: threshold relative to the largest |lambda|.

    Returns:
        NumericalRank.

    Raises:
        TypeError: for anything but float64.
        ValueError: for a matrix that is not square, not finite or not symmetric, or an `rtol` outside [0, 1).
    """
    checks.float64(matrix=matrix)
    if np.ndim(matrix) != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ValueError(f"the matrix must be square, (p, p), got shape {np.shape(matrix)}")
    checks.finite(matrix=matrix)
    host = np.asarray(matrix)
    size, asymmetry = max(host.max(), -host.min()), (host - host.T).max()
    if asymmetry > 1e-8 * size:
        raise ValueError(
            f"the matrix must be symmetric, but entries differ from those of its transpose by {asymmetry:.1e} "
            f"(its largest entry is {size:.1e}); ranks of other matrices need singular values"
        )
    rtol = max(10.0, len(matrix) ** 0.5) * np.finfo(float).eps if rtol is None else rtol
    if not 0 <= rtol < 1:
        raise ValueError(f"rtol must be in [0, 1), got {rtol}; it is relative to the largest |eigenvalue|")
    eigenvalues = _eigenvalues(matrix)
    eigenvalues = eigenvalues[np.argsort(-abs(eigenvalues), kind="stable")]
    return _count(eigenvalues, rtol)


def rank_table(measured, predicted, heading="closed form"):
    """Return a text table of measured beside predicted ranks; a star marks gaps too small for a trustworthy rank.

    Args:
        measured: HessianRanks of NumericalRank.
        predicted: HessianRanks of int.
        heading: what the predicted ranks are.
    """
    names = HessianRanks("functional Hessian  H_f", "outer product       H_o", "loss Hessian        H_L")
    lines = [f"{'matrix':<24}{'measured rank':>15}{heading:>16}{'equal':>8}{'gap':>12}"]
    for name, found, bound in zip(names, measured, predicted, strict=True):
        equal = "yes" if found.rank == bound else "no"
        star = "" if found.well_determined else " *"
        lines.append(f"{name:<24}{found.rank:>15}{bound:>16}{equal:>8}{found.gap:>12.1e}{star}")
    lines.insert(1, "-" * len(lines[0]))
    if not all(found.well_determined for found in measured):
        lines.append(
            f"* a gap below {WELL_DETERMINED:.0e}: rounding may have decided; exact_rank.ipynb shows how to know"
        )
    return "\n".join(lines)


def _eigenvalues(matrix):
    on_cpu = not isinstance(matrix, jax.Array) or matrix.devices() == set(jax.devices("cpu")[:1])
    # NumPy's LAPACK takes half the time of JAX's on a CPU (0.8 s against 1.6 s at p = 2856 on two cores).
    return np.linalg.eigvalsh(np.asarray(matrix)) if on_cpu else np.asarray(jnp.linalg.eigvalsh(matrix))


def _count(eigenvalues, rtol):
    sizes = abs(eigenvalues)
    threshold = float(rtol * sizes[0])
    rank = int((sizes > threshold).sum())
    if rank == 0:  # only a zero matrix has no |lambda| above rtol max |lambda|, since rtol < 1
        return NumericalRank(0, np.inf, threshold, eigenvalues)
    rest = max(threshold if rank == len(sizes) else sizes[rank], np.finfo(float).eps * sizes[0])
    return NumericalRank(rank, float(sizes[rank - 1] / rest), threshold, eigenvalues)

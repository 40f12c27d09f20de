"""Counts of what is not zero in a spectrum, and the evidence that comes with each of them."""

from typing import NamedTuple

import numpy as np
import scipy.fft

# A fall of the spectrum by this factor is a cliff. It is necessary for the grade 'clear', and not enough (`grades`).
# benchmarks/ranks/graded.py judges it by exact ranks.
CLIFF = 1e3

GRADES = "proved", "clear", "open"


class NumericalRank(NamedTuple):
    """A numerical rank, the evidence for it, and its grade.

    There are three grades. A rank is *proved* if exact arithmetic says so (`grades.proved`). It is *clear* if the
    spectrum falls off a cliff, and nothing that is known can hide below rounding (`grades`). It is *open*
    otherwise, and `reason` says why, and which call settles it.
    """

    rank: int  # how many of the spectrum's values have a size above the threshold
    gap: float  # smallest size counted / largest size not counted: 1e10 is a cliff, 3 is a coin toss
    threshold: float  # absolute
    # In decreasing order of size: the matrix's eigenvalues (p,), with their signs. If the rank is matrix-free, they are
    # the eigenvalues of its sketch (N,), or the singular values of its factor's sketch.
    spectrum: np.ndarray
    grade: str = "open"  # 'proved', 'clear' or 'open'
    reason: str = ""  # why it has this grade, a clause without a capital letter or a full stop

    @property
    def trusted(self):
        """Whether the rank is proved or clear."""
        return self.grade != "open"


def default_rtol(size):
    """Return max(10, sqrt(size)) eps: relative to the largest, rounding may leave this of a zero (`numerical_rank`)."""
    return max(10.0, size**0.5) * np.finfo(float).eps


def count(spectrum, rtol, multiplicities=None):
    """Return the NumericalRank of a matrix with these eigenvalues or singular values.

    Args:
        spectrum: the values, in any order.
        rtol: threshold relative to the largest size.
        multiplicities: how often each value occurs, once by default. The result's spectrum holds each value once.
    """
    order = np.argsort(-abs(spectrum), kind="stable")
    spectrum = spectrum[order]
    sizes = abs(spectrum)
    threshold = float(rtol * sizes[0])
    counted = int((sizes > threshold).sum())
    if counted == 0:  # only a zero matrix has no |lambda| above rtol max |lambda|, since rtol < 1
        return NumericalRank(0, np.inf, threshold, spectrum)
    rest = max(threshold if counted == len(sizes) else sizes[counted], np.finfo(float).eps * sizes[0])
    rank = counted if multiplicities is None else int(multiplicities[order][:counted].sum())
    return NumericalRank(rank, float(sizes[counted - 1] / rest), threshold, spectrum)


def compressed(matrix, rank):
    """Return a symmetric matrix of rank + 10 rows that has the rank of a larger one, if that is at most so many.

    It is the sketch Psi^T H Psi by `orthonormal` columns. Where it would not be much smaller than H, it is H.

    Args:
        matrix: H (p, p), symmetric.
        rank: int.
    """
    p, size = len(matrix), rank + 10
    if size > p // 2:
        return matrix
    signs, chosen = _signs_and_order(p, size)
    half = scipy.fft.dct(np.asarray(matrix) * signs, norm="ortho")[:, chosen]
    whole = scipy.fft.dct(half * signs[:, None], axis=0, norm="ortho")[chosen]
    return (whole + whole.T) / 2


def orthonormal(p, size):
    """Return Psi (p, size), random columns of an orthonormal matrix: of a cosine transform with random signs."""
    signs, chosen = _signs_and_order(p, size)
    unit = np.zeros((size, p))
    unit[np.arange(size), chosen] = 1.0
    return (scipy.fft.idct(unit, norm="ortho") * signs).T


def _signs_and_order(p, size):
    generator = np.random.default_rng(0)
    return generator.choice([-1.0, 1.0], p), generator.permutation(p)[:size]

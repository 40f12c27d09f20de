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


class CosineProbes(NamedTuple):
    """Some columns of an orthonormal matrix Psi (p, p): of a cosine transform with random signs.

    Psi_tj = z_t c_j cos(pi (2 t + 1) nu_j / 2 p),    c_j = sqrt(2 / p), or sqrt(1 / p) for nu_j = 0
    """

    signs: np.ndarray  # z (p,), -1.0 or 1.0
    frequencies: np.ndarray  # nu (N,), different numbers from 0 to p - 1


def cosine_probes(p, size):
    """Return CosineProbes, the same for the same numbers."""
    generator = np.random.default_rng(0)
    return CosineProbes(generator.choice([-1.0, 1.0], p), generator.permutation(p)[:size])


def probe_columns(psi):
    """Return the columns of Psi as rows (N, p)."""
    p = len(psi.signs)
    table = np.sqrt(2 / p) * np.cos(np.pi / (2 * p) * np.arange(4 * p))  # of all angles, a fraction of the cosines
    rows = table[psi.frequencies[:, None] * (2 * np.arange(p) + 1) % (4 * p)] * psi.signs
    rows[psi.frequencies == 0] *= 0.5**0.5
    return rows


def projected(rows, psi):
    """Return Y Psi (m, N) for rows Y (m, p), by fast transforms."""
    return scipy.fft.dct(np.asarray(rows) * psi.signs, norm="ortho")[:, psi.frequencies]


def compressed(matrix, rank):
    """Return a symmetric matrix of rank + 10 rows that has the rank of a larger one, if that is at most so many.

    It is the sketch Psi^T H Psi by CosineProbes. Where it would not be much smaller than H, it is H.

    Args:
        matrix: H (p, p), symmetric.
        rank: int.
    """
    p, size = len(matrix), rank + 10
    if size > p // 2:
        return matrix
    psi = cosine_probes(p, size)
    whole = projected(projected(matrix, psi).T, psi)
    return (whole + whole.T) / 2

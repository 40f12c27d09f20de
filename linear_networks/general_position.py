"""How far the numbers that decide a sign are from zero, and what to say of one that is too close."""

import numpy as np

# Below this margin a number is not told from zero. Of the 8 500 wrong signs among 220 000 that
# benchmarks/linear_networks/judged_signs.py found when none was declined, 22 000 of them right next to a sign change,
# the largest margin was 2e-13.
UNDECIDED = 1e-11

# The relative size of perturbations: above rounding, some 1e-16, and so far below UNDECIDED that a number that is all
# rounding, and moves by its own size, is not taken for a clear one even if it happens to move by a hundredth of it.
PERTURBATION = 1e-14

# What may be left of a zero among singular values and eigenvalues of symmetric matrices, relative to the largest.
ROUNDING = 1e-14


class NotGenericError(ValueError):
    """The signs do not follow from the structure: a number that must not be zero is, or nearly."""


class Decisions:
    """The numbers that must not be zero, in the order in which they are met, and the smallest margin so far.

    The margin of a number is the relative size of the smallest change of the weights and the data that makes it zero,
    as far as that is known: by its definition (`nonzero`), or by comparison with the same numbers after a perturbation
    (`compare`).
    """

    def __init__(self):
        self.margin = 1.0
        self._noted = []

    def nonzero(self, name, margin):
        """Lower the margin.

        Raises:
            NotGenericError: if it is too small to be told from zero.
        """
        if not margin > UNDECIDED:
            raise NotGenericError(
                f"{name} is zero up to a change of {margin:.0e} of the weights or the data, too little to be sure: the "
                "network is not in general position. linear_networks.spectrum finds its eigenvalues with their gap, "
                "and exact.exact_ranks its ranks"
            )
        self.margin = min(self.margin, float(margin))

    def note(self, name, values, rounding=0.0):
        """Note numbers, each of which must not be zero, for `compare`.

        Args:
            name: of the smallest of them.
            values: array.
            rounding: what may be left of a zero. It need not move when the network does.

        Raises:
            NotGenericError: if one of them is not larger than that, infinite or NaN.
        """
        values = np.sort(np.ravel(values))
        if not np.isfinite(values).all() or not (abs(values) > rounding).all():
            self.nonzero(name, 0.0)
        self._noted.append((name, values))

    def compare(self, perturbed, size):
        """Lower the margin to size |x| / |x' - x|, the smallest over the noted numbers x.

        To first order, a perturbation that many times as large makes one of them zero. Numbers of one name are compared
        in increasing order, in which eigenvalues change continuously.

        Args:
            perturbed: Decisions with the same numbers after a perturbation of the weights and the data, x'.
            size: of that perturbation.
        """
        for (name, values), (_, moved) in zip(self._noted, perturbed._noted, strict=True):
            moves = np.maximum(abs(moved - values), size * abs(values))
            self.nonzero(name, (size * abs(values) / moves).min())

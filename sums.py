"""The three matrices of a network, summed over its batches, in the form in which their ranks are counted best."""

from typing import NamedTuple

import numpy as np

import checks
import losses
import premises
from matvecs import factor_terms, functional_terms, loss_terms, outer_terms


class Sums(NamedTuple):
    """The sums over batches. One of `outer` and `factor` is None."""

    functional: object  # H_f (p, p)
    outer: object  # H_o (p, p)
    total: object  # H_L (p, p)
    factor: object  # A (m, p) of H_o = A^T A, m <= 2 p


def sums(problem, checked=None):
    """Return the Sums of a network. H_o comes as its factor, for the losses whose root is known.

    Args:
        problem: `problem.Problem`.
        checked: the same problem with the functions that the user gave, whose derivatives are checked against H_L.

    Raises:
        ValueError: as in `premises.check_derivatives`.
    """
    functional = outer = factor = total = None
    for number, batch in enumerate(problem.batches):
        setting = *problem[:3], *batch
        functional = _add(functional, functional_terms(*setting))
        new = loss_terms(*setting)
        if checked is not None:
            premises.check_derivatives(*checked[:3], *checked.batches[number], lambda v, new=new: new @ v)
        total = _add(total, new)
        if losses.has_root(problem.loss):
            factor = _stacked(factor, np.asarray(factor_terms(*setting)).T)
        else:
            outer = _add(outer, outer_terms(*setting))
    found = Sums(functional, outer, total, factor)
    if problem.scale == 1.0:
        return found
    scaled = [each if each is None else problem.scale * each for each in found[:3]]
    return Sums(*scaled, None if factor is None else problem.scale**0.5 * factor)


def _add(total, matrix):
    return matrix if total is None else total + matrix


def _stacked(factor, rows):
    """Return a factor with more rows, or its triangular factor, which has the same singular values, if there are many.

    Rows of very different sizes go in with the largest first, so that the small ones keep their digits.
    """
    checks.finite(factor=rows)
    factor = rows if factor is None else np.concatenate([factor, rows])
    if len(factor) <= 2 * factor.shape[1]:
        return factor
    order = np.argsort(-abs(factor).max(axis=1), kind="stable")
    return np.linalg.qr(factor[order], mode="r")

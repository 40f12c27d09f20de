"""The three matrices of a network, summed over its batches, in the form in which their ranks are counted best."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import checks
import losses
import premises
from counting import probe_columns, projected
from matvecs import factor_terms, functional_terms, loss_image, loss_terms, outer_terms

_EQUAL = 1e-9  # relative; a product of p terms of the largest size keeps more digits, and a wrong derivative fewer


class Sums(NamedTuple):
    """The sums over batches. One of `outer` and `factor` is None."""

    functional: object  # H_f (p, p)
    outer: object  # H_o (p, p)
    total: object  # H_L (p, p)
    factor: object  # A (m, p) of H_o = A^T A, m <= 2 p


def sums(problem, checked=None, psi=None):
    """Return the Sums of a network. H_o comes as its factor, for the losses whose root is known.

    H_L is made as H_f + H_o, which is cheaper than products of its own, where one product with H_L itself agrees.

    Args:
        problem: `problem.Problem`.
        checked: the same problem with the functions that the user gave, whose derivatives are checked against H_L.
        psi: `counting.CosineProbes`. Where H_o has a factor, H_f and H_L are then Psi^T H Psi (N, N), from N products
            instead of p, and the factor is whole.

    Raises:
        ValueError: as in `premises.check_derivatives`.
    """
    functional = outer = factor = None
    has_root, is_sum = losses.has_root(problem.loss), True
    psi = psi if has_root else None
    columns = None if psi is None else probe_columns(psi)
    project = (lambda rows: rows) if psi is None else (lambda rows: projected(rows, psi))
    for number, batch in enumerate(problem.batches):
        setting = *problem[:3], *batch
        new = functional_terms(*setting, columns)
        theirs = checked and (*checked[:3], *checked.batches[number])
        vectors = _checked(setting, theirs) if checked else []  # first, since it names causes that later errors do not
        half = np.asarray(factor_terms(*setting)).T if has_root else outer_terms(*setting)
        for v, image in vectors:
            of_outer = half.T @ (half @ v) if has_root else half @ v
            is_sum = is_sum and agree(image, new @ v, of_outer)
        functional = _add(functional, project(new))
        if has_root:
            factor = _stacked(factor, half)
        else:
            outer = _add(outer, half)
    functional, outer = (each if each is None else problem.scale * each for each in (functional, outer))
    factor = factor if factor is None or problem.scale == 1.0 else problem.scale**0.5 * factor
    if not is_sum:
        total = problem.scale * sum(loss_terms(*problem[:3], *batch) for batch in problem.batches)
    elif has_root:
        total = functional + gram(project(factor))
    else:
        total = functional + outer
    return Sums(functional, outer, total, factor)


def gram(factor):
    """Return A^T A for a factor A (m, p), where JAX computes."""
    factor = factor if jax.default_backend() == "cpu" else jnp.asarray(factor)
    return factor.T @ factor  # NumPy computes one half only and copies it


def agree(whole, *terms):
    """Return whether an array is the sum of others, to rounding. NaN agrees: it is spoken of elsewhere."""
    size = max(np.max(abs(np.asarray(each)), initial=0.0) for each in (whole, *terms))
    return not np.max(abs(np.asarray(sum(terms) - whole)), initial=0.0) > _EQUAL * size


def _checked(setting, theirs):
    """Check the derivatives of a batch, and return the pairs (v, H_L v) that this takes."""
    found = []

    def product(v):
        found.append((v, np.asarray(loss_image(*setting, v))))
        return found[-1][1]

    premises.check_derivatives(*theirs, product)
    return found


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

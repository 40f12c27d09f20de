"""Grades of numerical ranks: what makes a rank clear, and what leaves it open.

A float64 spectrum shows how many eigenvalues are far above rounding. It cannot show that the others are zero. So a
count is clear only if something else says that there are no more: the rank of the network's twin (`twins`), or a bound
that a theorem gives.
"""

import numpy as np

from counting import CLIFF, count, default_rtol
from hessians import WithPenalty

_TWIN_CLIFF = 1e6  # what the twin's spectrum has to fall by

_SETTLED = "exact.exact_ranks settles it"


def graded(found, bound, p, of_twin, why_none):
    """Return ranks with their grades, by the bound of a theorem or by the network's twin.

    Args:
        found: HessianTriple, or WithPenalty, of NumericalRank.
        bound: HessianTriple of ints, which the ranks without a penalty cannot exceed, or None.
        p: number of parameters.
        of_twin: () -> the same for the twin.
        why_none: the reason why there is no twin, or ''.

    Returns:
        as `found`.
    """
    if bound is not None:
        bounds = WithPenalty(*bound[:2], p, p, bound[2]) if isinstance(found, WithPenalty) else bound
        return type(found)(*map(against_bound, found, bounds))
    other = [None] * len(found)
    if not why_none and any(map(has_cliff, found)):
        try:
            other = of_twin()
        except ValueError:  # some functions have no values at random arguments
            why_none = "with other weights and data the Hessian is not finite"
    return type(found)(*(against_twin(one, two, why_none) for one, two in zip(found, other, strict=True)))


def against_bound(found, bound):
    """Return a NumericalRank with its grade, for a rank that a theorem bounds.

    Args:
        found: NumericalRank.
        bound: int, which the rank cannot exceed.
    """
    if found.rank > bound:
        return _open(found, f"the rank cannot exceed {bound}, so rounding has been counted, or the bound is another's")
    if found.rank < bound:
        return _open(found, f"the rank can be up to {bound}, and what is missing may be below rounding; {_SETTLED}")
    if not has_cliff(found):
        return _open(found, _without_cliff(found))
    return found._replace(grade="clear", reason="it is as large as the bound allows")


def against_twin(found, twin, why_none=""):
    """Return a NumericalRank with its grade, for the NumericalRank of the network's twin.

    Args:
        found: NumericalRank.
        twin: NumericalRank, or None if there is none.
        why_none: the reason for that.
    """
    if not has_cliff(found):
        return _open(found, _without_cliff(found))
    if twin is None:
        return _open(found, f"{why_none}; {_SETTLED}")
    if found.rank < twin.rank:
        return _open(
            found,
            f"with other weights and data of size 1 the rank is at least {twin.rank}: smaller eigenvalues may be below "
            f"rounding; {_SETTLED}",
        )
    if twin.gap < _TWIN_CLIFF and twin.rank < len(twin.spectrum):
        return _open(found, f"with other weights and data the spectrum has no cliff either; {_SETTLED}")
    if found.rank > twin.rank:
        return _open(found, f"with other weights it is {twin.rank} at most, so rounding has been counted; {_SETTLED}")
    return found._replace(grade="clear", reason="it is that of random weights and data of size 1")


def has_cliff(found):
    """Return whether the gap of a NumericalRank is large enough for a clear one."""
    return found.gap >= CLIFF


def proved(found, exact):
    """Return a NumericalRank whose rank is the exact one, and whose grade is 'proved'.

    Args:
        found: NumericalRank.
        exact: `exact.ExactRank` of the same matrix.
    """
    reason = "exact arithmetic says so"
    if found.rank != exact.rank:
        reason += f", while float64 shows {found.rank}"
    return found._replace(rank=exact.rank, grade="proved", reason=reason)


def factor_rank(factor, p):
    """Return the NumericalRank of H = A^T A from the singular values of A, as a rank of H.

    Args:
        factor: (m, p).
        p: number of rows of H.

    Returns:
        NumericalRank. Threshold and spectrum are those of H, squares of the singular values. The gap is that of the
        singular values.
    """
    # The triangular factor has the same singular values, in half of the time.
    small = np.linalg.qr(factor.T, mode="r") if 2 * len(factor) < factor.shape[1] else factor
    singular = np.linalg.svd(small, compute_uv=False) if factor.size else np.zeros(1)
    found = count(singular, default_rtol(max(factor.shape)))
    spectrum = np.zeros(p)
    spectrum[: len(singular)] = found.spectrum[:p] ** 2
    return found._replace(threshold=found.threshold**2, spectrum=spectrum)


def _without_cliff(found):
    return f"the gap {found.gap:.0e} is below {CLIFF:.0e}, so that rounding may have decided; {_SETTLED}"


def _open(found, reason):
    return found._replace(grade="open", reason=reason)

"""Closed forms for linear networks that use one matrix more than once: `architectures.tied` and `recurrent`.

They are for the squared loss and any other whose Hessian in the outputs has full rank, and all of them are equalities.
The sources are the derivations in the docstrings.
"""

import checks
from closed_forms.known import at_most, known


def tied_ranks(r, dim, width):
    """Return the three ranks of the tied autoencoder f(x) = U U^T x, with U of shape (d, m).

        rank(H_o) = q d - q (q - 1) / 2,                                          q = min(m, r)
        rank(H_f) = m min(d, 2 r)
        rank(H_L) = m min(d, 2 r) + max(d - 2 r, 0) min(m, r)

    H_f is the identity of size m, times (in Kronecker's sense) Omega + Omega^T, where the moment Omega of the residuals
    with the data has rank r. H_o sees dU U^T + U dU^T, applied to the data. On the kernel of Omega + Omega^T, this is
    dU U^T alone, which has the rank min(m, r) in each dimension.

    Args:
        r: rank of the uncentred data covariance, at most d.
        dim: number of inputs and outputs d.
        width: m.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range.

    Example:
        >>> from closed_forms import tied_ranks
        >>> tied_ranks(r=5, dim=25, width=3).ranks
        HessianTriple(functional=30, outer=72, loss=75)
    """
    r, d = _data(r, dim)
    m = checks.integer("width", width)
    q, functional = min(m, r), m * min(d, 2 * r)
    return known(functional, q * d - q * (q - 1) // 2, functional + max(d - 2 * r, 0) * q)


def recurrent_ranks(r, dim, layers):
    """Return the three ranks of the recurrent network f(x) = W^L x, with W of shape (d, d).

        rank(H_o) = d r,    rank(H_f) = d^2 - e^2,    rank(H_L) = d^2 - e e'
        e = max(d - (L - 1) r, 0),    e' = max(d - L r, 0)

    Let Omega^T = E F^T, with r columns each, be the moment of the residuals with the data. A variation dW is in the
    kernel of H_f if it vanishes on the spaces W^c E, and F^T W^a dW does, for all a and c up to L - 2. These leave
    e times e dimensions. On them, the derivative is dW W^{L-1} X.

    Args:
        r: rank of the uncentred data covariance, at most d.
        dim: number of inputs and outputs d.
        layers: L, how many times W is applied.

    Returns:
        KnownRanks.

    Raises:
        TypeError, ValueError: for anything but integers in their range.

    Example:
        >>> from closed_forms import recurrent_ranks
        >>> recurrent_ranks(r=2, dim=6, layers=3).ranks
        HessianTriple(functional=32, outer=12, loss=36)
    """
    r, d = _data(r, dim)
    count = checks.integer("layers", layers)
    e, after = max(d - (count - 1) * r, 0), max(d - count * r, 0)
    return known(d**2 - e**2, d * r, d**2 - e * after)


def _data(r, dim):
    d = checks.integer("dim", dim)
    return at_most("r", checks.integer("r", r, minimum=0), d, "dim"), d

"""All eigenvalues of a linear network's Hessians, of any width, from its structure and without the matrix.

The network is f(x) = W_L .. W_1 x under the squared loss, without biases. `spectrum` restricts the three Hessians to
the subspaces that hold their ranges (`reduced_matrix`). Everything is NumPy, on the host. Symbols as in `signs`.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

import checks
from counting import CLIFF, count, default_rtol
from hessians import SYMBOLS, HessianTriple
from linear_networks.data_factor import data_factor
from linear_networks.general_position import NotGenericError
from linear_networks.powers_of_two import restored
from linear_networks.reduced_matrix import compress, pieces, reduced_matrix
from linear_networks.scaled_network import from_factor, from_moments
from linear_networks.second_moments import check_one_way, checked_network, checked_weights
from linear_networks.signs import each_inertia
from linear_networks.thin_factors import directions_of_data, directions_of_moments


class Spectrum(NamedTuple):
    """All eigenvalues of a symmetric (p, p) matrix, and what `structured_ranks` needs to judge them."""

    eigenvalues: np.ndarray  # float64, in decreasing order
    multiplicities: np.ndarray  # int64, at least 1; they add up to p
    # What rounding may leave of a zero is relative to this. It is the largest |eigenvalue|, or what that would be if
    # nothing cancelled in Omega.
    scale: float = 0.0
    rank: int | None = None  # the rank that follows from the signs, `inertia`; None where these are undecided
    reason: str = "nothing is known of the signs"  # why they are undecided, a clause


def spectrum(params, Sxx=None, Sxy=None, matrices=HessianTriple._fields, batches=None):
    """Return all eigenvalues of H_f, H_o and H_L, with their multiplicities.

    Layers wider than both neighbours together are compressed first (`reduced_matrix.compress`). Then the matrices are
    restricted to pieces of every layer's variations that hold their ranges (`reduced_matrix.pieces`). All other
    eigenvalues are zero.

    In general the size of the restricted matrix T is the rank of H_L, 2 q M - L q^2 + q (r + K). Here M is that of the
    compressed network. For L <= 2 the size does not depend on the width, which costs one QR decomposition only.

    Args:
        params, Sxx, Sxy, batches: as in `inertia`, but the weights need not be in general position.
        matrices: some of 'functional', 'outer' and 'loss'. The others are None in the result.

    Returns:
        HessianTriple of Spectrum. Errors have the size of rounding, relative to the largest |eigenvalue|. Those of H_f
        are relative to the terms of Omega, which is a difference. So some zeros are zero by structure, with their
        multiplicity, and others are zero to rounding (`structured_ranks` counts them). The rank that follows from the
        signs is there too, or the reason why they are undecided.

    Raises:
        TypeError: as in `inertia`.
        ValueError: as in `inertia`, and for an unknown name of a matrix. Also if eigenvalues do not fit in float64.
        MemoryError: if T does not fit, with the memory needed to find its eigenvalues.

    Example:
        The loss (w_2 w_1 - 1)^2 / 2 of one number x = y = 1 has H_L = [[1/4, -1/2], [-1/2, 1/4]] at w_1 = w_2 = 1/2.

        >>> import numpy as np
        >>> from linear_networks import spectrum
        >>> found = spectrum([np.array([[0.5]]), np.array([[0.5]])], batches=[(np.eye(1), np.eye(1))])
        >>> found.loss.eigenvalues.round(9).tolist(), found.loss.multiplicities.tolist()
        ([0.75, -0.25], [1, 1])
    """
    unknown = [name for name in matrices if name not in HessianTriple._fields]
    if isinstance(matrices, str) or unknown:
        raise ValueError(f"matrices must be some of {HessianTriple._fields}, got {matrices!r}")
    network, signs, p = _network_and_signs(params, Sxx, Sxy, batches)
    weights, copies = compress(network.weights, network.omega)
    _check_size(weights, network.omega)
    layers = pieces(weights, network.omega)
    seen_by_outer = [
        [piece for piece in found if piece.above is not None and piece.below is not None] for found in layers
    ]
    of_functional, _, of_loss = network.exponents
    chosen = {
        "functional": (layers, dict(outer=False), copies, 0, 0),
        "outer": (seen_by_outer, dict(functional=False), [], 0, 0),
        # H_f and H_o come with powers of two of their own: here both terms get the larger one.
        "loss": (layers, {}, copies, of_functional - of_loss, network.exponents.outer - of_loss),
    }
    found = {}
    for name in matrices:
        subspace, terms, extra, shift, outer_shift = chosen[name]
        omega, moment = np.ldexp(network.omega, shift), np.ldexp(network.Sxx, outer_shift)
        T = reduced_matrix(subspace, weights, omega, moment, **terms)
        # This works in place: for eigenvalues alone, in Fortran's order, LAPACK needs no copy.
        values = scipy.linalg.eigvalsh(T, overwrite_a=True, check_finite=False) if len(T) else np.zeros(0)
        del T
        extra = [(np.ldexp(part.values, shift), part.count) for part in extra]
        eigenvalues, multiplicities = _merged(values, extra, p)
        symbol = getattr(SYMBOLS, name)
        eigenvalues = restored(eigenvalues, getattr(network.exponents, name), symbol)
        cancellation = network.cancellation if name == "functional" and np.any(eigenvalues) else 1.0
        scale = float(abs(eigenvalues).max() * cancellation)
        found[name] = Spectrum(eigenvalues, multiplicities, scale, *_known(getattr(signs, name)))
    return HessianTriple(*(found.get(name) for name in HessianTriple._fields))


def structured_ranks(spectra):
    """Return the numerical ranks that follow from `spectrum`, as HessianTriple of NumericalRank.

    The threshold is `counting.default_rtol` of the number of different eigenvalues, relative to `Spectrum.scale`.
    `NumericalRank.spectrum` holds each of these once, while `rank` counts each with its multiplicity. The gap is the
    ratio between the smallest size counted and the largest not counted.

    A rank is clear if two ways agree on it: the eigenvalues fall off a cliff there, and the signs (`inertia`), which
    are known by a margin, have the same rank. Otherwise it is open.

    Args:
        spectra: what `spectrum` returns. Where one is None, so is its rank.

    Example:
        A network with 50 000 parameters, whose matrices are never formed:

        >>> import numpy as np
        >>> from closed_forms import linear_ranks
        >>> from linear_networks import spectrum, structured_ranks
        >>> generator = np.random.default_rng(0)
        >>> params = [generator.standard_normal(shape) for shape in [(3, 10_000), (10_000, 2)]]
        >>> batches = [(generator.standard_normal((9, 3)), generator.standard_normal((9, 2)))]
        >>> found = structured_ranks(spectrum(params, batches=batches))
        >>> [(one.rank, one.grade) for one in found]
        [(40000, 'clear'), (6, 'clear'), (40002, 'clear')]
        >>> list(linear_ranks(r=3, classes=2, units=[10_000]))
        [40000, 6, 40002]
    """
    return HessianTriple(*(one and _graded(one) for one in spectra))


# --- ranks


def _graded(one):
    """Return the NumericalRank of a Spectrum, with its grade."""
    rtol = default_rtol(len(one.eigenvalues))
    if one.scale > abs(one.eigenvalues).max():  # the size of what cancelled counts as an eigenvalue, but for the rank
        values, multiplicities = np.append(one.eigenvalues, one.scale), np.append(one.multiplicities, 1)
        found = count(values, rtol, multiplicities)
        found = found._replace(rank=found.rank - 1, spectrum=found.spectrum[1:])
    else:
        found = count(one.eigenvalues, rtol, one.multiplicities)
    if one.rank is None:
        return found._replace(reason=f"{one.reason}; {_SETTLES}")
    if one.rank != found.rank:
        return found._replace(
            reason=f"the signs have the rank {one.rank}, of which the eigenvalues show {found.rank}; {_SETTLES}"
        )
    if not found.gap >= CLIFF:
        return found._replace(
            reason=f"the signs have the same rank, but the eigenvalues fall by {found.gap:.0e} only, which is no "
            f"cliff; {_SETTLES}"
        )
    return found._replace(grade="clear", reason="the eigenvalues fall off a cliff, and the signs have the same rank")


_SETTLES = "exact.exact_ranks settles it"


def _known(signs):
    """Return the rank and an empty reason, or None and the reason: a clause of what `each_inertia` returns."""
    if not isinstance(signs, Exception):
        return signs.rank, ""
    return None, "the signs are undecided, since " + str(signs).split(": ")[0].split(". ")[0]


def _network_and_signs(params, Sxx, Sxy, batches):
    """Return the ScaledNetwork, what is known of its signs, and p, after checking the arguments."""
    check_one_way(Sxx, Sxy, batches)
    if batches is None:
        weights, Sxx, Sxy, p = checked_network(params, Sxx, Sxy)
        network, directions = from_moments(weights, Sxx, Sxy), lambda: directions_of_moments(Sxx, Sxy)
    else:
        weights, p = checked_weights(params)
        factor = data_factor(batches, (weights[0].shape[1], len(weights[-1])))
        network, directions = from_factor(weights, factor), lambda: directions_of_data(factor, batches)
    try:
        signs = each_inertia(weights, p, directions())
    except NotGenericError as error:
        signs = HessianTriple(error, error, error)
    return network, signs, p


# --- parts of the spectrum


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


def _merged(values, copies, p):
    """Return all eigenvalues in decreasing order and their multiplicities, with zeros to make them p."""
    eigenvalues = [values, *(sign * copied for copied, _ in copies for sign in (1, -1))]
    multiplicities = [np.ones(len(values), np.int64)]
    multiplicities += [np.full(len(copied), times) for copied, times in copies for _ in (1, -1)]
    eigenvalues, multiplicities = np.concatenate(eigenvalues), np.concatenate(multiplicities)
    zeros = p - multiplicities.sum()
    if zeros:
        eigenvalues, multiplicities = np.append(eigenvalues, 0.0), np.append(multiplicities, zeros)
    order = np.argsort(-eigenvalues, kind="stable")
    return eigenvalues[order], multiplicities[order]

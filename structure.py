"""Linear networks of any width: rank, signs and spectrum of their Hessian from its structure, without the matrix.

For f(x) = W_L .. W_1 x under the squared loss, without biases, the three Hessians are forms in the variations of the
weights that depend on the data through Sxx = sum_i x_i x_i^T and Sxy = sum_i x_i y_i^T alone. `inertia` counts their
positive and negative eigenvalues from two small matrices (`loops`). `spectrum` finds all eigenvalues, by restricting
the matrices to where their range lies (`reduction`). Everything is NumPy, on the host.

Here W_l is the paper's, (m_l, m_{l-1}), the transpose of params[l - 1]; P = W_L .. W_1, Omega = P Sxx - Sxy^T, M the
sum of the hidden widths, r = rank(Sxx), q = min(r, K, m_1, .., m_{L-1}).
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg

import checks
from end_to_end import end_to_end, in_bases, input_directions, perturb
from loops import conjugate_signs, find_loops, functional_signature, interaction, stationary_form
from margins import PERTURBATION, ROUNDING, Decisions
from ranks import HessianRanks, count, default_rtol
from reduction import compress, pieces, reduced_matrix
from second_moments import linear_network


class Inertia(NamedTuple):
    """How many eigenvalues of a symmetric matrix are positive, negative and zero."""

    positive: int
    negative: int
    zero: int
    margin: float  # the smallest of the numbers that decided by not being zero, relative to their scales; at most 1

    @property
    def rank(self):
        """The rank of the matrix."""
        return self.positive + self.negative


class Spectrum(NamedTuple):
    """All eigenvalues of a symmetric (p, p) matrix."""

    eigenvalues: np.ndarray  # float64, in decreasing order
    multiplicities: np.ndarray  # int64, at least 1; they add up to p


def inertia(params, Sxx, Sxy):
    """Return the numbers of positive, negative and zero eigenvalues of H_f, H_o and H_L, at a generic point.

    With s = min(r, K), the loops lambda_i, which are the q nonzero eigenvalues of Omega^T P, and the forms E and G and
    the function phi of `loops`, where this is derived, for L >= 2

        rank H_f = 2 q (M + s) - L q^2,    signature H_f = S = sum_i (2 c_i - L),    c = ceil((L - 1) |arg lambda| / pi)
        inertia H_o = (t, 0),    t = q (r + K - q)
        inertia H_L = [2 q M - (L - 1) q^2 +- (S - sum_i sgn phi(lambda_i, conj lambda_i))] / 2 + inertia(E + G),

    positive and negative, c being at least 1. E + G is a form on t dimensions, the tangent space at P of the matrices
    of rank q: all but at most t of the signs of H_L are those of H_f, half of them negative, about q M. E is zero on
    all but q (s + K - q) of these dimensions, at most K^2. The cost is that of the products of the weights with q
    vectors, O(q sum_l m_l m_{l-1}), of the eigenvalues of Sxx, O(d^3), and of those of E + G, O(K^6).

    Args:
        params: weights [W_1, ..., W_L] of `architectures.fully_connected`, without biases; float64.
        Sxx: (d, d) float64, sum_i x_i x_i^T.
        Sxy: (d, K) float64, sum_i x_i y_i^T.

    Returns:
        HessianRanks of Inertia. The margin is the relative change of the weights and the data that would make zero one
        of the numbers that decide the signs (`margins.Decisions`); anything below 1e-11 is declined. Inputs count in
        units of their own, their root sums of squares.

    Raises:
        TypeError: for anything but float64 weights without biases.
        ValueError: for NaN or infinity, weights whose shapes do not chain, an Sxx that is not symmetric positive
            semidefinite, or an Sxy whose columns are not in its range.
        margins.NotGenericError: where a sign is undecided: the product of the weights has not the rank q or Omega not
            the rank s, a loop is close to zero or equal to another one, two loops are in an exceptional ratio (their
            powers L or L - 1 are equal), or E + G is nearly singular, as it is for exceptional targets; or where
            inputs are so small, next to the others, that they may be rounding and r is undecided.
        MemoryError: if five matrices of the size of E + G would not fit.
    """
    weights, Sxx, Sxy, p = linear_network(params, Sxx, Sxy)
    _, scales, _ = directions = input_directions(Sxx)
    r, K, layers, hidden = len(scales), len(weights[-1]), len(weights), [len(W) for W in weights[:-1]]
    q, s, M = min([r, K, *hidden]), min(r, K), sum(hidden)
    zero = Inertia(0, 0, p, 1.0)
    if q == 0:
        return HessianRanks(zero, zero, zero)
    t, size = q * (r + K - q), q * (s + K - q)
    checks.memory(
        8 * 5 * size**2 + 48 * size * q**2,
        f"five forms of size q (min(r, K) + K - q) = {size} are needed",
        "Choose fewer outputs, or a narrower layer",
    )
    common, functional, loss = Decisions(), Decisions(), Decisions()
    common.nonzero("the smallest nonzero eigenvalue of Sxx", scales[0] / scales[-1])
    if layers == 1:
        outer = Inertia(t, 0, p - t, common.margin)
        return HessianRanks(zero, outer, outer)
    network = end_to_end(weights, Sxy, directions, q, common)
    signature, conjugate, eigenvalues = _signs(network, layers, functional, loss)
    generator = np.random.default_rng(0)  # any will do, and the same every time
    for _ in range(2):  # that both move a number by far less than most perturbations do is improbable
        moved = Decisions(), Decisions()
        _signs(perturb(network, PERTURBATION, generator), layers, *moved)
        functional.compare(moved[0], PERTURBATION)
        loss.compare(moved[1], PERTURBATION)
    margins = np.minimum.accumulate([common.margin, functional.margin, loss.margin])
    unseen = 2 * q * M - (layers - 1) * q**2, signature - conjugate  # of H_f where dP = 0: rank and signature
    form = int(np.sign(eigenvalues).sum()) + t - size
    return HessianRanks(
        functional=_inertia(2 * q * (M + s) - layers * q**2, signature, p, margins[1]),
        outer=_inertia(t, t, p, margins[0]),
        loss=_inertia(unseen[0] + t, unseen[1] + form, p, margins[2]),
    )


def spectrum(params, Sxx, Sxy, matrices=HessianRanks._fields):
    """Return all eigenvalues of H_f, H_o and H_L, with their multiplicities.

    The matrices are restricted to pieces of every layer's variations that hold their range (`reduction.pieces`), after
    layers wider than both neighbours together have been compressed (`reduction.compress`); everything else is zero. The
    size of the restricted matrix T is the rank, 2 q M - L q^2 + q (r + K) in general, M that of the compressed network;
    for L <= 2 it does not depend on the width, whose only cost is one QR decomposition.

    Args:
        params, Sxx, Sxy: as in `inertia`; the weights need not be in general position.
        matrices: which, some of 'functional', 'outer' and 'loss'; the others are None in the result.

    Returns:
        HessianRanks of Spectrum. Errors are of the size of rounding, relative to the largest |eigenvalue|; those of H_f
        also relative to Omega, which is a difference. So zeros are eigenvalues that are zero by structure, with their
        multiplicity, and others that are zero to rounding (`structured_ranks` counts them).

    Raises:
        TypeError, ValueError: as in `inertia`, or for another name of a matrix.
        MemoryError: if T and what is needed to find its eigenvalues would not fit.
    """
    unknown = [name for name in matrices if name not in HessianRanks._fields]
    if isinstance(matrices, str) or unknown:
        raise ValueError(f"matrices must be some of {HessianRanks._fields}, got {matrices!r}")
    weights, Sxx, Sxy, p = linear_network(params, Sxx, Sxy)
    weights, Sxx, Sxy = _inputs_that_count(weights, Sxx, Sxy)
    omega = _product(weights) @ Sxx - Sxy.T
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
        # In place: with eigenvalues only and Fortran's order LAPACK needs no copy.
        values = scipy.linalg.eigvalsh(T, overwrite_a=True, check_finite=False) if len(T) else np.zeros(0)
        del T
        found[name] = _spectrum(values, extra, p)
    return HessianRanks(*(found.get(name) for name in HessianRanks._fields))


def inertia_table(measured, predicted):
    """Return a text table of the signs of computed eigenvalues, beside those that follow from the structure.

    Args:
        measured: HessianRanks of `ranks.NumericalRank` with all eigenvalues.
        predicted: HessianRanks of Inertia.
    """
    names = HessianRanks("functional Hessian  H_f", "outer product       H_o", "loss Hessian        H_L")
    lines = [f"{'eigenvalues':<24}{'> 0':>8}{'< 0':>8}{'= 0':>8}{'from the structure':>24}{'equal':>8}{'margin':>10}"]
    lines.append("-" * len(lines[0]))
    for name, found, signs in zip(names, measured, predicted, strict=True):
        counted = [int((sign * found.spectrum > found.threshold).sum()) for sign in (1, -1)]
        counted.append(len(found.spectrum) - sum(counted))
        equal = "yes" if counted == list(signs[:3]) else "no"
        columns = "".join(f"{count:>8}" for count in counted)
        lines.append(f"{name:<24}{columns}{', '.join(map(str, signs[:3])):>24}{equal:>8}{signs.margin:>10.0e}")
    return "\n".join(lines)


def negatives_table(points):
    """Return a text table of the numbers of negative eigenvalues of H_L for networks of many shapes.

    Args:
        points: {label: list of (shape, q M, p, Inertia of H_L)}, each list for the same networks; shape is a text.
    """
    lines = [f"{'negative eigenvalues of H_L':<27}{'p':>11}{'q M':>9}" + "".join(f"{label:>22}" for label in points)]
    for row in zip(*points.values(), strict=True):
        shape, product, p, _ = row[0]
        lines.append(f"{shape:<27}{p:>11,}{product:>9,}" + "".join(f"{signs.negative:>22,}" for *_, signs in row))
    margin = min(signs.margin for column in points.values() for *_, signs in column)
    return "\n".join([*lines, f"smallest margin: {margin:.0e}"])


def structured_ranks(spectra):
    """Return the numerical ranks that follow from `spectrum`: HessianRanks of NumericalRank, None where that is None.

    The threshold is `ranks.default_rtol` of the number of different eigenvalues. `NumericalRank.spectrum` holds each of
    these once, while `rank` counts it as often as it occurs; the gap is that between the smallest counted and the
    largest not counted.
    """
    return HessianRanks(
        *(one and count(one.eigenvalues, default_rtol(len(one[0])), one.multiplicities) for one in spectra)
    )


# --- parts of the signs


def _signs(network, layers, functional, loss):
    """Return the signature of H_f, what of it is E's, and the eigenvalues of E + G; note what must not be zero."""
    sizes, omega = in_bases(network)
    singular = np.linalg.svd(omega, compute_uv=False)
    functional.note("the smallest singular value of the product of weights", sizes, ROUNDING * sizes[0])
    functional.note("the smallest singular value of Omega", singular, ROUNDING * singular[0])
    loops = find_loops(sizes, omega, functional)
    phi = interaction(loops, layers, functional)
    # G is 1 in these coordinates. Added to the matrix of E, it would drown where that is large.
    eigenvalues = np.linalg.eigvalsh(stationary_form(loops, phi, omega)) + 1
    loss.note("the smallest eigenvalue of E + G", eigenvalues, ROUNDING * abs(eigenvalues).max())
    return functional_signature(loops, layers), conjugate_signs(loops, phi), eigenvalues


def _inertia(rank, signature, p, margin):
    return Inertia((rank + signature) // 2, (rank - signature) // 2, p - rank, float(margin))


# --- parts of the spectrum


def _inputs_that_count(weights, Sxx, Sxy):
    """Return the same in an orthonormal basis of the inputs' span; weights of inputs outside of it have no effect."""
    both = np.concatenate([S / (np.linalg.norm(S) or 1.0) for S in (Sxx, Sxy)], axis=1)
    U, S, _ = np.linalg.svd(both, full_matrices=False)
    kept = np.finfo(float).eps * S[0] < S
    if kept.all():
        return weights, Sxx, Sxy
    U = U[:, kept]
    return [weights[0] @ U, *weights[1:]], U.T @ Sxx @ U, U.T @ Sxy


def _check_size(weights, omega):
    """Check the memory for T, from the widths before any basis is made."""
    widths = [omega.shape[1], *(len(W) for W in weights)]
    size = 0
    for i in range(len(weights)):
        a, b = min(widths[i + 1 :]), min(widths[: i + 1])
        e = min(widths)
        size += a * b + e * (widths[i + 1] - a) + e * (widths[i] - b)
    checks.memory(
        8 * 1.3 * size**2,
        f"a reduced matrix T of {size} rows is needed, with its largest blocks",
        "structure.inertia has the ranks and the signs of all three matrices without T",
    )


def _product(weights):
    """Return P = W_L .. W_1, multiplied from its narrower end."""
    if len(weights[-1]) < weights[0].shape[1]:
        product = weights[-1]
        for W in reversed(weights[:-1]):
            product = product @ W
        return product
    product = weights[0]
    for W in weights[1:]:
        product = W @ product
    return product


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

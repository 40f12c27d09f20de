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
from loops import (
    Decisions,
    NotGenericError,
    complete,
    conjugate_signs,
    factor,
    find_loops,
    functional_signature,
    interaction,
    stationary_form,
)
from ranks import HessianRanks, count, default_rtol
from reduction import compress, pieces, reduced_matrix
from second_moments import correlations, linear_network

# An eigenvalue of Sxx above this, relative to the largest, is none that rounding has left of zero, some 1e-15.
_CLEAR = 1e-13


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

    positive and negative, c being at least 1. E + G is a form of size t: all but at most t of the signs of H_L are
    those of H_f, half of them negative, about q M. The cost is O(q sum_l m_l m_{l-1} + t^3) operations and t^2 numbers.

    Args:
        params: weights [W_1, ..., W_L] of `architectures.fully_connected`, without biases; float64.
        Sxx: (d, d) float64, sum_i x_i x_i^T.
        Sxy: (d, K) float64, sum_i x_i y_i^T.

    Returns:
        HessianRanks of Inertia. The margin says how far the decisions were from an undecided one: rounding makes some
        1e-14 of a zero, and anything below 1e-11 is declined.

    Raises:
        TypeError: for anything but float64 weights without biases.
        ValueError: for NaN or infinity, weights whose shapes do not chain, an Sxx that is not symmetric positive
            semidefinite, or an Sxy whose columns are not in its range.
        loops.NotGenericError: where a sign is undecided: the product of the weights has not the rank q or Omega not the
            rank s, a loop is close to zero or to another one, two loops are in an exceptional ratio (their powers L or
            L - 1 are equal), or E + G is nearly singular, as it is for exceptional targets.
        MemoryError: if five (t, t) matrices would not fit.
    """
    weights, Sxx, Sxy, p = linear_network(params, Sxx, Sxy)
    units, scales, U = _input_directions(Sxx)
    r, K, layers, hidden = len(scales), len(weights[-1]), len(weights), [len(W) for W in weights[:-1]]
    q = min([r, K, *hidden])
    if q == 0:
        return HessianRanks(*[Inertia(0, 0, p, 1.0)] * 3)
    t = q * (r + K - q)
    checks.memory(
        8 * 5 * t**2 + 40 * t * q**2,
        f"forms on the tangent space, of size t = q (r + K - q) = {t}, are needed, five of (t, t)",
        "Choose fewer outputs or inputs, or a narrower layer",
    )
    decisions = Decisions()
    decisions.nonzero("the smallest nonzero eigenvalue of Sxx", scales[0] / scales[-1])
    scaled = [weights[0] * units, *weights[1:]]
    norms = [np.linalg.norm(W) for W in scaled]
    restricted = [scaled[0] @ U, *weights[1:]]
    left, core, right = factor(restricted, norms, q, decisions)
    outer = Inertia(t, 0, p - t, decisions.margin)
    if layers == 1:
        return HessianRanks(Inertia(0, 0, p, 1.0), outer, outer)

    # Inputs in whose coordinates Sxx = 1, a change of W_1 that keeps the signs; outputs and inputs in which P is its
    # core, one (q, q) block.
    roots = np.sqrt(scales)
    right, step = np.linalg.qr(roots[:, None] * right)
    core = core @ step.T
    targets = left.T @ (Sxy.T / units @ (U / roots)) @ complete(right)
    omega = -targets
    omega[:q, :q] += core
    scale = np.linalg.norm(core) + np.linalg.norm(targets)
    singular = np.linalg.svd(omega, compute_uv=False)
    decisions.nonzero("the smallest singular value of Omega", singular[-1] / (scale or 1.0))
    loops = find_loops(core, omega, scale, decisions)
    phi = interaction(loops, layers, decisions)
    signature = functional_signature(loops, layers)
    functional = _signed(2 * q * (sum(hidden) + min(r, K)) - layers * q**2, signature, p, decisions.margin)

    eigenvalues = np.linalg.eigvalsh(stationary_form(loops, phi, omega, q) + np.eye(t))
    # The rounding errors of E are those of Omega, a difference, and of the eigenvectors.
    errors = abs(eigenvalues - 1).max() * loops.condition * scale / singular[0]
    decisions.nonzero("the smallest eigenvalue of E + G", abs(eigenvalues).min() / (1 + errors))
    unseen = _signed(2 * q * sum(hidden) - (layers - 1) * q**2, signature - conjugate_signs(loops, phi), p, 1.0)
    positive = int((eigenvalues > 0).sum())
    rank = unseen.rank + t
    loss = Inertia(unseen.positive + positive, unseen.negative + t - positive, p - rank, decisions.margin)
    return HessianRanks(functional, outer, loss)


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
    omega = _end_to_end(weights) @ Sxx - Sxy.T
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


def _input_directions(Sxx):
    """Return units (d,) of the inputs, and the nonzero eigenvalues (r,) and eigenvectors (d, r) of Sxx in these units.

    Raises:
        NotGenericError: if r is another one at the scale of the largest input. What is small there may be an input in
            a small unit, or what rounding has left of none; only who made Sxx can know.
    """
    units, C = correlations(Sxx)
    scales, U = np.linalg.eigh(C)
    kept = default_rtol(len(C)) * scales[-1] < scales
    spread = np.linalg.eigvalsh(Sxx)
    clear = int((_CLEAR * spread[-1] < spread).sum())
    # Rounding that is taken for inputs has correlations above 1, hence negative eigenvalues.
    if kept.sum() != clear or scales[0] < -1e-12 * scales[-1]:
        raise NotGenericError(
            f"Sxx has {clear} eigenvalues above {_CLEAR:.0e} of the largest, but {kept.sum()} that are not zero if "
            "every input counts in a unit of its own: small inputs cannot be told from rounding. Divide every input by "
            "its root mean square and multiply its weights in W_1 by it, which changes no sign, or leave it out"
        )
    return units, scales[kept], U[:, kept]


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


def _end_to_end(weights):
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


def _signed(rank, signature, p, margin):
    return Inertia((rank + signature) // 2, (rank - signature) // 2, p - rank, margin)


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

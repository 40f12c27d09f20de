"""The signs of a linear network's Hessians, of any width, from its structure and without the matrix.

The network is f(x) = W x, W = W_L .. W_1, under the squared loss and without biases. Its three Hessians are forms in
the variations of the weights. They depend on the data through Sxx = sum_i x_i x_i^T and Sxy = sum_i x_i y_i^T alone.
`inertia` counts their positive and negative eigenvalues from two small matrices (`loops`). It takes the data
themselves, which it does not square, or these two sums. Everything is NumPy, on the host.

W_l is the paper's, of shape (m_l, m_{l-1}), the transpose of params[l - 1]. Omega = W Sxx - Sxy^T is the residuals'
moment, M the sum of the hidden widths, r = rank(Sxx), and q = min(r, K, m_1, .., m_{L-1}).
"""

import itertools
from typing import NamedTuple

import numpy as np

import checks
from hessians import HessianTriple
from linear_networks.data_factor import data_factor
from linear_networks.general_position import (
    PERTURBATION,
    ROUNDING,
    NotGenericError,
    at_distance,
    decisive,
    margin,
)
from linear_networks.loops import conjugate_signs, find_loops, functional_signature, interaction, stationary_form
from linear_networks.second_moments import check_one_way, checked_network, checked_weights
from linear_networks.thin_factors import directions_of_data, directions_of_moments, end_to_end, in_bases, perturb


class Inertia(NamedTuple):
    """How many eigenvalues of a symmetric matrix are positive, negative and zero."""

    positive: int
    negative: int
    zero: int
    margin: float  # the relative change of weights and data that makes one of the deciding numbers zero; at most 1

    @property
    def rank(self):
        """The rank of the matrix."""
        return self.positive + self.negative


class Descent(NamedTuple):
    """How many directions of descent a linear network has, beside q M."""

    shape: str  # the widths from the inputs to the outputs, such as '64-30-10' or '64-19×1000-10'
    product: int  # q M
    parameters: int  # p
    signs: Inertia  # of H_L


def descent(params, Sxx=None, Sxy=None, batches=None):
    """Return the Descent of a linear network: the signs of H_L beside q M.

    Every negative eigenvalue of H_L is a direction of descent. In general position they are about q M (see `inertia`).
    Arguments and errors as in `inertia`.

    Example:
        >>> import numpy as np
        >>> from linear_networks import descent
        >>> params = [np.array([[0.1, 0.0], [0.0, 0.2]]), np.array([[0.2, 0.1], [0.0, 0.1]])]
        >>> found = descent(params, batches=[(np.eye(2), np.array([[3.0, 1.0], [0.0, 2.0]]))])
        >>> found.shape, found.product, found.parameters, found.signs.negative
        ('2-2-2', 4, 8, 4)
    """
    weights, p, directions = _network(list(params), Sxx, Sxy, batches)
    signs = _each_or_error(weights, p, directions).loss
    widths = [weights[0].shape[1], *map(len, weights)]
    q = min(len(directions.roots), *widths[1:])
    counted = [(width, len(list(equal))) for width, equal in itertools.groupby(widths[1:-1])]
    hidden = [f"{count}×{width}" if count > 1 else f"{width}" for width, count in counted]
    return Descent("-".join([f"{widths[0]}", *hidden, f"{widths[-1]}"]), q * sum(widths[1:-1]), p, signs)


def inertia(params, Sxx=None, Sxy=None, batches=None):
    """Return the numbers of positive, negative and zero eigenvalues of H_f, H_o and H_L, in general position.

    `loops` derives the formulas. It defines the loops lambda_i, the q nonzero eigenvalues of Omega^T W, the forms E and
    G, and the function phi. A signature is the number of positive less that of negative eigenvalues. With s = min(r, K)
    and L >= 2,

        rank H_f = 2 q (M + s) - L q^2,    signature H_f = S = sum_i (2 c_i - L),    c = ceil((L - 1) |arg lambda| / pi)
        inertia H_o = (t, 0),    t = q (r + K - q)
        inertia H_L = [2 q M - (L - 1) q^2 +- (S - sum_i sgn phi(lambda_i, conj lambda_i))] / 2 + inertia(E + G).

    Here an inertia is the pair (positive, negative): take + for the first and - for the second. Each c is 1 or more.

    E + G is a form on t dimensions, the tangent space at W of the matrices of rank q. So all signs of H_L but at most t
    are those of H_f. Half of these are negative, about q M. E is zero on all but q (s + K - q) of the t dimensions, at
    most K^2.

    The products of the weights with q vectors cost O(q sum_l m_l m_{l-1}). The singular values of the inputs cost
    O(d^3), and the eigenvalues of E + G cost O(K^6).

    The data come in one of two ways. From `batches`, all is computed with the digits that the data have. `Sxx` holds
    the squares of the inputs. So a direction of the inputs that is 1e-7 of the largest cannot be told from rounding,
    and is refused.

    Args:
        params: weights [W_1, ..., W_L] of `architectures.fully_connected`, without biases; float64.
        Sxx: (d, d) float64, sum_i x_i x_i^T. An input whose entry on the diagonal is zero is left out.
        Sxy: (d, K) float64, sum_i x_i y_i^T.
        batches: pairs (inputs (n, d), targets (n, K)), float64: a list or a loader, instead of Sxx and Sxy.

    Returns:
        HessianTriple of Inertia. Its margin is the relative change of the weights and the data that would make zero one
        of the numbers that decide the signs (`general_position.margin`). The data are X and Y if batches are given,
        else Sxx and Sxy. Signs with a margin below 1e-11 are declined.
        Every input counts relative to its own norm, its root sum of squares over the samples.

    Raises:
        TypeError: for anything but float64 weights without biases, or data that are not given in one of the two ways.
        ValueError: for NaN or infinity, or weights whose shapes do not chain. Also for an Sxx that is not symmetric
            positive semidefinite, an Sxy whose columns are not in its range, or batches of other shapes.
        NotGenericError: where a sign is undecided. Then W has a rank below q, or Omega one below s. Or a loop is close
            to zero or to another one, or two loops are in an exceptional ratio (their powers L or L - 1 are equal). Or
            E + G is nearly singular, as it is for exceptional targets. Or the rank r of the inputs is in doubt. With
            Sxx and Sxy that is so wherever r is less than the number of inputs that are not zero. With batches it is
            so where exact arithmetic and the singular values disagree.
        MemoryError: if five matrices of the size of E + G would not fit.

    Example:
        The loss (w_2 w_1 - 1)^2 / 2 of one number x = y = 1 has a saddle at the origin. At w_1 = w_2 = 1/2 its Hessian
        H_L = [[1/4, -1/2], [-1/2, 1/4]] still has a negative eigenvalue:

        >>> import numpy as np
        >>> from linear_networks import inertia
        >>> found = inertia([np.array([[0.5]]), np.array([[0.5]])], batches=[(np.eye(1), np.eye(1))])
        >>> for signs in found:
        ...     print(signs.positive, signs.negative, signs.zero)
        1 1 0
        1 0 1
        1 1 0
    """
    return _each_or_error(*_network(params, Sxx, Sxy, batches))


def each_inertia(weights, p, directions):
    """Return, for H_f, H_o and H_L, the Inertia or the error that says why it is not known.

    Fewer numbers decide the signs of H_o than those of H_f, and fewer those of H_f than those of H_L.

    Args:
        weights: [W_1, ..., W_L], the paper's.
        p: their number.
        directions: Directions of the inputs.

    Returns:
        HessianTriple of Inertia, NotGenericError or MemoryError.
    """
    r, K, layers, hidden = len(directions.roots), len(weights[-1]), len(weights), [len(W) for W in weights[:-1]]
    q, s, M = min([r, K, *hidden]), min(r, K), sum(hidden)
    zero = Inertia(0, 0, p, 1.0)
    if q == 0:
        return HessianTriple(zero, zero, zero)
    t, size = q * (r + K - q), q * (s + K - q)
    name = "singular value of the inputs" if directions.size is not None else "eigenvalue of Sxx"
    try:
        common = [at_distance(f"the smallest nonzero {name}, with every input divided by its norm,", directions.spread)]
        if layers == 1:
            outer = Inertia(t, 0, p - t, margin(common))
            return HessianTriple(zero, outer, outer)
        network, numbers = end_to_end(weights, directions, q)
        margins = [margin(common + numbers)]
    except NotGenericError as error:
        return HessianTriple(error, error, error)
    outer = _inertia(t, t, p, margins[0])
    try:
        checks.memory(
            8 * 5 * size**2 + 48 * size * q**2,
            f"five forms of size q (min(r, K) + K - q) = {size} are needed",
            "Choose fewer outputs, or a narrower layer",
        )
        found = _signs(network, layers)
        generator = np.random.default_rng(0)  # any seed will do, as long as it is the same every time
        # Two, since it is improbable that both move a number by far less than most perturbations do.
        moved = [_signs(perturb(network, PERTURBATION, generator), layers) for _ in range(2)]
        margins.append(min(margins[0], margin(found.numbers, [other.numbers for other in moved])))
    except (NotGenericError, MemoryError) as error:
        return HessianTriple(error, outer, error)
    functional = _inertia(2 * q * (M + s) - layers * q**2, found.signature, p, margins[1])
    try:
        forms = [[decisive("the smallest eigenvalue of E + G", *_form(one.eigenvalues))] for one in (found, *moved)]
        margins.append(min(margins[1], margin(forms[0], forms[1:])))
    except NotGenericError as error:
        return HessianTriple(functional, outer, error)
    unseen = 2 * q * M - (layers - 1) * q**2, found.signature - found.conjugate  # of H_f where dW = 0: rank, signature
    form = int(np.sign(found.eigenvalues).sum()) + t - size
    return HessianTriple(functional, outer, _inertia(unseen[0] + t, unseen[1] + form, p, margins[2]))


class _Signs(NamedTuple):
    """What the signs are counted from, and the numbers that must not be zero."""

    signature: int  # of H_f
    conjugate: int  # the part of it that is E's
    eigenvalues: np.ndarray  # of E + G
    numbers: list  # of Decisive, for H_f; those of H_L are the eigenvalues besides


def _signs(network, layers):
    sizes, omega = in_bases(network)
    singular = np.linalg.svd(omega, compute_uv=False)
    functional = [
        decisive("the smallest singular value of the product of weights", sizes, ROUNDING * sizes[0]),
        decisive("the smallest singular value of Omega", singular, ROUNDING * singular[0]),
    ]
    loops, numbers = find_loops(sizes, omega)
    phi, more = interaction(loops, layers)
    # G is 1 in these coordinates. It is added to the eigenvalues of E: in a large matrix it would drown.
    eigenvalues = np.linalg.eigvalsh(stationary_form(loops, phi, omega)) + 1
    signature, conjugate = functional_signature(loops, layers), conjugate_signs(loops, phi)
    return _Signs(signature, conjugate, eigenvalues, functional + numbers + more)


def _form(eigenvalues):
    return eigenvalues, ROUNDING * abs(eigenvalues).max()


def _network(params, Sxx, Sxy, batches):
    """Return the paper's weights, their number, and the Directions of the inputs, after checking the arguments."""
    check_one_way(Sxx, Sxy, batches)
    if batches is None:
        weights, Sxx, Sxy, p = checked_network(params, Sxx, Sxy)
        return weights, p, directions_of_moments(Sxx, Sxy)
    weights, p = checked_weights(params)
    factor = data_factor(batches, (weights[0].shape[1], len(weights[-1])))
    return weights, p, directions_of_data(factor, batches)


def _each_or_error(weights, p, directions):
    found = each_inertia(weights, p, directions)
    for one in (found.outer, found.functional, found.loss):
        if isinstance(one, Exception):
            raise one
    return found


def _inertia(rank, signature, p, margin):
    return Inertia((rank + signature) // 2, (rank - signature) // 2, p - rank, float(margin))

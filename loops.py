"""The signs of a linear network's Hessians, from the loops that its weights and its residuals form.

For f(x) = P x, P = W_L .. W_1, with residuals' moment Omega = P Sxx - Sxy^T, the form of the functional Hessian is

    V^T H_f V = 2 sum_{l<j} tr(Omega^T W_L .. V_j .. V_l .. W_1),

and changes of basis in the layers are changes of parameters, which keep the signs. They split the cycle of maps W_1,
.., W_L, Omega^T into q loops, on which every W_l is 1 and Omega^T is lambda_i, a nonzero eigenvalue of Omega^T P, and
a rest (`bounds.functional_rank`). With theta = |arg lambda| and L layers:

*H_f.* Variations from loop i to loop j pair with those from j to i by the (L, L) matrix N with lambda_j above, lambda_i
below and 0 on the diagonal. For i != j that makes L positive and L negative signs. A loop with itself has N =
lambda (11^T - 1): one sign of lambda and L - 1 of -lambda. A complex loop with its conjugate has the Hermitian N, whose
eigenvalues |lambda| sin(theta - psi_k) / sin(psi_k), psi_k = (theta + pi k) / L, k = 0, .., L - 1, are positive for
k < (L - 1) theta / pi. The rest pairs with the loops, and adds as many signs of both kinds.

*H_L.* H_o sees only dP = sum_l W_L .. V_l .. W_1. Fix dP and make H_f stationary in everything else: that splits H_f
into its restriction to dP = 0 and a form E(dP), and H_L into the same restriction and E + G, G(dP) = tr(dP Sxx dP^T).
For two loops the stationary value of x^T N y with given sums of x and y is the product of the sums by 1 / (1^T N^-1 1);
with X = dP Omega^T in the eigenbasis of P Omega^T this adds up to

    E(dP) = sum_ij X_ij X_ji phi(lambda_i, lambda_j),    phi(a, b) = (a^{L-1} - b^{L-1}) / (a^L - b^L),

phi(a, a) being the limit, phi(a, 0) = 1 / a, and phi(0, 0) taken as 0: there Omega has no rest, or dP.
"""

import itertools
from typing import NamedTuple

import numpy as np

# A margin below this is not told from zero. Of wrong signs, over 80 000 integer networks made to be difficult, the
# largest margin was 4e-14 (benchmarks/integer_networks.py, which declines none).
UNDECIDED = 1e-11


class NotGenericError(ValueError):
    """The signs do not follow from the structure: a number that must not be zero is, or nearly."""


class Loops(NamedTuple):
    """The loops of a network, and their eigenvectors."""

    values: np.ndarray  # lambda_i, (q,) complex
    forward: np.ndarray  # Omega^T u_i in columns, P Omega^T u_i = lambda_i u_i, (r, q)
    backward: (
        np.ndarray
    )  # v_i in columns, v_i^T P Omega^T = lambda_i v_i^T, v_i^T u_j = 1 if i = j and 0 if not, (K, q)
    condition: float  # of the eigenvectors


class Decisions:
    """Numbers that must not be zero, each relative to what it was computed from, and the smallest of them so far."""

    def __init__(self):
        self.margin = 1.0

    def nonzero(self, name, margin):
        """Note a number.

        Raises:
            NotGenericError: if it is too small to be told from zero.
        """
        if not margin > UNDECIDED:
            raise NotGenericError(
                f"{name} is {margin:.0e} of its scale, too close to zero to be sure: the network is not in general "
                "position. structure.spectrum finds its eigenvalues with their gap, and exact.exact_ranks its ranks"
            )
        self.margin = min(self.margin, float(margin))


def factor(weights, norms, q, decisions):
    """Return orthogonal U (K, K), C (q, q) and V (r, q) with orthonormal columns, P = U[:, :q] C V^T.

    The products start at the narrowest place, of q dimensions, and are kept orthonormal, so that P has rank q if every
    step has: the smallest singular value of each is noted, relative to the norm of its weights.

    Args:
        weights: [W_1, ..., W_L], W_l of shape (m_l, m_{l-1}), m_0 = r.
        norms: of the weights, before W_1 was restricted to the inputs' span.
        q: the smallest of r, K and the hidden widths.
        decisions: Decisions.
    """
    narrow = [weights[0].shape[1], *(len(W) for W in weights)].index(q)
    up, down = itertools.islice(zip(weights, norms, strict=True), narrow, None), zip(weights, norms, strict=True)
    down = reversed([(W.T, norm) for W, norm in itertools.islice(down, narrow)])
    ends = []
    for path in (up, down):
        basis, product = np.eye(q), np.eye(q)
        for W, norm in path:
            basis, step = np.linalg.qr(W @ basis)
            smallest = np.linalg.svd(step, compute_uv=False)[-1]
            decisions.nonzero("the smallest singular value of a product of weights", smallest / (norm or 1.0))
            product = step @ product
        ends.append((basis, product))
    (left, left_product), (right, right_product) = ends
    return complete(left), left_product @ right_product.T, right


def complete(basis):
    """Return an orthogonal matrix that begins with these orthonormal columns."""
    rest = np.linalg.qr(basis, mode="complete")[0][:, basis.shape[1] :]
    return np.concatenate([basis, rest], axis=1)


def find_loops(core, omega, scale, decisions):
    """Return the Loops, for P = [[core, 0], [0, 0]].

    The u_i lie in the image of P, hence an eigenvalue problem of size q.

    Args:
        core: (q, q), of full rank.
        omega: (K, r).
        scale: of the terms whose difference Omega is.
        decisions: Decisions.
    """
    q = len(core)
    half = core @ omega[:, :q].T  # (q, K): the rows of P Omega^T that are not zero
    values, vectors = np.linalg.eig(half[:, :q])
    condition = np.linalg.cond(vectors)
    # Two loops at a distance d have eigenvectors of condition 1 / d, and coalesce by a perturbation of size d^2.
    decisions.nonzero("the square of the distance of two loops", condition**-2.0)
    sizes = abs(values)
    decisions.nonzero("a loop", sizes.min() / (np.linalg.norm(core) * scale) / condition)
    backward = (np.linalg.inv(vectors) @ half / values[:, None]).T
    return Loops(values, omega[:q].T @ vectors, backward, condition)


def functional_signature(loops, layers):
    """Return sum_i (2 c_i - L), c = ceil((L - 1) theta / pi), at least 1: positive less negative eigenvalues of H_f."""
    turns = np.ceil((layers - 1) * abs(np.angle(loops.values)) / np.pi)
    return int((2 * np.clip(turns, 1, layers - 1) - layers).sum())  # an angle of pi gives L - 1, whatever its rounding


def interaction(loops, layers, decisions):
    """Return phi(lambda_i, lambda_j), (q, q), noting that neither numerator nor denominator vanishes.

    With z the smaller loop by the larger one, a, phi = (1 + z + .. + z^{L-2}) / (1 + z + .. + z^{L-1}) / a: no
    cancellation where two loops are nearly equal.
    """
    one, other = loops.values[:, None], loops.values[None, :]
    swap = abs(one) < abs(other)
    larger, smaller = np.where(swap, other, one), np.where(swap, one, other)
    ratio = smaller / larger
    sums = [np.polynomial.polynomial.polyval(ratio, np.ones(terms)) for terms in (layers - 1, layers)]
    for terms, values in zip((layers - 1, layers), sums, strict=True):
        name = f"the difference of the powers {terms} of two loops"
        decisions.nonzero(name, abs(values).min() / terms / loops.condition)
    return sums[0] / sums[1] / larger


def conjugate_signs(loops, phi):
    """Return sum_i sgn phi(lambda_i, conj lambda_i): positive less negative signs of E."""
    conjugates = np.argmin(abs(loops.values[:, None] - loops.values.conj()), axis=1)
    return int(np.sign(phi[np.arange(len(phi)), conjugates].real).sum())


def stationary_form(loops, phi, omega, q):
    """Return the matrix of E in the entries dP[k, a], k < q or a < q, row by row: the tangent space at P.

    Args:
        loops, phi: as `find_loops` and `interaction` return them.
        omega: (K, r).
        q: the rank of P, whose only nonzero block is the first (q, q).
    """
    K, r = omega.shape
    k, a = np.nonzero((np.arange(K)[:, None] < q) | (np.arange(r) < q))
    X = loops.backward[k][:, :, None] * loops.forward[a][:, None, :]  # v_i^T dP Omega^T u_j
    E = ((X * phi).reshape(-1, q * q) @ X.transpose(0, 2, 1).reshape(-1, q * q).T).real
    # Loops with the kernel of P Omega^T, onto which 1 - u v^T projects: 2 sum_i v_i^T dP D dP Omega^T u_i / lambda_i.
    D = omega.T - (loops.forward @ loops.backward.T).real
    H = (loops.backward / loops.values @ loops.forward.T).real
    rest = H[k[:, None], a] * D[a[:, None], k]
    return E + rest + rest.T

"""The signs of a linear network's Hessians, from the loops that its weights and its residuals form.

For f(x) = P x, P = W_L .. W_1, with residuals' moment Omega = P Sxx - Sxy^T, the form of the functional Hessian is

    V^T H_f V = 2 sum_{l<j} tr(Omega^T W_L .. V_j .. V_l .. W_1),

and changes of basis in the layers are changes of parameters, which keep the signs. They split the cycle of maps W_1,
.., W_L, Omega^T into q loops, on which every W_l is 1 and Omega^T is lambda_i, a nonzero eigenvalue of Omega^T P, and
a rest (`closed_forms.functional_rank`). With theta = |arg lambda| and L layers:

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

from typing import NamedTuple

import numpy as np


class Loops(NamedTuple):
    """The loops of a network, and their eigenvectors."""

    values: np.ndarray  # lambda_i, (q,) complex
    forward: np.ndarray  # Omega^T u_i in columns, P Omega^T u_i = lambda_i u_i, (r, q)
    backward: np.ndarray  # v_i in columns, v_i^T P Omega^T = lambda_i v_i^T, v_i^T u_j = delta_ij, (K, q)


def find_loops(sizes, omega, decisions):
    """Return the Loops, in bases of outputs and inputs in which P is a diagonal matrix filled up with zeros.

    The u_i lie in the image of P, hence an eigenvalue problem of size q: u = sqrt(sizes) y, M y = lambda y,
    M = sqrt(sizes) Omega^T sqrt(sizes). It is graded like the singular values, so that small loops keep their digits.

    Args:
        sizes: (q,) singular values of P, none of them zero, in decreasing order.
        omega: (K, r).
        decisions: general_position.Decisions, for the loops.
    """
    q, roots = len(sizes), np.sqrt(sizes)[:, None]
    values, vectors = np.linalg.eig(roots * omega[:q, :q].T * roots.T)
    decisions.note("a loop", abs(values))
    decisions.nonzero("the distance of two loops", 1 / np.linalg.cond(vectors))
    inverse = np.linalg.inv(vectors) / roots.T
    # By P Omega^T u = lambda u and its transpose where these tell it: an error there would count 1 / lambda times in E.
    forward = np.concatenate([vectors / roots * values, omega[:q, q:].T @ (roots * vectors)])
    backward = np.concatenate([inverse, inverse * sizes @ omega[q:, :q].T / values[:, None]], axis=1)
    return Loops(values, forward, backward.T)


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
        decisions.note(f"the difference of the powers {terms} of two loops", abs(values))
    return sums[0] / sums[1] / larger


def conjugate_signs(loops, phi):
    """Return sum_i sgn phi(lambda_i, conj lambda_i): positive less negative signs of E."""
    conjugates = np.argmin(abs(loops.values[:, None] - loops.values.conj()), axis=1)
    return int(np.sign(phi[np.arange(len(phi)), conjugates].real).sum())


def tangent_coordinates(omega, q):
    """Return orthonormal coordinates of the tangent space at P that E(dP) depends on, dP[k] @ directions[:, a].

    E is a function of dP Omega^T. So of the rows k < q of dP, which are free, it sees the part in the row space of
    Omega, of dimension s = min(r, K); of the others, which are combinations of the rows of P, it sees all. That makes
    q s + (K - q) q coordinates. In the q (r - s) others E is zero.

    Args:
        omega: (K, r), of rank s.
        q: the rank of P, whose only nonzero block is the first (q, q).

    Returns:
        directions (r, s + q), and the indices k and a, one for each coordinate.
    """
    K, r = omega.shape
    s = min(r, K)
    directions = np.concatenate([np.linalg.qr(omega.T)[0], np.eye(r, q)], axis=1)
    k, a = np.nonzero((np.arange(K)[:, None] < q) == (np.arange(s + q) < s))
    return directions, k, a


def stationary_form(loops, phi, omega):
    """Return the matrix of E in the coordinates of `tangent_coordinates`.

    Args:
        loops, phi: as `find_loops` and `interaction` return them.
        omega: (K, r), in bases in which only the first (q, q) block of P is not zero.
    """
    q = len(phi)
    directions, k, a = tangent_coordinates(omega, q)
    forward = directions.T @ loops.forward
    X = loops.backward[k][:, :, None] * forward[a][:, None, :]  # v_i^T dP Omega^T u_j
    E = ((X * phi).reshape(-1, q * q) @ X.transpose(0, 2, 1).reshape(-1, q * q).T).real
    # Loops with the kernel of P Omega^T, onto which 1 - u v^T projects: 2 sum_i v_i^T dP D dP Omega^T u_i / lambda_i,
    # D = Omega^T (1 - u v^T), of which only one block is not zero, since P D = 0 and D u_i = 0: a Schur complement.
    block = omega[q:, q:].T - omega[:q, q:].T @ np.linalg.solve(omega[:q, :q].T, omega[q:, :q].T)
    D = np.zeros((len(forward), len(omega)))
    D[:, q:] = directions[q:].T @ block
    H = (loops.backward / loops.values @ forward.T).real
    rest = H[k[:, None], a] * D[a[:, None], k]
    return E + rest + rest.T

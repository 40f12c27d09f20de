"""The signs of a linear network's Hessians, from the loops that its weights and its residuals form.

For f(x) = W x, W = W_L .. W_1, with the residuals' moment Omega = W Sxx - Sxy^T, the form of the functional Hessian is

    V^T H_f V = 2 sum_{l<j} tr(Omega^T W_L .. V_j .. V_l .. W_1).

Changes of basis in the layers are changes of parameters, which keep the signs. They split the cycle of maps W_1, ..,
W_L, Omega^T into q loops and a rest. On loop i every W_l is 1, and Omega^T is lambda_i, a nonzero eigenvalue of
Omega^T W. The rest is that of `closed_forms.functional_rank`. Let theta = |arg lambda|, with L layers.

*H_f.* Variations from loop i to loop j pair with those from j to i by an (L, L) matrix B. It has lambda_j above its
diagonal, lambda_i below, and 0 on it. For i != j that makes L positive and L negative signs. A loop with itself has
B = lambda (11^T - 1), with one sign of lambda and L - 1 of -lambda. A complex loop with its conjugate has a Hermitian
B. Its eigenvalues are |lambda| sin(theta - psi_k) / sin(psi_k), psi_k = (theta + pi k) / L, k = 0, .., L - 1. They are
positive for k < (L - 1) theta / pi. The rest pairs with the loops, and adds as many positive signs as negative ones.

*H_L.* H_o sees only dW = sum_l W_L .. V_l .. W_1. Fix dW and make H_f stationary in everything else: this is the Schur
complement of H_f. It splits H_f into its restriction to dW = 0 and a form E(dW). It splits H_L into the same
restriction and E + G, with G(dW) = tr(dW Sxx dW^T). For two loops consider x^T B y with the sums of x and of y given.
Its stationary value is the product of the sums by 1 / (1^T B^-1 1). With X = dW Omega^T in the eigenbasis of W Omega^T
this gives

    E(dW) = sum_ij X_ij X_ji phi(lambda_i, lambda_j),    phi(a, b) = (a^{L-1} - b^{L-1}) / (a^L - b^L).

Here phi(a, a) is the limit and phi(a, 0) = 1 / a. Set phi(0, 0) = 0: there Omega has no rest, or dW has none.
"""

from typing import NamedTuple

import numpy as np

from linear_networks.general_position import at_distance, decisive


class Loops(NamedTuple):
    """The loops of a network, and their eigenvectors."""

    values: np.ndarray  # lambda_i, (q,) complex
    forward: np.ndarray  # Omega^T u_i in columns, W Omega^T u_i = lambda_i u_i, (r, q)
    backward: np.ndarray  # v_i in columns, v_i^T W Omega^T = lambda_i v_i^T, v_i^T u_j = delta_ij, (K, q)


def find_loops(sizes, omega):
    """Return the Loops, in bases of outputs and inputs in which W is a diagonal matrix filled up with zeros.

    The u_i lie in the image of W. So this is an eigenvalue problem of size q: u = sqrt(sizes) y, A y = lambda y,
    A = sqrt(sizes) Omega^T sqrt(sizes). It is graded like the singular values, and so small loops keep their digits.

    Args:
        sizes: (q,) singular values of W, none of them zero, in decreasing order.
        omega: (K, r).

    Returns:
        Loops, and a list of Decisive: the loops, and the distance of the nearest two.

    Raises:
        NotGenericError: if a loop is zero, or two are nearly equal.
    """
    q, roots = len(sizes), np.sqrt(sizes)[:, None]
    values, vectors = np.linalg.eig(roots * omega[:q, :q].T * roots.T)
    numbers = [decisive("a loop", abs(values)), at_distance("the distance of two loops", 1 / np.linalg.cond(vectors))]
    inverse = np.linalg.inv(vectors) / roots.T
    # Where W Omega^T u = lambda u and its transpose give the entries, they are used: an error there would count
    # 1 / lambda times in E.
    forward = np.concatenate([vectors / roots * values, omega[:q, q:].T @ (roots * vectors)])
    backward = np.concatenate([inverse, inverse * sizes @ omega[q:, :q].T / values[:, None]], axis=1)
    return Loops(values, forward, backward.T), numbers


def functional_signature(loops, layers):
    """Return the number of positive less that of negative eigenvalues of H_f.

    This is sum_i (2 c_i - L) with c_i = ceil((L - 1) theta_i / pi), at least 1, and theta_i = |arg lambda_i|.
    """
    turns = np.ceil((layers - 1) * abs(np.angle(loops.values)) / np.pi)
    return int((2 * np.clip(turns, 1, layers - 1) - layers).sum())  # an angle of pi gives L - 1, whatever its rounding


def interaction(loops, layers):
    """Return phi(lambda_i, lambda_j), and a list of Decisive: its numerators and its denominators.

    Let a be the larger of the two loops, and z the smaller one by the larger one. Then
    phi = (1 + z + .. + z^{L-2}) / (1 + z + .. + z^{L-1}) / a, where nothing cancels if the two are nearly equal.

    Args:
        loops: Loops.
        layers: L.

    Returns:
        (q, q) complex, and the list.

    Raises:
        NotGenericError: if one of the numerators or denominators is zero.
    """
    one, other = loops.values[:, None], loops.values[None, :]
    swap = abs(one) < abs(other)
    larger, smaller = np.where(swap, other, one), np.where(swap, one, other)
    ratio = smaller / larger
    sums = [np.polynomial.polynomial.polyval(ratio, np.ones(terms)) for terms in (layers - 1, layers)]
    numbers = [
        decisive(f"the difference of the powers {power} of two loops", abs(values))
        for power, values in zip((layers - 1, layers), sums, strict=True)
    ]
    return sums[0] / sums[1] / larger, numbers


def conjugate_signs(loops, phi):
    """Return sum_i sgn phi(lambda_i, conj lambda_i), the number of positive less that of negative signs of E."""
    conjugates = np.argmin(abs(loops.values[:, None] - loops.values.conj()), axis=1)
    return int(np.sign(phi[np.arange(len(phi)), conjugates].real).sum())


def tangent_coordinates(omega, q):
    """Return orthonormal coordinates of the tangent space at W that E(dW) depends on, dW[k] @ directions[:, a].

    E is a function of dW Omega^T. The rows k < q of dW are free, and E sees their part in the row space of Omega, of
    dimension s = min(r, K). The other rows are combinations of the rows of W, and E sees all of them. That makes
    q s + (K - q) q coordinates. In the q (r - s) other ones E is zero.

    Args:
        omega: (K, r), of rank s.
        q: the rank of W, whose only nonzero block is the first (q, q).

    Returns:
        directions (r, s + q), and the indices k and a, one of each for every coordinate.
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
        omega: (K, r), in bases in which only the first (q, q) block of W is not zero.
    """
    q = len(phi)
    directions, k, a = tangent_coordinates(omega, q)
    forward = directions.T @ loops.forward
    X = loops.backward[k][:, :, None] * forward[a][:, None, :]  # v_i^T dW Omega^T u_j
    E = ((X * phi).reshape(-1, q * q) @ X.transpose(0, 2, 1).reshape(-1, q * q).T).real
    # The loops with the kernel of W Omega^T, onto which 1 - u v^T projects, add
    # 2 sum_i v_i^T dW D dW Omega^T u_i / lambda_i, D = Omega^T (1 - u v^T). Since W D = 0 and D u_i = 0, only one block
    # of D is not zero, a Schur complement.
    block = omega[q:, q:].T - omega[:q, q:].T @ np.linalg.solve(omega[:q, :q].T, omega[q:, :q].T)
    D = np.zeros((len(forward), len(omega)))
    D[:, q:] = directions[q:].T @ block
    H = (loops.backward / loops.values @ forward.T).real
    rest = H[k[:, None], a] * D[a[:, None], k]
    return E + rest + rest.T

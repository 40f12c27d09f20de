"""What a linear network's spectra are computed from: weights, Sxx and Omega, each of moderate size.

Each is divided by a power of two, which changes no digit. So no norm or square of them overflows or underflows. The
inputs are in an orthonormal basis of their span, since weights of other inputs have no effect.
"""

from typing import NamedTuple

import numpy as np

from hessians import HessianTriple
from linear_networks.powers_of_two import SMALLEST, exponents, normalized
from linear_networks.second_moments import residual_moment


class ScaledNetwork(NamedTuple):
    """A network whose H_f and H_o are those of the original one, divided by powers of two."""

    weights: list  # [W_1, ..., W_L], W_l of shape (m_l, m_{l-1}) and W_1 of shape (m_1, r)
    Sxx: np.ndarray  # (r, r)
    omega: np.ndarray  # (K, r)
    exponents: HessianTriple  # of the powers of two that make H_f, H_o and H_L of theirs; H_L has the larger one
    cancellation: float  # the size of the terms of Omega relative to Omega, at least 1; infinite where Omega is zero


def from_moments(weights, Sxx, Sxy):
    """Return the ScaledNetwork of weights and two sums over the data.

    Raises:
        ValueError: if Sxx has lost digits to underflow.
    """
    if np.any(Sxx) and exponents(Sxx) < SMALLEST:
        raise ValueError(
            f"Sxx is at most {abs(Sxx).max():.1e}, where float64 has lost digits. Multiply all inputs and targets by "
            "one power of two c before the sums are taken, which multiplies the Hessians by c^2. Or pass batches= "
            "instead of the sums"
        )
    (Sxx, e), (Sxy, f) = normalized(Sxx), normalized(Sxy)
    both = np.concatenate([S / (np.linalg.norm(S) or 1.0) for S in (Sxx, Sxy)], axis=1)
    U, S, _ = np.linalg.svd(both, full_matrices=False)
    kept = np.finfo(float).eps * S[0] < S
    if not kept.all():
        U = U[:, kept]
        weights, Sxx, Sxy = [weights[0] @ U, *weights[1:]], U.T @ Sxx @ U, U.T @ Sxy
    return _scaled(weights, (Sxx, e), (Sxy, f), np.linalg.norm(Sxy))


def from_factor(weights, factor):
    """Return the ScaledNetwork of weights and the DataFactor of the data."""
    e, f = int(factor.units.max()), int(factor.target_units.max())
    P, S, Vt = np.linalg.svd(np.ldexp(factor.inputs, factor.units - e), full_matrices=False)
    kept = np.finfo(float).eps * S[0] < S
    P, S, V = P[:, kept], S[kept], Vt[kept].T
    targets = np.ldexp(factor.targets, factor.target_units - f)
    Sxy, size = S[:, None] * (P.T @ targets), S.max(initial=0) * np.linalg.norm(targets)
    return _scaled([weights[0] @ V, *weights[1:]], (np.diag(S**2), 2 * e), (Sxy, e + f), size)


def _scaled(weights, second_moment, cross_moment, size):
    """Return the ScaledNetwork. The moments are pairs (array, exponent), and `size` is that of the terms of Sxy."""
    (Sxx, e), (Sxy, f), layers = second_moment, cross_moment, len(weights)
    # One power for all layers, since H is not the same in other units of one layer's weights.
    step = round(np.mean([normalized(W)[1] for W in weights]))
    weights = [np.ldexp(W, -step) for W in weights]
    product, more = normalized(residual_moment(weights, Sxx, np.zeros_like(Sxy)))
    of_terms = [more + e + layers * step] * bool(np.any(product)) + [f] * bool(size)
    top = max(of_terms, default=0)
    product, targets = np.ldexp(product, more + e + layers * step - top), np.ldexp(Sxy.T, f - top)
    difference = product - targets
    terms = np.linalg.norm(product) + np.ldexp(size, f - top)
    omega, more = normalized(difference)
    omega_size = np.ldexp(np.linalg.norm(omega), more)
    cancellation = max(1.0, terms / omega_size) if omega_size > 0 else np.inf
    functional, outer = top + more + (layers - 2) * step, e + 2 * (layers - 1) * step
    both = [functional] * bool(np.any(omega) and layers > 1) + [outer] * bool(np.any(Sxx))
    return ScaledNetwork(weights, Sxx, omega, HessianTriple(functional, outer, max(both, default=0)), cancellation)

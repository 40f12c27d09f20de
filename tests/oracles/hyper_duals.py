"""Hessians of the squared loss in Python's fractions, by hyper-dual numbers, without JAX."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from hessians import HessianTriple


@dataclass(frozen=True)
class HyperDual:
    """a + b e1 + c e2 + d e1 e2, e1^2 = e2^2 = 0: of f(theta + e_i e1 + e_j e2), d is entry (i, j) of the Hessian."""

    a: Fraction
    b: Fraction = Fraction(0)
    c: Fraction = Fraction(0)
    d: Fraction = Fraction(0)

    def __add__(self, other):
        other = as_dual(other)
        return HyperDual(self.a + other.a, self.b + other.b, self.c + other.c, self.d + other.d)

    def __mul__(self, other):
        a, b, c, d = self.a, self.b, self.c, self.d
        if not isinstance(other, HyperDual):
            return HyperDual(a * other, b * other, c * other, d * other)
        e, f, g, h = other.a, other.b, other.c, other.d
        return HyperDual(a * e, a * f + b * e, a * g + c * e, a * h + b * g + c * f + d * e)

    __radd__, __rmul__ = __add__, __mul__

    def __lt__(self, other):
        return self.a < as_dual(other).a

    def __gt__(self, other):
        return self.a > as_dual(other).a


def as_dual(x):
    """Return a number as a HyperDual."""
    return x if isinstance(x, HyperDual) else HyperDual(Fraction(x))


def relu(x, side=False):
    """Return max(x, 0); at a tie `side` says whether x goes on."""
    return x if x.a > 0 or (side and x.a == 0) else HyperDual(Fraction(0))


def fraction_hessians(network, leaves, inputs, targets):
    """Return H_f, H_o and H_L of the squared loss, a HessianTriple of nested lists of Fractions.

    Args:
        network: from object arrays of HyperDuals of the leaves' shapes, and one of a sample, to a sequence of outputs.
        leaves: the parameters, float64 arrays, in the order of `ravel_pytree`.
        inputs, targets: (n, d) and (n, K) float64.
    """
    theta = np.concatenate([np.ravel(leaf) for leaf in leaves])
    ends = np.cumsum([np.size(leaf) for leaf in leaves])
    p = len(theta)
    H_f, H_o = ([[Fraction(0)] * p for _ in range(p)] for _ in range(2))
    for i in range(p):
        for j in range(i + 1):
            duals = [HyperDual(Fraction(t), Fraction(k == i), Fraction(k == j)) for k, t in enumerate(theta)]
            parts = [np.array(duals[end - np.size(leaf) : end], object) for end, leaf in zip(ends, leaves, strict=True)]
            params = [part.reshape(np.shape(leaf)) for part, leaf in zip(parts, leaves, strict=True)]
            for x, y in zip(inputs, targets, strict=True):
                outputs = [as_dual(f) for f in network(params, np.array([as_dual(v) for v in x], object))]
                functional = sum((f.a - Fraction(t)) * f.d for f, t in zip(outputs, y, strict=True))
                H_f[i][j] = H_f[j][i] = H_f[j][i] + functional
                H_o[i][j] = H_o[j][i] = H_o[j][i] + sum(f.b * f.c for f in outputs)
    H_L = [[f + o for f, o in zip(*rows, strict=True)] for rows in zip(H_f, H_o, strict=True)]
    return HessianTriple(H_f, H_o, H_L)

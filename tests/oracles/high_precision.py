"""Hessians of small networks at as many digits as mpmath has: hyper-dual numbers, differentiated by hand, no JAX.

A float64 number is taken as it stands, and so are the constants 0.01 and sqrt(1/2), which the networks have in float64.
"""

import itertools
from typing import NamedTuple

import mpmath
import numpy as np
from mpmath import mpf

from hessians import HessianTriple


class HyperDual(NamedTuple):
    """a + b e1 + c e2 + d e1 e2, e1^2 = e2^2 = 0: of f(theta + e_i e1 + e_j e2), d is entry (i, j) of the Hessian."""

    a: mpf
    b: mpf = mpf(0)
    c: mpf = mpf(0)
    d: mpf = mpf(0)

    def __add__(self, other):
        return HyperDual(*(x + y for x, y in zip(self, other, strict=True)))

    def __mul__(self, other):
        (a, b, c, d), (e, f, g, h) = self, other
        return HyperDual(a * e, a * f + b * e, a * g + c * e, a * h + b * g + c * f + d * e)

    def scaled(self, factor):
        return HyperDual(*(x * factor for x in self))

    def through(self, value, first, second):
        """Return f(x), from f(a), f'(a) and f''(a)."""
        _, b, c, d = self
        return HyperDual(value, first * b, first * c, first * d + second * b * c)


# --- f(x), f'(x) and f''(x) by hand


def _tanh(x):
    t = mpmath.tanh(x)
    return t, 1 - t**2, -2 * t * (1 - t**2)


def _sigmoid(x):
    s = 1 / (1 + mpmath.exp(-x))
    return s, s * (1 - s), s * (1 - s) * (1 - 2 * s)


def _elu(x):
    e = mpmath.exp(x)
    return (x, mpf(1), mpf(0)) if x > 0 else (mpmath.expm1(x), e, e)


def _gelu(x):
    """Return those of x erfc(-s x) / 2, with s = sqrt(1/2) in float64."""
    s = mpf(float(np.sqrt(0.5)))
    below, density = mpmath.erfc(-s * x) / 2, s * mpmath.exp(-((s * x) ** 2)) / mpmath.sqrt(mpmath.pi)
    return x * below, below + x * density, 2 * density * (1 - (s * x) ** 2)


def _exp(x):
    e = mpmath.exp(x)
    return e, e, e


def _log(x):
    return mpmath.log(x), 1 / x, -1 / x**2


def _log_cosh(x):
    t = mpmath.tanh(x)
    return mpmath.log(mpmath.cosh(x)), t, 1 - t**2


ACTIVATIONS = {
    "linear": lambda x: (x, mpf(1), mpf(0)),
    "relu": lambda x: (x, mpf(1), mpf(0)) if x > 0 else (mpf(0), mpf(0), mpf(0)),
    "leaky_relu": lambda x: (x, mpf(1), mpf(0)) if x > 0 else (mpf(0.01) * x, mpf(0.01), mpf(0)),
    "tanh": _tanh,
    "elu": _elu,
    "gelu": _gelu,
    "sigmoid": _sigmoid,
}


# --- networks


def _layers(params, entries):
    """Return [(W, b), ...] of hyper-dual numbers, b = None for none, from those of all parameters in a row."""
    entries = iter(entries)
    for layer in params:
        W, b = layer if isinstance(layer, tuple) else (layer, None)
        weights = [list(itertools.islice(entries, W.shape[1])) for _ in range(W.shape[0])]
        yield weights, None if b is None else list(itertools.islice(entries, b.shape[0]))


def _network(layers, x, sigma):
    """Return the outputs of one sample."""
    for number, (W, b) in enumerate(layers, start=1):
        sums = []
        for k in range(len(W[0])):
            terms = [x[h] * W[h][k] for h in range(len(x))] + ([] if b is None else [b[k]])
            sums.append(sum(terms[1:], start=terms[0]))
        x = [s.through(*sigma(s.a)) for s in sums] if number < len(layers) else sums
    return x


def outputs(params, inputs, activation):
    """Return all outputs with their derivatives in every pair of parameters (i, j), i >= j.

    Args:
        params: [W_1, ..., W_L] or [(W_1, b_1), ...], in float64.
        inputs: (n, d) float64.
        activation: a name in ACTIVATIONS.

    Returns:
        dict from (i, j) to n lists of K HyperDuals. Parameters are numbered layer by layer, weights before biases, row
        by row.
    """
    leaves = [np.asarray(leaf) for layer in params for leaf in (layer if isinstance(layer, tuple) else (layer,))]
    theta = [mpf(float(t)) for leaf in leaves for t in leaf.ravel()]
    values = {}  # sigma at the numbers that it has met: they are the same for every pair
    sigma = lambda x: values[x] if x in values else values.setdefault(x, ACTIVATIONS[activation](x))
    samples = [[HyperDual(mpf(float(v))) for v in x] for x in inputs]
    found = {}
    for i in range(len(theta)):
        for j in range(i + 1):
            entries = [HyperDual(t, mpf(k == i), mpf(k == j)) for k, t in enumerate(theta)]
            layers = list(_layers(params, entries))
            found[i, j] = [_network(layers, x, sigma) for x in samples]
    return found


# --- losses: of one sample, their values, gradients and Hessians in the outputs f


def _squared(f, y):
    return list(f - y), np.eye(len(f), dtype=int).tolist()


def _cross_entropy(f, y):
    exponentials = [mpmath.exp(x) for x in f]
    pi = [e / sum(exponentials) for e in exponentials]
    total = sum(y)
    gradient = [total * q - t for q, t in zip(pi, y, strict=True)]
    return gradient, [[total * (q * (k == m) - q * r) for m, r in enumerate(pi)] for k, q in enumerate(pi)]


def _cosh(f, y):
    t = [mpmath.tanh(x) for x in f - y]
    return t, [[(1 - x**2) * (k == m) for m in range(len(t))] for k, x in enumerate(t)]


def _squared_itself(f, y):
    residuals = [x + HyperDual(-t) for x, t in zip(f, y, strict=True)]
    return [(r * r).scaled(mpf(0.5)) for r in residuals]


def _cross_entropy_itself(f, y):
    total = sum((x.through(*_exp(x.a)) for x in f), start=HyperDual(mpf(0)))
    logarithm = total.through(*_log(total.a))
    return [(logarithm + x.scaled(-1)).scaled(t) for x, t in zip(f, y, strict=True)]


def _cosh_itself(f, y):
    residuals = [x + HyperDual(-t) for x, t in zip(f, y, strict=True)]
    return [r.through(*_log_cosh(r.a)) for r in residuals]


LOSSES = {
    "mse": (_squared, _squared_itself),
    "cross": (_cross_entropy, _cross_entropy_itself),
    "cosh": (_cosh, _cosh_itself),
}


def hessians(found, targets, loss):
    """Return H_f, H_o and H_L, a HessianTriple of symmetric object arrays (p, p) of mpf.

    H_f and H_o come from the loss's gradient and Hessian in the outputs, by formula. H_L is differentiated on its own,
    by hyper-dual numbers through the loss.

    Args:
        found: what `outputs` returns.
        targets: (n, K) float64.
        loss: a name in LOSSES.
    """
    by_formula, itself = LOSSES[loss]
    targets = [np.array([mpf(float(t)) for t in y]) for y in targets]
    values = [np.array([f.a for f in sample]) for sample in found[0, 0]]
    formulas = [by_formula(f, y) for f, y in zip(values, targets, strict=True)]
    p = max(i for i, _ in found) + 1
    triple = HessianTriple(*(np.full((p, p), mpf(0), object) for _ in range(3)))
    for (i, j), samples in found.items():
        entry = [mpf(0)] * 3
        for sample, y, (gradient, curvature) in zip(samples, targets, formulas, strict=True):
            entry[0] += sum(alpha * f.d for alpha, f in zip(gradient, sample, strict=True))
            entry[1] += sum(
                f.b * c * g.c
                for f, row in zip(sample, curvature, strict=True)
                for c, g in zip(row, sample, strict=True)
            )
            entry[2] += sum(term.d for term in itself(sample, y))
        for matrix, x in zip(triple, entry, strict=True):
            matrix[i, j] = matrix[j, i] = x
    return triple

"""Arithmetic in float64, with a bound on the distance from the exact value (running error analysis).

A part is (value, error) with |value - exact| <= error. It decides comparisons: what is closer than the bounds is open.
`PLAIN` is float64 as it is, for values at nearby weights, where a bound is of no use.
"""

import numpy as np

from exact.arithmetic import Arithmetic

_EPS = np.finfo(float).eps
_TINY = 4 * np.finfo(float).smallest_subnormal  # more than what a value and its bound lose by underflow


def _rounded(value, error):
    """Return a value computed with one rounding, and the bound that follows from the operands' errors."""
    return value, error + _EPS * abs(value) + _TINY


def _add(a, b):
    return _rounded(a[0] + b[0], a[1] + b[1])


def _mul(a, b):
    return _rounded(a[0] * b[0], abs(a[0]) * b[1] + a[1] * (abs(b[0]) + b[1]))


def _inverse(a):
    size = abs(a[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        return _rounded(1 / a[0], np.where(size > a[1], a[1] / (size * (size - a[1])), np.inf))


def _total(a, axis):
    error = a[1].sum(axis) + a[0].shape[axis] * _EPS * abs(a[0]).sum(axis)
    return a[0].sum(axis), error


def _matmul(a, b):
    sizes, terms = (abs(a[0]), abs(b[0])), a[0].shape[-1]
    error = sizes[0] @ b[1] + a[1] @ (sizes[1] + b[1]) + (terms + 2) * _EPS * (sizes[0] @ sizes[1])
    return a[0] @ b[0], error + (terms + 2) * _TINY


def _compare(a, b):
    with np.errstate(invalid="ignore"):
        difference = a[0] - b[0]
    close = ~(abs(difference) > (a[1] + b[1]) * (1 + 1e-6))  # the bounds themselves are rounded; NaN is close
    return _sign(difference), close


def _sign(x):
    return np.where(x > 0, 1, np.where(x < 0, -1, 0))


def _quiet(operation):
    """Let a value overflow to infinity, which `finite` then reports."""

    def quietly(*operands, **options):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return operation(*operands, **options)

    return quietly


BOUNDED = Arithmetic(
    exact=lambda x: (np.asarray(x, float), np.zeros(np.shape(x))),
    add=_quiet(_add),
    neg=lambda a: (-a[0], a[1]),
    mul=_quiet(_mul),
    inverse=_inverse,
    total=_quiet(_total),
    matmul=_quiet(_matmul),
    compare=_compare,
    equal=None,
    finite=lambda a: np.isfinite(a[0]) & np.isfinite(a[1]),
    nan=lambda a: np.isnan(a[0]),
    functions={},
)

PLAIN = Arithmetic(
    exact=lambda x: (np.asarray(x, float),),
    add=_quiet(lambda a, b: (a[0] + b[0],)),
    neg=lambda a: (-a[0],),
    mul=_quiet(lambda a, b: (a[0] * b[0],)),
    inverse=_quiet(lambda a: (1 / a[0],)),
    total=_quiet(lambda a, axis: (a[0].sum(axis),)),
    matmul=_quiet(lambda a, b: (a[0] @ b[0],)),
    compare=_quiet(lambda a, b: (_sign(a[0] - b[0]), a[0] == b[0])),
    equal=None,
    finite=None,
    nan=None,
    functions={},
)

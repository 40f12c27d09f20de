"""Arithmetic in balls: numbers of hundreds of digits, each with a radius that contains the exact value.

A part is one array of python-flint's `arb`, with as many digits as `flint.ctx` has while it is computed. Every
operation rounds outwards, so that what a ball excludes is excluded for certain.
"""

import flint
import numpy as np

from exact.arithmetic import Arithmetic, ZeroDivisorError

_BALLS = np.frompyfunc(flint.arb, 1, 1)


def exact(x):
    """Return float64 numbers as an object array of balls of radius zero."""
    return np.asarray(_BALLS(np.asarray(x, object)), object)


def matrix(x):
    """Return an (m, n) array of balls as an `arb_mat`."""
    return flint.arb_mat(*x.shape, x.reshape(-1).tolist())


def array(x):
    """Return an `arb_mat` as an (m, n) array of balls."""
    return np.array([*x.entries(), None], object)[:-1].reshape(x.nrows(), x.ncols())


def _matmul(a, b):
    (a,), (b,) = a, b
    stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    rows, terms, columns = *a.shape[-2:], b.shape[-1]
    if 0 in (*stack, rows, terms, columns):
        return (exact(np.zeros((*stack, rows, columns))),)
    a, b = (np.broadcast_to(x, (*stack, *x.shape[-2:])).reshape(-1, *x.shape[-2:]) for x in (a, b))
    products = [array(matrix(x) * matrix(y)) for x, y in zip(a, b, strict=True)]
    return (np.stack(products).reshape(*stack, rows, columns),)


def _compare(a, b):
    difference = a[0] - b[0]
    above, below = np.asarray(difference > 0, bool), np.asarray(difference < 0, bool)
    return above.astype(int) - below, ~(above | below)


def _inverse(a):
    if np.any(_CONTAINS_ZERO(a[0])):
        raise ZeroDivisorError
    return (np.asarray(1 / a[0], object),)


def _total(a, axis):
    if not a[0].shape[axis]:
        return (exact(np.zeros(np.delete(a[0].shape, axis))),)
    return (np.asarray(a[0].sum(axis), object),)


def _elementwise(function):
    vectorized = lambda count: np.frompyfunc(function, count, 1)
    return lambda *parts: (np.asarray(vectorized(len(parts))(*(part[0] for part in parts)), object),)


def _logistic(x):
    return 1 / (1 + (-x).exp())


def _cbrt(x):
    return x.root(3) if x >= 0 else -(-x).root(3)


def digits_reached(name, x):
    """Return how many digits below 1 a function, or its derivative, reaches down to at the largest of its arguments.

    The derivative 1 - tanh(x)^2 is about 4 exp(-2 |x|). With fewer digits than that it would be a zero. Exponentials of
    numbers below -10^5 do not count. They are masks, such as the -1e9 of attention, and as good as zero.
    """
    if name not in _REACH:
        return 0.0
    masked = name in ("exp", "exp2")
    sizes = [float(abs(y).upper()) for y in x.reshape(-1) if y.is_finite() and not (masked and y < -_MASK)]
    return _REACH[name](max(sizes, default=0.0)) / np.log(10)


_MASK = 1e5
_REACH = {
    "tanh": lambda x: 2 * x,
    **dict.fromkeys(["exp", "exp2", "expm1", "sinh", "cosh", "logistic"], lambda x: x),
    **dict.fromkeys(["erf", "erfc"], lambda x: min(x, 1e150) ** 2),
}
_CONTAINS_ZERO = np.frompyfunc(lambda x: x.contains(0), 1, 1)
_FINITE = np.frompyfunc(lambda x: x.is_finite(), 1, 1)
_NAN = np.frompyfunc(lambda x: x.is_nan(), 1, 1)
arb = flint.arb
FUNCTIONS = {  # by the name of JAX's primitive
    "exp": arb.exp, "exp2": lambda x: arb(2) ** x, "expm1": arb.expm1, "log": arb.log, "log1p": arb.log1p,
    "tanh": arb.tanh, "sinh": arb.sinh, "cosh": arb.cosh, "asinh": arb.asinh, "acosh": arb.acosh, "atanh": arb.atanh,
    "sin": arb.sin, "cos": arb.cos, "tan": arb.tan, "asin": arb.asin, "acos": arb.acos, "atan": arb.atan,
    "atan2": lambda y, x: arb.atan2(y, x), "logistic": _logistic, "erf": arb.erf, "erfc": arb.erfc,
    "erf_inv": arb.erfinv, "sqrt": arb.sqrt, "rsqrt": arb.rsqrt, "cbrt": _cbrt, "pow": lambda x, y: x**y,
}  # fmt: skip

_GAUSSIAN = 2 / np.sqrt(np.pi), lambda: 2 / arb.pi().sqrt()
ROUNDED = {  # constants in JAX's derivatives of primitives, of either sign: in float64, and what they are
    "erf": _GAUSSIAN,
    "erfc": _GAUSSIAN,
    "erf_inv": (np.sqrt(np.pi) / 2, lambda: arb.pi().sqrt() / 2),
    "exp2": (np.log(2), lambda: arb(2).log()),
    "cbrt": (1 / 3, lambda: arb(1) / 3),
}

BALLS = Arithmetic(
    exact=lambda x: (exact(x),),
    add=lambda a, b: (np.asarray(a[0] + b[0], object),),
    neg=lambda a: (np.asarray(-a[0], object),),
    mul=lambda a, b: (np.asarray(a[0] * b[0], object),),
    inverse=_inverse,
    total=_total,
    matmul=_matmul,
    compare=_compare,
    equal=lambda a, b: _compare(a, b)[1],
    finite=lambda a: np.asarray(_FINITE(a[0]), bool),
    nan=lambda a: np.asarray(_NAN(a[0]), bool),
    functions={name: _elementwise(function) for name, function in FUNCTIONS.items()},
)

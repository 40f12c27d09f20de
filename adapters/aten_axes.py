"""Rules for ATen operations over axes, products of matrices and linear algebra. They are as in `aten_numbers`."""

import math

import jax
import jax.numpy as jnp
from jax.scipy import special
from jax.scipy.linalg import expm

from adapters.aten_numbers import where


def axes(x, dim):
    """Return axes as a tuple of numbers, none of them negative. No axis means all."""
    dims = range(x.ndim) if dim is None or dim == [] else [dim] if isinstance(dim, int) else dim
    return tuple(d % max(x.ndim, 1) for d in dims) if x.ndim else ()


def reduction(function):
    """Make a rule of a function of an array and its axes, with keepdims."""

    def rule(like, x, dim=None, keepdim=False, **_):
        x = jnp.asarray(x, like.dtype)
        return function(x, axes(x, dim)).reshape(like.shape)

    return rule


def _tests(function):
    return lambda like, x, dim=None, keepdim=False: function(jnp.asarray(x, bool), axes(x, dim)).reshape(like.shape)


def _extreme_along(argument):
    """Make the rule of max.dim and min.dim: the entry that is found first has the whole derivative."""

    def rule(like, x, dim, keepdim=False):
        index = argument(x, axis=dim, keepdims=True)
        return [jnp.take_along_axis(x, index, axis=dim).reshape(like.shape), index.reshape(like.shape)]

    return rule


def _argument(function):
    def rule(like, x, dim=None, keepdim=False):
        return jnp.asarray(function(x, axis=dim), like.dtype).reshape(like.shape)

    return rule


def _variance(x, over, correction):
    mean = x.mean(over, keepdims=True)
    count = math.prod(x.shape[axis] for axis in over)
    return jnp.sum((x - mean) ** 2, over) / max(count - correction, 0), mean


def _var(function):
    def rule(like, x, dim=None, correction=1, keepdim=False):
        value, mean = _variance(x, axes(x, dim), 1 if correction is None else correction)
        return [function(value).reshape(like.shape), mean.reshape(like.shape)]

    return rule


def _first(rule):
    return lambda *arguments, **options: rule(*arguments, **options)[0]


def _norm(like, x, ord=2, dim=None, keepdim=False, dtype=None):
    over = axes(x, dim)
    if ord in (math.inf, -math.inf):
        return (jnp.max if ord > 0 else jnp.min)(jnp.abs(x), over).reshape(like.shape)
    if ord == 2:
        return jnp.sqrt(jnp.sum(x * x, over)).reshape(like.shape)
    powers = jnp.abs(x) if ord == 1 else jnp.abs(x) ** ord
    return (jnp.sum(powers, over) ** (1 / ord) if ord != 1 else jnp.sum(powers, over)).reshape(like.shape)


def _cumulative(function):
    return lambda like, x, dim, dtype=None: function(jnp.asarray(x, like.dtype), axis=dim)


def _softmax(function):
    return lambda like, x, dim, *_: function(jnp.asarray(x, like.dtype), axis=dim)


def _safe_softmax(like, x, dim, dtype=None):
    """Return the softmax, and zeros where all entries of a row are minus infinity, since a mask hides them."""
    hidden = jnp.all(x == -jnp.inf, axis=dim, keepdims=True)
    return where(hidden, 0.0, jax.nn.softmax(where(hidden, 0.0, x), axis=dim))


# --- products of matrices


def _product(like, a, b):
    return jnp.matmul(jnp.asarray(a, like.dtype), jnp.asarray(b, like.dtype))


def _added_product(like, x, a, b, beta=1, alpha=1):
    product = _product(like, a, b)
    product = product if alpha == 1 else alpha * product
    return product if beta == 0 else product + (x if beta == 1 else beta * x)


def _trilinear(like, a, b, c, first, second, third, over, unroll_dim=1):
    a, b, c = (jnp.expand_dims(x, axis) for x, axis in ((a, first), (b, second), (c, third)))
    return jnp.sum(a * b * c, tuple(over))


def _solve(like, matrix, right, *_, left=True, **__):
    if not left:
        return [jnp.swapaxes(_solve(like, matrix.mT, right.mT)[0], -1, -2), None, None, None]
    is_vector = right.ndim == matrix.ndim - 1
    result = jnp.linalg.solve(matrix, right[..., None] if is_vector else right)
    return [result[..., 0] if is_vector else result, None, None, None]


AXES = {
    "sum": reduction(jnp.sum), "mean": reduction(jnp.mean), "prod": reduction(jnp.prod), "amax": reduction(jnp.max),
    "amin": reduction(jnp.min), "max": reduction(jnp.max), "min": reduction(jnp.min),
    "logsumexp": reduction(special.logsumexp), "any": _tests(jnp.any), "all": _tests(jnp.all),
    "max.dim": _extreme_along(jnp.argmax),
    "min.dim": _extreme_along(jnp.argmin), "argmax": _argument(jnp.argmax), "argmin": _argument(jnp.argmin),
    "var.correction": _first(_var(lambda x: x)), "var_mean.correction": _var(lambda x: x),
    "std.correction": _first(_var(jnp.sqrt)), "std_mean.correction": _var(jnp.sqrt),
    "linalg_vector_norm": _norm, "logcumsumexp": _cumulative(jax.lax.cumlogsumexp),
    "cumsum": _cumulative(jnp.cumsum), "cumprod": _cumulative(jnp.cumprod), "_softmax": _softmax(jax.nn.softmax),
    "_log_softmax": _softmax(jax.nn.log_softmax), "_safe_softmax": _safe_softmax,
    "mm": _product, "bmm": _product, "mv": _product, "dot": _product, "vdot": _product, "matmul": _product,
    "_linalg_solve_ex": _solve, "linalg_inv_ex": lambda like, x, **_: [jnp.linalg.inv(x), None],
    "_linalg_det": lambda like, x: [jnp.linalg.det(x), None, None], "linalg_matrix_exp": lambda like, x: expm(x),
    "linalg_cholesky_ex": lambda like, x, **_: [jnp.linalg.cholesky(x), None], "_trilinear": _trilinear,
    "addmm": _added_product, "baddbmm": _added_product, "addmv": _added_product,
}  # fmt: skip

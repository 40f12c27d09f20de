"""Rules for ATen operations that compute with numbers entry by entry.

A rule takes (like, *arguments, **options): the shape and dtype that PyTorch gives the first result, and what PyTorch's
operation takes, with JAX arrays in the place of tensors. It returns the result, or the list of results.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special


def entrywise(function):
    """Make a rule of a function of arrays and numbers: all are converted to the dtype of the result."""
    return lambda like, *arguments, **_: function(*(_array(like.dtype, x) for x in arguments))


def where(condition, a, b):
    """Return `jnp.where` for two arrays or numbers of one dtype, the condition converted."""
    return jnp.where(jnp.asarray(condition, bool), a, b)


def clamp(x, low=None, high=None):
    """Return the entries, those outside of the bounds moved to them. At a bound the derivative is one, as PyTorch's."""
    x = x if low is None else where(x < low, low, x)
    return x if high is None else where(x > high, high, x)


def between(x, low=-1.0, high=1.0):
    """Return `clamp`, but at a bound the derivative is zero, as that of PyTorch's hardtanh."""
    return where(x <= low, low, where(x >= high, high, x))


def _array(dtype, x):
    return None if x is None else jnp.asarray(x, dtype)


# --- entry by entry


def _add(like, a, b, alpha=1, sign=1):
    a, b = _array(like.dtype, a), _array(like.dtype, b)
    b = b if alpha == 1 else b * alpha
    return a + b if sign == 1 else a - b


def _div(like, a, b, rounding_mode=None):
    a, b = _array(like.dtype, a), _array(like.dtype, b)
    if rounding_mode == "floor":
        return jnp.floor_divide(a, b)
    if rounding_mode == "trunc":
        return jnp.trunc(a / b) if jnp.issubdtype(like.dtype, jnp.floating) else jax.lax.div(a, b)
    return a / b


def _pow(like, base, exponent):
    if isinstance(exponent, (int, float)):
        base = _array(like.dtype, base)
        known = {0.5: jnp.sqrt, -0.5: jax.lax.rsqrt}
        if exponent in known:
            return known[exponent](base)
        return base ** (int(exponent) if float(exponent).is_integer() else exponent)
    return jnp.power(_array(like.dtype, base), _array(like.dtype, exponent))


def _compared(function):
    def rule(like, a, b):
        dtypes = [x.dtype if hasattr(x, "dtype") else np.result_type(type(x)) for x in (a, b)]
        return function(*(jnp.asarray(x, np.result_type(*dtypes)) for x in (a, b)))

    return rule


def _logical(function):
    return lambda like, *arguments: function(*(jnp.asarray(x, bool) for x in arguments))


def _tested(function):
    return lambda like, x: function(x)


def _elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    below = where(x > 0, 0.0, x * input_scale)  # where it is not taken, exp does not overflow
    return where(x > 0, x * scale, alpha * scale * jnp.expm1(below))


def _softplus(x, beta=1.0, threshold=20.0):
    inside = where(x * beta > threshold, 0.0, x * beta)
    return where(x * beta > threshold, x, jnp.log1p(jnp.exp(inside)) / beta)


def _xlogy(x, y):
    positive = where(x == 0, 1.0, y)
    return where(x == 0, 0.0, x * jnp.log(positive))


def _gelu(like, x, approximate="none"):
    return jax.nn.gelu(_array(like.dtype, x), approximate=approximate == "tanh")


def _where(like, condition, a, b):
    return where(condition, _array(like.dtype, a), _array(like.dtype, b))


def _masked_fill(like, x, mask, value):
    return where(mask, _array(like.dtype, value), _array(like.dtype, x))


def _clamp(like, x, min=None, max=None):
    return clamp(*(_array(like.dtype, each) for each in (x, min, max)))


def _addcmul(like, x, a, b, value=1):
    return entrywise(lambda x, a, b: x + value * a * b)(like, x, a, b)


def _addcdiv(like, x, a, b, value=1):
    return entrywise(lambda x, a, b: x + value * a / b)(like, x, a, b)


NUMBERS = {
    "add": _add, "sub": functools.partial(_add, sign=-1), "div": _div, "true_divide": _div, "pow": _pow,
    "rsub": lambda like, a, b, alpha=1: _add(like, b, a, alpha, sign=-1), "mul": entrywise(jnp.multiply),
    "neg": entrywise(jnp.negative), "abs": entrywise(jnp.abs), "reciprocal": entrywise(lambda x: 1 / x),
    "square": entrywise(lambda x: x * x), "sqrt": entrywise(jnp.sqrt), "rsqrt": entrywise(jax.lax.rsqrt),
    "exp": entrywise(jnp.exp), "exp2": entrywise(jnp.exp2), "expm1": entrywise(jnp.expm1), "log": entrywise(jnp.log),
    "log2": entrywise(jnp.log2), "log10": entrywise(jnp.log10), "log1p": entrywise(jnp.log1p),
    "sin": entrywise(jnp.sin), "cos": entrywise(jnp.cos), "tan": entrywise(jnp.tan), "asin": entrywise(jnp.arcsin),
    "acos": entrywise(jnp.arccos), "atan": entrywise(jnp.arctan), "atan2": entrywise(jnp.arctan2),
    "sinh": entrywise(jnp.sinh), "cosh": entrywise(jnp.cosh), "tanh": entrywise(jnp.tanh),
    "asinh": entrywise(jnp.arcsinh), "acosh": entrywise(jnp.arccosh), "atanh": entrywise(jnp.arctanh),
    "erf": entrywise(special.erf), "erfc": entrywise(special.erfc), "erfinv": entrywise(special.erfinv),
    "sigmoid": entrywise(jax.nn.sigmoid), "logit": entrywise(lambda x, eps=None: special.logit(x)),
    "lgamma": entrywise(special.gammaln), "digamma": entrywise(special.digamma), "xlogy": entrywise(_xlogy),
    "floor": entrywise(jnp.floor), "ceil": entrywise(jnp.ceil), "round": entrywise(jnp.round),
    "trunc": entrywise(jnp.trunc), "sign": entrywise(jnp.sign), "sgn": entrywise(jnp.sign),
    "remainder": entrywise(jnp.remainder), "fmod": entrywise(jnp.fmod), "floor_divide": entrywise(jnp.floor_divide),
    "maximum": entrywise(jnp.maximum), "minimum": entrywise(jnp.minimum), "hypot": entrywise(jnp.hypot),
    "fmax": entrywise(jnp.fmax), "fmin": entrywise(jnp.fmin),
    "lerp": entrywise(lambda a, b, weight: a + weight * (b - a)), "addcmul": _addcmul, "addcdiv": _addcdiv,
    "relu": entrywise(jax.nn.relu), "relu6": entrywise(lambda x: between(x, 0.0, 6.0)), "gelu": _gelu,
    "silu": entrywise(jax.nn.silu), "mish": entrywise(lambda x: x * jnp.tanh(_softplus(x))),
    "leaky_relu": entrywise(lambda x, slope=0.01: where(x > 0, x, x * slope)), "elu": entrywise(_elu),
    "hardtanh": entrywise(between), "softplus": entrywise(_softplus),
    "hardsigmoid": entrywise(lambda x: between(x + 3, 0.0, 6.0) / 6),
    "hardswish": entrywise(lambda x: x * clamp(x + 3, 0.0, 6.0) / 6),
    "threshold": entrywise(lambda x, threshold, value: where(x <= threshold, value, x)),
    "rrelu_with_noise": entrywise(lambda x, noise, low=1 / 8, high=1 / 3, *_: where(x > 0, x, x * (low + high) / 2)),
    "_prelu_kernel": entrywise(lambda x, weight: where(x > 0, x, weight * x)),
    "log_sigmoid_forward": lambda like, x: [jax.nn.log_sigmoid(x), None],
    "clamp": _clamp, "clamp_min": lambda like, x, low: _clamp(like, x, low),
    "clamp_max": lambda like, x, high: _clamp(like, x, None, high), "where.self": _where, "where.ScalarSelf": _where,
    "where.ScalarOther": _where, "masked_fill": _masked_fill,
    "eq": _compared(jnp.equal), "ne": _compared(jnp.not_equal), "lt": _compared(jnp.less),
    "le": _compared(jnp.less_equal), "gt": _compared(jnp.greater), "ge": _compared(jnp.greater_equal),
    "logical_and": _logical(jnp.logical_and), "logical_or": _logical(jnp.logical_or),
    "logical_not": _logical(jnp.logical_not), "logical_xor": _logical(jnp.logical_xor),
    "bitwise_and": entrywise(jnp.bitwise_and), "bitwise_or": entrywise(jnp.bitwise_or),
    "bitwise_not": entrywise(jnp.bitwise_not), "bitwise_xor": entrywise(jnp.bitwise_xor),
    "isnan": _tested(jnp.isnan), "isinf": _tested(jnp.isinf), "isfinite": _tested(jnp.isfinite),
}  # fmt: skip

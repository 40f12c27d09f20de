"""An interpreter of jaxprs over a finite field: sums, products and comparisons of fractions, without rounding.

A `Number` is an array of residues modulo an odd prime P < 2^31, with the float64 array that it accompanies. The float64
values decide comparisons. Running error analysis bounds their distance from the exact values. A comparison that they
cannot decide is counted, never guessed. Everything here can be compiled, with P as an argument.

The pattern is that of "Writing custom Jaxpr interpreters in JAX" in JAX's documentation.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from exact.finite_field import contract, power, remainder, residues

_EPS = np.finfo(float).eps


class Number(NamedTuple):
    """An array of rational numbers modulo P, and what is known of their size."""

    residue: jax.Array  # int64 in [0, P)
    value: jax.Array | None = None  # float64, or None if there is no size: random residues and what follows from them
    error: jax.Array | None = None  # bound on |value - exact|


def number(x, prime):
    """Return concrete float64 numbers as a Number, exactly."""
    return Number(residues(x, prime), jnp.asarray(x), jnp.zeros(np.shape(x)))


def interpret(closed, arguments, prime):
    """Evaluate a closed jaxpr over F_P.

    Args:
        closed: what `jax.make_jaxpr` returns.
        arguments: a Number for each float argument of it.
        prime: odd prime below 2^31, an int or a traced one.

    Returns:
        outputs: list of Numbers.
        undecided: {primitive's name and a serial number: how many of its entries could not be decided}. Unless all are
            zero, the outputs are meaningless.

    Raises:
        ValueError: for a primitive that has no exact form, such as exp; the message names it.
    """
    undecided = {}
    return _evaluate(closed.jaxpr, closed.consts, arguments, prime, undecided), undecided


def _evaluate(jaxpr, consts, arguments, prime, undecided):
    known = {}

    def read(atom):
        if not isinstance(atom, Literal):
            return known[atom]
        return number(atom.val, prime) if _is_float(atom) else np.asarray(atom.val, atom.aval.dtype)

    constants = [number(x, prime) if _is_float(var) else x for var, x in zip(jaxpr.constvars, consts, strict=True)]
    known.update(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *arguments], strict=True))
    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars], prime, undecided)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _is_float(atom):
    return jnp.issubdtype(atom.aval.dtype, jnp.floating)


def _apply(equation, operands, prime, undecided):
    """Return the list of results of one equation of a jaxpr."""
    name, params = equation.primitive.name, equation.params
    inner = params.get("jaxpr", params.get("call_jaxpr"))
    if inner is not None and name in _CALLS:
        jaxpr, consts = (inner.jaxpr, inner.consts) if hasattr(inner, "consts") else (inner, [])
        return _evaluate(jaxpr, consts, operands, prime, undecided)
    if not any(isinstance(x, Number) for x in operands) and not any(map(_is_float, equation.outvars)):
        results = equation.primitive.bind(*operands, **params)  # indices and masks
        return results if equation.primitive.multiple_results else [results]
    if name in _MOVES:
        return _each_part(equation, operands)
    if name in _COMPARISONS:
        return [_compare(equation, *operands, prime, undecided)]
    if name in _RULES:
        return [_RULES[name](equation, operands, prime, undecided)]
    raise ValueError(
        f"there is no exact form for the primitive '{name}'. Exact ranks need a network and a loss made of sums, "
        "products and comparisons, which take fractions to fractions: linear, relu or leaky_relu, and the squared "
        "loss. Functions such as exp, log and tanh do not"
    )


# --- rules: value and error follow the residue wherever they are known

_CALLS = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2"}
_COMPARISONS = {"gt", "ge", "lt", "le", "eq", "ne"}
_MOVES = {  # entries go from one place to another
    "reshape", "transpose", "broadcast_in_dim", "slice", "dynamic_slice", "dynamic_update_slice", "concatenate",
    "split", "squeeze", "expand_dims", "rev", "pad", "gather", "select_n", "copy", "copy_p",
}  # fmt: skip


def _each_part(equation, operands):
    """Apply a primitive that moves entries to the residues, the values and the errors."""
    numbers = [x for x in operands if isinstance(x, Number)]
    parts = []
    for part in Number._fields:
        if any(getattr(x, part) is None for x in numbers):
            parts.append(None)
            continue
        moved = [getattr(x, part) if isinstance(x, Number) else x for x in operands]
        results = equation.primitive.bind(*moved, **equation.params)
        parts.append(results if equation.primitive.multiple_results else [results])
    count = len(equation.outvars)
    return [Number(*(part and part[i] for part in parts)) for i in range(count)]


def _known(*numbers):
    return all(x.value is not None for x in numbers)


def _rounded(value, error):
    """Return a value computed with one rounding and the bound that follows from the operands' errors."""
    return value, error + _EPS * abs(value)


def _add(equation, operands, prime, undecided):
    a, b = operands
    residue = remainder(a.residue + b.residue, prime)
    return Number(residue, *_rounded(a.value + b.value, a.error + b.error)) if _known(a, b) else Number(residue)


def _neg(equation, operands, prime, undecided):
    (a,) = operands
    return Number(remainder(prime - a.residue, prime), *((-a.value, a.error) if _known(a) else ()))


def _sub(equation, operands, prime, undecided):
    a, b = operands
    return _add(equation, [a, _neg(equation, [b], prime, undecided)], prime, undecided)


def _mul(equation, operands, prime, undecided):
    a, b = operands
    residue = remainder(a.residue * b.residue, prime)
    if not _known(a, b):
        return Number(residue)
    return Number(residue, *_rounded(a.value * b.value, abs(a.value) * b.error + a.error * (abs(b.value) + b.error)))


def _div(equation, operands, prime, undecided):
    a, b = operands
    _count(undecided, "div", b.residue == 0)
    inverse = Number(power(b.residue, prime - 2, prime, bits=31))
    if _known(b):
        _count(undecided, "div", abs(b.value) <= b.error)
        size = abs(b.value)
        inverse = Number(inverse.residue, *_rounded(1 / b.value, b.error / (size * (size - b.error))))
    return _mul(equation, [a, inverse], prime, undecided)


def _integer_pow(equation, operands, prime, undecided):
    exponent = equation.params["y"]
    result = number(np.ones(operands[0].residue.shape), prime)
    for _ in range(abs(exponent)):
        result = _mul(equation, [result, *operands], prime, undecided)
    return result if exponent >= 0 else _div(equation, [number(1.0, prime), result], prime, undecided)


def _reduce_sum(equation, operands, prime, undecided):
    (a,) = operands
    add = lambda x: equation.primitive.bind(x, **equation.params)
    residue = remainder(add(a.residue), prime)
    terms = a.residue.size // max(residue.size, 1)
    return (
        Number(residue, add(a.value), add(a.error) + terms * _EPS * add(abs(a.value))) if _known(a) else Number(residue)
    )


def _bilinear(equation, operands, prime, undecided):
    """Multiply by dot_general or conv_general_dilated: each entry is a sum of `terms` products."""
    a, b = operands
    apply = lambda x, y: equation.primitive.bind(x, y, **equation.params)
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        terms = int(np.prod([a.residue.shape[axis] for axis in contracted]))
    else:
        terms = b.residue.size
    residue = contract(apply, terms, a.residue, b.residue, prime)
    if not _known(a, b):
        return Number(residue)
    sizes = abs(a.value), abs(b.value)
    error = apply(sizes[0], b.error) + apply(a.error, sizes[1] + b.error) + (terms + 2) * _EPS * apply(*sizes)
    return Number(residue, apply(a.value, b.value), error)


def _convert(equation, operands, prime, undecided):
    (a,) = operands
    if equation.params["new_dtype"] != np.float64:
        raise ValueError(
            f"exact ranks need float64 throughout, but the network converts to {equation.params['new_dtype']}"
        )
    return a if isinstance(a, Number) else _whole(a, prime)


def _iota(equation, operands, prime, undecided):
    return _whole(equation.primitive.bind(*operands, **equation.params), prime)


def _whole(x, prime):
    """Return integers or booleans as a Number."""
    value = jnp.asarray(x, float)
    return Number(value.astype(np.int64) % prime, value, jnp.zeros_like(value))


def _compare(equation, a, b, prime, undecided):
    """Compare two Numbers. Almost surely, their residues are equal only if they are; their order needs the values."""
    name = equation.primitive.name
    if name in ("eq", "ne"):
        return (a.residue == b.residue) == (name == "eq")
    _count(undecided, name, _close(a, b, name))
    return equation.primitive.bind(*jnp.broadcast_arrays(a.value, b.value), **equation.params)


def _close(a, b, name):
    if not _known(a, b):
        raise ValueError(
            f"'{name}' compares derivatives: the network is not piecewise polynomial and has no exact rank"
        )
    return abs(a.value - b.value) <= (a.error + b.error) * (1 + 1e-6)  # the bounds themselves are rounded


def _count(undecided, name, where):
    undecided[f"{name} {len(undecided)}"] = where.sum()


def _max(equation, operands, prime, undecided):
    a, b = operands
    name = equation.primitive.name
    _count(undecided, name, _close(a, b, name))
    first = a.value > b.value if name == "max" else a.value < b.value
    return Number(*(jnp.where(first, x, y) for x, y in zip(a, b, strict=True)))


def _sign(equation, operands, prime, undecided):
    (a,) = operands
    _count(undecided, "sign", _close(a, number(0.0, prime), "sign"))
    return _whole(jnp.sign(a.value), prime)


def _square(equation, operands, prime, undecided):
    return _mul(equation, operands * 2, prime, undecided)


def _abs(equation, operands, prime, undecided):
    return _mul(equation, [*operands, _sign(equation, operands, prime, undecided)], prime, undecided)


_RULES = {
    "add": _add, "add_any": _add, "sub": _sub, "neg": _neg, "mul": _mul, "square": _square, "div": _div,
    "integer_pow": _integer_pow, "reduce_sum": _reduce_sum, "dot_general": _bilinear, "conv_general_dilated": _bilinear,
    "convert_element_type": _convert, "iota": _iota, "max": _max, "min": _max, "sign": _sign, "abs": _abs,
}  # fmt: skip

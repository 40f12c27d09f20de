"""Functions whose decisions are made elsewhere: relu without kinks, as it acts at given weights and data.

A relu network is smooth as long as no unit switches on or off. `frozen` writes this smooth function down: each unit is
on or off as it is at the given arguments, whatever the new ones are. The arrays that a function contains without taking
them as arguments, such as a layer that is not trained, become arguments, too.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core


class UnfreezableError(ValueError):
    """A function decides in a way that `frozen` cannot follow."""


def program(function, *arguments):
    """Return the program of a function that the others here read.

    Args:
        function: of pytrees of arrays.
        arguments: the pytrees. Only their shapes matter.
    """
    return jax.make_jaxpr(lambda *values: function(*values))(*arguments)


def decides(closed):
    """Return whether a program compares numbers, as relu does, so that it is smooth in pieces only."""
    jaxpr = getattr(closed, "jaxpr", closed)
    return any(_is_decision(equation) or any(map(decides, _inner(equation))) for equation in jaxpr.eqns)


def contained(closed):
    """Return the arrays of floating-point numbers that a program contains, in the order in which `frozen` meets them.

    Left out are those that are infinite somewhere, and those whose numbers are all equal or zero, such as masks.
    """
    inside = [array for equation in getattr(closed, "jaxpr", closed).eqns for array in _contained_in(equation)]
    return [*filter(_is_array, getattr(closed, "consts", ())), *inside]


def hiding_factor(closed, most):
    """Return a number above `most` or below 1 / `most` by which a program multiplies or divides something, or None.

    Such a factor can hide digits as weights of this size do, and it stays what it is in `frozen`.
    """
    return next((factor for factor in _factors(closed) if not 1 / most <= factor <= most), None)


@functools.lru_cache(maxsize=256)
def frozen(function):
    """Return g(new, given, arrays) -> function(*new) with all decisions as in function(*given).

    The same function always gives the same g, so that it is compiled once. Where the new arguments are the given ones,
    and the arrays those that the function contains, g has the value and all derivatives of the function, unless a
    decision is a tie.

    Args of g:
        new, given: tuples of arguments.
        arrays: those that take the places of what the function contains (`contained`).

    Raises:
        UnfreezableError: from g, for decisions inside of loops, branches, sorting or pooling.
    """

    def g(new, given, arrays):
        closed, shapes = jax.make_jaxpr(lambda *values: function(*values), return_shape=True)(*given)
        leaves = [list(pair) for pair in zip(jax.tree.leaves(new), jax.tree.leaves(given), strict=True)]
        pairs = _evaluate(closed, leaves, iter(arrays))
        return jax.tree.unflatten(jax.tree.structure(shapes), [value for value, _ in pairs])

    return g


def _is_decision(equation):
    """Return whether an equation compares numbers. The size of a complex number is smooth."""
    is_complex = any(jnp.issubdtype(atom.aval.dtype, jnp.complexfloating) for atom in equation.invars)
    return equation.primitive.name in _DECISIONS and not (equation.primitive.name == "abs" and is_complex)


def _inner(equation):
    """Return the programs that an equation contains."""
    is_program = lambda value: isinstance(value, (core.ClosedJaxpr, core.Jaxpr))
    leaves = jax.tree.leaves(list(equation.params.values()), is_leaf=is_program)
    return [leaf for leaf in leaves if is_program(leaf)]


def _is_array(constant):
    """Return whether it holds numbers that could be others: in floating point, finite, and those that are not 0 differ.

    All else is a mask, or numbers that a layer begins with.
    """
    if np.ndim(constant) == 0 or not jnp.issubdtype(constant.dtype, jnp.floating):
        return False
    numbers = np.asarray(constant)
    return bool(np.isfinite(numbers).all()) and len(np.unique(numbers[numbers != 0])) > 1


def _contained_in(equation):
    return [array for inner in _inner(equation) for array in contained(inner)]


def _factors(closed):
    """Yield the sizes of the numbers by which a program multiplies or divides."""
    jaxpr = getattr(closed, "jaxpr", closed)
    fixed = dict(zip(jaxpr.constvars, getattr(closed, "consts", ()), strict=False))
    for equation in jaxpr.eqns:
        for atom in equation.invars if equation.primitive.name in ("mul", "div") else ():
            value = atom.val if isinstance(atom, core.Literal) else fixed.get(atom)
            if value is not None and jnp.issubdtype(value.dtype, jnp.floating) and not _is_array(value):
                sizes = abs(np.asarray(value)[np.asarray(value) != 0])
                yield from map(float, sizes.flat[:1])
        for inner in _inner(equation):
            yield from _factors(inner)


def _evaluate(closed, arguments, arrays):
    """Return the pairs (new, given) of a program's results, for pairs of arguments."""
    values = dict(zip(closed.jaxpr.invars, arguments, strict=True))
    for var, constant in zip(closed.jaxpr.constvars, closed.consts, strict=True):
        values[var] = [next(arrays) if _is_array(constant) else constant, constant]
    read = lambda atom: [atom.val] * 2 if isinstance(atom, core.Literal) else values[atom]
    for equation in closed.jaxpr.eqns:
        results = _carried_out(equation, [read(atom) for atom in equation.invars], arrays)
        values |= dict(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in closed.jaxpr.outvars]


def _carried_out(equation, pairs, arrays):
    name, inner = equation.primitive.name, _inner(equation)
    has_decisions = any(map(decides, inner))
    if has_decisions or any(map(contained, inner)):
        if name not in _CALLS:
            what = "comparisons of numbers" if has_decisions else "arrays"
            raise UnfreezableError(f"the primitive '{name}' contains {what}")
        (called,) = (each for each in inner if isinstance(each, core.ClosedJaxpr))
        return _evaluate(called, pairs, arrays)
    given = _bound(equation, [pair[1] for pair in pairs])
    if not any(jnp.issubdtype(atom.aval.dtype, jnp.floating) for atom in equation.outvars):
        return [[x, x] for x in given]  # indices and truth values are decisions
    if _is_decision(equation):
        if name not in _RULES:
            raise UnfreezableError(f"the primitive '{name}' decides by comparisons of numbers")
        return [[_RULES[name](equation.params, *zip(*pairs, strict=True)), given[0]]]
    return [list(pair) for pair in zip(_bound(equation, [pair[0] for pair in pairs]), given, strict=True)]


def _bound(equation, operands):
    results = equation.primitive.bind(*operands, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]


def _extreme(one_hot):
    def rule(params, new, given):
        # Ties share the weight, so that equal entries count as their mean.
        chosen = given[0] == one_hot(given[0], axis=params["axes"], keepdims=True)
        # What is not chosen may be infinite, as where a mask hides it.
        total = jnp.sum(jnp.where(chosen, new[0], 0.0), axis=params["axes"])
        return total / jnp.sum(jnp.asarray(chosen, float), axis=params["axes"])

    return rule


_CALLS = {"jit", "pjit", "closed_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat2"}

_RULES = {
    "max": lambda _, new, given: jnp.where(jnp.asarray(given[0] > given[1]), *new),
    "min": lambda _, new, given: jnp.where(jnp.asarray(given[0] < given[1]), *new),
    "abs": lambda _, new, given: jnp.sign(given[0]) * new[0],
    "sign": lambda _, new, given: jnp.sign(given[0]) * jnp.ones_like(new[0]),
    "clamp": lambda _, new, given: jnp.select(
        [jnp.asarray(given[1] < given[0]), jnp.asarray(given[1] > given[2])], [new[0], new[2]], new[1]
    ),
    "select_n": lambda _, new, given: jax.lax.select_n(given[0], *new[1:]),
    "reduce_max": _extreme(jnp.max),
    "reduce_min": _extreme(jnp.min),
}

# A comparison itself has a truth value as its result, and needs no rule.
_DECISIONS = {
    *_RULES, "lt", "le", "gt", "ge", "eq", "ne", "argmax", "argmin", "floor", "ceil", "round", "rem", "sort", "top_k",
    "cummax", "cummin", "reduce_window_max", "reduce_window_min", "reduce_window", "select_and_scatter",
    "select_and_gather_add", "while",
}  # fmt: skip

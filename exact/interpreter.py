"""An interpreter of jaxprs in exact arithmetic. NumPy carries out the primitives, and nothing is compiled.

The pattern is that of "Writing custom Jaxpr interpreters in JAX" in JAX's documentation. `exact.rules` says what
becomes of each primitive; here are the calls, loops and branches around them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal, jaxprs_in_params

from exact.arithmetic import Number
from exact.balls import FUNCTIONS, ROUNDED
from exact.moves import WRITTEN, along, moved, stacked
from exact.rules import apply


class Choice(NamedTuple):
    """Integers or booleans that depend on the arguments: masks, indices, what comparisons of Numbers gave."""

    array: np.ndarray


def interpret(closed, arguments, fields):
    """Evaluate a closed jaxpr in exact arithmetic.

    What depends on no argument is a constant of the program, and has the float64 value that JAX computes for it. The
    constants in JAX's own derivatives of erf, cbrt and their like are not rounded, though.

    Args:
        closed: what `jax.make_jaxpr` returns.
        arguments: a Number for each argument of it.
        fields: the arithmetics, `arithmetic.Fields`. It counts the ties that are none at nearby weights.

    Returns:
        list of Numbers, or plain arrays for outputs that are not floats.

    Raises:
        ValueError: for what has no exact form, such as float32; the message says what to change.
        ArithmeticError: one of `exact.arithmetic`, for what these fields cannot decide and others can.
    """
    if fields.entry.functions:
        met = ROUNDED.keys() & functions_of_arguments(closed.jaxpr)
        balls = {rounded: ball() for rounded, ball in map(ROUNDED.get, met)}
        fields = fields._replace(constants=balls | {-rounded: -ball for rounded, ball in balls.items()})
    results = _evaluate(closed.jaxpr, closed.consts, arguments, fields)
    return [fields.exact(np.asarray(x)) if _is_float(x) else x.array if isinstance(x, Choice) else x for x in results]


def functions_of_arguments(jaxpr):
    """Return the names of the functions such as exp that a jaxpr computes of its arguments, not of constants alone."""
    names, varying = set(), set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(not isinstance(atom, Literal) and atom in varying for atom in equation.invars):
            varying.update(equation.outvars)
            names |= {equation.primitive.name} & FUNCTIONS.keys()
            for inner in jaxprs_in_params(equation.params):
                names |= functions_of_arguments(inner)
    return names


def _is_float(x):
    return not isinstance(x, (Number, Choice)) and jnp.issubdtype(np.asarray(x).dtype, jnp.floating)


def _evaluate(jaxpr, consts, arguments, fields):
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    read = lambda atom: np.asarray(atom.val, atom.aval.dtype) if isinstance(atom, Literal) else known[atom]
    variables = lambda atoms: {atom for atom in atoms if not isinstance(atom, Literal)}
    last = {atom: i for i, equation in enumerate(jaxpr.eqns) for atom in variables(equation.invars)}
    kept = variables(jaxpr.outvars)
    for i, equation in enumerate(jaxpr.eqns):
        results = _carry_out(equation, [read(atom) for atom in equation.invars], fields)
        known.update(zip(equation.outvars, results, strict=True))
        for atom in variables(equation.invars) - kept:
            if last[atom] == i:
                del known[atom]  # balls take hundreds of bytes each
    return [read(atom) for atom in jaxpr.outvars]


def _carry_out(equation, operands, fields):
    """Return the results of one equation: Numbers, Choices, and constants as plain arrays."""
    name, params = equation.primitive.name, equation.params
    if name in _CALLS:
        inner = params["jaxpr"] if "jaxpr" in params else params["call_jaxpr"]
        return _evaluate(*_opened(inner), operands, fields)
    if name in _CONTROL:
        return _CONTROL[name](equation, operands, fields)
    rounded = fields.constants and any(_is_float(x) and np.any(fields.stands_for_another(x)) for x in operands)
    if not rounded and not any(isinstance(x, (Number, Choice)) for x in operands):
        return _constant(equation, operands)
    _check_precision(equation, operands)
    exact = [fields.exact(np.asarray(x)) if _is_float(x) else x for x in operands]
    plain = [x.array if isinstance(x, Choice) else x for x in exact]
    if any(isinstance(x, Number) for x in plain) or name == "convert_element_type":
        results = apply(fields, equation, plain)
    else:
        results = _constant(equation, plain)
    return [x if isinstance(x, Number) else Choice(np.asarray(x)) for x in results]


def _opened(jaxpr):
    return (jaxpr.jaxpr, jaxpr.consts) if hasattr(jaxpr, "consts") else (jaxpr, [])


def _constant(equation, operands):
    """Return the results of a primitive for plain arrays, as JAX computes them."""
    if not any(jnp.issubdtype(atom.aval.dtype, jax.dtypes.extended) for atom in equation.invars):  # random keys
        if equation.primitive.name in WRITTEN:
            return moved(equation, list(map(np.asarray, operands)))
        if equation.primitive.name in _PLAIN:
            return [_PLAIN[equation.primitive.name](*operands)]
    results = equation.primitive.bind(*operands, **equation.params)
    return list(results) if equation.primitive.multiple_results else [results]


_PLAIN = {  # the most frequent ones, which JAX would compile for every shape
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "not": np.invert,
}


def _check_precision(equation, operands):
    for atom in [*equation.invars, *equation.outvars]:
        dtype = atom.aval.dtype
        if jnp.issubdtype(dtype, jnp.inexact) and dtype != np.float64:
            raise ValueError(
                f"exact ranks need float64 throughout, but '{equation.primitive.name}' computes in {dtype}: leave that "
                "conversion out of the network"
            )


# --- calls, loops and branches

_CALLS = {
    "jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "checkpoint", "remat", "remat2",
    "composite",
}  # fmt: skip


def _scan(equation, operands, fields):
    params = equation.params
    fixed, carried = params["num_consts"], params["num_carry"]
    consts, carry, rows = operands[:fixed], operands[fixed : fixed + carried], operands[fixed + carried :]
    order = range(params["length"])[:: -1 if params["reverse"] else 1]
    outputs = []
    for i in order:
        entries = [_each(lambda x, i=i: x[i], row) for row in rows]
        results = _evaluate(*_opened(params["jaxpr"]), [*consts, *carry, *entries], fields)
        carry = results[:carried]
        outputs.append(results[carried:])
    if params["reverse"]:
        outputs.reverse()
    if not outputs:
        return [*carry, *(fields.exact(np.zeros(atom.aval.shape)) for atom in equation.outvars[carried:])]
    return [*carry, *(_stack(column, fields) for column in zip(*outputs, strict=True))]


def _each(move, x):
    if isinstance(x, Number):
        return along(lambda y: [move(y)], x)[0]
    return Choice(move(x.array)) if isinstance(x, Choice) else move(np.asarray(x))


def _stack(entries, fields):
    if any(isinstance(x, Number) for x in entries):
        return stacked([fields.exact(x) for x in entries], axis=0)
    arrays = np.stack([x.array if isinstance(x, Choice) else np.asarray(x) for x in entries])
    return Choice(arrays) if any(isinstance(x, Choice) for x in entries) else arrays


def _while(equation, operands, fields):
    params = equation.params
    first, second = params["cond_nconsts"], params["body_nconsts"]
    asked, consts, carry = operands[:first], operands[first : first + second], operands[first + second :]
    condition, body = _opened(params["cond_jaxpr"]), _opened(params["body_jaxpr"])
    while True:
        (goes_on,) = _evaluate(*condition, [*asked, *carry], fields)
        if isinstance(goes_on, Choice):
            raise ValueError(
                "a loop of the network ends when its numbers say so, and has no exact form: give it a fixed number of "
                "steps, by jax.lax.scan or jax.lax.fori_loop"
            )
        if not goes_on:
            return carry
        carry = _evaluate(*body, [*consts, *carry], fields)


def _cond(equation, operands, fields):
    index, *operands = operands
    branches = equation.params["branches"]
    chosen = int(index.array if isinstance(index, Choice) else index)
    return _evaluate(*_opened(branches[min(max(chosen, 0), len(branches) - 1)]), operands, fields)


_CONTROL = {"scan": _scan, "while": _while, "cond": _cond}

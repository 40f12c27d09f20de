"""How each primitive of JAX is carried out on Numbers: by the operations of `exact.arithmetic`, and by moves.

One set of rules serves residues and balls. A rule takes (fields, equation, operands) and returns the list of results.
Operands are Numbers, or plain arrays of integers and booleans.
"""

import functools

import numpy as np

from exact import comparisons, pooling
from exact.arithmetic import IrrationalError, combine, in_every_field
from exact.balls import FUNCTIONS, digits_reached
from exact.moves import MOVES, along, along_axis, last, moved, stacked
from exact.products import as_matmul
from exact.scatters import scatter


def apply(fields, equation, operands):
    """Return the list of results of one equation of a jaxpr.

    Raises:
        ValueError: for a primitive that has no exact form; the message names it.
        IrrationalError: for one that has a value in balls only, such as exp.
    """
    name = equation.primitive.name
    if name in MOVES:
        return moved(equation, operands)
    if name in RULES:
        return RULES[name](fields, equation, operands)
    if name in FUNCTIONS:
        return [_function(fields, name, [fields.exact(x) for x in operands])]
    raise ValueError(
        f"there is no exact form for the primitive '{name}': write that step with primitives that move, add, multiply "
        "or compare numbers, or with functions such as exp, log, tanh, erf and sqrt"
    )


def _function(fields, name, operands):
    if name not in fields.entry.functions:
        raise IrrationalError(name)
    if operands[0].order is not None:
        fields.reach.add(digits_reached(name, operands[0].order[0]))
    return in_every_field(fields, lambda arithmetic: arithmetic.functions[name], *operands)


def _rule(function):
    """Make a rule of a function of fields and Numbers, which needs no parameters of the equation."""
    return lambda fields, equation, operands: [function(fields, *map(fields.exact, operands))]


# --- sums and products


def _add(fields, a, b):
    return combine(fields, "add", a, b)


def _neg(fields, a):
    return combine(fields, "neg", a)


def _sub(fields, a, b):
    return _add(fields, a, _neg(fields, b))


def _mul(fields, a, b):
    return combine(fields, "mul", a, b)


def _div(fields, a, b):
    return _mul(fields, a, combine(fields, "inverse", b))


def _square(fields, a):
    return _mul(fields, a, a)


def _integer_pow(fields, equation, operands):
    exponent, (base,) = equation.params["y"], operands
    result = fields.exact(np.ones(base.shape))
    for bit in bin(abs(exponent))[2:]:
        result = _square(fields, result)
        result = _mul(fields, result, base) if bit == "1" else result
    return [result if exponent >= 0 else combine(fields, "inverse", result)]


def _reduce_sum(fields, equation, operands):
    return [combine(fields, "total", last(equation.params["axes"], *operands), axis=-1)]


def _reduce_prod(fields, equation, operands):
    a = last(equation.params["axes"], *operands)
    one = fields.exact(np.ones(a.shape[:-1]))
    return [functools.reduce(functools.partial(_mul, fields), along_axis(-1, a) if a.shape[-1] else [], one)]


def _cumulative(operation):
    """Make the rule of cumsum and its like."""

    def rule(fields, equation, operands):
        axis, step = equation.params["axis"], -1 if equation.params["reverse"] else 1
        results = []
        for entry in along_axis(axis, *operands)[::step]:
            results.append(operation(fields, results[-1], entry) if results else entry)
        return [stacked(results[::step], axis)]

    return rule


def _bilinear(fields, equation, operands):
    a, b = operands
    left, right, back = as_matmul(equation, a.shape, b.shape)
    (a,), (b,) = along(lambda x: [left(x)], a), along(lambda x: [right(x)], b)
    return along(lambda x: [back(x)], combine(fields, "matmul", a, b))


_SIGNS = {
    "gt": lambda sign: sign > 0, "ge": lambda sign: sign >= 0, "lt": lambda sign: sign < 0,
    "le": lambda sign: sign <= 0, "eq": lambda sign: sign == 0, "ne": lambda sign: sign != 0,
    "lt_to": lambda sign: sign < 0, "le_to": lambda sign: sign <= 0, "eq_to": lambda sign: sign == 0,
}  # fmt: skip
RULES = {
    "add": _rule(_add), "add_any": _rule(_add), "sub": _rule(_sub), "neg": _rule(_neg), "mul": _rule(_mul),
    "square": _rule(_square), "div": _rule(_div), "integer_pow": _integer_pow,
    "dot_general": _bilinear, "conv_general_dilated": _bilinear, "reduce_sum": _reduce_sum,
    "reduce_prod": _reduce_prod, "cumsum": _cumulative(_add), "cumprod": _cumulative(_mul),
    "cummax": _cumulative(comparisons.maximum), "cummin": _cumulative(comparisons.minimum),
    "scatter-add": scatter(_add), "scatter-sub": scatter(_sub), "scatter-mul": scatter(_mul),
    "max": _rule(comparisons.maximum), "min": _rule(comparisons.minimum), "clamp": _rule(comparisons.clamp),
    "sign": _rule(comparisons.sign), "abs": _rule(comparisons.absolute), "floor": _rule(comparisons.floor),
    "ceil": _rule(comparisons.ceil), "is_finite": _rule(comparisons.is_finite),
    "convert_element_type": comparisons.convert,
    "reduce_max": comparisons.reduce_extreme(1), "reduce_min": comparisons.reduce_extreme(-1),
    "argmax": comparisons.arg_extreme(1), "argmin": comparisons.arg_extreme(-1),
    "sort": comparisons.sort, "top_k": comparisons.top_k,
    "reduce_window_sum": pooling.window_sum, "reduce_window_max": pooling.window_extreme(1),
    "reduce_window_min": pooling.window_extreme(-1), "select_and_gather_add": pooling.select_and_gather_add,
    "select_and_scatter_add": pooling.select_and_scatter_add,
    **{name: comparisons.comparison(holds) for name, holds in _SIGNS.items()},
}  # fmt: skip

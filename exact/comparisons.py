"""Primitives that compare: maxima, signs, sorting. All ask `arithmetic.compare`, which knows what to do at a tie.

A rule takes (fields, equation, operands) and returns the list of results, as in `exact.rules`.
"""

import numpy as np

from exact.arithmetic import Number, combine, compare
from exact.moves import along, last


def comparison(holds):
    """Make the rule of a comparison; `holds` says for which signs of a - b it is true."""

    def rule(fields, equation, operands):
        a, b = operands
        if equation.invars[0] is equation.invars[1]:  # x != x asks for NaN
            return [holds(np.where(_is_nan(fields, a), np.nan, 0))]
        return [holds(compare(fields, equation.primitive.name, fields.exact(a), fields.exact(b)))]

    return rule


def _choice(name, wanted):
    """Return the operation on two Numbers that takes the larger one, wanted = 1, or the smaller, -1."""

    def choose(fields, a, b):
        shape = np.broadcast_shapes(a.shape, b.shape)
        a, b = (along(lambda x: [np.broadcast_to(x, shape)], number)[0] for number in (a, b))
        first = compare(fields, name, a, b) * wanted >= 0
        return along(lambda x, y: [np.where(first, x, y)], a, b)[0]

    return choose


maximum, minimum = _choice("max", 1), _choice("min", -1)


def clamp(fields, low, x, high):
    """Return min(max(x, low), high)."""
    return minimum(fields, maximum(fields, x, low), high)


def sign(fields, a):
    """Return -1, 0 or 1."""
    return fields.exact(compare(fields, "sign", a, fields.exact(np.zeros(a.shape))))


def is_finite(fields, a):
    """Return whether each entry is neither infinite nor NaN. Derivatives are taken to be finite."""
    return np.ones(a.shape, bool) if a.order is None else fields.order.finite(a.order)


def _is_nan(fields, a):
    return np.zeros(a.shape, bool) if a.order is None else fields.order.nan(a.order)


def absolute(fields, a):
    """Return |a| = a sign(a)."""
    return combine(fields, "mul", a, sign(fields, a))


def floor(fields, a):
    """Return the largest integers that are not above."""
    if a.order is None:
        raise ValueError("'floor' rounds derivatives: round values of the network alone, not its derivatives")
    nearest = np.round(np.asarray(a.order[0], float))
    return fields.exact(nearest - (compare(fields, "floor", a, fields.exact(nearest)) < 0))


def ceil(fields, a):
    """Return the smallest integers that are not below."""
    return combine(fields, "neg", floor(fields, combine(fields, "neg", a)))


def convert(fields, equation, operands):
    """Convert between integers, booleans and float64. Floats become integers by rounding towards zero."""
    (a,), dtype = operands, equation.params["new_dtype"]
    if np.issubdtype(dtype, np.floating):
        return [fields.exact(a)]
    if not isinstance(a, Number):
        return [np.asarray(a).astype(dtype)]
    if np.issubdtype(dtype, np.bool_):
        return [compare(fields, "convert_element_type", a, fields.exact(np.zeros(a.shape))) != 0]
    rounded = combine(fields, "mul", sign(fields, a), floor(fields, absolute(fields, a)))
    return [np.asarray(rounded.order[0], float).astype(dtype)]


# --- sorting


def _places(fields, name, keys, wanted):
    """Return the place of each entry along the last axis if they are sorted, ties in the order in which they stand.

    Every entry is compared with every other. The first key decides, and the next ones where it is a tie.
    """
    size = keys[0].shape[-1]
    left, right = np.triu_indices(size, 1)
    ahead = 0
    for key in reversed(keys):
        if isinstance(key, Number):
            pairs = [along(lambda x, i=i: [x[..., i]], key)[0] for i in (left, right)]
            signs = compare(fields, name, *pairs)
        else:
            signs = np.sign(np.subtract(key[..., left], key[..., right], dtype=float))
        ahead = np.where(signs != 0, wanted * signs, ahead)
    later = np.zeros((*keys[0].shape, size), bool)  # whether one entry comes later than another
    later[..., left, right] = ahead > 0
    later[..., right, left] = ahead <= 0
    return later.sum(axis=-1)


def extreme(fields, name, a, wanted):
    """Return the index of the largest entry along the last axis, wanted = 1, or of the smallest, -1; the first wins.

    Neighbours are compared, then the winners with their neighbours, and so on.
    """
    index = np.broadcast_to(np.arange(a.shape[-1]), a.shape)
    while a.shape[-1] > 1:
        pairs = a.shape[-1] // 2 * 2
        even, odd = (along(lambda x, i=i, pairs=pairs: [x[..., i:pairs:2]], a)[0] for i in (0, 1))
        first = compare(fields, name, even, odd) * wanted >= 0

        def winners(x, first=first, pairs=pairs):
            return [np.concatenate([np.where(first, x[..., 0:pairs:2], x[..., 1:pairs:2]), x[..., pairs:]], axis=-1)]

        (a,), (index,) = along(winners, a), winners(index)
    return index[..., 0]


def taken(index):
    """Return the move that takes one entry along the last axis."""
    return lambda x: [np.take_along_axis(x, index[..., None], -1)[..., 0]]


def reduce_extreme(wanted):
    """Make the rule of reduce_max or reduce_min."""

    def rule(fields, equation, operands):
        a = last(equation.params["axes"], *operands)
        return along(taken(extreme(fields, equation.primitive.name, a, wanted)), a)

    return rule


def arg_extreme(wanted):
    """Make the rule of argmax or argmin."""

    def rule(fields, equation, operands):
        a = last(equation.params["axes"], *operands)
        return [extreme(fields, equation.primitive.name, a, wanted).astype(equation.params["index_dtype"])]

    return rule


def sort(fields, equation, operands):
    """Sort some arrays by the first few of them."""
    axis = equation.params["dimension"]
    move = lambda f, x: along(lambda y: [f(y)], x)[0] if isinstance(x, Number) else f(x)
    operands = [move(lambda y: np.moveaxis(y, axis, -1), x) for x in operands]
    order = np.argsort(_places(fields, "sort", operands[: equation.params["num_keys"]], 1), axis=-1)
    return [move(lambda y: np.moveaxis(np.take_along_axis(y, order, -1), -1, axis), x) for x in operands]


def top_k(fields, equation, operands):
    """Return the k largest entries along an axis, and where they stand."""
    axis, count = equation.params["axis"], equation.params["k"]
    (a,) = along(lambda x: [np.moveaxis(x, axis, -1)], *operands)
    order = np.argsort(_places(fields, "top_k", [a], -1), axis=-1)[..., :count]
    back = lambda x: np.moveaxis(x, -1, axis)
    (values,) = along(lambda x: [back(np.take_along_axis(x, order, -1))], a)
    return [values, back(order).astype(equation.outvars[1].aval.dtype)]

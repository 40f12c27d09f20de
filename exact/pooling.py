"""Primitives that look at windows of an array: average and max pooling, and what their derivatives become.

A rule takes (fields, equation, operands) and returns the list of results, as in `exact.rules`.
"""

import math

import numpy as np

from exact.arithmetic import combine
from exact.comparisons import extreme, taken
from exact.moves import along
from exact.products import windows
from exact.scatters import bring


def _windows(fields, equation, a, outside):
    """Return the windows of a Number along one last axis. Outside of the array is the number `outside`."""

    def flat(x, fill):
        views = windows(equation.params, x, fill)
        return [views.reshape(*views.shape[: x.ndim], -1)]

    return along(flat, a, fields.exact(outside))[0]


def window_sum(fields, equation, operands):
    """Add up each window."""
    return [combine(fields, "total", _windows(fields, equation, *operands, 0.0), axis=-1)]


def window_extreme(wanted):
    """Make the rule that takes the largest entry of each window, wanted = 1, or the smallest, -1."""

    def rule(fields, equation, operands):
        a = _windows(fields, equation, *operands, -wanted * math.inf)
        return along(taken(extreme(fields, equation.primitive.name, a, wanted)), a)

    return rule


def _chosen(fields, equation, a):
    """Return the flat index of the entry of each window that a pooling takes."""
    wanted = 1 if equation.params["select_prim"].name == "ge" else -1
    index = extreme(fields, equation.primitive.name, _windows(fields, equation, a, -wanted * math.inf), wanted)
    numbers = windows(equation.params, np.arange(math.prod(a.shape)).reshape(a.shape), np.array(-1))
    return taken(index)(numbers.reshape(*index.shape, -1))[0]


def select_and_gather_add(fields, equation, operands):
    """Take the tangents of the entries that a pooling takes."""
    tangents, a = operands
    chosen = _chosen(fields, equation, a)
    outside = fields.exact(np.zeros(1))  # the tangent of a window without an entry, of which the index is -1
    take = lambda x, zero: [np.concatenate([x.reshape(-1), zero])[chosen.reshape(-1)].reshape(chosen.shape)]
    return along(take, tangents, outside)


def select_and_scatter_add(fields, equation, operands):
    """Add a source to the entries that a pooling takes."""
    source, a = operands
    add = lambda x, y: combine(fields, "add", x, y)
    return bring(add, fields.exact(np.zeros(a.shape)), _chosen(fields, equation, a).reshape(-1), source)

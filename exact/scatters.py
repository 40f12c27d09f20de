"""Primitives that bring updates to given places of an array, and add or multiply there: indexing, differentiated."""

import math

import jax
import numpy as np

from exact.moves import along


def scatter(operation):
    """Make the rule of a scatter; `operation(fields, a, b)` says what becomes of an entry and its update."""

    def rule(fields, equation, operands):
        into, indices, updates = operands
        into, updates = fields.exact(into), fields.exact(updates)
        to = _targets(equation, into.shape, indices, updates.shape)
        return bring(lambda a, b: operation(fields, a, b), into, to, updates)

    return rule


def bring(operation, into, to, updates):
    """Bring updates to their places in a Number. Of those with one place, one is taken at a time.

    Args:
        operation: of two Numbers, an entry and its update.
        into: Number.
        to: flat index in it for each update, or -1 for none.
        updates: Number.

    Returns:
        list of one Number.
    """
    order = np.argsort(to, kind="stable")
    turn = np.empty_like(to)
    turn[order] = np.arange(len(to)) - np.searchsorted(to[order], to[order])  # updates that come before, to one place
    (result,), (updates,) = (along(lambda x: [x.reshape(-1)], number) for number in (into, updates))
    for k in range(turn[to >= 0].max(initial=-1) + 1):
        chosen = np.flatnonzero((turn == k) & (to >= 0))
        (old,), (new,) = along(_at(to[chosen]), result), along(_at(chosen), updates)
        (result,) = along(_replace(to[chosen]), result, operation(old, new))
    return along(lambda x: [x.reshape(into.shape)], result)


def _targets(equation, shape, indices, updates):
    """Return, for each entry of the updates, the flat index to which a scatter brings it, or -1 if it drops it.

    The transposed map of `scatter-add` sends the number of each target back to the updates.

    Args:
        equation: of a scatter.
        shape: of the array that is scattered into.
        indices: integers.
        updates: shape of the updates.
    """
    params = {**equation.params, "update_jaxpr": None, "update_consts": ()}
    scatter = lambda moved: jax.lax.scatter_add_p.bind(np.zeros(shape), np.asarray(indices), moved, **params)
    numbers = 1.0 + np.arange(math.prod(shape)).reshape(shape)
    (back,) = jax.linear_transpose(scatter, jax.ShapeDtypeStruct(updates, float))(numbers)
    return np.asarray(back).astype(np.int64).reshape(-1) - 1


def _at(places):
    return lambda x: [x[places]]


def _replace(places):
    def replaced(x, new):
        x = np.array(x)
        x[places] = new
        return [x]

    return replaced

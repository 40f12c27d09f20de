"""Primitives that move entries of NumPy arrays, whatever the entries are: floats, residues, balls.

`moved` carries one out. Nothing is compiled, save for primitives too rare to be written down here: JAX then moves the
numbers of the entries in place of the entries.
"""

import math

import numpy as np

from exact.arithmetic import Number


def along(move, *operands):
    """Apply `move`, from arrays to a list of arrays, to the arrays that make up the Numbers, field by field.

    A field that one of the Numbers lacks is lacking in the results.

    Args:
        move: a function of NumPy arrays that moves their entries, and returns a list of arrays.
        operands: Numbers, and plain arrays, which are handed to `move` as they are.

    Returns:
        list of Numbers.
    """
    columns = []
    for field in Number._fields:
        parts = [getattr(x, field) if isinstance(x, Number) else x for x in operands]
        if any(part is None for part in parts):
            columns.append(None)
            continue
        layers = max(len(part) for part in parts if isinstance(part, tuple))
        results = [move(*(part[i] if isinstance(part, tuple) else part for part in parts)) for i in range(layers)]
        columns.append(list(zip(*results, strict=True)))
    return [Number(*(column and column[i] for column in columns)) for i in range(len(columns[0]))]


def moved(equation, operands):
    """Apply a primitive that moves entries.

    Args:
        equation: of a jaxpr; its primitive is in `MOVES`.
        operands: Numbers, whose entries move, and plain arrays of integers and booleans, which say where.

    Returns:
        list of Numbers, or of plain arrays if there is no Number among the operands.
    """
    params, as_list = equation.params, list if equation.primitive.multiple_results else lambda result: [result]
    move = WRITTEN.get(equation.primitive.name) or _by_number(equation, operands)
    apply = lambda *arrays: as_list(move(params, *arrays))
    return along(apply, *operands) if any(isinstance(x, Number) for x in operands) else apply(*operands)


def _by_number(equation, operands):
    """Let JAX move numbers 0, 1, 2, ... in place of the entries. Return a function that moves entries likewise."""
    numbered, first = list(operands), 0
    moving = [k for k, x in enumerate(operands) if isinstance(x, Number)]
    for k in moving:
        size = math.prod(operands[k].shape)
        numbered[k] = np.arange(first, first + size).reshape(operands[k].shape)
        first += size
    params = equation.params | ({"fill_value": -1} if "fill_value" in equation.params else {})
    results = equation.primitive.bind(*numbered, **params)
    several = equation.primitive.multiple_results
    places = [np.asarray(x) for x in (results if several else [results])]
    if any(np.any(place < 0) for place in places):
        raise ValueError(f"'{equation.primitive.name}' reads outside of an array: choose indices within its shape")

    def move(params, *arrays):
        pool = np.concatenate([arrays[k].reshape(-1) for k in moving])
        taken = [pool[place.reshape(-1)].reshape(place.shape) for place in places]
        return taken if several else taken[0]

    return move


def last(axes, a):
    """Return a Number with some of its axes moved to the end and made one."""
    kept = [axis for axis in range(len(a.shape)) if axis not in axes]
    sizes = [a.shape[axis] for axis in kept]
    return along(lambda x: [x.transpose(*kept, *axes).reshape(*sizes, -1)], a)[0]


def along_axis(axis, a):
    """Return the entries of a Number along an axis, as a list of Numbers without that axis."""
    return along(lambda x: _rows(np.moveaxis(x, axis, 0)), a)


def _rows(x):
    """Return the entries of an array along its first axis, as arrays even if they are single objects."""
    return [np.asarray(row, x.dtype) for row in x]


def stacked(numbers, axis):
    """Return Numbers of one shape as one, with a new axis."""
    return along(lambda *xs: [np.stack(xs, axis)], *numbers)[0]


# --- moves


def _broadcast_in_dim(params, x, *_):
    shape, places = params["shape"], params["broadcast_dimensions"]
    expanded = [1] * len(shape)
    for place, size in zip(places, x.shape, strict=True):
        expanded[place] = size
    return np.broadcast_to(x.reshape(expanded), shape)


def _reshape(params, x):
    return (x if params["dimensions"] is None else x.transpose(params["dimensions"])).reshape(params["new_sizes"])


def _slice(params, x):
    steps = params["strides"] or (1,) * x.ndim
    return x[tuple(map(slice, params["start_indices"], params["limit_indices"], steps))]


def padded(padding, x, fill):
    """Return an array with more entries, or fewer, along each axis: before, after, and between any two.

    Args:
        padding: (before, after, between) for each axis; before and after may be negative.
        x: array.
        fill: array of one entry.
    """
    config = list(zip(padding, x.shape, strict=True))
    shape = [low + high + size + inside * max(size - 1, 0) for (low, high, inside), size in config]
    result = np.full(shape, fill[()], dtype=x.dtype)
    places = [low + (inside + 1) * np.arange(size) for (low, _, inside), size in config]
    inner = [(place >= 0) & (place < length) for place, length in zip(places, shape, strict=True)]
    result[np.ix_(*(place[kept] for place, kept in zip(places, inner, strict=True)))] = x[np.ix_(*inner)]
    return result


def _select_n(params, which, *cases):
    which = np.broadcast_to(which, cases[0].shape)
    return np.where(which, cases[1], cases[0]) if len(cases) == 2 else np.choose(which, cases)


def _place(x, starts, sizes):
    firsts = [int(np.clip(start, 0, full - size)) for start, full, size in zip(starts, x.shape, sizes, strict=True)]
    return tuple(slice(first, first + size) for first, size in zip(firsts, sizes, strict=True))


def _dynamic_update_slice(params, x, update, *starts):
    result = np.array(x)
    result[_place(x, starts, update.shape)] = update
    return result


WRITTEN = {
    "reshape": _reshape,
    "transpose": lambda params, x: x.transpose(params["permutation"]),
    "broadcast_in_dim": _broadcast_in_dim,
    "squeeze": lambda params, x: x.squeeze(tuple(params["dimensions"])),
    "expand_dims": lambda params, x: np.expand_dims(x, tuple(params["dimensions"])),
    "slice": _slice,
    "split": lambda params, x: np.split(x, np.cumsum(params["sizes"])[:-1], axis=params["axis"]),
    "concatenate": lambda params, *xs: np.concatenate(xs, axis=params["dimension"]),
    "stack": lambda params, *xs: np.stack(xs, axis=params["axis"]),
    "unstack": lambda params, x: _rows(np.moveaxis(x, params["axis"], 0)),
    "tile": lambda params, x: np.tile(x, params["reps"]),
    "rev": lambda params, x: np.flip(x, tuple(params["dimensions"])),
    "pad": lambda params, x, fill: padded(params["padding_config"], x, fill),
    "select_n": _select_n,
    "dynamic_slice": lambda params, x, *starts: x[_place(x, starts, params["slice_sizes"])],
    "dynamic_update_slice": _dynamic_update_slice,
    **dict.fromkeys(["optimization_barrier", "device_put"], lambda params, *xs: xs),
    **dict.fromkeys(["copy", "copy_p", "stop_gradient", "name"], lambda params, x: x),
}  # fmt: skip
MOVES = {*WRITTEN, "gather", "scatter"}

"""With which known matrices a program multiplies the weights of a network.

A product with a Hessian, v (p,) -> H v, cuts v into changes D (a, b) of weights. Where a layer multiplies its inputs
X (n, a) with weights, the program has the products X D, and G D^T with derivatives G (n, b) of the loss. They are found
here, and whether D is used in any other way.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from matrix_free.layouts import as_array, evaluated, read


class Sides(NamedTuple):
    """The matrices with which a program multiplies the weights of a layer, by their names in the program."""

    left: dict  # X (n, a)
    right: dict  # G (n, b)


class Piece(NamedTuple):
    """A part of the vector of parameters as an array."""

    begin: int  # place of its first entry in the vector
    shape: tuple
    turned: bool = False  # whether it is the transpose of a matrix of this shape

    @property
    def end(self):
        """The place behind its last entry."""
        return self.begin + math.prod(self.shape)


def sides_of(jaxpr, consts, p):
    """Return {(begin, (a, b)): Sides} of the weights that a program multiplies with known matrices, and no more."""
    values = dict(zip(jaxpr.constvars, consts, strict=True))
    values[jaxpr.invars[0]] = Piece(0, (p,))
    found, others = {}, []
    for equation in jaxpr.eqns:
        inputs = [read(values, atom) for atom in equation.invars]
        pieces = [value for value in inputs if isinstance(value, Piece)]
        if not pieces and all(value is not None for value in inputs):
            results = [as_array(value) for value in evaluated(equation, inputs)]
        else:
            results, factor = parted(equation, inputs), factor_of(equation, inputs)
            if factor is not None:
                piece, side, name, matrix = factor
                piece = piece._replace(turned=False)
                found.setdefault(piece, Sides({}, {}))[side][name] = matrix
            elif results is None:
                others += pieces
            results = results or [None] * len(equation.outvars)
        values.update(zip(equation.outvars, results, strict=True))
    places = {(begin, size) for begin, size, _ in outputs_of(jaxpr)}
    apart = lambda one, other: other.end <= one.begin or one.end <= other.begin
    return {
        (piece.begin, piece.shape): sides
        for piece, sides in found.items()
        if (piece.begin, piece.end - piece.begin) in places
        and all(apart(piece, other) for other in others)
        and all(piece == other or apart(piece, other) for other in found)
    }


def parted(equation, inputs):
    """Return the Pieces that an equation makes of a Piece, or None if it does something else."""
    name, params, piece = equation.primitive.name, equation.params, inputs[0] if inputs else None
    if not isinstance(piece, Piece):
        return None
    shapes = [atom.aval.shape for atom in equation.outvars]
    flat = len(piece.shape) == 1
    if name == "split" and flat:
        starts = piece.begin + np.cumsum([0, *params["sizes"]])[:-1]
        return [Piece(int(start), shape) for start, shape in zip(starts, shapes, strict=True)]
    if name == "slice" and flat and params["strides"] in (None, (1,)):
        return [Piece(piece.begin + params["start_indices"][0], shapes[0])]
    if name in ("reshape", "squeeze", "expand_dims") and not piece.turned and params.get("dimensions") is None:
        return [piece._replace(shape=shapes[0])]
    if name == "transpose" and len(piece.shape) == 2 and params["permutation"] == (1, 0):
        return [piece._replace(turned=not piece.turned)]
    return None


def factor_of(equation, inputs):
    """Return (piece, side, name, matrix) if an equation multiplies a Piece (a, b) with a known matrix, or None.

    On side 0 the matrix is X (n, a), and the product X D. On side 1 it is G (n, b), and the product G D^T.
    """
    if equation.primitive.name != "dot_general":
        return None
    contracted, batched = equation.params["dimension_numbers"]
    for one, other in ((0, 1), (1, 0)):
        piece, matrix = inputs[one], inputs[other]
        known = not (matrix is None or isinstance(matrix, Piece))
        if isinstance(piece, Piece) and known and len(piece.shape) == 2 and not any(batched):
            (axis, *others), axes = contracted[one], contracted[other]
            if not others:
                matrix = as_rows(as_array(matrix), axes[0])
                return piece, axis ^ piece.turned, equation.invars[other], matrix
    return None


def as_rows(array, axis):
    """Return a known array as a matrix whose columns are along an axis; in NumPy if it is a number, to compile less."""
    xp = jnp if isinstance(array, jax.core.Tracer) else np
    return xp.moveaxis(xp.asarray(array), axis, -1).reshape(-1, array.shape[axis])


def joining_equation(jaxpr):
    """Return the equation that joins the parts of the result, or None if it is not made of parts."""
    for equation in jaxpr.eqns:
        if jaxpr.outvars[0] in equation.outvars and equation.primitive.name == "concatenate":
            return equation
    return None


def outputs_of(jaxpr):
    """Return (begin, size, name) of the parts of the result."""
    joining = joining_equation(jaxpr)
    names = jaxpr.outvars if joining is None else joining.invars
    sizes = [name.aval.shape[0] for name in names]
    return list(zip(np.cumsum([0, *sizes])[:-1].tolist(), sizes, names, strict=True))

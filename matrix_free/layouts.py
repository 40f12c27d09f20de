"""The gradients to weight matrices, in the order of axes that XLA multiplies fastest on a CPU.

Let X (n, a) be the inputs of a layer with weights (a, b), and G (n, b) the derivatives of the loss by its outputs. Its
gradient to the weights is X^T G. JAX writes this down as a sum over the first axes of both, transposed. A product with
the Hessian has two such terms for each layer:

    X^T dG + dX^T G  =  [X; dX]^T [dG; G]

On a CPU XLA takes twice as long for one of them as for a product of rows with columns, and as long again to transpose
the result. So the program of a product is rewritten here: the right-hand side is one product of rows with columns.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax.extend import core
from jax.tree_util import Partial


def relaid(product, p):
    """Return a linear product v (p,) -> H v in which gradients to weights are one product of matrices each.

    Args:
        product: a traceable function.
        p: number of entries of its argument, float64.

    Returns:
        A pytree like the products of `matvecs`: the arrays it keeps are leaves.
    """
    closed = program(product, p)
    return Partial(functools.partial(_evaluated, closed.jaxpr), closed.consts)


def program(product, p):
    """Return the program of a product v (p,) -> H v, a closed jaxpr, without functions that call others."""
    vector = jax.ShapeDtypeStruct((p,), float)
    closed = jax.make_jaxpr(product)(vector)
    return jax.make_jaxpr(functools.partial(_inlined, closed.jaxpr, closed.consts))(vector)


class Gradient:
    """The sum of X^T G over pairs of matrices, before it is computed, and of the names that X and G have."""

    def __init__(self, pairs, names, shape):
        self.pairs, self.names, self.shape = pairs, names, shape

    @property
    def matrix_shape(self):
        """Rows and columns of X^T G, whose entries, row by row, are those of the array of the shape `shape`."""
        return tuple(part.shape[1] for part in self.pairs[0])

    def computed(self):
        """Return the sum as an array."""
        return summed(self.pairs).reshape(self.shape)


def summed(pairs):
    """Return the sum of X^T G over pairs of matrices (X, G), as one product of rows with columns."""
    X, G = (jnp.concatenate(part) for part in zip(*pairs, strict=True))
    # Without the barrier XLA would undo the transposition.
    return jax.lax.optimization_barrier(X.T) @ G


def evaluated(equation, inputs, is_gradient=False):
    """Return the results of an equation of a program, as a list.

    A sum over the first axes of both factors is taken for a gradient to weights and becomes a Gradient. So does a
    product over other axes, if it is said to be one.
    """
    gradient = _put_off(equation, inputs, is_gradient)
    if gradient is not None:
        return [gradient]
    return _bound(equation, [as_array(value) for value in inputs])


def as_array(value):
    """Return a value of a program as an array."""
    return value.computed() if isinstance(value, Gradient) else value


def read(values, atom):
    """Return the value of an input of an equation, where `values` are those of variables."""
    return atom.val if isinstance(atom, core.Literal) else values[atom]


def _evaluated(jaxpr, consts, v):
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, v], strict=True))
    for equation in jaxpr.eqns:
        results = evaluated(equation, [read(values, atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return as_array(read(values, jaxpr.outvars[0]))


def _inlined(jaxpr, consts, *arguments):
    """Return the result of a program, or the results as a list, where functions that it calls are a part of it."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    for equation in jaxpr.eqns:
        inputs = [read(values, atom) for atom in equation.invars]
        if equation.primitive.name == "jit":
            inner = equation.params["jaxpr"]
            results = _inlined(inner.jaxpr, inner.consts, *inputs)
        else:
            results = _bound(equation, inputs)
        values.update(zip(equation.outvars, results, strict=True))
    return [read(values, atom) for atom in jaxpr.outvars]


def _bound(equation, inputs):
    results = equation.primitive.bind(*inputs, **equation.params)
    return results if equation.primitive.multiple_results else [results]


def _put_off(equation, inputs, is_gradient):
    """Return the Gradient that an equation makes, or None."""
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        axes, batched = params["dimension_numbers"]
        count, ranks = len(axes[0]), [value.aval.ndim for value in equation.invars]
        first = all(tuple(one) == tuple(range(count)) for one in axes)
        if any(batched) or not (first or is_gradient) or min(ranks) <= count:
            return None
        pair = [jnp.moveaxis(as_array(value), one, range(count)) for value, one in zip(inputs, axes, strict=True)]
        pair = [value.reshape(math.prod(value.shape[:count]), -1) for value in pair]
        return Gradient([tuple(pair)], [tuple(equation.invars)], equation.outvars[0].aval.shape)
    if not inputs or not all(isinstance(value, Gradient) for value in inputs):
        return None
    first = inputs[0]
    if name in ("add", "add_any") and first.matrix_shape == inputs[1].matrix_shape:
        return Gradient(first.pairs + inputs[1].pairs, first.names + inputs[1].names, first.shape)
    if name == "transpose" and first.shape == first.matrix_shape:
        return Gradient([pair[::-1] for pair in first.pairs], [pair[::-1] for pair in first.names], first.shape[::-1])
    if name == "reshape" and params["dimensions"] is None:
        return Gradient(first.pairs, first.names, tuple(params["new_sizes"]))
    return None

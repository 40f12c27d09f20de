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
    closed = jax.make_jaxpr(product)(jax.ShapeDtypeStruct((p,), float))
    return Partial(functools.partial(_evaluated, closed.jaxpr), closed.consts)


class _Gradient:
    """The sum of X^T G over pairs of matrices (X, G), before it is computed."""

    def __init__(self, pairs, shape):
        self.pairs, self.shape = pairs, shape

    def computed(self):
        """Return the sum as an array."""
        X, G = (jnp.concatenate(part) for part in zip(*self.pairs, strict=True))
        # Without the barrier XLA would undo the transposition.
        return (jax.lax.optimization_barrier(X.T) @ G).reshape(self.shape)


def _evaluated(jaxpr, consts, v):
    (image,) = _run(jaxpr, consts, [v])
    return image


def _run(jaxpr, consts, arguments):
    """Return the results of a program, as a JAX interpreter does, with gradients to weights put off until needed."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    for equation in jaxpr.eqns:
        inputs = [atom.val if isinstance(atom, core.Literal) else values[atom] for atom in equation.invars]
        put_off = _put_off(equation, inputs)
        if put_off is not None:
            results = [put_off]
        else:
            inputs = [value.computed() if isinstance(value, _Gradient) else value for value in inputs]
            if equation.primitive.name == "jit":
                inner = equation.params["jaxpr"]
                results = _run(inner.jaxpr, inner.consts, inputs)
            else:
                results = equation.primitive.bind(*inputs, **equation.params)
                results = results if equation.primitive.multiple_results else [results]
        values.update(zip(equation.outvars, results, strict=True))
    results = [atom.val if isinstance(atom, core.Literal) else values[atom] for atom in jaxpr.outvars]
    return [value.computed() if isinstance(value, _Gradient) else value for value in results]


def _put_off(equation, inputs):
    """Return the _Gradient that an equation makes, or None."""
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        ((first, second), batched), ranks = params["dimension_numbers"], [value.aval.ndim for value in equation.invars]
        shared = tuple(range(len(first)))
        if any(batched) or not tuple(first) == tuple(second) == shared or min(ranks) <= len(shared):
            return None
        pair = [value.computed() if isinstance(value, _Gradient) else value for value in inputs]
        pair = [value.reshape(math.prod(value.shape[: len(shared)]), -1) for value in pair]
        return _Gradient([tuple(pair)], equation.outvars[0].aval.shape)
    if not all(isinstance(value, _Gradient) for value in inputs):
        return None
    if name in ("add", "add_any"):
        return _Gradient(inputs[0].pairs + inputs[1].pairs, inputs[0].shape)
    if name == "transpose" and len(inputs[0].shape) == 2:
        return _Gradient([pair[::-1] for pair in inputs[0].pairs], inputs[0].shape[::-1])
    return None

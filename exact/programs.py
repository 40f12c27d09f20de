"""Products with H_f and H_o in exact arithmetic: traced once, carried out by the interpreter."""

import functools

import jax
import numpy as np

import hessians
from exact.arithmetic import Fields, Number
from exact.interpreter import functions_of_arguments, interpret
from matvecs import functional_matvec, linearized, outer_matvec

_APART = 1e-4  # how far the nearby weights are, relative to the largest of their array


def products(this, fields, probes, block, direction=0):
    """Return H_f v and H_o v for probes v, summed over the batches.

    Args:
        this: `problem.Problem`.
        fields: the arithmetics, `arithmetic.Fields`.
        probes: Number of shape (N, p), without order.
        block: how many probes are carried through the network at once.
        direction: which of the nearby weights tell the side of a tie; 2 k and 2 k + 1 are opposite.

    Returns:
        two tuples of arrays (N, p), as `fields.entry` has them.
    """
    count = len(probes.entry[0])
    block = min(block, count)
    totals = None
    for inputs, targets in this.batches:
        arguments = _arguments(this, fields, inputs, targets, direction)
        program = _program(this, _hessian_products, inputs, targets, block)
        images = [[np.empty_like(x) for x in probes.entry] for _ in range(2)]
        for first in [*range(0, count - block, block), count - block]:  # all blocks have one shape: the last overlaps
            rows = slice(first, first + block)
            vectors = Number(tuple(x[rows] for x in probes.entry))
            for image, result in zip(images, interpret(program, [*arguments, vectors], fields), strict=True):
                for whole, part in zip(image, result.entry, strict=True):
                    whole[rows] = part
        images = [tuple(image) for image in images]
        totals = [fields.entry.add(x, y) for x, y in zip(totals, images, strict=True)] if totals else images
    return totals


def is_rational(this, block):
    """Return whether the Hessians take no function such as exp, so that their entries are fractions."""
    inputs, targets = this.batches[0]
    program = _program(this, _hessian_products, inputs, targets, min(block, hessians.num_params(this.params)))
    return not functions_of_arguments(program.jaxpr)


def one_sided(this, fields, probes, direction):
    """Return what a smooth network has alike on all sides of a tie, for each batch.

    These are the outputs, the loss, its gradient in the outputs, and, for each probe v, J v, H_f v and H_o v.

    Args:
        this, fields, probes, direction: as in `products`.

    Returns:
        list of tuples of arrays, as `fields.entry` has them.
    """
    results = []
    for inputs, targets in this.batches:
        program = _program(this, _smooth_parts, inputs, targets, len(probes.entry[0]))
        results += interpret(program, [*_arguments(this, fields, inputs, targets, direction), probes], fields)
    return [result.entry for result in results]


def _arguments(this, fields, inputs, targets, direction):
    nearby = _nearby(this.params, direction)
    weights = zip(*map(jax.tree.leaves, (this.params, nearby)), strict=True)
    data = [fields.exact(x) if np.issubdtype(x.dtype, np.floating) else x for x in jax.tree.leaves((inputs, targets))]
    return [*(_number(fields, x, y) for x, y in weights), *data]


def _number(fields, x, near):
    return Number(fields.entry.exact(x), fields.order.exact(x), fields.near.exact(near))


def _nearby(params, direction):
    generator = np.random.default_rng(direction // 2)
    sign = 1 - 2 * (direction % 2)

    def moved(x):
        size = np.max(abs(x), initial=0.0) or 1.0
        return x + sign * _APART * size * generator.normal(size=x.shape)

    return jax.tree.map(moved, params)


def _program(this, function, inputs, targets, block):
    """Return the jaxpr of a function of (loss, apply_fn, params, inputs, targets, vectors (block, p))."""
    leaves, tree = jax.tree.flatten((this.params, inputs, targets))
    shapes = *((x.shape, x.dtype) for x in leaves), ((block, hessians.num_params(this.params)), np.dtype(float))
    try:
        return _traced(function, this.loss, this.apply_fn, tree, shapes)
    except AssertionError as error:
        raise ValueError(
            "JAX cannot linearize the network or the loss: make the custom derivatives in it linear in their tangents, "
            "without comparisons of them"
        ) from error


@functools.lru_cache(maxsize=64)
def _traced(function, loss, apply_fn, tree, shapes):
    """Trace once for all networks of one shape."""
    *leaves, vectors = (jax.ShapeDtypeStruct(*each) for each in shapes)
    return jax.make_jaxpr(functools.partial(function, loss, apply_fn))(*jax.tree.unflatten(tree, leaves), vectors)


def _hessian_products(loss, apply_fn, params, inputs, targets, vectors):
    matvecs = functional_matvec, outer_matvec
    return [jax.vmap(matvec(loss, apply_fn, params, inputs, targets))(vectors) for matvec in matvecs]


def _smooth_parts(loss, apply_fn, params, inputs, targets, vectors):
    outputs, jacobian, _ = linearized(apply_fn, params, inputs)
    value, slope = jax.value_and_grad(loss)(outputs, targets)
    products = _hessian_products(loss, apply_fn, params, inputs, targets, vectors)
    return jax.tree.leaves([outputs, value, slope, jax.vmap(jacobian)(vectors), *products])


def fields(entry, order, near):
    """Return fields that have met nothing yet."""
    return Fields(entry, order, near, {}, {}, set())

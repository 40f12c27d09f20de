"""The interpreter against Python's fractions: beside each function stands a plain loop over fractions that equals it.

Each case of `CASES` is (function of JAX, the same function of arrays of Fractions, arguments). Residues have to equal
the fractions modulo two primes, the error bounds of float64 and the balls have to contain them.
"""

import functools
import itertools
import math
from fractions import Fraction

import flint
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr, Jaxpr

from exact.arithmetic import IrrationalError, Number, OpenComparisonError, ZeroDivisorError
from exact.balls import BALLS
from exact.finite_field import modulo
from exact.interpreter import interpret
from exact.moves import MOVES
from exact.programs import fields
from exact.rules import RULES
from exact.running_errors import BOUNDED, PLAIN
from tests.exact.test_finite_field import PRIMES
from tests.exact.test_finite_field import modulo as residue

RNG = np.random.default_rng(0)
DIGITS = 100


def dyadic(*shape):
    """Return random numbers m / 2^10, of different sizes and signs. Their products and sums are short fractions."""
    size = math.prod(shape)
    return (RNG.permutation(2**12 - 1)[:size].reshape(shape) + 1) * RNG.choice([-1, 1], size=shape) / 2.0**10


# --- plain loops over fractions


def fractions(array):
    return np.vectorize(Fraction, otypes=[object])(array)


def each(function):
    """Apply a function of fractions entry by entry."""
    return np.vectorize(lambda *x: Fraction(function(*x)), otypes=[object])


def zeros(shape):
    return fractions(np.zeros(shape))


def rows(function, x):
    """Apply a function of lists to the rows of an array, along its last axis."""
    results = [function(list(row)) for row in x.reshape(-1, x.shape[-1])]
    return fractions(np.array(results, object)).reshape(*x.shape[:-1], *np.shape(results[0]))


def columns(function, x):
    """Apply a function of lists along the first axis."""
    return np.moveaxis(rows(function, np.moveaxis(x, 0, -1)), -1, 0) if x.ndim > 1 else rows(function, x)


def running(operation):
    """Return the function of a list that combines the first 1, 2, 3, ... of its entries."""
    return lambda entries: list(itertools.accumulate(entries, operation))


def backwards(function):
    """Return the function of a list that starts from its end."""
    return lambda entries: function(entries[::-1])[::-1]


def product_of_others(entries):
    """Return the derivatives of the product of a list."""
    return [math.prod(entries[:i] + entries[i + 1 :]) for i in range(len(entries))]


def gradient_of_running_products(entries):
    """Return the derivatives of the sum of the running products of a list."""
    derivative = lambda i, k: math.prod(entries[:i] + entries[i + 1 : k])
    return [sum(derivative(i, k) for k in range(i + 1, len(entries) + 1)) for i in range(len(entries))]


def gradient_of_running_maxima(entries):
    """Return the derivatives of the sum of the squares of the running maxima of a list."""
    result = [0] * len(entries)
    for k in range(1, len(entries) + 1):
        largest = max(entries[:k])
        result[entries.index(largest)] += 2 * largest
    return result


def ranked(entries):
    """Return the place of each entry in the sorted list."""
    return [sorted(entries).index(entry) for entry in entries]


def indices_sorted(entries):
    return [entries.index(entry) for entry in sorted(entries)]


def only(chosen, then):
    """Return the function of a list that keeps `then(entry)` where the entry is among `chosen(list)`, and else 0."""
    return lambda entries: [then(entry) if entry in chosen(entries) else 0 for entry in entries]


def padded(x, config, fill=0):
    """Pad as `jax.lax.pad` does, entry by entry."""
    sizes = [low + high + n + inside * (n - 1) for (low, high, inside), n in zip(config, x.shape, strict=True)]
    result = fractions(np.full(sizes, float(fill)))
    for place in np.ndindex(x.shape):
        to = [low + (1 + inside) * i for (low, _, inside), i in zip(config, place, strict=True)]
        if all(0 <= i < size for i, size in zip(to, sizes, strict=True)):
            result[tuple(to)] = x[place]
    return result


def readings(size, window, stride=1, padding=(0, 0), base=1, apart=1):
    """Return which index each entry of each window reads along one axis, or None between and outside of the array."""
    length = sum(padding) + (size - 1) * base + 1
    count = (length - (window - 1) * apart - 1) // stride + 1
    index = lambda place: place // base if place % base == 0 and 0 <= place < size * base else None
    return [[index(i * stride + j * apart - padding[0]) for j in range(window)] for i in range(count)]


def pools(x, *axes):
    """Return the shape of a pooling, and for each window its place and the places of x that it reads, in their order.

    Args:
        x: array.
        axes: for each axis a dictionary of the arguments of `readings`.
    """
    along = [readings(size, **axis) for size, axis in zip(x.shape, axes, strict=True)]
    windows = []
    for place in np.ndindex(*map(len, along)):
        read = itertools.product(*(along[axis][i] for axis, i in enumerate(place)))
        windows.append((place, [index for index in read if None not in index]))
    return tuple(map(len, along)), windows


def pooled(function, x, *axes):
    """Return a function of the list of entries of each window."""
    shape, windows = pools(x, *axes)
    result = zeros(shape)
    for place, read in windows:
        result[place] = function([x[index] for index in read])
    return result


def to_the_chosen(choose, then, x, *axes):
    """Add `then(index)` to the entry of each window that max or min chooses; `then` knows the index of that entry."""
    result = zeros(x.shape)
    for _, read in pools(x, *axes)[1]:
        index = choose(read, key=lambda place: x[place])
        result[index] += then(index)
    return result


class Convolution:
    """A convolution of images (samples, channels, ...) by kernels (outputs, channels, ...), as a list of products."""

    def __init__(self, x, k, *axes, groups=1, batch_groups=1):
        (samples, channels, *sizes), (outputs, inputs, *window) = x, k
        assert channels == inputs * groups
        along = [readings(n, w, **axis) for n, w, axis in zip(sizes, window, axes, strict=True)]
        samples //= batch_groups
        self.shape, self.terms = (samples, outputs, *map(len, along)), []
        for n, out, c in itertools.product(range(samples), range(outputs), range(inputs)):
            channel = out // (outputs // groups) * inputs + c
            sample = out // (outputs // batch_groups) * samples + n
            for place in np.ndindex(*self.shape[2:]):
                for entry in np.ndindex(*window):
                    read = [along[axis][i][j] for axis, (i, j) in enumerate(zip(place, entry, strict=True))]
                    if None not in read:
                        self.terms.append(((n, out, *place), (sample, channel, *read), (out, c, *entry)))

    def __call__(self, x, k):
        result = zeros(self.shape)
        for to, image, kernel in self.terms:
            result[to] += x[image] * k[kernel]
        return result

    def gradients(self, x, k):
        """Return the derivatives of the sum of the squares, for images and kernels."""
        y, by_image, by_kernel = self(x, k), zeros(x.shape), zeros(k.shape)
        for to, image, kernel in self.terms:
            by_image[image] += 2 * y[to] * k[kernel]
            by_kernel[kernel] += 2 * y[to] * x[image]
        return by_image, by_kernel


def convolved(x, k, *axes, **groups):
    return Convolution(x.shape, k.shape, *axes, **groups)(x, k)


def added(x, places, updates, operation=lambda a, b: a + b):
    """Carry out `operation` with the updates one after another, at places that may occur more than once."""
    result = x.copy()
    for place, update in zip(places, updates, strict=True):
        result[place] = operation(result[place], update)
    return result


def looped(step, start, entries):
    """Return what `jax.lax.scan` returns."""
    outputs = []
    for entry in entries:
        start, output = step(start, entry)
        outputs.append(output)
    return start, np.array(outputs, object)


# --- functions of JAX


def summed_square(function):
    """Return the gradient of the sum of the squares of a function."""
    return jax.grad(lambda x: jnp.sum(function(x) ** 2))


def along_itself(function):
    """Return the derivative of a function at x in the direction x."""
    return lambda x: jax.jvp(function, (x,), (x,))[1]


def max_pool(x, window, strides, padding, **options):
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, padding, **options)


def min_pool(x, window, strides, padding, **options):
    return lax.reduce_window(x, jnp.inf, lax.min, window, strides, padding, **options)


def sum_pool(x, window, strides, padding, **options):
    return lax.reduce_window(x, 0.0, lax.add, window, strides, padding, **options)


conv = lax.conv_general_dilated


@jax.custom_vjp
def cube(x):
    return x * x * x


cube.defvjp(lambda x: (cube(x), x), lambda x, g: (5 * x * g,))  # not its derivative, so that one sees who is asked


X, Y, Z = dyadic(3, 4), dyadic(3, 4), dyadic(4, 2)
A, V = dyadic(2, 3, 4), dyadic(6)
IMAGES, KERNELS = dyadic(2, 2, 4, 5), dyadic(4, 2, 2, 3)
INDEX = np.array([0, 0, 2, 1, 0])
MASK = RNG.random((3, 4)) < 0.5
THIRD = np.float32(1 / 3)
STRIDED = dict(window=3, stride=2, padding=(1, 1))  # 'SAME' for 5 entries
SAME_OF_FOUR = dict(window=3, stride=2, padding=(0, 1))  # 'SAME' for 4 entries

CASES = {
    # sums and products
    "sums and products": (
        lambda x, y: (x * y - 3 * x + 0.1) * -y,
        lambda x, y: (x * y - 3 * x + Fraction(0.1)) * -y, X, Y,
    ),
    "matrix product": (lambda x, y, z: (x - y) @ z, lambda x, y, z: (x - y) @ z, X, Y, Z),
    "contraction in batches": (
        lambda x, y, z: jnp.einsum("ij,ij,jk->ik", x, y, z),
        lambda x, y, z: (x * y) @ z, X, Y, Z,
    ),
    "contraction of several axes": (
        lambda a: jnp.einsum("ijk,ijl,lm->mkij", a, a, a[0].T @ a[1]),
        lambda a: np.array([[[[
            sum(a[i, j, k] * a[i, j, n] * (a[0].T @ a[1])[n, m] for n in range(4)) for j in range(3)]
            for i in range(2)] for k in range(4)] for m in range(4)], object),
        A,
    ),
    "product without a sum": (lambda v: jnp.outer(v, v), lambda v: v[:, None] * v, V),
    "integer powers": (lambda x, y: x**2 + y**5 + x**-3 + y**0, lambda x, y: x**2 + y**5 + 1 / x**3 + 1, X, Y),
    "a square": (lambda x: jnp.square(x), lambda x: x * x, X),
    "mean": (lambda x: jnp.mean(x * x), lambda x: (x * x).sum() / 12, X),
    "mean along an axis": (lambda x: jnp.mean(x, axis=0) / 7, lambda x: x.sum(axis=0) / 21, X),
    "variance": (lambda x: jnp.var(x, axis=1), lambda x: (x * x).sum(1) / 4 - (x.sum(1) / 4) ** 2, X),
    "sum of nothing": (lambda v: jnp.sum(v[:0]) + v, lambda v: v, V),
    "quotient": (lambda x, y: x / (1 + y * y), lambda x, y: x / (1 + y * y), X, Y),
    "gradient of a quotient": (
        lambda x, y: jax.grad(lambda t: jnp.sum(y / t))(x), lambda x, y: -y / (x * x), X, Y,
    ),
    "what is used twice": (
        lambda x: jax.grad(lambda t: jnp.sum(t * t + t**3))(x), lambda x: 2 * x + 3 * x * x, X,
    ),
    "product along an axis": (
        lambda x: lax.reduce_prod_p.bind(x, axes=(1,), out_sharding=None), lambda x: rows(math.prod, x), X,
    ),
    "product along two axes": (
        lambda a: jnp.prod(a, axis=(0, 2)), lambda a: rows(math.prod, a.transpose(1, 0, 2).reshape(3, 8)), A,
    ),
    "product of a vector": (lambda v: jnp.prod(v) + v, lambda v: math.prod(v) + v, V),
    "product of nothing": (lambda v: jnp.prod(v[:0]) * v, lambda v: v, V),
    "gradient of a product": (
        lambda x: jax.grad(lambda t: jnp.sum(jnp.prod(t, axis=1)))(x), lambda x: rows(product_of_others, x), X,
    ),
    "gradient of a product with a zero": (
        lambda v: jax.grad(jnp.prod)(v), lambda v: rows(product_of_others, v), np.array([1.5, 0.0, -0.25, 3.0]),
    ),
    "cumsum": (lambda x: jnp.cumsum(x, axis=1), lambda x: rows(running(lambda a, b: a + b), x), X),
    "cumsum of a vector": (lambda v: jnp.cumsum(v), lambda v: rows(running(lambda a, b: a + b), v), V),
    "cumsum from the end": (
        lambda x: lax.cumsum(x, axis=0, reverse=True), lambda x: columns(backwards(running(lambda a, b: a + b)), x), X,
    ),
    "gradient of cumsum": (
        summed_square(lambda x: jnp.cumsum(x, axis=1)),
        lambda x: rows(lambda r: [2 * sum(sum(r[: k + 1]) for k in range(i, 4)) for i in range(4)], x), X,
    ),
    "cumprod": (lambda x: jnp.cumprod(x, axis=1), lambda x: rows(running(lambda a, b: a * b), x), X),
    "cumprod from the end": (
        lambda x: lax.cumprod(x, axis=1, reverse=True), lambda x: rows(backwards(running(lambda a, b: a * b)), x), X,
    ),
    "gradient of cumprod": (
        lambda x: jax.grad(lambda t: jnp.sum(jnp.cumprod(t, axis=1)))(x),
        lambda x: rows(gradient_of_running_products, x), X,
    ),
    "cummax": (lambda x: lax.cummax(x, axis=1), lambda x: rows(running(max), x), X),
    "cummax of a vector": (lambda v: lax.cummax(v), lambda v: rows(running(max), v), V),
    "cummax from the end": (
        lambda x: lax.cummax(x, axis=1, reverse=True),
        lambda x: rows(backwards(running(max)), x), X,
    ),
    "gradient of cummax": (
        summed_square(lambda x: lax.cummax(x, axis=1)), lambda x: rows(gradient_of_running_maxima, x), X,
    ),
    "cummin": (lambda x: lax.cummin(x, axis=0), lambda x: columns(running(min), x), X),
    "cummin from the end": (
        lambda x: lax.cummin(x, axis=1, reverse=True),
        lambda x: rows(backwards(running(min)), x), X,
    ),
    # moves
    "places": (
        lambda x, y: jnp.concatenate([x[1:, ::-1], y.T[:2, :].reshape(2, 3)[:, :1] + x[:2]])[:, 1:3],
        lambda x, y: np.concatenate([x[1:, ::-1], y.T[:2, :].reshape(2, 3)[:, :1] + x[:2]])[:, 1:3], X, Y,
    ),
    "stack": (
        lambda x, y: jnp.stack([x, 2 * y], axis=1),
        lambda x, y: np.array([[list(x[i]), list(2 * y[i])] for i in range(3)], object), X, Y,
    ),
    "unstack": (lambda a: jnp.unstack(a, axis=1)[2] * 3, lambda a: 3 * a[:, 2], A),
    "unstack a vector": (lambda v: v * jnp.unstack(v)[1] + jnp.unstack(v)[2], lambda v: v * v[1] + v[2], V),
    "tile": (
        lambda x: jnp.tile(x, (2, 1, 3)),
        lambda x: np.array([[[x[i, j % 4] for j in range(12)] for i in range(3)] for _ in range(2)], object), X,
    ),
    "tile a matrix": (
        lambda x: lax.tile(x, (2, 3)),
        lambda x: np.array([[x[i % 3, j % 4] for j in range(12)] for i in range(6)], object), X,
    ),
    "repeat": (lambda v: jnp.repeat(v, 2), lambda v: np.array([v[i // 2] for i in range(12)], object), V),
    "split": (lambda x: jnp.split(x, [1, 3], axis=1)[1] * 2, lambda x: x[:, 1:3] * 2, X),
    "squeeze and expand": (lambda x: jnp.squeeze(x[None, :, :1], (0, 2))[:, None] * x, lambda x: x[:, :1] * x, X),
    "transpose": (
        lambda a: a.transpose(2, 0, 1) * 2,
        lambda a: np.array([[[2 * a[i, j, k] for j in range(3)] for i in range(2)] for k in range(4)], object), A,
    ),
    "reversed axes": (
        lambda a: lax.rev(a, (0, 2)),
        lambda a: np.array([[[a[1 - i, j, 3 - k] for k in range(4)] for j in range(3)] for i in range(2)], object), A,
    ),
    "roll": (
        lambda v: jnp.roll(v, 2) + jnp.flip(v), lambda v: np.array([v[i - 2] + v[5 - i] for i in range(6)], object), V,
    ),
    "padding that cuts and spreads": (
        lambda x: lax.pad(x, 0.5, ((1, -1, 2), (-1, 3, 1))),
        lambda x: padded(x, ((1, -1, 2), (-1, 3, 1)), 0.5), X,
    ),
    "padding by a number": (
        lambda v: lax.pad(v, v[0] * 2, ((2, 1, 0),)), lambda v: np.array([2 * v[0]] * 2 + [*v] + [2 * v[0]], object), V,
    ),
    "gradient of padding": (
        summed_square(lambda x: lax.pad(x, 0.0, ((-1, 0, 0), (1, 2, 1)))),
        lambda x: np.concatenate([0 * x[:1], 2 * x[1:]]), X,
    ),
    "dynamic_slice": (lambda x: lax.dynamic_slice(x, (1, 5), (2, 3)), lambda x: x[1:3, 1:4], X),
    "dynamic_slice at the maximum": (
        lambda v: lax.dynamic_slice(v, (jnp.argmax(v),), (2,)),
        lambda v: v[min(list(v).index(max(v)), 4) :][:2], V,
    ),
    "gradient of dynamic_slice": (
        summed_square(lambda v: lax.dynamic_slice(v, (3,), (2,))),
        lambda v: np.array([0, 0, 0, 2 * v[3], 2 * v[4], 0], object), V,
    ),
    "dynamic_update_slice": (
        lambda x: lax.dynamic_update_slice(x, 3 * x[:2, :2], (1, 3)),
        lambda x: np.array([x[0], [*x[1, :2], *3 * x[0, :2]], [*x[2, :2], *3 * x[1, :2]]], object), X,
    ),
    "diagonal": (
        lambda v: jnp.diag(v) + jnp.tril(jnp.outer(v, v)),
        lambda v: np.array([[(i == j) * v[i] + (j <= i) * v[i] * v[j] for j in range(6)] for i in range(6)], object), V,
    ),
    "what changes nothing": (
        lambda x: checkpoint_name(jnp.array(x, copy=True), "here") + lax.optimization_barrier((x, 2 * x))[1],
        lambda x: 3 * x, X,
    ),
    "stop_gradient": (
        lambda x: jax.grad(lambda t: jnp.sum(lax.stop_gradient(t) * t))(x), lambda x: x, X,
    ),
    "move to a device": (lambda x: jax.device_put(x) * 2, lambda x: 2 * x, X),
    "move two arrays to a device": (lambda x: jax.device_put((x, 2 * x))[1], lambda x: 2 * x, X),
    # indexing
    "index by an array": (lambda x: x[INDEX], lambda x: np.array([x[i] for i in INDEX], object), X),
    "index from the end": (
        lambda x: jnp.take(x, np.array([-1, 0]), axis=1), lambda x: np.array([[r[3], r[0]] for r in x], object), X,
    ),
    "index kept within the array": (
        lambda v: jnp.take(v, np.array([9, 2]), mode="clip"), lambda v: np.array([v[5], v[2]], object), V,
    ),
    "gradient of an index": (
        summed_square(lambda x: x[INDEX] * np.arange(1.0, 6.0)[:, None]),
        lambda x: np.array([(2 * sum((k + 1) ** 2 for k in range(5) if INDEX[k] == i)) * x[i] for i in range(3)]), X,
    ),
    "gradient of an index that depends on numbers": (
        lambda x: jax.grad(lambda t: jnp.sum(t[jnp.argmax(t[:, 0])] ** 3))(x),
        lambda x: np.array([3 * r * r * (r[0] == max(x[:, 0])) for r in x], object), X,
    ),
    "index in each row": (
        lambda x: jax.vmap(lambda row: row[jnp.argmax(row)] * row[jnp.argmin(row)])(x),
        lambda x: rows(lambda r: max(r) * min(r), x), X,
    ),
    "scatter": (
        lambda x, y: x.at[np.array([0, 2]), 1].set(2 * y[:2, 0]),
        lambda x, y: added(x, [(0, 1), (2, 1)], 2 * y[:2, 0], lambda a, b: b), X, Y,
    ),
    "scatter-add": (lambda x: x.at[INDEX].add(x[INDEX[::-1]]), lambda x: added(x, INDEX, x[INDEX[::-1]]), X),
    "scatter-add in each row": (
        lambda x: jax.vmap(lambda row: row.at[jnp.argmin(row)].add(row[0]))(x),
        lambda x: rows(lambda r: [t + r[0] * (t == min(r)) for t in r], x), X,
    ),
    "scatter-add, dropped outside": (
        lambda v: v.at[np.array([9, 1])].add(v[:2]), lambda v: added(v, [1], v[1:2]), V,
    ),
    "scatter-add, kept within": (
        lambda v: v.at[np.array([9, 1])].add(v[:2], mode="clip"), lambda v: added(v, [5, 1], v[:2]), V,
    ),
    "scatter-sub": (
        lambda x, y: x.at[INDEX].subtract(y[INDEX]), lambda x, y: added(x, INDEX, y[INDEX], lambda a, b: a - b), X, Y,
    ),
    "scatter-mul": (
        lambda x, y: x.at[INDEX].multiply(y[INDEX]), lambda x, y: added(x, INDEX, y[INDEX], lambda a, b: a * b), X, Y,
    ),
    # loops and branches
    "scan": (
        lambda x: lax.scan(lambda c, row: (c * row + 1, c - row), jnp.ones(4), x)[1],
        lambda x: looped(lambda c, row: (c * row + 1, c - row), fractions(np.ones(4)), x)[1], X,
    ),
    "scan, its end": (
        lambda v: lax.scan(lambda c, t: (c * t + 1, t), 1.0, v)[0],
        lambda v: looped(lambda c, t: (c * t + 1, t), Fraction(1), v)[0], V,
    ),
    "scan reversed": (
        lambda x: lax.scan(lambda c, row: (c * row, c + row), jnp.ones(4), x, reverse=True)[1],
        lambda x: looped(lambda c, row: (c * row, c + row), fractions(np.ones(4)), x[::-1])[1][::-1], X,
    ),
    "scan of numbers": (
        lambda v: lax.scan(lambda c, t: (c * t, jnp.stack([c, t])), 1.0, v)[1],
        lambda v: looped(lambda c, t: (c * t, [c, t]), Fraction(1), v)[1], V,
    ),
    "scan without entries": (lambda x: lax.scan(lambda c, _: (c * c, None), x, None, length=2)[0], lambda x: x**4, X),
    "scan of masks": (
        lambda v: lax.scan(lambda c, t: (c + t, c > t), v[0], v)[1].astype(float) * v,
        lambda v: looped(lambda c, t: (c + t, Fraction(int(c > t)) * t), v[0], v)[1], V,
    ),
    "scan of nothing": (lambda v: lax.scan(lambda c, t: (c * t, c), v[1], v[:0])[0], lambda v: v[1], V),
    "scan, several steps at once": (
        lambda v: lax.scan(lambda c, t: (c * t, c), 1.0, v, unroll=4)[1],
        lambda v: looped(lambda c, t: (c * t, c), Fraction(1), v)[1], V,
    ),
    "gradient of scan": (
        lambda v: jax.grad(lambda t: lax.scan(lambda c, s: (c * s, None), 1.0, t)[0])(v),
        lambda v: rows(product_of_others, v), V,
    ),
    "map": (lambda v: lax.map(lambda t: t * t + 1, v), lambda v: v * v + 1, V),
    "fori_loop": (
        lambda x: lax.fori_loop(0, 3, lambda i, c: c * x + i.astype(float), x),
        lambda x: ((x * x) * x + 1) * x + 2, X,
    ),
    "fori_loop that indexes": (
        lambda v: lax.fori_loop(0, 6, lambda i, c: c * 2 + v[i], 0.0),
        lambda v: sum(v[i] * 2 ** (5 - i) for i in range(6)), V,
    ),
    "while of fixed length": (
        lambda x: lax.while_loop(lambda s: s[0] < 4, lambda s: (s[0] + 1, s[1] * x), (1, x))[1], lambda x: x**4, X,
    ),
    "cond": (
        lambda x: lax.cond(x[0, 0] > x[0, 1], lambda t: 2 * t, lambda t: 3 * t, x),
        lambda x: (2 if x[0, 0] > x[0, 1] else 3) * x, X,
    ),
    "cond, the other way": (
        lambda x: lax.cond(x[0, 0] < x[0, 1], lambda t: 2 * t, lambda t: 3 * t, x),
        lambda x: (2 if x[0, 0] < x[0, 1] else 3) * x, X,
    ),
    "cond in each row": (
        lambda x: jax.vmap(lambda row: lax.cond(row[0] > 0, lambda t: t, lambda t: -2 * t, row))(x),
        lambda x: rows(lambda r: r if r[0] > 0 else [-2 * t for t in r], x), X,
    ),
    "switch": (
        lambda x: lax.switch(jnp.argmax(x[:, 0]), [lambda t: 2 * t, lambda t: 3 * t, lambda t: t * t], x),
        lambda x: [2 * x, 3 * x, x * x][list(x[:, 0]).index(max(x[:, 0]))], X,
    ),
    "a function within jit": (lambda x: jax.jit(lambda t: t * x + 1)(x - 1), lambda x: (x - 1) * x + 1, X),
    "a function with its own derivative": (
        lambda x: cube(x) + jax.grad(lambda t: jnp.sum(cube(t)))(x), lambda x: x**3 + 5 * x, X,
    ),
    "checkpoint": (
        lambda x: jax.grad(lambda t: jnp.sum(jax.checkpoint(lambda s: s**3 * jnp.maximum(s, 0.0))(t)))(x),
        each(lambda t: 4 * t**3 if t > 0 else 0), X,
    ),
    # comparisons
    "relu": (lambda x, y: jax.nn.relu(x * y - 1), each(lambda s, t: max(s * t - 1, 0)), X, Y),
    "gradient of relu": (summed_square(jax.nn.relu), each(lambda t: 2 * t if t > 0 else 0), X),
    "leaky relu": (
        lambda x, y: jax.nn.leaky_relu(x - y * x),
        each(lambda s, t: (s - t * s) * (1 if s - t * s > 0 else Fraction(0.01))), X, Y,
    ),
    "piecewise activations": (
        lambda x: jax.nn.hard_tanh(x) + jax.nn.relu6(4 * x),
        each(lambda t: max(min(t, 1), -1) + max(min(4 * t, 6), 0)), X,
    ),
    "maximum and minimum": (
        lambda x, y: jnp.maximum(x, y) - jnp.minimum(x * y, y), each(lambda s, t: max(s, t) - min(s * t, t)), X, Y,
    ),
    "clamp": (lambda x: jnp.clip(x, -1.0, 1.5), each(lambda t: max(min(t, Fraction(3, 2)), -1)), X),
    "clamp by arrays": (lambda x, y: lax.clamp(-y * y, x, y * y), each(lambda s, t: max(min(s, t * t), -t * t)), X, Y),
    "clamp by bounds in the wrong order": (lambda x: lax.clamp(1.0, x, 0.5), lambda x: 0 * x + Fraction(1, 2), X),
    "absolute value": (
        lambda x, y: abs(x - y * y) * jnp.sign(x), each(lambda s, t: abs(s - t * t) * ((s > 0) - (s < 0))), X, Y,
    ),
    "gradient of an absolute value": (
        lambda x: jax.grad(lambda t: jnp.sum(jnp.abs(t) * t * jnp.sign(t)))(x), lambda x: 2 * x, X,
    ),
    "floor": (lambda x: jnp.floor(x) * x, each(lambda t: math.floor(t) * t), X),
    "ceil": (lambda x: jnp.ceil(3 * x) * x, each(lambda t: math.ceil(3 * t) * t), X),
    "rounding towards zero": (lambda x: x.astype(int).astype(float) * x, each(lambda t: math.trunc(t) * t), X),
    "masks": (
        lambda x, y: (x > y).astype(float) * x + jnp.where(x == x + 0 * y, y, 0.0) + jnp.eye(3, 4),
        lambda x, y: each(lambda s, t: s if s > t else 0)(x, y) + y + fractions(np.eye(3, 4)), X, Y,
    ),
    "all comparisons": (
        lambda x, y: sum(
            (k + 1) * compare(x, y).astype(float)
            for k, compare in enumerate([lax.gt, lax.ge, lax.lt, lax.le, lax.eq, lax.ne])
        ),
        each(lambda s, t: (s > t) + 2 * (s >= t) + 3 * (s < t) + 4 * (s <= t) + 5 * (s == t) + 6 * (s != t)),
        np.array([1.5, -2.0, 0.25]), np.array([1.5, -1.0, -0.25]),
    ),
    "comparisons in total order": (
        lambda x, y: sum(
            (k + 1) * primitive.bind(x, y).astype(float)
            for k, primitive in enumerate([lax.lt_to_p, lax.le_to_p, lax.eq_to_p])
        ),
        each(lambda s, t: (s < t) + 2 * (s <= t) + 3 * (s == t)),
        np.array([1.5, -2.0, 0.25]), np.array([1.5, -1.0, -0.25]),
    ),
    "masks of masks": (
        lambda x, y: ((x > 0) ^ (y < 1) | ~(x > y)).astype(float) * x + jnp.all(x < 5).astype(float),
        each(lambda s, t: s * ((s > 0) ^ (t < 1) | (not s > t)) + 1), X, Y,
    ),
    "from numbers to booleans": (
        lambda v: v.astype(bool).astype(float) * v, lambda v: v, np.array([0.5, -0.25, 0.0, 1.5, -3.0]),
    ),
    "a mask for what is no number": (
        lambda x: jnp.where(jnp.isnan(x), jnp.nan, x) + jnp.where(jnp.isfinite(x), x, 0.0), lambda x: 2 * x, X,
    ),
    "a mask for infinity put in": (
        lambda x: jnp.isfinite(jnp.where(x > 0, x, jnp.inf)).astype(float) * x, each(lambda t: max(t, 0)), X,
    ),
    "a mask for nan put in": (
        lambda x: jnp.isnan(jnp.where(x > 0, x, jnp.nan)).astype(float) * x, each(lambda t: min(t, 0)), X,
    ),
    "select of several": (
        lambda v: lax.select_n(jnp.argsort(v[:4]).astype(jnp.int32), v[:4], 2 * v[:4], v[:4] ** 2, v[1:5]),
        lambda v: np.array([
            [v[i], 2 * v[i], v[i] ** 2, v[i + 1]][k] for i, k in enumerate(indices_sorted(list(v[:4])))
        ], object), V,
    ),
    "reduce_max": (lambda a: jnp.max(a, axis=(0, 2)), lambda a: rows(max, a.transpose(1, 0, 2).reshape(3, 8)), A),
    "reduce_min": (lambda a: jnp.min(a) + a, lambda a: min(a.reshape(-1)) + a, A),
    "gradient of extremes": (
        lambda x: jax.grad(lambda t: jnp.sum(t.max(-1) * t.min(-1)))(x),
        lambda x: rows(lambda r: [min(r) * (t == max(r)) + max(r) * (t == min(r)) for t in r], x), X,
    ),
    "derivative of a maximum": (
        along_itself(lambda x: jnp.max(x, axis=0) ** 2), lambda x: 2 * each(max)(each(max)(x[0], x[1]), x[2]) ** 2, X,
    ),
    "maximum of some, -inf else": (
        lambda v: jnp.max(jnp.where(v < 1, v, -jnp.inf)) * v, lambda v: max(t for t in v if t < 1) * v, V,
    ),
    "argmax": (lambda x: jnp.argmax(x, axis=1).astype(float), lambda x: rows(lambda r: r.index(max(r)), x), X),
    "argmin": (lambda x: jnp.argmin(x, axis=0).astype(float), lambda x: rows(lambda r: r.index(min(r)), x.T), X),
    "argmin of all": (lambda x: jnp.argmin(x).astype(float), lambda x: Fraction(list(x.reshape(-1)).index(x.min())), X),
    "sort": (lambda x: jnp.sort(x, axis=0), lambda x: columns(sorted, x), X),
    "sort from above": (lambda x: jnp.sort(x, descending=True), lambda x: rows(lambda r: sorted(r)[::-1], x), X),
    "gradient of sort": (
        lambda x: jax.grad(lambda t: jnp.sum(jnp.sort(t, axis=1) ** 2 * jnp.arange(1.0, 5.0)))(x),
        lambda x: rows(lambda r: [2 * t * (k + 1) for t, k in zip(r, ranked(r), strict=True)], x), X,
    ),
    "sort by two keys": (
        lambda v: lax.sort(((v > 0).astype(int), v, v * v), num_keys=2)[2],
        lambda v: np.array([t * t for t in sorted(v)], object), V,
    ),
    "argsort used as an index": (
        lambda v: v[jnp.argsort(v)] * jnp.argsort(jnp.argsort(v)).astype(float),
        lambda v: rows(lambda r: [k * t for k, t in zip(ranked(r), sorted(r), strict=True)], v), V,
    ),
    "top_k": (lambda x: lax.top_k(x, 2)[0], lambda x: rows(lambda r: sorted(r)[:1:-1], x), X),
    "places of top_k": (
        lambda x: lax.top_k(x, 2)[1].astype(float), lambda x: rows(lambda r: indices_sorted(r)[:1:-1], x), X,
    ),
    "top_k along another axis": (
        lambda x: lax.top_k(x, 2, axis=0)[0],
        lambda x: columns(lambda r: sorted(r)[:0:-1], x), X,
    ),
    "gradient of top_k": (
        summed_square(lambda x: lax.top_k(x, 2)[0]),
        lambda x: rows(only(lambda r: sorted(r)[2:], lambda t: 2 * t), x), X,
    ),
    "median": (lambda x: jnp.median(x, axis=1), lambda x: rows(lambda r: sum(sorted(r)[1:3]) / 2, x), X),
    # windows
    "max pooling": (
        lambda x: max_pool(x, (2, 2), (1, 2), "VALID"),
        lambda x: pooled(max, x, dict(window=2), dict(window=2, stride=2)), X,
    ),
    "min pooling, padded": (
        lambda i: min_pool(i, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"),
        lambda i: pooled(min, i, dict(window=1), dict(window=1), SAME_OF_FOUR, STRIDED), IMAGES,
    ),
    "sum pooling, padded": (
        lambda i: sum_pool(i, (1, 1, 3, 3), (1, 1, 2, 2), "SAME"),
        lambda i: pooled(sum, i, dict(window=1), dict(window=1), SAME_OF_FOUR, STRIDED), IMAGES,
    ),
    "dilated max pooling": (
        lambda x: max_pool(x, (2, 3), (1, 1), ((0, 1), (2, 1)), base_dilation=(1, 2), window_dilation=(2, 1)),
        lambda x: pooled(max, x, dict(window=2, padding=(0, 1), apart=2), dict(window=3, padding=(2, 1), base=2)), X,
    ),
    "dilated min pooling": (
        lambda x: min_pool(x, (2, 2), (1, 1), "VALID", window_dilation=(2, 3)),
        lambda x: pooled(min, x, dict(window=2, apart=2), dict(window=2, apart=3)), X,
    ),
    "dilated sum pooling": (
        lambda x: sum_pool(x, (2, 3), (1, 2), ((0, 1), (2, 1)), base_dilation=(1, 2), window_dilation=(2, 1)),
        lambda x: pooled(
            sum, x, dict(window=2, padding=(0, 1), apart=2), dict(window=3, stride=2, padding=(2, 1), base=2)
        ), X,
    ),
    "gradient of max pooling": (
        summed_square(lambda i: max_pool(i, (1, 1, 3, 3), (1, 1, 2, 2), "SAME")),
        lambda i: to_the_chosen(
            max, lambda p: 2 * i[p], i, dict(window=1), dict(window=1), SAME_OF_FOUR, STRIDED
        ), IMAGES,
    ),
    "gradient of min pooling": (
        summed_square(lambda x: min_pool(x, (2, 2), (1, 1), "VALID")),
        lambda x: to_the_chosen(min, lambda p: 2 * x[p], x, dict(window=2), dict(window=2)), X,
    ),
    "gradient of sum pooling": (
        summed_square(lambda v: sum_pool(v, (3,), (2,), "VALID")),
        lambda v: np.array([sum(2 * sum(v[k : k + 3]) for k in (0, 2) if k <= i < k + 3) for i in range(6)], object), V,
    ),
    "derivative of max pooling": (
        along_itself(lambda x: max_pool(x, (2, 2), (1, 1), "SAME") ** 2),
        lambda x: 2 * pooled(max, x, dict(window=2, padding=(0, 1)), dict(window=2, padding=(0, 1))) ** 2, X,
    ),
    "derivative of dilated max pooling": (
        along_itself(lambda x: max_pool(x, (2, 2), (1, 1), "VALID", window_dilation=(2, 1)) ** 2),
        lambda x: 2 * pooled(max, x, dict(window=2, apart=2), dict(window=2)) ** 2, X,
    ),
    "derivative of min pooling": (
        along_itself(lambda x: min_pool(x, (2, 2), (1, 1), "SAME")),
        lambda x: pooled(min, x, dict(window=2, padding=(0, 1)), dict(window=2, padding=(0, 1))), X,
    ),
    "derivative of a window in the padding alone": (
        along_itself(lambda v: max_pool(v, (2,), (2,), ((2, 2),))),
        lambda v: np.array([0, max(v[:2]), max(v[2:4]), max(v[4:]), 0], object), V,
    ),
    "derivative of the gradient of max pooling": (
        along_itself(jax.grad(lambda i: jnp.sum(max_pool(i, (1, 1, 3, 3), (1, 1, 2, 2), "SAME") ** 3))),
        lambda i: to_the_chosen(
            max, lambda p: 6 * i[p] ** 2, i, dict(window=1), dict(window=1), SAME_OF_FOUR, STRIDED
        ), IMAGES,
    ),
    # convolutions
    "convolution": (
        lambda i, k: conv(i, k, (1, 1), "SAME"),
        lambda i, k: convolved(i, k, dict(padding=(0, 1)), dict(padding=(1, 1))), IMAGES, KERNELS,
    ),
    "convolution of one axis": (
        lambda a, x: conv(a, x[:, :3].reshape(1, 3, 3), (1,), "VALID"),
        lambda a, x: convolved(a, x[:, :3].reshape(1, 3, 3), {}), A, X,
    ),
    "convolution with strides and dilation": (
        lambda i, k: conv(i, k, (2, 1), ((1, 2), (0, 3)), lhs_dilation=(2, 1), rhs_dilation=(1, 2)),
        lambda i, k: convolved(i, k, dict(stride=2, padding=(1, 2), base=2), dict(padding=(0, 3), apart=2)),
        IMAGES, KERNELS,
    ),
    "convolution with negative padding": (
        lambda i, k: conv(i, k, (1, 1), ((-1, 0), (1, -1))),
        lambda i, k: convolved(i, k, dict(padding=(-1, 0)), dict(padding=(1, -1))), IMAGES, KERNELS,
    ),
    "convolution with negative padding after dilation": (
        lambda i, k: conv(i, k, (1, 1), ((-1, -2), (-2, 1)), lhs_dilation=(2, 3)),
        lambda i, k: convolved(i, k, dict(padding=(-1, -2), base=2), dict(padding=(-2, 1), base=3)), IMAGES, KERNELS,
    ),
    "convolution in groups of features": (
        lambda i, k: conv(i, k[:, :1], (1, 1), "VALID", feature_group_count=2),
        lambda i, k: convolved(i, k[:, :1], {}, {}, groups=2), IMAGES, KERNELS,
    ),
    "convolution in groups of the batch": (
        lambda i, k: conv(jnp.concatenate([i, 3 * i]), k, (1, 1), "VALID", batch_group_count=2),
        lambda i, k: convolved(np.concatenate([i, 3 * i]), k, {}, {}, batch_groups=2), IMAGES, KERNELS,
    ),
    "convolution with channels last": (
        lambda i, k: conv(
            i.transpose(0, 2, 3, 1), k.transpose(2, 3, 1, 0), (2, 1), "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        ),
        lambda i, k: convolved(i, k, dict(stride=2), {}).transpose(0, 2, 3, 1), IMAGES, KERNELS,
    ),
    "gradient of a convolution, images": (
        lambda i, k: summed_square(lambda x: conv(x, k, (2, 1), "VALID"))(i),
        lambda i, k: Convolution(i.shape, k.shape, dict(stride=2), {}).gradients(i, k)[0], IMAGES, KERNELS,
    ),
    "gradient of a convolution, kernels": (
        lambda i, k: summed_square(lambda x: conv(i, x, (2, 1), ((1, 0), (0, 0))))(k),
        lambda i, k: Convolution(i.shape, k.shape, dict(stride=2, padding=(1, 0)), {}).gradients(i, k)[1],
        IMAGES, KERNELS,
    ),
    "gradient of a convolution in groups, kernels": (
        lambda i, k: summed_square(lambda x: conv(i, x, (1, 1), "VALID", feature_group_count=2))(k[:, :1]),
        lambda i, k: Convolution(i.shape, (4, 1, 2, 3), {}, {}, groups=2).gradients(i, k[:, :1])[1], IMAGES, KERNELS,
    ),
    "convolutions of many kernels": (
        lambda i, k: jax.vmap(lambda x: conv(i, x, (1, 1), "VALID"))(jnp.stack([k, 3 * k])),
        lambda i, k: np.stack([convolved(i, k, {}, {}), 3 * convolved(i, k, {}, {})]), IMAGES, KERNELS,
    ),
    "convolutions of many images and kernels": (
        lambda i, k: jax.vmap(lambda x, y: conv(x, y, (1, 1), "VALID"))(jnp.stack([i, i * i]), jnp.stack([k, 3 * k])),
        lambda i, k: np.stack([convolved(i, k, {}, {}), 3 * convolved(i * i, k, {}, {})]), IMAGES, KERNELS,
    ),
    "gradients of many convolutions": (
        lambda i, k: jax.vmap(lambda x: summed_square(lambda y: conv(i, y, (1, 1), "VALID"))(x))(jnp.stack([k, 3 * k])),
        lambda i, k: (lambda gradient: np.stack([gradient, 3 * gradient]))(
            Convolution(i.shape, k.shape, {}, {}).gradients(i, k)[1]
        ), IMAGES, KERNELS,
    ),
    # constants, which have the float64 value that JAX computes
    "a root of a constant": (lambda x: jnp.sqrt(3.0) * x, lambda x: Fraction(math.sqrt(3)) * x, X),
    "a constant in float32": (lambda x: jnp.asarray(THIRD).astype(float) * x, lambda x: Fraction(float(THIRD)) * x, X),
    "dropout by a fixed key": (
        lambda x: jax.random.bernoulli(jax.random.key(0), 0.5, x.shape).astype(float) * x,
        lambda x: np.where(jax.random.bernoulli(jax.random.key(0), 0.5, x.shape), x, Fraction(0)), X,
    ),
    "random numbers by a fixed key": (
        lambda x: jax.random.normal(jax.random.key(1), x.shape) * x,
        lambda x: fractions(np.asarray(jax.random.normal(jax.random.key(1), x.shape))) * x, X,
    ),
    "a mask from outside": (lambda x: jnp.where(MASK, x, 0.1), lambda x: np.where(MASK, x, Fraction(0.1)), X),
    "no argument at all": (lambda x: jnp.full(3, 0.1), lambda x: fractions(np.full(3, 0.1)), X),
}  # fmt: skip


@functools.cache
def traced(name):
    function, _, *arrays = CASES[name]
    return jax.make_jaxpr(function)(*map(jnp.asarray, arrays))


@functools.cache
def expected(name):
    """Return the array of fractions."""
    _, oracle, *arrays = CASES[name]
    return fractions(np.asarray(oracle(*map(fractions, arrays)), object))


def computed(name, met):
    (result,) = interpret(traced(name), [met.exact(x) for x in CASES[name][2:]], met)
    assert met.broken == {}
    assert result.shape == expected(name).shape
    return result


@pytest.mark.parametrize("name", CASES)
def test_residues_and_error_bounds(name):
    for prime in PRIMES[:2]:
        result = computed(name, fields(modulo(prime), BOUNDED, PLAIN))
        (found,), (value, error), (near,) = result
        np.testing.assert_array_equal(found, each(lambda t, prime=prime: residue(t, prime))(expected(name)))
        distance = each(lambda v, t: abs(Fraction(float(v)) - t))(value, expected(name))
        assert np.all(distance <= error)
        assert np.all(error <= 1e-11 * (1 + abs(value)))
        np.testing.assert_allclose(near, value, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_balls(name):
    with flint.ctx.workdps(DIGITS):
        result = computed(name, fields(BALLS, BALLS, BALLS))
        for (part,) in result:
            for ball, fraction in zip(part.reshape(-1), expected(name).reshape(-1), strict=True):
                middle, radius = map(exactly, (ball.mid(), ball.rad()))
                assert abs(middle - fraction) <= radius  # `arb.contains` would round the fraction
                assert radius <= (1 + abs(fraction)) / 10 ** (DIGITS - 20)


def exactly(x):
    """Return a ball of radius zero as a Fraction."""
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def primitives(jaxpr):
    """Return the names of the primitives of a jaxpr, and of those within."""
    names = set()
    for equation in jaxpr.eqns:
        names.add(equation.primitive.name)
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else [value]:
                if isinstance(inner, (ClosedJaxpr, Jaxpr)):
                    names |= primitives(getattr(inner, "jaxpr", inner))
    return names


UNREACHED = {
    "copy_p": "the name of `copy` in older versions of JAX",
    "expand_dims": "jnp.expand_dims becomes broadcast_in_dim or reshape",
}


def test_every_primitive_has_a_case():
    met = set().union(*(primitives(traced(name).jaxpr) for name in CASES))
    assert {*RULES, *MOVES, "scan", "while", "cond", "jit", "custom_jvp_call", "custom_vjp_call"} - met == {*UNREACHED}


# --- ties


def standing(met, at, near):
    """Return numbers whose nearby values are not their own."""
    return Number(met.entry.exact(at), met.order.exact(at), met.near.exact(near))


def carried_out(function, *pairs, order=BOUNDED):
    """Return the values of a function of small integers at pairs of numbers and nearby ones, and the broken ties."""
    met = fields(modulo(PRIMES[0]), order, PLAIN)
    pairs = [tuple(np.asarray(x, float) for x in pair) for pair in pairs]
    closed = jax.make_jaxpr(function)(*(jnp.asarray(at) for at, _ in pairs))
    (result,) = interpret(closed, [standing(met, *pair) for pair in pairs], met)
    values = np.asarray(result.entry[0])
    return np.where(values > PRIMES[0] // 2, values - PRIMES[0], values).tolist(), met.broken


@pytest.mark.parametrize(
    ("function", "pairs", "value", "broken"),
    [
        pytest.param(jax.nn.relu, [(2, 2)], 2, {}, id="relu, no tie"),
        pytest.param(jax.nn.relu, [(2, -1)], 2, {}, id="relu, no tie, though there is a sign change nearby"),
        pytest.param(jax.nn.relu, [(0, 0)], 0, {}, id="relu, a tie nearby too"),
        pytest.param(jax.nn.relu, [(0, 1)], 0, {"max": 1}, id="relu, 0 comes from above"),
        pytest.param(jax.nn.relu, [(0, -1)], 0, {"max": 1}, id="relu, 0 comes from below"),
        pytest.param(jax.grad(jax.nn.relu), [(0, 0)], 0, {}, id="relu', a tie nearby too"),
        pytest.param(jax.grad(jax.nn.relu), [(0, 1)], 1, {"max": 1, "gt": 1}, id="relu', 0 comes from above"),
        pytest.param(jax.grad(jax.nn.relu), [(0, -1)], 0, {"max": 1, "gt": 1}, id="relu', 0 comes from below"),
        pytest.param(
            lambda x: (x >= 0).astype(float), [([0, 0, 0, 1], [0, 1e-300, -1e-300, -1])], [1, 1, 0, 1], {"ge": 2},
            id="two ties of three are none nearby",
        ),
        pytest.param(jnp.maximum, [(3, 4), (3, 5)], 3, {"max": 1}, id="max, a tie"),
        pytest.param(jnp.maximum, [(3, 4), (3, 4)], 3, {}, id="max, a tie nearby too"),
        pytest.param(jax.grad(jnp.maximum), [(3, 5), (3, 4)], 1, {"max": 1, "eq": 1}, id="max', the first is larger"),
        pytest.param(jax.grad(jnp.maximum), [(3, 4), (3, 5)], 0, {"max": 1, "eq": 1}, id="max', the second is larger"),
        pytest.param(lambda x, y: 2 * jax.grad(jnp.maximum)(x, y), [(3, 4), (3, 4)], 1, {}, id="max', halves"),
        pytest.param(lambda x, y: 2 * jax.grad(jnp.minimum)(x, y), [(3, 4), (3, 5)], 2, {"min": 1, "eq": 1}, id="min'"),
        pytest.param(jnp.abs, [(0, 0)], 0, {}, id="abs, a tie nearby too"),
        pytest.param(jnp.abs, [(0, -1)], 0, {"sign": 1}, id="abs, 0 comes from below"),
        pytest.param(jax.grad(jnp.abs), [(0, 1)], 1, {"sign": 1, "ge": 1}, id="abs', 0 comes from above"),
        pytest.param(jax.grad(jnp.abs), [(0, -1)], -1, {"sign": 1, "ge": 1}, id="abs', 0 comes from below"),
        pytest.param(jnp.sign, [(0, -1)], -1, {"sign": 1}, id="sign, 0 comes from below"),
        pytest.param(jnp.floor, [(2, 2.1)], 2, {"floor": 1}, id="floor, 2 comes from above"),
        pytest.param(jnp.floor, [(2, 1.9)], 1, {"floor": 1}, id="floor, 2 comes from below"),
        pytest.param(jnp.ceil, [(2, 1.9)], 2, {"floor": 1}, id="ceil, 2 comes from below"),
        pytest.param(jnp.floor, [(2, 2)], 2, {}, id="floor, 2 stays"),
    ],
)  # fmt: skip
def test_ties_are_looked_at_from_nearby(function, pairs, value, broken):
    assert carried_out(function, *pairs) == (value, broken)
    with flint.ctx.workdps(DIGITS):
        assert carried_out(function, *pairs, order=BALLS) == (value, broken)


@pytest.mark.parametrize(
    ("near", "gradient"),
    [([1, 1, 0], [8, 2, 0]), ([1, 2, 0], [0, 10, 0]), ([2, 1, 0], [8, 2, 0])],
    ids=["a tie nearby too, the first wins as in JAX", "the second is larger nearby", "the first is larger nearby"],
)
def test_ties_of_max_pooling(near, gradient):
    """The windows of [1, 1, 0] are (1, 1) and (1, 0). The squares of their maxima count 4 and 1 times."""
    pool = lambda x: jnp.sum(max_pool(x, (2,), (1,), "VALID") ** 2 * np.array([4.0, 1.0]))
    values, broken = carried_out(jax.grad(pool), ([1, 1, 0], near))
    assert values == gradient
    assert set(broken) == (set() if near == [1, 1, 0] else {"reduce_window_max", "select_and_scatter_add"})


@pytest.mark.parametrize(
    ("function", "near", "value"),
    [
        (lambda x: jnp.argmax(x).astype(float), [1, 2, 3], 2),
        (lambda x: jnp.argmax(x).astype(float), [1, 1, 1], 0),
        (lambda x: jnp.argmin(x).astype(float), [1, 2, 0.5], 2),
        (lambda x: jnp.argsort(x).astype(float), [2, 1, 3], [1, 0, 2]),
        (lambda x: lax.top_k(x, 2)[1].astype(float), [1, 2, 3], [2, 1]),
        (lambda x: jax.grad(lambda t: jnp.max(t) * 6)(x), [1, 2, 1], [0, 6, 0]),
        (lambda x: jax.grad(lambda t: jnp.max(t) * 6)(x), [1, 1, 1], [2, 2, 2]),
        (lambda x: jax.grad(lambda t: jnp.max(t) * 6)(x), [2, 1, 2], [3, 0, 3]),
    ],
)
def test_ties_of_several(function, near, value):
    """Three numbers are 7 where the weights are. Nearby, `near` tells which are the larger ones."""
    values, broken = carried_out(function, ([7, 7, 7], near))
    assert values == value
    assert bool(broken) == (len(set(near)) > 1)


@pytest.mark.parametrize(("third", "value"), [(0.3, Fraction(0.1) + Fraction(0.2) - Fraction(0.3)), (0.4, Fraction(0))])
def test_numbers_that_differ_by_less_than_their_errors_are_decided_in_balls(third, value):
    """0.1 + 0.2 - 0.3 is 2.8e-17 in float64 numbers. Beside 1000 that is lost, and 0.1 + 0.2 - 0.4 is not."""
    relu = lambda x: jnp.maximum((x + 0.1) + 0.2 - (x + third), 0.0)
    closed = jax.make_jaxpr(relu)(1e3)
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    if value:
        with pytest.raises(OpenComparisonError, match="'max' compares numbers that differ by less than their errors"):
            interpret(closed, [met.exact(1e3)], met)
    else:
        assert int(interpret(closed, [met.exact(1e3)], met)[0].entry[0]) == 0
    with flint.ctx.workdps(DIGITS):
        met = fields(modulo(PRIMES[0]), BALLS, PLAIN)
        (result,) = interpret(closed, [met.exact(1e3)], met)
    assert int(result.entry[0]) == residue(value, PRIMES[0])
    assert met.broken == {}


def test_a_tie_is_a_tie_in_spite_of_rounding():
    """The residue says that (x + 0.1) + 0.2 - x - 0.2 - 0.1 is zero. The float64 values say 1e-14."""
    zero = lambda x: (x + 0.1) + 0.2 - x - 0.2 - 0.1
    assert zero(1e3) != 0
    assert carried_out(lambda x: jnp.sign(zero(x)) - jnp.sign(x), (1e3, 1e3))[0] in (-2, -1, 0)
    met = fields(modulo(PRIMES[0]), BOUNDED, BALLS)
    with flint.ctx.workdps(DIGITS):
        (result,) = interpret(jax.make_jaxpr(lambda x: jnp.sign(zero(x)))(1e3), [met.exact(1e3)], met)
    assert int(result.entry[0]) == 0
    assert met.broken == {}


def test_a_product_that_underflows_stays_within_its_error_bound():
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    (result,) = interpret(jax.make_jaxpr(lambda x: x * x)(1e-200), [met.exact(1e-200)], met)
    value, error = map(float, result.order)
    assert abs(Fraction(value) - Fraction(1e-200) ** 2) <= Fraction(error)


# --- refusals


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.astype(jnp.float32) * x.astype(jnp.float32), "but 'convert_element_type' computes in float32"),
        (lambda x: lax.complex(x, x).real, "need float64 throughout, but 'complex' computes in complex128"),
        (lambda x: jnp.fft.fft(x).real, "need float64 throughout, but '.*' computes in complex128"),
        (lambda x: jnp.fft.irfft(jnp.fft.rfft(x)), "need float64 throughout, but 'fft' computes in complex128"),
        (lambda x: jnp.linalg.inv(x[:3, :3]), "no exact form for the primitive 'lu'"),
        (lambda x: jnp.linalg.cholesky(x[:3, :3]), "no exact form for the primitive 'cholesky'"),
        (lambda x: jnp.round(x), "no exact form for the primitive 'round'"),
        (lambda x: lax.reduce_window(x, 1.0, lax.mul, (2, 2), (1, 1), "VALID"), "for the primitive 'reduce_window'"),
        (lambda x: lax.while_loop(lambda c: jnp.sum(c) < 9, lambda c: c + 1, x), "a loop of the network ends when its"),
        (lambda x: x.at[np.array([9, 1])].get(mode="fill"), "'gather' reads outside of an array"),
        (lambda x: jnp.take(x, np.array([9, 1]), axis=0), "'gather' reads outside of an array"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["residues", "balls"])
def test_what_has_no_exact_form_is_named(function, message, kind):
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN) if kind == "residues" else fields(BALLS, BALLS, BALLS)
    closed = jax.make_jaxpr(function)(jnp.asarray(X))
    with pytest.raises(ValueError, match=message):
        interpret(closed, [met.exact(X)], met)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (jax.nn.relu, "'max' compares derivatives"),
        (lambda x: (x > 0).astype(float), "'gt' compares derivatives"),
        (lambda x: jnp.sort(x), "'sort' compares derivatives"),
        (lambda x: jnp.argmax(x), "'argmax' compares derivatives"),
        (lambda x: jnp.abs(x), "'sign' compares derivatives"),
        (lambda x: max_pool(x, (2,), (1,), "VALID"), "'reduce_window_max' compares derivatives"),
        (lambda x: jnp.floor(x), "'floor' rounds derivatives"),
        (lambda x: jnp.ceil(x), "'floor' rounds derivatives"),
    ],
)
def test_comparisons_of_derivatives_are_refused(function, message):
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    with pytest.raises(ValueError, match=message):
        interpret(jax.make_jaxpr(function)(jnp.asarray(V)), [Number(met.entry.exact(V))], met)


def test_a_derivative_has_an_entry_alone_whatever_it_is_multiplied_with():
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    closed = jax.make_jaxpr(lambda x, v: (x * v, x @ v, jnp.concatenate([x, v])))(jnp.asarray(V), jnp.asarray(V))
    product, inner, both = interpret(closed, [met.exact(V), Number(met.entry.exact(V))], met)
    for result, fraction in [
        (product, fractions(V) ** 2), (inner, sum(fractions(V) ** 2)), (both, np.tile(fractions(V), 2))
    ]:  # fmt: skip
        assert result.order is None
        assert result.near is None
        np.testing.assert_array_equal(result.entry[0], each(lambda t: residue(t, PRIMES[0]))(fraction))


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (jnp.exp, "exp"), (jnp.tanh, "tanh"), (jnp.log, "log"), (jnp.sqrt, "sqrt"), (jax.nn.sigmoid, "logistic"),
        (lambda x: jax.nn.gelu(x, approximate=False), "erfc?"), (lambda x: x**2.5, "pow"), (jnp.sin, "sin"),
    ],
)  # fmt: skip
def test_functions_that_are_not_rational_have_no_residue(function, name):
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    with pytest.raises(IrrationalError, match=f"^{name}$"):
        interpret(jax.make_jaxpr(function)(1.5), [met.exact(1.5)], met)


@pytest.mark.parametrize("function", [lambda x: 1 / x, lambda x: x / (x - x), lambda x: (x * x) ** -2])
@pytest.mark.parametrize("kind", ["residues", "balls"])
def test_division_by_zero(function, kind):
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN) if kind == "residues" else fields(BALLS, BALLS, BALLS)
    with pytest.raises(ZeroDivisorError):
        interpret(jax.make_jaxpr(function)(0.0), [met.exact(0.0)], met)


def test_a_divisor_that_is_a_multiple_of_the_prime():
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    with pytest.raises(ZeroDivisorError):
        interpret(jax.make_jaxpr(lambda x: 1 / x)(1.0), [met.exact(3.0 * PRIMES[0])], met)


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x: x + jnp.inf, "add"),
        (lambda x: x * jnp.inf, "mul"),
        (lambda x: x - jnp.nan, "neg|add"),
        (lambda x: jnp.sum(jnp.where(x > 0, x, jnp.inf)), "total"),
        (lambda x: jnp.where(x > 0, x, -jnp.inf) @ x, "matmul"),
        (lambda x: 1e300 * x * 1e300, "mul"),
    ],
)
def test_infinity_takes_no_part_in_sums_and_products(function, operation):
    met = fields(modulo(PRIMES[0]), BOUNDED, PLAIN)
    with pytest.raises(OpenComparisonError, match=f"'({operation})' meets infinity"):
        interpret(jax.make_jaxpr(function)(jnp.asarray(V)), [met.exact(V)], met)


def test_the_largest_numbers_are_finite_in_balls():
    function = lambda x: 1e300 * x * 1e300
    with flint.ctx.workdps(DIGITS):
        met = fields(BALLS, BALLS, BALLS)
        (result,) = interpret(jax.make_jaxpr(function)(jnp.asarray(V)), [met.exact(V)], met)
        for ball, x in zip(result.entry[0], V, strict=True):
            assert abs(exactly(ball.mid()) - Fraction(1e300) ** 2 * Fraction(x)) <= exactly(ball.rad())

"""What makes a small network's Hessians hard to count: one function for each kind of difficulty.

Each takes (generator, Shape, layers, inputs, targets) as `plain` draws them. It returns layers, inputs and targets that
are difficult, and what was done in words. It may change the arrays in place.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import numpy as np

from architectures import fully_connected
from data import get_dataset
from initializers import INITIALIZERS, get_init


class Shape(NamedTuple):
    """What a network is compiled for."""

    sizes: tuple  # m_0, ..., m_L
    activation: str
    bias: bool
    n: int
    loss: str = "mse"
    batches: int = 1


def plain(rng, shape):
    """Return layers [[W_1], ...] or [[W_1, b_1], ...] of Gaussian weights, inputs (n, d) and targets (n, K)."""
    sizes, outputs = shape.sizes, shape.sizes[-1]
    layers = []
    for m_in, m_out in itertools.pairwise(sizes):
        W, b = rng.normal(size=(m_in, m_out)) * (2 / (m_in + m_out)) ** 0.5, rng.normal(size=m_out) / m_in**0.5
        layers.append([W, b] if shape.bias else [W])
    one_hot = shape.loss == "cross" or (outputs > 1 and rng.integers(2))
    targets = np.eye(outputs)[rng.integers(outputs, size=shape.n)] if one_hot else rng.normal(size=(shape.n, outputs))
    return layers, rng.normal(size=(shape.n, sizes[0])), targets


@functools.cache
def functions(shape, init_name="glorot"):
    """Return init_fn and apply_fn of a shape."""
    hidden, outputs = list(shape.sizes[1:-1]), shape.sizes[-1]
    return fully_connected(hidden, outputs, shape.activation, get_init(init_name), bias=shape.bias)


def parameters(shape, layers):
    """Return the layers as apply_fn takes them."""
    return [tuple(layer) if shape.bias else layer[0] for layer in layers]


def _outputs(shape, layers, inputs):
    return np.asarray(functions(shape)[1](parameters(shape, layers), inputs))


def _scaled(layers, factor):
    return [[factor * each for each in layer] for layer in layers]


def _power(rng, low, high, size=None):
    """Return 10^u with u uniform from low to high."""
    return 10.0 ** rng.uniform(low, high, size)


@functools.cache
def _images(dim, classes):
    return get_dataset("digits", 200, 0, dim, classes)


def _some_images(rng, shape):
    data = _images(shape.sizes[0], shape.sizes[-1])
    rows = rng.choice(len(data.x_train), shape.n, replace=False)
    return data.x_train[rows], data.y_train[rows]


def ordinary(rng, shape, layers, inputs, targets):
    name = str(rng.choice(list(INITIALIZERS)))
    layers = functions(shape, name)[0](jax.random.PRNGKey(rng.integers(2**31)), (-1, shape.sizes[0]))[1]
    layers = [[np.asarray(each) for each in (layer if shape.bias else [layer])] for layer in layers]
    images = rng.integers(2)
    inputs, targets = _some_images(rng, shape) if images else (inputs, targets)
    return layers, inputs, targets, f"{'digits' if images else 'gaussian'}, {name}"


def bottlenecks(rng, shape, layers, inputs, targets):
    by, to = _power(rng, -2, 1), _power(rng, -3, 4)
    return _scaled(layers, by), inputs, to * targets, f"weights x {by:.0e}, targets x {to:.0e}"


def collinear(rng, shape, layers, inputs, targets):
    eps, kind = _power(rng, -17, -1), ["copies", "sums", "samples"][rng.integers(3)]
    X = inputs.T if kind == "samples" else inputs
    last = X[:, -1].copy()
    if kind == "sums":
        X[:, -1] = X[:, 0] + X[:, 1] + eps * last
    else:
        many = int(rng.integers(1, X.shape[1]))
        X[:, -many:] = X[:, :1] + eps * X[:, -many:]
    return layers, inputs, targets, f"{kind}, eps = {eps:.0e}"


def constant(rng, shape, layers, inputs, targets):
    kinds = rng.choice(["as drawn", "1", "0.3", "0", "copy"], size=shape.sizes[0])
    for j, kind in enumerate(kinds):
        if kind != "as drawn":
            inputs[:, j] = inputs[:, 0] if kind == "copy" else float(kind)
    return layers, inputs, targets, f"columns {', '.join(kinds)}"


def units(rng, shape, layers, inputs, targets):
    samples = rng.integers(2)
    count = len(inputs.T[0] if samples else inputs[0])
    limit = rng.uniform(0, 12)
    factors = np.where(rng.integers(2, size=count), _power(rng, -limit, limit, count), 1.0)
    inputs = inputs * (factors[:, None] if samples else factors)
    many = ", ".join(f"{each:.0e}" for each in factors)
    return layers, inputs, targets, f"{'samples' if samples else 'columns'} x {many}"


def scales(rng, shape, layers, inputs, targets):
    kind = ["data", "weights", "one layer", "range"][rng.integers(4)]
    limit = {"data": 10, "range": 250 // (2 * len(layers))}.get(kind, 8)  # H has products of 2 L - 2 weights and more
    by = _power(rng, -limit, limit)
    if kind == "data":
        return layers, by * inputs, by * targets, f"data x {by:.0e}"
    if kind == "one layer":
        which = int(rng.integers(len(layers)))
        layers[which] = [by * each for each in layers[which]]
        return layers, inputs, targets, f"layer {which + 1} x {by:.0e}"
    return _scaled(layers, by), inputs, targets, f"weights x {by:.0e}"


def residuals(rng, shape, layers, inputs, targets):
    kind = ["targets", "tiny", "zero", "integers", "minimum", "minimum"][rng.integers(6)]
    by = _power(rng, *{"targets": (-8, 8), "tiny": (-15, -3)}.get(kind, (-1, 4)))
    if kind == "targets":
        return layers, inputs, by * targets, f"targets x {by:.0e}"
    if kind == "zero":  # in float64: the exact outputs differ from these by rounding
        return layers, inputs, _outputs(shape, layers, inputs), "residuals that float64 computes as zero"
    if kind == "integers":  # residuals of zero, except under leaky_relu, whose slope 0.01 is rounded
        layers, inputs = [[np.rint(2 * each) for each in layer] for layer in layers], np.rint(2 * inputs)
        return layers, inputs, _outputs(shape, layers, inputs), "integers, residuals that float64 computes as zero"
    if kind == "tiny":
        noise = 1 + by * rng.normal(size=targets.shape)
        return layers, inputs, noise * _outputs(shape, layers, inputs), f"residuals of {by:.0e}"
    targets = by * targets  # the last layer is the best one: moments of the residuals cancel, residuals do not
    units = shape.sizes[-2]
    hidden = _outputs(shape, [*layers[:-1], [np.eye(units), np.zeros(units)][: len(layers[-1])]], inputs)
    columns = np.column_stack([hidden, np.ones(len(hidden))]) if shape.bias else hidden
    best = np.linalg.lstsq(columns, targets)[0]
    layers[-1] = [best[:-1], best[-1]] if shape.bias else [best]
    return layers, inputs, targets, f"minimum in the last layer, targets x {by:.0e}"


def saturated(rng, shape, layers, inputs, targets):
    by = rng.uniform(1, 60)
    if shape.loss == "cosh":
        return layers, inputs, by * targets, f"targets x {by:.0f}"
    largest = abs(_outputs(shape, layers, inputs)).max()
    layers[-1] = [by / largest * each for each in layers[-1]]
    return layers, inputs, targets, f"logits up to {by:.0f}"


def smooth(rng, shape, layers, inputs, targets):
    by = _power(rng, -9, 1)
    if rng.integers(2):
        return _scaled(layers, by), inputs, targets, f"weights x {by:.0e}"
    which = int(rng.integers(len(layers)))
    layers[which] = [by * each for each in layers[which]]
    return layers, inputs, targets, f"layer {which + 1} x {by:.0e}"


def dependent(rng, shape, layers, inputs, targets):
    eps, which = _power(rng, -17, -1), int(rng.integers(len(layers) - 1))
    W, V = layers[which][0], layers[which + 1][0]
    kind = ["equal units", "product", "orthogonal", "zero", "integers"][rng.integers(5)]
    if kind == "equal units":
        W[:, -1] = W[:, 0] + eps * W[:, -1]
    if kind == "product":  # V maps only what W, of a rank one less, does not reach
        left, sizes, right = np.linalg.svd(W)
        rank = min(W.shape[1] - 1, W.shape[0])
        W[:] = left[:, :rank] * sizes[:rank] @ right[:rank]
        V[:] = right[rank:].T @ right[rank:] @ V + eps * V
    if kind == "orthogonal":
        for layer in layers:
            tall = layer[0].shape[0] >= layer[0].shape[1]
            basis = np.linalg.qr(layer[0] if tall else layer[0].T)[0]
            layer[0] = basis if tall else basis.T
    if kind == "zero":
        W[:, rng.integers(2, size=W.shape[1]) == 0] = 0
    if kind == "integers":
        W[:] = rng.integers(-3, 4, size=W.shape)
        W[-1] = 2 * W[0] - W[1] if len(W) > 2 else 3 * W[0]
    return layers, inputs, targets, f"{kind} in layer {which + 1}, eps = {eps:.0e}"


def kinks(rng, shape, layers, inputs, targets):
    kind, eps = ["on", "near", "dead unit", "dead layer", "zero sample"][rng.integers(5)], _power(rng, -17, -8)
    W = layers[0][0]
    if kind in ("on", "near"):  # the first unit's arguments at the first sample, w - w + 0, add up to zero
        W[1, 0], inputs[0] = W[0, 0], 0.0
        inputs[0, :2] = 1.0, -1.0
        if shape.bias:
            layers[0][1][0] = 0.0
    if kind == "near":
        W[0, 0] += eps * rng.choice([-1.0, 1.0])
    if kind == "dead unit":
        inputs = abs(inputs)
        for each in layers[0]:
            each[..., 0] = -abs(each[..., 0])
    if kind == "dead layer":
        inputs, layers[0] = abs(inputs), [-abs(each) for each in layers[0]]
    if kind == "zero sample":
        inputs[0] = 0.0
    return layers, inputs, targets, f"{kind}{f', eps = {eps:.0e}' if kind == 'near' else ''}"


def image_scales(rng, shape, layers, inputs, targets):
    inputs, targets = _some_images(rng, shape)
    kind = ["1", "255", "1/255", "minus mean"][rng.integers(4)]
    factor = {"255": 255.0, "1/255": 1 / 255}.get(kind, 1.0)
    inputs = inputs - inputs.mean(axis=0) if kind == "minus mean" else factor * inputs
    return layers, inputs, targets, f"images, {kind}"


def two_at_once(rng, shape, layers, inputs, targets):
    texts = []
    for which in rng.choice(6, size=2, replace=False):
        change = [collinear, constant, units, scales, residuals, dependent][which]
        layers, inputs, targets, text = change(rng, shape, layers, inputs, targets)
        texts.append(text)
    return layers, inputs, targets, "; ".join(texts)

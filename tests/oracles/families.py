"""Random networks of each kind that has closed forms, with their closed forms: what exact arithmetic is to judge.

A draw takes a `random.Random` and returns a Case. All numbers are float64, and data of rank r are exact products of two
matrices of small fractions, so that their rank is r without rounding.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import closed_forms
import closed_forms.one_hidden_layer
from architectures import attention, convolutional, fully_connected, polynomial, recurrent, residual, tied
from exact import exact_rank
from exact.network_ranks import exact_ranks_of
from hessians import HessianTriple
from losses import get_loss, squared
from networks.convolutions import positions
from problem import Problem

PRIME = (2147483629,)


class Case(NamedTuple):
    label: str
    loss: object
    apply_fn: object
    params: object
    batch: tuple
    form: closed_forms.KnownRanks


def contrasts(predictions, targets):
    """Return a loss of fractions that stands for the cross-entropy: it sees differences of outputs only."""
    differences = predictions[..., :-1] - predictions[..., -1:]
    return jnp.sum((targets[..., :-1] * differences - targets[..., -1:]) ** 2)


LOSSES = {"mse": squared, "cross": contrasts}


def exact(case):
    """Return HessianTriple of the exact ranks of a case."""
    problem = Problem(case.loss, case.apply_fn, case.params, [case.batch])
    return HessianTriple(*(found.rank for found in exact_ranks_of(problem, primes=PRIME)))


def _initial(key, shape, dtype):
    return jax.random.normal(key, shape, dtype)


def drawn(rng, network, shape, inputs, loss_name, form, label):
    """Return a Case with normal weights and targets for inputs (n, *shape)."""
    init_fn, apply_fn = network
    generator = np.random.default_rng(rng.randrange(2**32))
    found = {}

    def initialize(key):
        found["outputs"], params = init_fn(key, (-1, *shape))
        return params

    shapes = jax.eval_shape(initialize, jax.random.key(0))
    params = jax.tree.map(lambda leaf: generator.standard_normal(leaf.shape), shapes)
    targets = generator.standard_normal((len(inputs), *found["outputs"][1:]))
    return Case(label, LOSSES[loss_name], apply_fn, params, (inputs, targets), form)


def inputs_of_rank(rng, rows, columns, r):
    """Return inputs (rows, columns) of exact rank r, for min(rows, columns) >= r."""
    generator = np.random.default_rng(rng.randrange(2**32))
    if r == columns:
        return generator.standard_normal((rows, columns))
    while True:
        left, right = (generator.integers(-256, 257, size=size) / 64 for size in ((rows, r), (r, columns)))
        if min(exact_rank(left).rank, exact_rank(right).rank) == r:
            return left @ right


def _size(rng, usual, most):
    """Return a size from 1 on: one of the usual ones, or, once in four times, up to the most."""
    return rng.randint(1, most if rng.random() < 0.25 else usual)


def _loss_name(rng, outputs):
    return rng.choice(["mse", "cross"]) if outputs > 1 else "mse"


def residual_network(rng):
    d, m, K = (_size(rng, 5, 9) for _ in range(3))
    r, loss_name = rng.randint(1, d), _loss_name(rng, K)
    branches = [rng.choice([None, _size(rng, 4, 9)]) for _ in range(_size(rng, 3, 5))]
    inputs = inputs_of_rank(rng, r + rng.randint(0, 4), d, r)
    form = closed_forms.residual_ranks(r, K, branches, m, loss_name)
    network = residual(branches, _initial, width=m, classes=K)
    case = drawn(rng, network, (d,), inputs, loss_name, form, f"{d=} {r=} {m=} {K=} {branches=} {loss_name}")
    if rng.random() < 0.3:  # square branches at zero: the identity
        first, *blocks, last = case.params
        blocks = [0 * block if h is None else block for block, h in zip(blocks, branches, strict=True)]
        case = case._replace(params=[first, *blocks, last], label=case.label + " W=0")
    return case


def residual_blocks(rng):
    d = _size(rng, 5, 8)
    r, count = rng.randint(1, d), _size(rng, 3, 5)
    kind = rng.choice(["equal", "equal", "unequal", "square"])
    branches = {
        "equal": [_size(rng, 4, 7)] * count,
        "unequal": [_size(rng, 4, 7) for _ in range(count)],
        "square": [None] * count,
    }[kind]
    inputs = inputs_of_rank(rng, r + rng.randint(0, 4), d, r)
    form = closed_forms.residual_ranks_without_layers(r, d, branches)
    return drawn(rng, residual(branches, _initial), (d,), inputs, "mse", form, f"{d=} {r=} {branches=}")


def _attention(rng, r, d, k, v, T, n, K, heads, causal, loss_name):
    inputs = inputs_of_rank(rng, n * T, d, r).reshape(n, T, d)
    options = dict(classes=K, heads=heads, causal=causal)
    form = closed_forms.attention_ranks(r, k, v, T, n, loss_name=loss_name, **options)
    network = attention(k, v, _initial, **options)
    label = f"{r=} {d=} {k=} {v=} {T=} {n=} {K=} {heads=} {causal=} {loss_name}"
    return drawn(rng, network, (T, d), inputs, loss_name, form, label)


def _many(rng, r, T, outputs, dimensions):
    """Return a number of samples at the limit of what counts as many, or a little more."""
    t = min(T, r)
    limits = 2 * r - 1, math.ceil((r * r + r - 1) / t), math.ceil(dimensions / (T * min(r, outputs)))
    return max(limits) + rng.choice([0, 0, 0, 1, 5])


def _dimensions(r, K, k, v):
    kappa, nu = min(k, r), min(v, r, K)
    return kappa * (2 * r - kappa) + nu * (r + K - nu)


def attention_of_one_sample(rng):
    d, T, k, v = (_size(rng, 5, 8) for _ in range(4))
    K = rng.choice([None, _size(rng, 5, 9)])
    loss_name = "mse" if K is None else _loss_name(rng, K)
    return _attention(rng, rng.randint(1, min(d, T)), d, k, v, T, 1, K, 1, False, loss_name)


def attention_head(rng):
    d, T, k, v = (_size(rng, 4, 6) for _ in range(4))
    r, K = rng.randint(1, d), rng.choice([None, _size(rng, 4, 9)])
    loss_name = "mse" if K is None else _loss_name(rng, K)
    outputs = v if K is None else K - (loss_name == "cross")
    n = max(2, _many(rng, r, T, outputs, 2 * r**2 + r * v if K is None else _dimensions(r, outputs, k, v)))
    return _attention(rng, r, d, k, v, T, n, K, 1, T > 1 and rng.random() < 0.3, loss_name)


def attention_heads(rng):
    heads, loss_name = rng.randint(2, 3), "mse"
    if rng.random() < 0.5:  # the usual sizes: with K = r and k = v = r / h
        k = v = rng.randint(1, 2)
        d = r = K = heads * k
        loss_name = rng.choice(["mse", "mse", "cross"])
        K += loss_name == "cross"
    else:
        k, v = rng.randint(1, 3), rng.randint(1, 3)
        r, K = rng.randint(1, 4), rng.choice([None, *range(1, 5)])
        d = r + rng.randint(0, 1)
    T = rng.randint(2, 4)
    outputs = (K or v) - (loss_name == "cross")
    n = max(2, _many(rng, r, T, outputs, heads * _dimensions(r, outputs, k, v)))
    return _attention(rng, r, d, k, v, T, n, K, heads, rng.random() < 0.3, loss_name)


def attention_of_few_samples(rng):
    d, k, v = (_size(rng, 5, 8) for _ in range(3))
    T, n, heads = _size(rng, 5, 8), _size(rng, 5, 12), rng.choice([1, 1, 1, 2, 4])
    r, K = rng.randint(1, min(d, n * T)), rng.choice([None, _size(rng, 5, 9)])
    return _attention(rng, r, d, k, v, T, n, K, heads, rng.random() < 0.2, "mse")


def piecewise_linear_hidden_layer(rng):
    d, m, K = (_size(rng, 5, 9) for _ in range(3))
    r, loss_name, bias = rng.randint(1, d), _loss_name(rng, K), rng.random() < 0.3
    n = r + bias + rng.choice([0, 1, 2, 5, 20])
    activation = rng.choice(["relu", "relu", "leaky_relu"])
    inputs = inputs_of_rank(rng, n, d, r)
    network = fully_connected([m], K, activation, _initial, bias=bias)
    case = drawn(
        rng, network, (d,), inputs, loss_name, None, f"{d=} {r=} {m=} {K=} {n=} {activation} {bias=} {loss_name}"
    )
    rows = np.hstack([inputs, np.ones((n, 1))]) if bias else inputs
    r = exact_rank(rows).rank - bias  # of n samples, centring takes one dimension
    z = inputs @ case.params[0][0] + case.params[0][1] if bias else inputs @ case.params[0]
    ranks = [exact_rank(rows[on]).rank if on.any() else 0 for on in (z > 0).T] if activation == "relu" else None
    form = closed_forms.one_hidden_layer_ranks(r, K, m, activation, n, ranks, bias, loss_name)
    return case._replace(form=form)


def _polynomial(rng, d, r, m, K, a, n, loss_name="mse"):
    form = closed_forms.polynomial_ranks(r, K, m, a, n, loss_name)
    label = f"{d=} {r=} {m=} {K=} {a=} {n=} {loss_name}"
    inputs = inputs_of_rank(rng, n, d, r)
    return drawn(rng, polynomial([m], K, a, _initial), (d,), inputs, loss_name, form, label)


def polynomial_hidden_layer(rng):
    d, m, K, a = _size(rng, 4, 8), _size(rng, 5, 9), _size(rng, 4, 8), rng.randint(2, 5)
    r = rng.randint(1, d)
    return _polynomial(rng, d, r, m, K, a, r + rng.choice([0, 1, 3, 20]), _loss_name(rng, K))


def quadratic_hidden_layer(rng):
    d, m, K = rng.randint(1, 5), rng.randint(1, 12), rng.randint(1, 7)
    if m * (d + K) > 100:
        m = 100 // (d + K)
    r = rng.randint(1, d)
    return _polynomial(rng, d, r, m, K, 2, math.comb(r + 1, 2) + rng.randint(0, 2), _loss_name(rng, K))


def sum_of_powers(rng):
    a, d = rng.choice([(3, 2), (3, 3), (3, 4), (3, 5), (4, 2), (4, 3), (4, 4), (5, 2), (5, 3), (6, 2)])
    r = rng.choice([d, d, rng.randint(1, d)])
    return _polynomial(rng, d, r, rng.randint(1, 9), 1, a, math.comb(r + a - 1, a) + rng.randint(0, 2))


def tied_autoencoder(rng):
    d, m = _size(rng, 8, 14), _size(rng, 8, 14)
    r = rng.randint(1, d)
    inputs, form = inputs_of_rank(rng, r + rng.randint(0, 3), d, r), closed_forms.tied_ranks(r, d, m)
    return drawn(rng, tied(m, _initial), (d,), inputs, "mse", form, f"{d=} {r=} {m=}")


def recurrent_network(rng):
    d, layers = _size(rng, 9, 14), _size(rng, 5, 9)
    r = rng.randint(1, d)
    inputs, form = inputs_of_rank(rng, r + rng.randint(0, 3), d, r), closed_forms.recurrent_ranks(r, d, layers)
    return drawn(rng, recurrent(layers, _initial), (d,), inputs, "mse", form, f"{d=} {r=} {layers=}")


def _convolutional(rng, shape, channels, kernels, K, padding, full, most=320):
    """Return a Case of a convolutional network, or None if it has more parameters than the most."""
    *space, first = shape
    taps = [kernel if isinstance(kernel, tuple) else (kernel,) for kernel in kernels]
    last = math.prod(positions(space, taps, padding)) * channels[-1]
    sizes = [math.prod(k) * a * b for k, a, b in zip(taps, [first, *channels], channels, strict=False)]
    size = math.prod(shape)
    if sum(sizes) + last * (K or 0) > most or size > 60:
        return None
    r = size if full else rng.randint(1, size)
    loss_name = _loss_name(rng, K or channels[-1])
    form = closed_forms.convolutional_ranks(shape, channels, kernels, K, r, padding, loss_name)
    inputs = inputs_of_rank(rng, r + rng.randint(0, 3), size, r).reshape(-1, *shape)
    label = f"{shape=} {channels=} {kernels=} {K=} {padding} {r=} {loss_name}"
    network = convolutional(channels, kernels, _initial, classes=K, padding=padding)
    return drawn(rng, network, shape, inputs, loss_name, form, label)


def _until(rng, attempt):
    """Return the first case that an attempt makes."""
    while (case := attempt(rng)) is None:
        pass
    return case


def convolutions_of_full_data(rng):
    """Channels at random, or growing or shrinking, where syzygies can matter."""

    def attempt(rng):
        count, head, kind = _size(rng, 3, 5), rng.random() < 0.4, rng.choice(["any", "grow", "shrink"])
        kernels = [rng.choice([1, 2, 2, 3, 3, 4, 6, 8]) for _ in range(count)]
        first = rng.choice([1, 1, 2, 3])
        channels = [rng.randint(1, 8) for _ in range(count)]
        if kind != "any":
            steps = [rng.choice([0, 1, 2, 2, 3, 4]) for _ in range(count)]
            channels = [first + sum(steps[: place + 1]) for place in range(count)]
        if kind == "shrink":
            first, *channels = [first, *channels][::-1]
        shape = sum(kernels) - count + 1 + rng.choice([0, 0, 1, 4]), first
        return _convolutional(rng, shape, channels, kernels, rng.randint(1, 6) if head else None, "VALID", True)

    return _until(rng, attempt)


def one_convolution_and_a_head(rng):
    def attempt(rng):
        space = [_size(rng, 7, 14)] if rng.random() < 0.5 else [rng.randint(1, 4), rng.randint(1, 5)]
        kernel = tuple(rng.randint(1, size) for size in space)
        kernels = [kernel[0] if len(kernel) == 1 else kernel]
        shape, channels = (*space, rng.randint(1, 4)), [_size(rng, 5, 9)]
        padding = rng.choice(["VALID", "VALID", "VALID", "CIRCULAR", "SAME"])
        return _convolutional(rng, shape, channels, kernels, _size(rng, 5, 9), padding, False)

    return _until(rng, attempt)


def two_convolutions(rng):
    def attempt(rng):
        axes = rng.randint(1, 2)
        pairs = [tuple(rng.randint(1, 4 - axes) for _ in range(axes)) for _ in range(2)]
        space = [sum(each) - 1 + rng.randint(0, 2) for each in zip(*pairs, strict=True)]
        kernels = [pair[0] if axes == 1 else pair for pair in pairs]
        channels = [_size(rng, 5, 9), _size(rng, 4, 8)]
        return _convolutional(rng, (*space, rng.randint(1, 3)), channels, kernels, None, "VALID", True)

    return _until(rng, attempt)


def _dominant(rng, padding, full):
    def attempt(rng):
        count = _size(rng, 3, 4)
        kernels = [rng.choice([2, 2, 3, 3, 4, 5]) for _ in range(count)]
        merged = sum(kernels) - count + 1
        first = rng.choice([1, 1, 2, 3])
        channels = sorted(rng.randint(first, rng.choice([4, 8])) for _ in range(count))
        shape, K = (merged + rng.randint(0 if padding == "CIRCULAR" else 1, 6), first), _size(rng, 6, 9)
        case = _convolutional(rng, shape, channels, kernels, K, padding, full)
        return case if case and any(case.form.equal[::2]) else None

    return _until(rng, attempt)


def dominant_head(rng):
    return _dominant(rng, "VALID", False)


def dominant_head_on_full_data(rng):
    return _dominant(rng, "VALID", True)


def dominant_head_around(rng):
    return _dominant(rng, "CIRCULAR", True)


def any_convolutions(rng):
    def attempt(rng):
        count, head, axes = rng.randint(1, 3), rng.random() < 0.7, rng.randint(1, 2)
        kernels = [tuple(rng.randint(1, 4 - axes) for _ in range(axes)) for _ in range(count)]
        space = [sum(each) - count + 1 + rng.randint(0, 4 - axes) for each in zip(*kernels, strict=True)]
        kernels = [kernel[0] if axes == 1 else kernel for kernel in kernels]
        channels = [rng.randint(1, 4) for _ in range(count)]
        padding = rng.choice(["VALID", "VALID", "SAME", "CIRCULAR"])
        K = rng.randint(1, 5) if head else None
        return _convolutional(rng, (*space, rng.randint(1, 2)), channels, kernels, K, padding, rng.random() < 0.5)

    return _until(rng, attempt)


def softmax_attention(rng):
    heads, T, k, v = rng.choice([1, 1, 2]), rng.randint(1, 3), rng.randint(1, 2), rng.randint(1, 3)
    r, K = rng.randint(1, 3), rng.choice([None, 1, 2, 3, 4, 5])
    loss_name, causal = "mse" if K is None else _loss_name(rng, K), T > 1 and rng.random() < 0.3
    outputs = v if K is None else K - (loss_name == "cross")
    n = max(2, _many(rng, r, T - causal, outputs, heads * (_dimensions(r, outputs, k, v) if K else r * (2 * r + v))))
    inputs = inputs_of_rank(rng, n * T, r, r).reshape(n, T, r)
    options = dict(classes=K, heads=heads, softmax=True, causal=causal)
    form = closed_forms.attention_ranks(r, k, v, T, n, loss_name=loss_name, **options)
    label = f"{r=} {k=} {v=} {T=} {n=} {K=} {heads=} {causal=} {loss_name}"
    case = drawn(rng, attention(k, v, _initial, **options), (T, r), inputs, loss_name, form, label)
    return _with_cross_entropy(case) if loss_name == "cross" else case


def curved_hidden_layer(rng):
    d, m, K = rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 4)
    r, loss_name, bias = rng.randint(1, d), _loss_name(rng, K), rng.random() < 0.3
    activation = rng.choice(closed_forms.one_hidden_layer.CURVED)
    n = rng.choice([r + bias, m * (r + bias + 1) + bias])
    inputs = inputs_of_rank(rng, n, d, r)
    ranks = exact_rank(inputs, centred=bias).rank
    form = closed_forms.one_hidden_layer_ranks(ranks, K, m, activation, n, bias=bias, loss_name=loss_name)
    network = fully_connected([m], K, activation, _initial, bias=bias)
    label = f"{d=} {r=} {m=} {K=} {n=} {activation} {bias=} {loss_name}"
    case = drawn(rng, network, (d,), inputs, loss_name, form, label)
    return _with_cross_entropy(case) if loss_name == "cross" else case


def cross_entropy(rng):
    draws = residual_network, attention_head, piecewise_linear_hidden_layer, polynomial_hidden_layer, dominant_head
    while True:
        case = rng.choice(draws)(rng)
        small = case.loss is contrasts and sum(leaf.size for leaf in jax.tree.leaves(case.params)) <= 60
        if small and abs(case.apply_fn(case.params, case.batch[0])).max() < 10 * _TEMPERATURE:
            return _with_cross_entropy(case)


_TEMPERATURE = 1024


def tempered(predictions, targets):
    """Return the cross-entropy at a high temperature: large outputs would saturate the softmax, down to exp(-1e5)."""
    return get_loss("cross")(predictions / _TEMPERATURE, targets)


def _with_cross_entropy(case):
    inputs, targets = case.batch
    return case._replace(loss=tempered, batch=(inputs, np.asarray(jax.nn.softmax(targets))))


class Family(NamedTuple):
    draw: object
    own: str = ""  # letters of the equalities that it is there for: f, o, L


RATIONAL = {
    "residual, with layers": Family(residual_network, "foL"),
    "residual, blocks alone": Family(residual_blocks, "foL"),
    "attention, one sample": Family(attention_of_one_sample, "foL"),
    "attention, one head": Family(attention_head, "foL"),
    "attention, heads": Family(attention_heads, "foL"),
    "attention, few samples": Family(attention_of_few_samples),
    "hidden layer, relu": Family(piecewise_linear_hidden_layer, "f"),
    "hidden layer, powers": Family(polynomial_hidden_layer, "fL"),
    "hidden layer, squares": Family(quadratic_hidden_layer, "o"),
    "sums of powers, K = 1": Family(sum_of_powers, "o"),
    "tied": Family(tied_autoencoder, "foL"),
    "recurrent": Family(recurrent_network, "foL"),
    "convolutions, full data": Family(convolutions_of_full_data, "o"),
    "one convolution and a head": Family(one_convolution_and_a_head, "f"),
    "two convolutions": Family(two_convolutions, "f"),
    "dominant head": Family(dominant_head, "f"),
    "dominant head, full data": Family(dominant_head_on_full_data, "L"),
    "dominant head, circular": Family(dominant_head_around, "f"),
    "convolutions, any": Family(any_convolutions),
}
SMOOTH = {  # with exp and its like: exact ranks are computed in balls
    "attention, softmax": Family(softmax_attention, "foL"),
    "hidden layer, curved": Family(curved_hidden_layer, "foL"),
    "cross-entropy": Family(cross_entropy, "f"),
}
FAMILIES = RATIONAL | SMOOTH


class Verdict(NamedTuple):
    """What exact ranks say of one closed form: which of H_f, H_o and H_L it states, and how it does."""

    equal: tuple  # of bools: whether an equality is stated
    hit: tuple  # whether the rank is the closed form
    above: tuple  # whether the rank is larger, which refutes the closed form

    def is_right(self):
        """Return whether nothing refutes the form: no rank is larger, and none of an equality is smaller."""
        return not any(self.above) and all(hit or not equal for hit, equal in zip(self.hit, self.equal, strict=True))


def verdict(case, ranks):
    """Return the Verdict of a case, by its exact ranks."""
    pairs = list(zip(ranks, case.form.ranks, strict=True))
    return Verdict(tuple(case.form.equal), tuple(a == b for a, b in pairs), tuple(a > b for a, b in pairs))

"""What the sliders say: a network, its data and its loss, as one tuple of numbers and names."""

import itertools
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import checks
from architectures import ACTIVATIONS, attention, convolutional, fully_connected, residual
from initializers import get_init, random_key
from losses import get_loss

KINDS = "fully connected", "residual", "attention", "convolutional"
LOSSES = "mse", "cross", "cosh"
MEASURED = 1500  # parameters up to which the three matrices take seconds

# The smallest and the largest value of each number.
LIMITS = {
    "inputs": (1, 30),
    "outputs": (1, 12),
    "data_rank": (1, 60),
    "samples": (2, 100),
    "block_width": (1, 20),
    "heads": (1, 4),
    "tokens": (2, 8),
    "length": (4, 16),
    "kernel": (1, 5),
}
WIDTHS = (1, 20)
DEPTHS = (1, 4)


class Choice(NamedTuple):
    """A network, its data and its loss. What a kind of network does not have is ignored.

    Example:
        >>> from explorer import Choice
        >>> Choice(widths=(3, 20)).loss
        'mse'
    """

    kind: str = "fully connected"  # a name in `KINDS`
    widths: tuple = (5, 10)  # hidden widths; widths of branches; dimensions of keys and values; channels
    inputs: int = 25  # d; with convolutions the channels of the inputs
    outputs: int = 10  # K
    data_rank: int = 25  # r, with biases of the centred data
    samples: int = 50  # n
    loss: str = "mse"
    bias: bool = False  # fully connected networks only
    activation: str = "linear"  # 'softmax' is for attention only
    block_width: int = 12  # m, residual networks only
    heads: int = 1  # attention only, as are tokens
    tokens: int = 6
    length: int = 10  # positions of the inputs, convolutions only, as is kernel
    kernel: int = 3  # taps


# What a reader sees first of each kind.
FIRST = {
    "fully connected": Choice(),
    "residual": Choice("residual", widths=(3, 2)),
    "attention": Choice("attention", widths=(2, 3), inputs=5, outputs=4, data_rank=5),
    "convolutional": Choice("convolutional", widths=(2, 3), inputs=1, outputs=5, data_rank=10),
}


def activations(kind):
    """Return the names of the activation functions that a kind of network can have."""
    return ("linear", "softmax") if kind == "attention" else tuple(ACTIVATIONS)


def largest_rank(choice):
    """Return how large the rank r of the data can be: min(d, n), and min(d, n - 1) for centred data."""
    if choice.kind == "attention":
        return min(choice.inputs, choice.samples * choice.tokens)
    features = choice.inputs * (choice.length if choice.kind == "convolutional" else 1)
    return min(features, choice.samples - _has_biases(choice))


def nearest(choice):
    """Return the choice with every number inside its limits, and nothing set that the kind does not have.

    Raises:
        TypeError, ValueError: for an unknown kind, loss or activation, or anything but integers.
    """
    first = checks.choice("kind", choice.kind, FIRST)
    kept = ("kind", "widths", "inputs", "outputs", "data_rank", "samples", "loss", "activation", *_OWN[choice.kind])
    choice = first._replace(**{name: getattr(choice, name) for name in kept})
    checks.choice("loss", choice.loss, dict.fromkeys(LOSSES))
    checks.choice("activation", choice.activation, dict.fromkeys(activations(choice.kind)))
    checks.boolean("bias", choice.bias)
    widths = [_within(f"widths[{i}]", width, WIDTHS) for i, width in enumerate(choice.widths[: DEPTHS[1]])]
    if choice.kind == "attention":
        widths = [*widths, 1, 1][:2]
    numbers = {name: _within(name, getattr(choice, name), limits) for name, limits in LIMITS.items()}
    if choice.loss == "cross":
        numbers["outputs"] = max(numbers["outputs"], 2)
    if choice.kind == "convolutional":  # every layer needs a position to look at
        numbers["kernel"] = min(numbers["kernel"], 1 + (numbers["length"] - 1) // len(widths))
    choice = choice._replace(widths=tuple(widths), **numbers)
    return choice._replace(data_rank=min(choice.data_rank, largest_rank(choice)))


def layer_shapes(choice):
    """Return [(label, number of parameters)] of the layers of a fitted choice."""
    c = choice
    if c.kind == "attention":
        k, v = c.widths
        sizes = {"W_Q": c.inputs * k, "W_K": c.inputs * k, "W_V": c.inputs * v, "W_O": v * c.outputs}
        return [(name, c.heads * size) for name, size in sizes.items()]
    if c.kind == "residual":
        blocks = [(f"block {i}", 2 * c.block_width * h) for i, h in enumerate(c.widths, start=1)]
        return [("W_in", c.inputs * c.block_width), *blocks, ("W_out", c.block_width * c.outputs)]
    if c.kind == "convolutional":
        sizes = [a * b * c.kernel for a, b in itertools.pairwise([c.inputs, *c.widths])]
        return [
            *((f"W_{i}", size) for i, size in enumerate(sizes, start=1)),
            ("head", positions(c) * c.widths[-1] * c.outputs),
        ]
    pairs = itertools.pairwise([c.inputs, *c.widths, c.outputs])
    return [(f"W_{i}", (a + _has_biases(c)) * b) for i, (a, b) in enumerate(pairs, start=1)]


def parameters(choice):
    """Return p, the number of parameters of a fitted choice."""
    return sum(size for _, size in layer_shapes(choice))


def positions(choice, layers=None):
    """Return how many positions are left behind some layers of a convolutional network, all by default."""
    layers = len(choice.widths) if layers is None else layers
    return choice.length - layers * (choice.kernel - 1)


def problem(choice):
    """Return (loss, apply_fn, params, batches) of a choice, what `ranks.dense_ranks` takes.

    The weights are drawn with Glorot's initializer and seed 1. The inputs are a product of two standard normal
    matrices, so that they have the rank r. The targets are standard normal, or random classes for the cross-entropy.
    All of it is the same for the same choice.

    Args:
        choice: Choice.

    Returns:
        loss: of predictions and targets.
        apply_fn: the network.
        params: its weights.
        batches: a list of one pair, inputs (n, ...) and targets (n, ...).

    Raises:
        TypeError, ValueError: as `nearest`, and for numbers outside of their limits.

    Example:
        >>> import jax
        >>> jax.config.update("jax_enable_x64", True)
        >>> from explorer import Choice, problem
        >>> from ranks import dense_ranks
        >>> [found.rank for found in dense_ranks(*problem(Choice(widths=(2,), inputs=4, outputs=3, data_rank=4)))]
        [12, 10, 14]
    """
    c = nearest(choice)
    if c != choice:
        differ = [name for name, one, other in zip(c._fields, c, choice, strict=True) if one != other]
        raise ValueError(f"{', '.join(differ)} does not fit a {c.kind} network of this size; the nearest is {c}")
    init, shape, generator = get_init("glorot"), input_shape(c), np.random.default_rng(1)
    if c.kind == "attention":
        init_fn, apply_fn = attention(*c.widths, init, c.outputs, c.heads, softmax=c.activation == "softmax")
    elif c.kind == "residual":
        init_fn, apply_fn = residual(c.widths, init, c.block_width, c.outputs, c.activation)
    elif c.kind == "convolutional":
        kernels = [c.kernel] * len(c.widths)
        init_fn, apply_fn = convolutional(c.widths, kernels, init, c.outputs, activation=c.activation)
    else:
        init_fn, apply_fn = fully_connected(c.widths, c.outputs, c.activation, init, bias=c.bias)
    outputs, params = init_fn(random_key(1), (-1, *shape))
    rows = c.samples * (c.tokens if c.kind == "attention" else 1)
    columns = c.inputs if c.kind == "attention" else int(np.prod(shape))
    inputs = generator.standard_normal((rows, c.data_rank)) @ generator.standard_normal((c.data_rank, columns))
    targets = generator.standard_normal((c.samples, *outputs[1:]))
    if c.loss == "cross":
        targets = np.eye(c.outputs)[targets.argmax(axis=-1)]
    # Of the size of standard normal inputs.
    inputs = inputs.reshape(c.samples, *shape) / np.sqrt(c.data_rank)
    return get_loss(c.loss), apply_fn, params, [(jnp.asarray(inputs), jnp.asarray(targets))]


def input_shape(choice):
    """Return the shape of one sample of a fitted choice."""
    if choice.kind == "attention":
        return choice.tokens, choice.inputs
    return (choice.length, choice.inputs) if choice.kind == "convolutional" else (choice.inputs,)


def reproducing(choice):
    """Return a line of Python that measures the ranks of a choice again, and the lines of imports that it needs."""
    choice = nearest(choice)
    pairs = zip(choice._fields, choice, Choice(), strict=True)
    words = ", ".join(f"{name}={value!r}" for name, value, default in pairs if value != default)
    return (
        'import jax; jax.config.update("jax_enable_x64", True)\n'
        "from explorer import Choice, problem; from figures import rank_list; from ranks import dense_ranks\n"
        f"print(rank_list(dense_ranks(*problem(Choice({words})))))"
    )


_OWN = {
    "fully connected": ("bias",),
    "residual": ("block_width",),
    "attention": ("heads", "tokens"),
    "convolutional": ("length", "kernel"),
}


def _has_biases(choice):
    return choice.kind == "fully connected" and choice.bias


def _within(name, value, limits):
    return min(max(checks.integer(name, value, minimum=-(2**63)), limits[0]), limits[1])

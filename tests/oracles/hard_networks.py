"""Small networks whose Hessians are hard to count in float64, beside their exact ranks.

A family makes one thing difficult: collinear inputs, units on a kink, saturated losses and the like. Its networks have
a handful of shapes, since a new shape takes seconds to compile. Weights and data are drawn anew each time, and the size
of what is difficult is drawn over many powers of ten. So a family also meets the values in between.

    network = draw(np.random.default_rng([seed, number]), "collinear inputs")
"""

import functools
from typing import NamedTuple

import jax
import numpy as np

from exact import UndecidedError, exact_ranks
from hessians import SYMBOLS, HessianTriple
from losses import get_loss
from matrix_free import sketched_ranks
from ranks import dense_ranks
from tests.oracles import difficulties
from tests.oracles.difficulties import Shape, functions, parameters, plain

WAYS = "dense", "matrix-free"
REFUSED = ValueError, TypeError, MemoryError, np.linalg.LinAlgError


class Network(NamedTuple):
    """One network, with the family that it is drawn from and the setting in words."""

    family: str
    setting: str
    loss: object
    apply_fn: object
    params: list
    batches: list


class Judgement(NamedTuple):
    """One matrix of a network, measured in one way, beside its exact rank."""

    family: str
    setting: str
    matrix: str  # 'H_f', 'H_o' or 'H_L'
    way: str  # 'dense' or 'matrix-free'
    measured: int | None  # None if the way raised an error
    exact: int | None  # None if there is no Hessian
    grade: str  # 'proved', 'clear', 'open', or 'refused' if the way raised an error
    gap: float | None
    reason: str  # of the grade, or the first words of the error

    @property
    def right(self):
        """Whether the rank is the exact one. Where there is no Hessian, no rank is."""
        return self.measured is not None and self.measured == self.exact

    @property
    def trusted(self):
        """Whether the rank is marked as proved or clear."""
        return self.grade in ("proved", "clear")

    @property
    def wrongly_trusted(self):
        """Whether the rank is trusted and wrong."""
        return self.trusted and not self.right


def judge(network, rng, ways=WAYS, **options):
    """Return the Judgements of the three matrices of a network, each measured in each of the ways.

    Args:
        network: Network.
        rng: numpy.random.Generator, of the probes and the guess.
        ways: which of `WAYS`.
        **options: of `exact.exact_ranks`.
    """
    problem = network[2:]
    try:
        exact = [found.rank for found in exact_ranks(*problem, **options)]
    except UndecidedError:  # a unit sits on its kink
        exact = [None] * 3
    key, guess = jax.random.key(rng.integers(2**31)), None
    if rng.integers(2) and None not in exact:  # a guess from half the rank to a fifth above it
        guess = HessianTriple(*(int(rank * rng.uniform(0.5, 1.2)) for rank in exact))
    measures = {"dense": dense_ranks, "matrix-free": functools.partial(sketched_ranks, guess=guess, key=key)}
    rows = []
    for way in ways:
        try:
            found = [(rank.rank, rank.grade, rank.gap, rank.reason) for rank in measures[way](*problem)]
        except REFUSED as error:
            found = [(None, "refused", None, f"{type(error).__name__}: {str(error)[:60]}")] * 3
        for name, known, (rank, *evidence) in zip(SYMBOLS, exact, found, strict=True):
            rows.append(Judgement(network.family, network.setting, name, way, rank, known, *evidence))
    return rows


def draw(rng, family, most=None):
    """Return a random Network of one of the `FAMILIES`, with one of the first `most` of its shapes."""
    shapes, change = FAMILIES[family]
    shape = shapes[rng.integers(len(shapes[:most]))]
    with np.errstate(under="ignore"):
        layers, inputs, targets, text = change(rng, shape, *plain(rng, shape))
    return _network(family, text, shape, layers, inputs, targets)


def named():
    """Return the deep bottleneck 9-2-2-5-2-5-4-2-1, in which float64 sees 45 of the 54 dimensions of H_L, gap 3e9."""
    shape = Shape((9, 2, 2, 5, 2, 5, 4, 2, 1), "linear", True, 19)
    rng, (init_fn, _) = np.random.default_rng(1), functions(shape)
    layers = jax.tree.map(lambda W: 0.1 * np.asarray(W), init_fn(jax.random.PRNGKey(1), (-1, 9))[1])
    inputs = rng.standard_normal((19, 9))
    targets = 1000 * rng.choice([-1.0, 1.0], (19, 1))
    return _network("bottlenecks", "the named one", shape, layers, inputs, targets)


def _network(family, text, shape, layers, inputs, targets):
    words = f"{'-'.join(map(str, shape.sizes))} {shape.activation}{' with bias' if shape.bias else ''}, {shape.loss}"
    pairs = zip(np.split(inputs, shape.batches), np.split(targets, shape.batches), strict=True)
    setting = f"{words}, n = {shape.n}: {text}"
    return Network(family, setting, get_loss(shape.loss), functions(shape)[1], parameters(shape, layers), list(pairs))


_COMMON = (
    Shape((5, 3, 2), "linear", False, 10),
    Shape((4, 4, 3), "relu", True, 12),
    Shape((5, 4, 3), "linear", True, 12, batches=2),
    Shape((4, 3, 2, 3), "leaky_relu", False, 10),
    Shape((6, 2, 4, 2), "linear", False, 4),
    Shape((9, 5, 4, 3), "linear", False, 20),
)
_BOTTLENECKS = (
    Shape((4, 3, 5), "linear", False, 10),
    Shape((4, 3, 1, 2, 5, 2), "linear", True, 12),
    Shape((4, 2, 3, 2, 2), "leaky_relu", True, 12),
    Shape((6, 1, 4, 3), "linear", False, 10),
    Shape((5, 4, 3, 2, 1, 2, 3, 4, 2), "linear", False, 12),
    Shape((3, *8 * (2,), 2), "linear", True, 8),
    Shape((9, 2, 2, 5, 2, 5, 4, 2, 1), "linear", True, 19),
)
_SATURATED = (
    Shape((3, 3, 2), "linear", False, 8, "cross"),
    Shape((3, 2, 2), "relu", True, 8, "cosh"),
    Shape((3, 2, 3), "relu", True, 8, "cross"),
    Shape((3, 3, 3), "linear", True, 8, "cross"),
    Shape((3, 3, 2), "linear", False, 8, "cosh"),
)
_SMOOTH = (
    Shape((3, 3, 2), "tanh", False, 8),
    Shape((3, 2, 2), "sigmoid", True, 8),
    Shape((3, 3, 2), "elu", False, 8),
    Shape((3, 2, 2), "gelu", True, 8),
    Shape((2, 2, 2, 2), "tanh", True, 8),
)
_KINKED = (
    Shape((4, 3, 2), "relu", False, 10),
    Shape((4, 4, 3), "relu", True, 12),
    Shape((4, 3, 2, 3), "leaky_relu", False, 10),
    Shape((4, 3, 3, 2), "relu", True, 10),
)
_IMAGES = (
    Shape((4, 3, 3), "linear", False, 20),
    Shape((9, 4, 3), "linear", True, 20),
    Shape((9, 4, 3), "relu", False, 20),
    Shape((16, 4, 2), "linear", False, 20),
    Shape((16, 3, 3, 4), "relu", True, 20),
)
_ORDINARY = *_IMAGES[1:], Shape((9, 4, 4, 3), "leaky_relu", True, 20, batches=2)

FAMILIES = {
    "ordinary": (_ORDINARY, difficulties.ordinary),
    "bottlenecks": (_BOTTLENECKS, difficulties.bottlenecks),
    "collinear inputs": (_COMMON, difficulties.collinear),
    "constant inputs": (_COMMON, difficulties.constant),
    "units of inputs": (_COMMON, difficulties.units),
    "scales": (_COMMON, difficulties.scales),
    "residuals": ((*_COMMON, Shape((4, 5, 3), "linear", False, 200)), difficulties.residuals),
    "saturated losses": (_SATURATED, difficulties.saturated),
    "smooth activations": (_SMOOTH, difficulties.smooth),
    "dependent weights": (_COMMON, difficulties.dependent),
    "kinks": (_KINKED, difficulties.kinks),
    "images": (_IMAGES, difficulties.image_scales),
    "two at once": (_COMMON, difficulties.two_at_once),
}


def numbered(seed, number):
    """Return the generator and the Network with this number: the families take turns.

    The generator is the one to pass to `judge`.
    """
    rng, families = np.random.default_rng([seed, number]), list(FAMILIES)
    return rng, draw(rng, families[number % len(families)])

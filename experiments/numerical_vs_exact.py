"""Numerical ranks judged by exact ones, over random settings."""

import itertools
from typing import NamedTuple

import numpy as np

import checks
import losses
from architectures import PIECEWISE_LINEAR, count_parameters, fully_connected
from closed_forms import biased_ranks, linear_ranks
from data import get_dataset
from exact import UndecidedError, exact_ranks, random_primes
from hessians import HessianTriple
from initializers import INITIALIZERS, get_init, random_key
from losses import get_loss, squared
from ranks import dense_ranks

# (dim, hidden widths, outputs): one to four hidden layers, the narrowest first, in the middle or last; p from 42 to 600
SHAPES = (9, (3, 4), 1), (16, (6,), 4), (25, (5, 10), 10), (16, (12, 4, 8), 5), (25, (12, 10), 10), (9, (9, 9, 9, 9), 9)


class Trial(NamedTuple):
    """One matrix at one random setting."""

    setting: str  # data, architecture, activation, bias, initialization
    matrix: str  # 'functional', 'outer' or 'loss'
    # Both ranks are None where the Hessian is not defined because a unit sits on its kink.
    numerical: int | None
    gap: float
    exact: int | None
    # What is counted, sorted and over the largest: |eigenvalues|, or the singular values of H_o's factor; (p,)
    sizes: np.ndarray
    grade: str = "open"  # of the numerical rank, one of `counting.GRADES`


def survey(datasets, draws, largest=600, seed=0, samples=50, pool=80, bar=None):
    """Return a list of Trials, three for each of `draws` draws for every shape, activation, and bias or none.

    Every draw takes the next data set, some of its first images, and new weights by the next initialization. Networks
    of one shape are compiled once.

    Args:
        datasets: names for `get_dataset`.
        draws: number of draws for each of the 6 x 3 x 2 networks.
        largest: networks with more parameters than this are left out.
        seed: of the draws.
        samples: number of images n of a draw.
        pool: number of images that they are drawn from.
        bar: a `tqdm.tqdm`, which is told the number of settings.

    Raises:
        TypeError, ValueError, RuntimeError: for no data sets, or unknown ones, as in `data.get_dataset`, and for a
            number of draws or parameters that is no positive integer.
    """
    draws, largest = checks.integer("draws", draws), checks.integer("largest", largest)
    if not list(datasets):
        raise ValueError("datasets is empty: name at least one data set, for instance ['digits']")
    generator = np.random.default_rng(seed)
    names, initializers = itertools.cycle(datasets), itertools.cycle(INITIALIZERS)
    trials, kinds = [], itertools.product(SHAPES, PIECEWISE_LINEAR, [False, True])
    kinds = [((dim, *more), *kind) for (dim, *more), *kind in kinds if count_parameters(dim, *more, kind[1]) <= largest]
    if bar is not None:
        bar.reset(total=len(kinds) * draws)
    for (dim, widths, outputs), activation, bias in kinds:
        _, apply_fn = fully_connected(widths, outputs, activation, get_init("glorot"), bias=bias)
        shape = "-".join(map(str, [dim, *widths, outputs]))
        for _ in range(draws):
            name, init_name = next(names), next(initializers)
            data = get_dataset(name, pool, 0, dim, outputs)
            rows = generator.choice(pool, size=samples, replace=False)
            init_fn, _ = fully_connected(widths, outputs, activation, get_init(init_name), bias=bias)
            _, params = init_fn(random_key(generator.integers(2**31)), (-1, dim))
            setting = f"{name}, {shape} {activation}{' with bias' if bias else ''}, {init_name}"
            trials += judge(setting, squared, apply_fn, params, [(data.x_train[rows], data.y_train[rows])])
            if bar is not None:
                bar.update(1)
    return trials


def judge(setting, loss, apply_fn, params, batches):
    """Return the Trials of the three matrices of one network.

    One prime is enough: it finds too low a rank with a probability below 10^-6.

    Args:
        setting: a text that names the network.
        loss, apply_fn, params, batches: as in `ranks.dense_ranks`.
    """
    try:
        exact = [found.rank for found in exact_ranks(loss, apply_fn, params, batches, primes=random_primes(1))]
    except UndecidedError:
        return [Trial(setting, field, None, np.nan, None, np.zeros(0)) for field in HessianTriple._fields]
    numerical = dense_ranks(loss, apply_fn, params, batches)
    trials = []
    for field, found, truth in zip(HessianTriple._fields, numerical, exact, strict=True):
        sizes = abs(found.spectrum)
        if field == "outer" and losses.has_root(loss):  # its spectrum holds squares of what is counted
            sizes = np.sqrt(sizes)
        trials.append(Trial(setting, field, found.rank, found.gap, truth, sizes / (sizes[0] or 1.0), found.grade))
    return trials


def certify(dim, widths, outputs, bias=False, samples=30, seed=0, loss_name="mse"):
    """Return the closed forms for a linear network on Gaussian data beside its exact ranks, two HessianTriples of ints.

    Exact ranks are proven lower bounds. Without biases, the closed forms are proven upper bounds. Where the two agree,
    the bound is attained.

    Args:
        dim: number of inputs d.
        widths: hidden widths [m_1, ..., m_{L-1}].
        outputs: K.
        bias: whether every layer has a bias.
        samples: number of samples n.
        seed: of the weights and the data.
        loss_name: 'mse', 'cross' or 'cosh'. For 'cross' the targets are random classes.
    """
    predicted, problem = _linear_network(dim, widths, outputs, bias, samples, seed, loss_name)
    return predicted, _ranks(exact_ranks(*problem, guess=predicted))


def saturation(dim, widths, outputs, scales, samples=30, seed=0, bar=None):
    """Return the ranks of a linear network under cross-entropy as its outputs grow and the softmax saturates.

    Args:
        dim, widths, outputs, samples, seed: as in `certify`.
        scales: factors of the last layer, and so of the outputs.
        bar: a `tqdm.tqdm`, which is told what `exact.exact_ranks` tells it.

    Returns:
        {scale: (closed forms, exact ranks, float64 ranks)}, HessianTriples of ints.
    """
    predicted, (loss, apply_fn, params, batches) = _linear_network(dim, widths, outputs, False, samples, seed, "cross")
    found = {}
    for scale in scales:
        problem = loss, apply_fn, [*params[:-1], scale * params[-1]], batches
        exact = exact_ranks(*problem, guess=predicted, bar=bar)
        found[scale] = predicted, _ranks(exact), _ranks(dense_ranks(*problem))
    return found


def _linear_network(dim, widths, outputs, bias, samples, seed, loss_name):
    """Return the closed forms and (loss, apply_fn, params, batches) of a linear network on Gaussian data."""
    rng = np.random.default_rng(seed)
    inputs, targets = rng.normal(size=(samples, dim)), rng.normal(size=(samples, outputs))
    if loss_name == "cross":
        targets = np.eye(outputs)[rng.integers(outputs, size=samples)]
    init_fn, apply_fn = fully_connected(widths, outputs, "linear", get_init("glorot"), bias=bias)
    _, params = init_fn(random_key(seed), (-1, dim))
    if bias:
        predicted = biased_ranks(min(dim, samples - 1), outputs, widths, loss_name)
    else:
        predicted = linear_ranks(min(dim, samples), outputs, widths, loss_name)
    return predicted, (get_loss(loss_name), apply_fn, params, [(inputs, targets)])


def _ranks(triple):
    return HessianTriple(*(found.rank for found in triple))


def certificates(networks, **settings):
    """Return {name: what `certify` returns}, with names like '7-4-3'.

    Args:
        networks: triples (dim, widths, outputs).
        settings: further arguments of `certify`, the same for all networks.
    """
    return {
        "-".join(map(str, [dim, *widths, outputs])): certify(dim, widths, outputs, **settings)
        for dim, widths, outputs in networks
    }

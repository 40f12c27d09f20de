"""The closed forms beside ranks in float64, with their grades, on images.

    python -m benchmarks.closed_forms.on_images [--settings 30] [--seed 0] [--datasets digits MNIST FashionMNIST
    CIFAR10]

prints a row for each kind of network: how many ranks were measured, how many of them are clear, and how many clear ones
are those of the closed form, below a bound, or refute the form. The networks, the numbers of images and their sizes are
random. Inputs are the rows of an image as tokens, the image as a convolutional network sees it, or its pixels in a row.
"""

import argparse
import collections
import functools
import random
import sys

import jax
import numpy as np

import closed_forms
from architectures import attention, convolutional, fully_connected, polynomial, recurrent, residual, tied
from data import get_dataset, get_images, get_tokens
from figures import text_table
from initializers import INITIALIZERS, get_init, random_key
from losses import get_loss
from ranks import dense_ranks, singular_rank

TITLES = "kind of network", "settings", "ranks", "clear", "equal", "below a bound", "refuted"


def _pixels(rng, dataset, classes):
    dim = rng.choice([9, 16, 25])
    data = get_dataset(dataset, rng.choice([40, 60, 90]), 0, dim, classes)
    return data.x_train, data.y_train, singular_rank(data.x_train).rank


def _itself(rng, dataset):
    X, _, r = _pixels(rng, dataset, 10)
    return X, X + np.random.default_rng(rng.randrange(2**32)).standard_normal(X.shape), r


def _residual(rng, dataset, init):
    K, loss_name = rng.randint(2, 10), rng.choice(["mse", "cross"])
    X, Y, r = _pixels(rng, dataset, K)
    branches, m = [rng.choice([None, 1, 2, 4]) for _ in range(rng.randint(1, 3))], rng.randint(2, 10)
    form = closed_forms.residual_ranks(r, K, branches, m, loss_name)
    return residual(branches, init, width=m, classes=K), X, Y, loss_name, form


def _blocks(rng, dataset, init):
    X, Y, r = _itself(rng, dataset)
    branches = [rng.randint(1, 4)] * rng.randint(1, 3)
    form = closed_forms.residual_ranks_without_layers(r, X.shape[1], branches)
    return residual(branches, init), X, Y, "mse", form


def _attention(softmax, rng, dataset, init):
    dim, n, K = rng.choice([4, 5, 6]), rng.choice([60, 90]), rng.randint(2, 10)
    loss_name = rng.choice(["mse", "cross"])
    data = get_tokens(dataset, n, 0, dim, K)
    r = singular_rank(data.x_train.reshape(-1, dim)).rank
    k, v, heads = rng.randint(1, 3), rng.randint(1, 3), rng.choice([1, 1, 2])
    options = dict(classes=K, heads=heads, softmax=softmax, causal=rng.random() < 0.3)
    form = closed_forms.attention_ranks(r, k, v, dim, n, loss_name=loss_name, **options)
    return attention(k, v, init, **options), data.x_train, data.y_train, loss_name, form


def _hidden_layer(rng, dataset, init):
    K, m, loss_name = rng.randint(2, 10), rng.randint(1, 4), rng.choice(["mse", "cross"])
    X, Y, r = _pixels(rng, dataset, K)
    activation = rng.choice(["tanh", "sigmoid", "gelu"])
    form = closed_forms.one_hidden_layer_ranks(r, K, m, activation, len(X), loss_name=loss_name)
    return fully_connected([m], K, activation, init), X, Y, loss_name, form


def _polynomial(rng, dataset, init):
    K, m, degree = rng.randint(1, 10), rng.randint(1, 6), rng.randint(2, 3)
    X, Y, r = _pixels(rng, dataset, K)
    return polynomial([m], K, degree, init), X, Y, "mse", closed_forms.polynomial_ranks(r, K, m, degree, len(X))


def _tied(rng, dataset, init):
    X, Y, r = _itself(rng, dataset)
    m = rng.randint(1, 8)
    return tied(m, init), X, Y, "mse", closed_forms.tied_ranks(r, X.shape[1], m)


def _recurrent(rng, dataset, init):
    X, Y, r = _itself(rng, dataset)
    layers = rng.randint(2, 4)
    return recurrent(layers, init), X, Y, "mse", closed_forms.recurrent_ranks(r, X.shape[1], layers)


def _convolutional(axes, padding, rng, dataset, init):
    side, K, loss_name = rng.choice([5, 6, 7]), rng.randint(2, 10), rng.choice(["mse", "cross"])
    data = get_images(dataset, rng.choice([40, 60, 90]), 0, side, K)
    X = data.x_train if axes == 2 else data.x_train[..., 0]  # for sequences, the columns of an image are channels
    X = X if axes == 2 else X[..., : rng.randint(1, 2)]
    kernels = [(rng.randint(2, 3),) * axes for _ in range(rng.randint(1, 2))]
    channels = sorted(rng.randint(X.shape[-1], 4) for _ in kernels)
    options = dict(classes=K, padding=padding)
    r = singular_rank(X.reshape(len(X), -1)).rank
    form = closed_forms.convolutional_ranks(X.shape[1:], channels, kernels, r=r, loss_name=loss_name, **options)
    return convolutional(channels, kernels, init, **options), X, data.y_train, loss_name, form


KINDS = {
    "residual, with layers": _residual,
    "residual, blocks alone": _blocks,
    "attention, linear": functools.partial(_attention, False),
    "attention, softmax": functools.partial(_attention, True),
    "hidden layer, curved": _hidden_layer,
    "hidden layer, powers": _polynomial,
    "tied": _tied,
    "recurrent": _recurrent,
    "convolutions of sequences": functools.partial(_convolutional, 1, "VALID"),
    "convolutions of images": functools.partial(_convolutional, 2, "VALID"),
    "convolutions, circular": functools.partial(_convolutional, 1, "CIRCULAR"),
}


def main():
    """Print the table. Its exit status is 1 if a clear rank refutes a closed form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--settings", type=int, default=30, help="for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--datasets", nargs="+", default=["digits", "MNIST", "FashionMNIST", "CIFAR10"])
    parser.add_argument("--small", action="store_true", help="a first look, at two kinds and the digits")
    options = parser.parse_args()
    settings, datasets, kinds = options.settings, options.datasets, list(KINDS)
    if options.small:
        settings, datasets, kinds = 1, ["digits"], ["tied", "convolutions of sequences"]
    jax.config.update("jax_enable_x64", True)
    rows, refuted = [], []
    for name in kinds:
        rng, counts = random.Random(f"{name} {options.seed}"), collections.Counter()
        for number in range(settings):
            init = get_init(rng.choice(list(INITIALIZERS)))
            (init_fn, apply_fn), X, Y, loss_name, form = KINDS[name](rng, datasets[number % len(datasets)], init)
            _, params = init_fn(random_key(rng.randrange(2**31)), (-1, *X.shape[1:]))
            found = dense_ranks(get_loss(loss_name), apply_fn, params, [(X, Y)])
            for rank, bound, equal in zip(found, *form, strict=True):
                counts["ranks"] += 1
                kind = "equal" if rank.rank == bound else "refuted" if equal or rank.rank > bound else "below"
                counts.update(["clear", kind] if rank.trusted else [])
                if rank.trusted and kind == "refuted":
                    refuted.append(f"{name}: {[one.rank for one in found]} {form} {loss_name} {X.shape}")
        jax.clear_caches()
        rows.append((name, settings, *(counts[key] for key in ("ranks", "clear", "equal", "below", "refuted"))))
    print(text_table(TITLES, rows))
    print(*refuted, sep="\n")
    sys.exit(bool(refuted))


if __name__ == "__main__":
    main()

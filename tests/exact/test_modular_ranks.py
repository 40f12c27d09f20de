"""Exact Hessians and ranks against Python's fractions, differentiated by hand."""

from fractions import Fraction
from typing import NamedTuple

import flint
import jax
import numpy as np
import pytest
import torch
import torchvision

from architectures import fully_connected
from closed_forms import linear_ranks
from data import get_dataset
from exact import exact_hessians, exact_rank, exact_ranks, modular_ranks, random_primes
from hessians import HessianTriple, dense_hessians, outer_prod
from initializers import get_init
from losses import get_loss, squared
from ranks import numerical_rank, singular_rank

PRIME = 2147483629


class HyperDual(NamedTuple):
    """a + b e1 + c e2 + d e1 e2, e1^2 = e2^2 = 0: of f(theta + e_i e1 + e_j e2), d is entry (i, j) of the Hessian."""

    a: Fraction
    b: Fraction = Fraction(0)
    c: Fraction = Fraction(0)
    d: Fraction = Fraction(0)

    def __add__(self, other):
        return HyperDual(*(x + y for x, y in zip(self, other, strict=True)))

    def __mul__(self, other):
        (a, b, c, d), (e, f, g, h) = self, other
        return HyperDual(a * e, a * f + b * e, a * g + c * e, a * h + b * g + c * f + d * e)

    def scaled(self, factor):
        return HyperDual(*(x * factor for x in self))


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: x if x.a > 0 else HyperDual(Fraction(0)),
    "leaky_relu": lambda x: x if x.a > 0 else x.scaled(Fraction(0.01)),
}


def network(params, x, activation):
    """Return the outputs of one sample; layers are (W, b) with b = None for none, entries HyperDual."""
    for layer, (W, b) in enumerate(params):
        sums = []
        for k in range(len(W[0])):
            terms = [x[h] * W[h][k] for h in range(len(x))] + ([b[k]] if b is not None else [])
            sums.append(sum(terms[1:], start=terms[0]))
        x = [ACTIVATIONS[activation](s) for s in sums] if layer < len(params) - 1 else sums
    return x


def fraction_hessians(params, inputs, targets, activation):
    """Return H_f, H_o and H_L of the squared loss as nested lists of Fractions, in the order of ravel_pytree."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(params)]
    theta, bias = np.concatenate([leaf.ravel() for leaf in leaves]), isinstance(params[0], tuple)
    p = len(theta)
    H_f, H_o = ([[Fraction(0)] * p for _ in range(p)] for _ in range(2))
    for i in range(p):
        for j in range(i + 1):
            entries = [HyperDual(Fraction(t), Fraction(k == i), Fraction(k == j)) for k, t in enumerate(theta)]
            layers, position = [], 0
            for leaf in leaves:
                count = leaf.size
                block, position = entries[position : position + count], position + count
                layers.append([block[r : r + leaf.shape[-1]] for r in range(0, count, leaf.shape[-1])])
            layers = (
                list(zip(layers[::2], [b[0] for b in layers[1::2]], strict=True))
                if bias
                else [(W, None) for W in layers]
            )
            for x, y in zip(inputs, targets, strict=True):
                outputs = network(layers, [HyperDual(Fraction(v)) for v in x], activation)
                functional = sum((f.a - Fraction(t)) * f.d for f, t in zip(outputs, y, strict=True))
                outer = sum(f.b * f.c for f in outputs)
                H_f[i][j] = H_f[j][i] = H_f[j][i] + functional
                H_o[i][j] = H_o[j][i] = H_o[j][i] + outer
    H_L = [[f + o for f, o in zip(*rows, strict=True)] for rows in zip(H_f, H_o, strict=True)]
    return HessianTriple(H_f, H_o, H_L)


def problem(activation, bias, units=(2, 3), dim=3, classes=2, n=4, init="glorot", seed=0):
    init_fn, apply_fn = fully_connected(list(units), classes, activation, get_init(init), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(seed), (-1, dim))
    rng = np.random.default_rng(seed)
    return apply_fn, params, rng.normal(size=(n, dim)), rng.normal(size=(n, classes))


CASES = [(activation, bias) for activation in ACTIVATIONS for bias in (False, True)]


@pytest.mark.parametrize(("activation", "bias"), CASES)
def test_every_entry_and_the_ranks_against_fractions(activation, bias):
    apply_fn, params, inputs, targets = problem(activation, bias)
    expected = fraction_hessians(params, inputs, targets, activation)
    for prime in (PRIME, *random_primes(1, seed=3)):
        found = exact_hessians(squared, apply_fn, params, [(inputs, targets)], prime)
        for matrix, rationals in zip(found, expected, strict=True):
            modulo = [[x.numerator * pow(x.denominator, -1, prime) % prime for x in row] for row in rationals]
            np.testing.assert_array_equal(matrix, modulo)
    ranks = exact_ranks(squared, apply_fn, params, [(inputs, targets)])
    for rank, rationals in zip(ranks, expected, strict=True):
        entries = [[flint.fmpq(x.numerator, x.denominator) for x in row] for row in rationals]
        assert rank.rank == flint.fmpq_mat(entries).rank()


@pytest.mark.parametrize(("activation", "bias"), CASES)
def test_the_fractions_are_the_float_hessians(activation, bias):
    """The oracle itself, against automatic differentiation in float64."""
    apply_fn, params, inputs, targets = problem(activation, bias)
    expected = fraction_hessians(params, inputs, targets, activation)
    floats = dense_hessians(squared, apply_fn, params, [(inputs, targets)])
    for matrix, rationals in zip(floats, expected, strict=True):
        np.testing.assert_allclose(matrix, np.array(rationals, dtype=float), atol=1e-13)


def images(dataset, n=50, dim=25):
    data = get_dataset(dataset, n, 0, dim, 10)
    return data.x_train, data.y_train


def glorot_network(activation, widths=(5, 10), dim=25, seed=1):
    init_fn, apply_fn = fully_connected(list(widths), 10, activation, get_init("glorot"))
    return apply_fn, init_fn(jax.random.PRNGKey(seed), (-1, dim))[1]


def test_the_papers_figures_on_digits():
    found = exact_ranks(squared, *glorot_network("linear"), [images("digits")])
    assert [exactly.rank for exactly in found] == [175, 150, 250]
    for exactly in found:
        assert len(set(exactly.primes)) == 2
        assert all(2**30 < prime < 2**31 and flint.fmpz(prime).is_prime() for prime in exactly.primes)
        assert exactly.ranks == (exactly.rank,) * 2


@pytest.mark.parametrize(("dataset", "ranks"), [("CIFAR10", [175, 150, 250]), ("FashionMNIST", [175, 150, 250])])
def test_the_papers_figures_on_real_images(dataset, ranks, image_sets):
    found = exact_ranks(squared, *glorot_network("linear"), [images(dataset)])
    assert [exactly.rank for exactly in found] == ranks


def test_fashion_mnist_by_its_nearest_pixels(image_sets):
    """The original shrinks images by taking single pixels, of which three are always black: r = 22, not 25."""
    raw = torchvision.datasets.FashionMNIST(image_sets, train=True)
    pixels = torch.nn.functional.interpolate(raw.data[:50, None].to(torch.float64) / 255, (5, 5))
    inputs, targets = pixels.reshape(50, 25).numpy(), np.eye(10)[raw.targets[:50].numpy()]
    found = exact_ranks(squared, *glorot_network("linear"), [(inputs, targets)])
    assert [exactly.rank for exactly in found] == [175, 135, 235]


@pytest.mark.parametrize("guess", [None, HessianTriple(10, 20, 30), HessianTriple(175, 150, 250)])
def test_sketches_of_any_first_size_give_the_rank(guess, monkeypatch):
    """Sketches that are too small have to grow; those of the right size must do."""
    monkeypatch.setattr(modular_ranks, "_SPARE", 4)
    found = exact_ranks(squared, *glorot_network("linear"), [images("digits")], guess=guess, primes=[PRIME], seed=2)
    assert [exactly.rank for exactly in found] == [175, 150, 250]


def test_a_sketch_is_smaller_than_the_matrix(monkeypatch):
    sizes = []
    whole = modular_ranks._flint_rank
    monkeypatch.setattr(
        modular_ranks, "_flint_rank", lambda matrix, prime: sizes.append(matrix.shape) or whole(matrix, prime)
    )
    guess = linear_ranks(25, 10, [5, 10])
    exact_ranks(squared, *glorot_network("linear"), [images("digits")], guess=guess, primes=[PRIME])
    assert sizes == [(rank + 2 * modular_ranks._SPARE,) * 2 for rank in guess]


def test_rank_deficient_weights():
    """At W_2 = 0 of 25-4-6-10 only dW_2 moves the output, and H_f couples dW_2, of 4 x 6, with the rest: 24 and 48."""
    apply_fn, params = glorot_network("linear", widths=(4, 6))
    found = exact_ranks(squared, apply_fn, [params[0], params[1] * 0, params[2]], [images("digits")], primes=[PRIME])
    assert found.outer.rank == 4 * 6
    assert found.functional.rank == 2 * 4 * 6


def test_small_eigenvalues_that_a_threshold_drops_are_counted():
    """One input scaled by 1e-9 is rank to exact arithmetic, and nothing to float64."""
    apply_fn, params = glorot_network("linear")
    inputs, targets = images("digits")
    inputs = inputs * np.where(np.arange(25) == 12, 1e-9, 1.0)
    assert numerical_rank(outer_prod(squared, apply_fn, params, inputs, targets)).rank < 150
    assert exact_ranks(squared, apply_fn, params, [(inputs, targets)], primes=[PRIME]).outer.rank == 150


def test_batches_add_up():
    apply_fn, params, inputs, targets = problem("linear", False)
    parts = [(inputs[:2], targets[:2]), (inputs[2:], targets[2:])]
    whole = exact_hessians(squared, apply_fn, params, [(inputs, targets)], PRIME)
    for matrix, summed in zip(whole, exact_hessians(squared, apply_fn, params, parts, PRIME), strict=True):
        np.testing.assert_array_equal(summed, matrix)
    with pytest.raises(ValueError, match="batches is empty"):
        exact_ranks(squared, apply_fn, params, [])


# --- bad input


def test_losses_and_activations_without_an_exact_form():
    inputs, targets = images("digits")
    for activation, primitive in [("tanh", "tanh"), ("sigmoid", "logistic"), ("gelu", "erf|erfc|exp"), ("elu", "exp")]:
        apply_fn, params = glorot_network(activation)
        with pytest.raises(ValueError, match=f"no exact form for the primitive '({primitive}|expm1)'"):
            exact_ranks(squared, apply_fn, params, [(inputs, targets)])
    apply_fn, params = glorot_network("linear")
    for name in ("cross", "cosh"):
        with pytest.raises(ValueError, match="no exact form for the primitive"):
            exact_ranks(get_loss(name), apply_fn, params, [(inputs, targets)])


def test_bad_arrays():
    apply_fn, params = glorot_network("linear")
    inputs, targets = images("digits")
    with pytest.raises(TypeError, match="inputs must be float64, got float32"):
        exact_ranks(squared, apply_fn, params, [(inputs.astype(np.float32), targets)])
    with pytest.raises(ValueError, match="params must be finite, but 1 of 125"):
        exact_ranks(squared, apply_fn, [params[0].at[0, 0].set(np.nan), *params[1:]], [(inputs, targets)])
    with pytest.raises(ValueError, match="params must be finite, but 1 of 125"):
        exact_ranks(squared, apply_fn, [params[0].at[0, 0].set(np.inf), *params[1:]], [(inputs, targets)])
    with pytest.raises(ValueError, match=r"predictions have shape \(50, 10\) and targets \(50, 9\)"):
        exact_ranks(squared, apply_fn, params, [(inputs, targets[:, 1:])])


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_a_unit_on_its_kink(activation):
    apply_fn, params = glorot_network(activation)
    inputs, targets = images("digits")
    inputs[7] = 0.0
    with pytest.raises(
        ValueError, match=r"5 comparisons of the primitive 'g[te]' are too close to call: a unit sits on"
    ):
        exact_ranks(squared, apply_fn, params, [(inputs, targets)])


@pytest.mark.parametrize(
    ("prime", "message"),
    [
        (2**31 - 3, "2147483645 is not an odd prime"),
        (2, "prime must be at least 3"),
        (2**31 + 11, "prime must be below 2\\^31, so that products of residues fit in 64 bits"),
    ],
)
def test_bad_primes(prime, message):
    with pytest.raises(ValueError, match=message):
        exact_ranks(squared, *glorot_network("linear"), [images("digits")], primes=[prime])


def test_random_primes_are_different_and_repeatable():
    assert len(set(random_primes(20, seed=1))) == 20
    assert random_primes(3, seed=1) == random_primes(3, seed=1) != random_primes(3, seed=2)


def fraction_rank(rows):
    """Return the rank of a matrix by Gaussian elimination in Python's fractions."""
    rows, rank = [[Fraction(x) for x in row] for row in rows], 0
    for column in range(len(rows[0])):
        pivot = next((row for row in rows[rank:] if row[column]), None)
        if pivot is not None:
            rows.remove(pivot)
            rows.insert(rank, pivot)
            for i in range(rank + 1, len(rows)):
                factor = rows[i][column] / pivot[column]
                rows[i] = [x - factor * y for x, y in zip(rows[i], pivot, strict=True)]
            rank += 1
    return rank


@pytest.mark.parametrize("centred", [False, True], ids=["as they are", "centred"])
@pytest.mark.parametrize("side", [4, 5, 7, 8])
def test_the_rank_of_the_inputs_against_fractions(side, centred):
    inputs = get_dataset("digits", 50, 0, side**2, 10).x_train
    mean = [sum(map(Fraction, column)) / 50 for column in inputs.T] if centred else [Fraction(0)] * side**2
    rows = [[Fraction(x) - m for x, m in zip(row, mean, strict=True)] for row in inputs]
    assert exact_rank(inputs, centred).rank == fraction_rank(rows)


def test_shrunk_images_have_a_rank_that_is_rounding_alone():
    """7 x 7 pixels that depend on each other in the images do not after rounding: 45 becomes 49."""
    inputs = get_dataset("digits", 50, 0, 49, 10).x_train
    found = singular_rank(inputs)
    assert (found.rank, exact_rank(inputs).rank) == (45, 49)
    assert found.well_determined
    assert abs(found.spectrum[45]) < 1e-16 * found.spectrum[0]
    assert exact_rank(np.zeros((3, 2))).rank == exact_rank(np.ones((3, 2)), centred=True).rank == 0


@pytest.mark.parametrize(
    ("matrix", "error", "message"),
    [
        (np.ones(3), ValueError, r"must have shape \(m, n\), m and n at least 1, got \(3,\)"),
        (np.ones((0, 3)), ValueError, r"got \(0, 3\)"),
        (np.full((2, 2), np.nan), ValueError, "matrix must be finite"),
        (np.ones((2, 2), np.float32), TypeError, "matrix must be float64, got float32"),
    ],
    ids=["vector", "empty", "nan", "float32"],
)
def test_bad_matrices(matrix, error, message):
    with pytest.raises(error, match=message):
        exact_rank(matrix)

"""Exact Hessians and ranks modulo primes against Python's fractions, differentiated by hand."""

from fractions import Fraction

import flint
import jax
import numpy as np
import pytest
import torch
import torchvision

from architectures import fully_connected
from closed_forms import linear_ranks
from data import get_dataset
from exact import exact_hessians, exact_ranks, network_ranks
from hessians import HessianTriple, dense_hessians, outer_prod
from initializers import get_init
from losses import get_loss, squared
from ranks import numerical_rank
from tests.oracles.hyper_duals import fraction_hessians, relu

PRIME = 2147483629


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": relu,
    "leaky_relu": lambda x: x if x.a > 0 else x * Fraction(0.01),
}


def by_hand(activation, bias):
    """Return a fully connected network of HyperDuals."""

    def network(leaves, x):
        layers = list(zip(leaves[::2], leaves[1::2], strict=True)) if bias else [(W, 0) for W in leaves]
        for W, b in layers[:-1]:
            x = np.array([ACTIVATIONS[activation](z) for z in x @ W + b], object)
        return x @ layers[-1][0] + layers[-1][1]

    return network


def check_against_fractions(found, ranks, expected):
    """Check matrices modulo PRIME, entry by entry, and exact ranks."""
    for matrix, rank, rationals in zip(found, ranks, expected, strict=True):
        modulo = [[x.numerator * pow(x.denominator, -1, PRIME) % PRIME for x in row] for row in rationals]
        np.testing.assert_array_equal(matrix, modulo)
        assert (
            rank.rank
            == flint.fmpq_mat([[flint.fmpq(x.numerator, x.denominator) for x in row] for row in rationals]).rank()
        )


def problem(activation, bias, units=(2, 3), dim=3, classes=2, n=4, init="glorot", seed=0):
    init_fn, apply_fn = fully_connected(list(units), classes, activation, get_init(init), bias=bias)
    _, params = init_fn(jax.random.PRNGKey(seed), (-1, dim))
    rng = np.random.default_rng(seed)
    return apply_fn, params, rng.normal(size=(n, dim)), rng.normal(size=(n, classes))


CASES = [(activation, bias) for activation in ACTIVATIONS for bias in (False, True)]


@pytest.mark.parametrize(("activation", "bias"), CASES)
def test_every_entry_and_the_ranks_against_fractions(activation, bias):
    apply_fn, params, inputs, targets = problem(activation, bias)
    expected = fraction_hessians(by_hand(activation, bias), jax.tree.leaves(params), inputs, targets)
    found = exact_hessians(squared, apply_fn, params, [(inputs, targets)], PRIME)
    check_against_fractions(found, exact_ranks(squared, apply_fn, params, [(inputs, targets)]), expected)
    # The oracle itself, against automatic differentiation in float64.
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


def sketched(monkeypatch, guess):
    """Return the ranks of a linear network with p = 950 parameters, and the sizes of the matrices that FLINT ranked."""
    sizes = []
    whole = network_ranks.rank_modulo
    monkeypatch.setattr(
        network_ranks, "rank_modulo", lambda matrix, prime: sizes.append(matrix.shape) or whole(matrix, prime)
    )
    network = glorot_network("linear", widths=(30, 5))
    found = exact_ranks(squared, *network, [images("digits")], guess=guess, primes=[PRIME], seed=2)
    return [exactly.rank for exactly in found], sizes


def test_a_sketch_is_smaller_than_the_matrix(monkeypatch):
    guess = linear_ranks(25, 10, [30, 5])
    ranks, sizes = sketched(monkeypatch, guess)
    assert ranks == list(guess)
    assert sizes == [(rank + 2 * network_ranks._SPARE,) * 2 for rank in guess]


@pytest.mark.parametrize(
    "guess", [None, HessianTriple(10, 20, 30), HessianTriple(0, 900, 100)], ids=["none", "too small", "wild"]
)
def test_sketches_of_any_first_size_give_the_rank(guess, monkeypatch):
    """Sketches that are too small have to grow, until the whole matrix is no more work."""
    ranks, sizes = sketched(monkeypatch, guess)
    assert ranks == list(linear_ranks(25, 10, [30, 5]))
    assert guess or sizes == [(512, 512)] * 3
    assert max(sizes) <= (950, 950)


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


@pytest.mark.parametrize(("activation", "loss_name"), [("tanh", "mse"), ("linear", "cross"), ("relu", "cosh")])
def test_matrices_modulo_a_prime_need_fractions(activation, loss_name):
    apply_fn, params = glorot_network(activation)
    with pytest.raises(ValueError, match=r"'(tanh|exp)' takes fractions to other numbers"):
        exact_hessians(get_loss(loss_name), apply_fn, params, [images("digits")], PRIME)


def test_bad_arrays():
    apply_fn, params = glorot_network("linear")
    inputs, targets = images("digits")
    with pytest.raises(TypeError, match=r"params must be float64, got float32: make params\[0\] again"):
        exact_ranks(squared, apply_fn, [w.astype(np.float32) for w in params], [(inputs, targets)])
    with pytest.raises(ValueError, match="params must be finite, but 1 of 125"):
        exact_ranks(squared, apply_fn, [params[0].at[0, 0].set(np.nan), *params[1:]], [(inputs, targets)])
    with pytest.raises(ValueError, match="params must be finite, but 1 of 125"):
        exact_ranks(squared, apply_fn, [params[0].at[0, 0].set(np.inf), *params[1:]], [(inputs, targets)])
    with pytest.raises(ValueError, match=r"predictions have shape \(50, 10\) and targets \(50, 9\)"):
        exact_ranks(squared, apply_fn, params, [(inputs, targets[:, 1:])])


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

"""The spectrum from the structure, judged by dense eigenvalues."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from architectures import fully_connected
from closed_forms import linear_ranks
from counting import CLIFF
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from linear_networks import inertia, spectrum, structured_ranks
from losses import get_loss
from tests.oracles.integer_networks import hessians

RESIDUALS = "targets", "small", "low rank", "no targets", "zero"


def random_setting(rng):
    """Return weights, inputs, targets and a description: anything with at most 500 parameters."""
    layers = int(rng.integers(1, 6))
    while True:
        sizes = rng.integers(1, 9, size=layers + 1)
        shape = rng.choice(["plain", "bottleneck", "wide"])
        if layers > 1 and shape == "bottleneck":
            sizes[rng.integers(1, layers)] = rng.integers(1, 3)
        if layers > 1 and shape == "wide":
            sizes[rng.integers(1, layers)] = rng.integers(10, 25)
        if sizes[1:] @ sizes[:-1] <= 500:
            break
    weights = [rng.normal(size=shape) / shape[0] ** 0.5 for shape in itertools.pairwise(sizes)]
    deficient = rng.random() < 0.2
    if deficient:
        W = weights[rng.integers(layers)]
        k = rng.integers(min(W.shape))
        W[:] = rng.normal(size=(len(W), k)) @ rng.normal(size=(k, W.shape[1]))
    n, residual = int(rng.integers(1, 13)), str(rng.choice(RESIDUALS))
    inputs = rng.normal(size=(n, sizes[0]))
    outputs = functools.reduce(np.matmul, weights, inputs)
    offset = {
        "targets": rng.normal(size=outputs.shape),
        "small": 1e-3 * rng.normal(size=outputs.shape),
        "low rank": rng.normal(size=(n, 1)) @ rng.normal(size=(1, sizes[-1])),
        "no targets": -outputs,
        "zero": 0.0,
    }
    described = f"{sizes} with {n} samples, {residual}{', deficient weights' if deficient else ''}"
    return weights, inputs, outputs + offset[residual], described


# With seed 100, one of the weights has a product with a second singular value at the threshold of rounding.
@pytest.mark.parametrize("seed", [*range(5), 100])
def test_600_spectra_are_those_of_the_dense_matrices(seed):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        weights, inputs, targets, described = random_setting(rng)
        data = dict(batches=[(inputs, targets)])
        if rng.random() < 0.5:
            data = dict(Sxx=inputs.T @ inputs, Sxy=inputs.T @ targets)
        found = spectrum(weights, **data)
        matrices = HessianTriple(*hessians(weights, inputs, targets))
        largest = abs(matrices.outer).max()
        for name, one, matrix, tolerance in zip(found._fields, found, matrices, (1e-10, 1e-12, 1e-12), strict=True):
            expected = np.linalg.eigvalsh(matrix)[::-1]
            assert one.multiplicities.sum() == len(matrix), described
            assert one.multiplicities.min() >= 1
            assert (np.diff(one.eigenvalues) <= 0).all()
            # Residuals that vanish leave an H_f of rounding errors, relative to the terms that cancel.
            scale = max(abs(expected).max(), largest if "zero" in described else 0.0)
            error = abs(np.repeat(one.eigenvalues, one.multiplicities) - expected).max()
            assert error <= tolerance * scale, f"{name} of {described}: {error / (scale or 1):.1e}"


@pytest.mark.parametrize("widths", [[5, 7], [3, 40, 2], [6]])
def test_the_matrices_of_automatic_differentiation(widths):
    init_fn, apply_fn = fully_connected(widths, 4, "linear", get_init("glorot"))
    _, params = init_fn(jnp.zeros(2, jnp.uint32), (-1, 5))
    rng = np.random.default_rng(0)
    X, Y, loss = rng.normal(size=(9, 5)), rng.normal(size=(9, 4)), get_loss("mse")
    matrices = dense_hessians(loss, apply_fn, params, [(X, Y)])
    found = spectrum(params, X.T @ X, X.T @ Y)
    for one, matrix, signs_found in zip(found, matrices, inertia(params, X.T @ X, X.T @ Y), strict=True):
        expected = np.linalg.eigvalsh(matrix)[::-1]
        scale = abs(expected).max()
        np.testing.assert_allclose(np.repeat(one.eigenvalues, one.multiplicities), expected, atol=1e-12 * scale)
        assert signs_found[:2] == ((expected > 1e-10 * scale).sum(), (expected < -1e-10 * scale).sum())


@pytest.mark.parametrize(
    ("sizes", "samples"),
    [
        ([6, 5, 4], 9),
        ([6, 500, 4], 9),
        ([5, 4, 6, 3], 3),
        ([4, 30, 2, 30, 5], 8),
        ([7, 3, 3, 3, 3, 3, 6], 20),
        ([3, 2], 5),
    ],
    ids=str,
)
def test_the_ranks_are_the_closed_forms(sizes, samples):
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    X, Y = rng.normal(size=(samples, sizes[0])), rng.normal(size=(samples, sizes[-1]))
    expected = linear_ranks(min(samples, sizes[0]), sizes[-1], sizes[1:-1])
    found = structured_ranks(spectrum(weights, batches=[(X, Y)]))
    assert HessianTriple(*(one.rank for one in found)) == expected
    # Six narrow layers spread the eigenvalues over many orders; 1e4 is enough for the count.
    assert min(one.gap for one in found) > (1e4 if len(sizes) > 5 else 1e7), [one.gap for one in found]
    assert all(one.grade == ("clear" if one.gap >= CLIFF else "open") for one in found)
    by_signs = inertia(weights, batches=[(X, Y)])
    assert HessianTriple(*(one.rank for one in by_signs)) == expected
    for one, count in zip(found, by_signs, strict=True):
        assert (sum(count[:3])) == sum(W.size for W in weights)
        # eigenvalues that occur more than once are counted so in the rank alone
        assert len(one.spectrum) <= sum(W.size for W in weights)


def test_some_of_the_matrices():
    weights, S = [np.eye(3), np.eye(3)], np.eye(3)
    found = spectrum(weights, S, 2 * S, matrices=["outer"])
    assert found.functional is found.loss is None
    # J J^T = A A^T (x) B^T B, added up over two layers of identities
    np.testing.assert_allclose(found.outer.eigenvalues[found.outer.eigenvalues > 1e-12], np.full(9, 2.0))
    assert structured_ranks(found).functional is None
    assert structured_ranks(found).outer.rank == 9


W1, W2, SXX, SXY = np.ones((3, 4)), np.ones((4, 2)), np.eye(3), np.ones((3, 2))


def test_an_unknown_matrix():
    with pytest.raises(ValueError, match=r"matrices must be some of .*'functional', 'outer', 'loss'.*, got .'H_L'."):
        spectrum([W1, W2], SXX, SXY, matrices=["H_L"])
    with pytest.raises(ValueError, match="got 'loss'"):
        spectrum([W1, W2], SXX, SXY, matrices="loss")

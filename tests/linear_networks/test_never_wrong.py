"""Data that hide their rank, or leave the range of float64: what is said is exact, or nothing is said."""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from exact import exact_ranks
from linear_networks import NotGenericError, inertia, moments, spectrum, structured_ranks
from losses import squared


def weights_of(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]


def exact(weights, batches):
    """Return the ranks of the three matrices without a tolerance, which know nothing of the structure."""
    apply_fn = lambda params, inputs: functools.reduce(jnp.matmul, params, inputs)
    return [one.rank for one in exact_ranks(squared, apply_fn, weights, batches)]


def ways(batches):
    """Return the arguments of both ways to give the data, or of one if float64 cannot hold the sums."""
    try:
        return [dict(batches=batches), dict(zip(("Sxx", "Sxy"), moments(batches), strict=True))]
    except ValueError:
        return [dict(batches=batches)]


def check(weights, batches):
    """Check that signs and clear ranks are exact. Return whether there were signs, and the grades."""
    expected, signs = exact(weights, batches), False
    for data in ways(batches):
        try:
            assert [one.rank for one in inertia(weights, **data)] == expected
            signs = True
        except NotGenericError:
            pass
        try:
            found = structured_ranks(spectrum(weights, **data))
        except ValueError:  # the eigenvalues do not fit in float64
            continue
        for one, rank in zip(found, expected, strict=True):
            assert one.grade in ("clear", "open")
            assert one.rank == rank or one.grade == "open"
            assert one.reason
    return signs


SIZES = [[2, 3, 2], [2, 2], [2, 4, 3, 2], [2, 9, 3]]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("epsilon", [1e-3, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12, 1e-14, 1e-15])
def test_inputs_that_are_nearly_multiples_of_each_other(sizes, epsilon):
    weights, rng = weights_of(sizes), np.random.default_rng(1)
    one, other = rng.normal(size=(2, 9))
    batches = [(np.stack([one, one + epsilon * other], axis=1), rng.normal(size=(9, sizes[-1])))]
    signs = check(weights, batches)
    assert signs or epsilon < 1e-7  # what the data show clearly is not declined
    if epsilon < 1e-5:
        with pytest.raises(NotGenericError, match=r"Sxx does not show the rank .* batches="):
            inertia(weights, *moments(batches))


def test_squaring_halves_the_digits():
    """From X^T X the ranks seemed to be 6, 2 and 7, with a margin of 0.7."""
    weights, rng = weights_of([2, 3, 2]), np.random.default_rng(1)
    one, other = rng.normal(size=(2, 9))
    batches = [(np.stack([one, one + 1e-7 * other], axis=1), rng.normal(size=(9, 2)))]
    assert [one.rank for one in inertia(weights, batches=batches)] == [12, 4, 12]
    found = structured_ranks(spectrum(weights, batches=batches))
    assert all(one.rank == 12 or "the signs have the rank" in one.reason for one in (found.functional, found.loss))


KINDS = {
    "fewer samples": lambda X: X[:2],
    "one sample": lambda X: X[:1],
    "zero inputs": lambda X: X * [1, 0, 0, 1],
    "a duplicate": lambda X: X[:, [0, 1, 2, 0]],
    "constant inputs": lambda X: X * [1, 1, 0, 0] + [0, 0, 0.3, 0.7],
    "all constant": lambda X: np.full_like(X, 0.1),
    "sums up to rounding": lambda X: np.column_stack([X[:, :3], X[:, 0] * 0.3 + X[:, 1] * 0.7]),
    "whole numbers of rank 2": lambda X: np.round(9 * X[:, :2]) @ np.array([[1.0, 2, 3, 4], [2, 0, 5, 1]]),
    "many units": lambda X: X * [1e-9, 1, 1e-30, 1e20],
    "tiny": lambda X: X * [1, 1, 1, 1e-170],
    "orthonormal": lambda X: np.linalg.qr(X)[0],
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [[4, 3, 2], [4, 5, 5, 3], [4, 12, 2]], ids=str)
def test_data_of_every_kind(kind, sizes):
    rng = np.random.default_rng(2)
    X = KINDS[kind](rng.normal(size=(9, 4)))
    signs = check(weights_of(sizes), [(X, rng.normal(size=(len(X), sizes[-1])))])
    assert signs or kind in ("sums up to rounding", "many units")


@pytest.mark.parametrize("residual", [0.0, 1e-16, 1e-12, 1e-6])
def test_residuals_that_are_rounding(residual):
    """24 seemed to be the rank of a functional Hessian that is zero, with a gap of 5e13."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 4))
    weights, batches = [np.eye(4), np.eye(4)], [(X, X + residual * rng.normal(size=X.shape))]
    check(weights, batches)
    for data in ways(batches):
        found = structured_ranks(spectrum(weights, **data)).functional
        assert found.rank == (24 if residual > 1e-15 else 0)
        if residual < 1e-6:
            assert found.grade == "open"
            assert "the signs are undecided, since" in found.reason
            assert "exact.exact_ranks settles it" in found.reason


@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e-150, 1e-82, 1e-81, 1e-3, 1e77, 1e150, 1e290])
def test_scales(factor):
    """Multiplying the data by c multiplies the Hessians by c^2. At 1e-82 the rank of H_o seemed to be 15, not 30."""
    rng = np.random.default_rng(0)
    weights = weights_of([5, 6, 4, 5])
    X, Y = rng.normal(size=(9, 5)), rng.normal(size=(9, 5))
    expected = inertia(weights, batches=[(X, Y)])
    scaled = [(factor * X, factor * Y)]
    found = inertia(weights, batches=scaled)
    assert [one[:3] for one in found] == [one[:3] for one in expected]
    assert [one.rank for one in found] == exact(weights, scaled)
    if not 1e-140 < factor < 1e151:
        with pytest.raises(ValueError, match=r"the eigenvalues of H_f do not fit in float64.* Multiply all inputs and"):
            spectrum(weights, batches=scaled)
        with pytest.raises(ValueError, match=r"X\^T X and X\^T Y overflow or underflow.*Or pass batches="):
            moments(scaled)
        return
    for data in ways(scaled):
        assert [one[:3] for one in inertia(weights, **data)] == [one[:3] for one in expected]
        spectra = spectrum(weights, **data)
        for one, other in zip(spectra, spectrum(weights, batches=[(X, Y)]), strict=True):
            largest = abs(other.eigenvalues).max()
            relative = one.eigenvalues / factor / factor / largest
            np.testing.assert_allclose(relative, other.eigenvalues / largest, atol=1e-13)
        ranks = structured_ranks(spectra)
        assert [one.rank for one in ranks] == [one.rank for one in expected]
        assert ranks.outer.grade == "clear"


@pytest.mark.parametrize("powers", [(-300, 300, 0), (200, 200, 200), (-150, -150, 0)])
def test_weights_of_other_scales(powers):
    weights = weights_of([5, 6, 4, 5])
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(9, 5)), rng.normal(size=(9, 5))
    expected = inertia(weights, batches=[(X, Y)])
    scaled = [np.ldexp(W, power) for W, power in zip(weights, powers, strict=True)]
    found = inertia(scaled, batches=[(X, np.ldexp(Y, sum(powers)))])
    assert [one[:3] for one in found] == [one[:3] for one in expected]


def test_targets_that_are_much_larger_than_the_outputs():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(9, 5)), rng.normal(size=(9, 5))
    with pytest.raises(NotGenericError, match=r"times as large as the products of the norms of the weights"):
        inertia([1e-100 * W for W in weights_of([5, 6, 4, 5])], batches=[(X, Y)])


@pytest.mark.parametrize("data", ["batches", "sums"])
def test_a_rank_of_h_o_needs_no_residuals(data):
    """Without residuals the signs of H_f and H_L are undecided, and the rank of H_o is clear."""
    weights, X = weights_of([4, 3, 2]), np.random.default_rng(0).normal(size=(9, 4))
    Y = X @ weights[0] @ weights[1]
    given = dict(batches=[(X, Y)]) if data == "batches" else dict(Sxx=X.T @ X, Sxy=X.T @ Y)
    found = structured_ranks(spectrum(weights, **given))
    assert [one.grade for one in found] == ["open", "clear", "open"]
    assert found.outer.rank == exact(weights, [(X, Y)])[1] == 2 * (4 + 2 - 2)


def test_many_batches_are_as_one():
    rng = np.random.default_rng(0)
    weights, X, Y = weights_of([4, 3, 2]), rng.normal(size=(3000, 4)), rng.normal(size=(3000, 2))
    X[:, 3] = X[:, 2]  # so that the exact rank is asked too
    X[:2000, 1] = 0
    units = [1e-200, 1, 1e100, 1e100]
    weights[0] = weights[0] / np.array(units)[:, None]
    whole = inertia(weights, batches=[(X * units, Y)])
    parts = [(X[i : i + 70] * units, Y[i : i + 70]) for i in range(0, 3000, 70)]
    assert [one[:3] for one in inertia(weights, batches=parts)] == [one[:3] for one in whole]
    assert whole.outer.rank == 2 * (3 + 2 - 2)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_layer_of_zeros(layer):
    weights, rng = weights_of([4, 3, 5, 2]), np.random.default_rng(0)
    weights[layer] = 0 * weights[layer]
    assert not check(weights, [(rng.normal(size=(9, 4)), rng.normal(size=(9, 2)))])


def test_a_random_mixture():
    """Bad inputs, weights and targets together, in random units: every sign and every clear rank is exact."""
    rng = np.random.default_rng(5)
    signs = 0
    for _ in range(60):
        sizes = [int(m) for m in rng.integers(1, 5, size=rng.integers(2, 5))]
        X = KINDS[str(rng.choice(list(KINDS)))](rng.normal(size=(9, 4)))[:, : sizes[0]]
        X = X * 10.0 ** rng.integers(-12, 12, size=sizes[0]) ** rng.integers(2)
        weights = [W * 10.0 ** rng.integers(-4, 4) for W in weights_of(sizes, int(rng.integers(1000)))]
        Y = rng.normal(size=(len(X), sizes[-1])) * 10.0 ** rng.integers(-12, 12)
        signs += check(weights, [(X, Y)])
    assert signs > 20

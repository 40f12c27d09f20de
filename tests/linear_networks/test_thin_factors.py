"""The end-to-end map as a product of thin factors: that it is the map, and that a perturbation has the size it says."""

import functools
import itertools

import numpy as np
import pytest

from linear_networks import NotGenericError
from linear_networks.data_factor import data_factor
from linear_networks.thin_factors import directions_of_data, directions_of_moments, end_to_end, in_bases, perturb

SHAPES = [[5, 4], [4, 6, 3], [3, 5, 7], [6, 2, 8, 4], [4, 7, 2, 5], [5, 5, 5, 5]]


def setting(sizes, samples=20):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(m_out, m_in)) for m_in, m_out in itertools.pairwise(sizes)]
    return weights, rng.normal(size=(samples, sizes[0])), rng.normal(size=(samples, sizes[-1]))


def data(X, Y):
    return directions_of_data(data_factor([(X, Y)]), [(X, Y)])


def sums(X, Y):
    return directions_of_moments(X.T @ X, X.T @ Y)


def network(weights, X, Y, way=data):
    directions = way(X, Y)
    q = min(len(directions.roots), *map(len, weights))
    return end_to_end(weights, directions, q)[0], directions


def loops(W, omega, q):
    """Return the nonzero eigenvalues of Omega^T W, which do not depend on bases and coordinates of inputs."""
    values = np.linalg.eigvals(omega.T @ W)
    return np.sort_complex(values[np.argsort(-abs(values))][:q])


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize(("way", "samples"), [(data, 2), (data, 20), (sums, 20)])
def test_the_factors_make_the_map(sizes, way, samples):
    weights, X, Y = setting(sizes, samples)
    X = X * 10.0 ** np.arange(sizes[0])
    found, directions = network(weights, X, Y, way)
    # X in the coordinates in which Sxx = 1
    norms = np.ldexp(directions.norms, directions.exponent)
    whitened = X / norms @ directions.U / directions.roots
    np.testing.assert_allclose(whitened.T @ whitened, np.eye(len(directions.roots)), atol=1e-10)
    outputs = functools.reduce(lambda h, V: h @ V.T, weights, X)
    # The map and the targets are both divided by one power of two.
    W = functools.reduce(np.matmul, found.factors)
    unit = np.linalg.norm(outputs) / np.linalg.norm(whitened @ W.T)
    assert np.log2(unit) == pytest.approx(round(np.log2(unit)))
    np.testing.assert_allclose(unit * whitened @ W.T, outputs, atol=1e-10 * abs(outputs).max())
    np.testing.assert_allclose(unit * found.targets, Y.T @ whitened, atol=1e-10)


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_bases_in_which_the_map_is_diagonal(sizes):
    weights, X, Y = setting(sizes)
    found, _ = network(weights, X, Y)
    W, q = functools.reduce(np.matmul, found.factors), min(sizes)
    singular, omega = in_bases(found)
    np.testing.assert_allclose(singular, np.linalg.svd(W, compute_uv=False)[:q])
    diagonal = np.zeros(omega.shape)
    diagonal[:q, :q] = np.diag(singular)
    expected = loops(W, W - found.targets, q)
    np.testing.assert_allclose(loops(diagonal, omega, q), expected, rtol=1e-7, atol=1e-9 * abs(expected).max())
    np.testing.assert_allclose(np.linalg.norm(omega), np.linalg.norm(W - found.targets))


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize("way", [data, sums])
def test_a_perturbation_is_as_large_as_it_says(sizes, way):
    weights, X, Y = setting(sizes)
    exact, _ = network(weights, X, Y, way)
    q, size = min(sizes), 1e-6
    moved = perturb(exact, size, np.random.default_rng(0))
    for one, other in zip(exact.factors[:-1], moved.factors[:-1], strict=True):
        assert 0.1 * size < np.linalg.norm(other - one, 2) / np.linalg.norm(one, 2) < 2 * size
    # One number for all: the singular values of W, whose relative changes are those of Sxx and of the factors together.
    before, after = in_bases(exact)[0], in_bases(moved)[0]
    assert abs(after - before).max() < 10 * len(sizes) * size * before[0] / exact.roots.min()
    assert (after != before).all()
    assert len(after) == q


def test_the_norms_of_the_inputs_do_not_matter():
    weights, X, Y = setting([4, 3, 5])
    units = 10.0 ** np.array([0, 3, -2, 1])
    one, _ = network(weights, X, Y)
    other, _ = network([weights[0] / units, *weights[1:]], X * units, Y)
    for a, b in zip(in_bases(one), in_bases(other), strict=True):  # up to the signs of singular vectors
        np.testing.assert_allclose(np.linalg.svd(np.atleast_2d(a))[1], np.linalg.svd(np.atleast_2d(b))[1])
    np.testing.assert_allclose(in_bases(one)[0], in_bases(other)[0])


def test_sums_that_do_not_show_the_rank_are_declined():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    assert len(sums(X, Y).roots) == 4
    assert len(sums(X * [1, 0, 1, 1], Y).roots) == 3  # an input that is zero
    assert len(sums(X * [1, 1e-5, 1, 1], Y).roots) == 4  # 1e-10 in Sxx: clear
    few = X[:, :2] @ rng.normal(size=(2, 4))
    for inputs in (few, X[:3], *(X * [1, size, 1, 1] for size in (1e-7, 1e-9, 1e-16))):
        with pytest.raises(NotGenericError, match=r"Sxx does not show the rank of the inputs: 4 inputs .* batches=\["):
            sums(inputs, Y[: len(inputs)])
    for inputs in (X * 1e-150, 0 * X):
        with pytest.raises(NotGenericError, match=r"the diagonal of Sxx is zero, or so small .* batches=\["):
            sums(inputs, Y)


def test_the_data_themselves_show_more():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    for inputs, rank in [
        (X[:3], 3),
        (rng.integers(-9, 9, size=(30, 2)) @ rng.integers(-9, 9, size=(2, 4)) * 1.0, 2),
        *((X * [1, size, 1, 1], 4) for size in (1e-7, 1e-16, 1e-170, 1e150)),
        (X * [1, 0, 1, 1], 3),
        (0 * X, 0),
        (X[:, [0, 1, 1, 0]], 2),
        (X[:, [0, 1, 1, 0]] + 1e-9 * X * [0, 0, 1, 1], 4),
        (np.full((30, 4), 0.3), 1),
    ]:
        assert len(data(inputs, Y[: len(inputs)]).roots) == rank
    # Rounding makes the rank 4 here. Whether that is meant, nobody knows.
    with pytest.raises(NotGenericError, match=r"the rank of the inputs is in doubt: .*exact.exact_ranks has the ranks"):
        data(X[:, :2] @ rng.normal(size=(2, 4)), Y)


def test_rounding_is_not_counted_as_inputs():
    """An Sxx that was rotated into its principal axes: what is left of zeros is rounding, with any correlations."""
    declined = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(30, 2)) @ rng.normal(size=(2, 4))
        _, U = np.linalg.eigh(X.T @ X)
        rotated = U.T @ (X.T @ X) @ U
        try:
            assert len(directions_of_moments((rotated + rotated.T) / 2, np.zeros((4, 1))).roots) == 2
        except NotGenericError:
            declined += 1
    assert 0 < declined < 50


def test_a_product_without_full_rank_is_declined():
    weights = [np.eye(3), np.diag([1.0, 1.0, 0.0])]
    with pytest.raises(NotGenericError, match="the smallest singular value of a product of weights is zero up to"):
        end_to_end(weights, data(np.eye(3), np.ones((3, 3))), 3)

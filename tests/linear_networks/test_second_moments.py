"""Sums over the data, and the paper's weights; what both refuse is in test_signs.py."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from linear_networks import moments
from linear_networks.second_moments import checked_network, residual_moment


def test_moments_add_up_over_batches():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    Sxx, Sxy = moments([(X[:4], Y[:4]), (jnp.asarray(X[4:]), Y[4:])])
    np.testing.assert_allclose(Sxx, X.T @ X)
    np.testing.assert_allclose(Sxy, X.T @ Y)
    with pytest.raises(ValueError, match="batches is empty"):
        moments([])
    with pytest.raises(TypeError, match="inputs must be float64, got float32"):
        moments([(X.astype(np.float32), Y)])
    with pytest.raises(ValueError, match="inputs has 10 samples and targets has 9"):
        moments([(X, Y[1:])])


def test_the_paper_s_weights():
    params = [np.ones((3, 4)), 2 * np.ones((4, 2))]
    weights, Sxx, Sxy, p = checked_network(params, np.eye(3), np.ones((3, 2)))
    assert [W.shape for W in weights] == [(4, 3), (2, 4)]
    assert p == 20
    np.testing.assert_array_equal(Sxx, np.eye(3))
    np.testing.assert_array_equal(Sxy, np.ones((3, 2)))


def test_the_moment_of_the_residuals():
    rng = np.random.default_rng(0)
    for sizes in ([4, 5, 3], [3, 2, 6]):
        weights = [rng.normal(size=(m_out, m_in)) for m_in, m_out in itertools.pairwise(sizes)]
        X, Y = rng.normal(size=(9, sizes[0])), rng.normal(size=(9, sizes[-1]))
        residuals = X @ weights[0].T @ weights[1].T - Y
        np.testing.assert_allclose(residual_moment(weights, X.T @ X, X.T @ Y), residuals.T @ X, atol=1e-12)

"""The forms behind the signs, each against a dense computation of what it stands for."""

import functools
import itertools

import numpy as np
import pytest

from linear_networks import NotGenericError
from linear_networks.general_position import margin
from linear_networks.loops import (
    Loops,
    conjugate_signs,
    find_loops,
    functional_signature,
    interaction,
    stationary_form,
    tangent_coordinates,
)
from tests.oracles.integer_networks import hessians

VALUES = [2.0, -0.7, 1.5 * np.exp(0.4j), 1.5 * np.exp(-0.4j), 0.9 * np.exp(2.5j), 0.9 * np.exp(-2.5j)]


def made_of(values):
    """Return Loops with these values, without eigenvectors."""
    return Loops(np.array(values, dtype=complex), None, None)


def pairing(one, other, layers):
    """Return the matrix between the variations from loop i to loop j and back."""
    return other * np.triu(np.ones((layers, layers)), 1) + one * np.tril(np.ones((layers, layers)), -1)


@pytest.mark.parametrize("layers", range(2, 8))
def test_the_signature_of_each_loop(layers):
    for value in VALUES:
        signs = np.sign(np.linalg.eigvalsh(pairing(value, np.conj(value), layers)))
        assert functional_signature(made_of([value]), layers) == signs.sum()


@pytest.mark.parametrize("layers", range(2, 8))
def test_the_interaction_is_the_stationary_value(layers):
    phi, _ = interaction(made_of(VALUES), layers)
    for i, one in enumerate(VALUES):
        for j, other in enumerate(VALUES):
            stationary = 1 / np.linalg.inv(pairing(one, other, layers)).sum()
            assert phi[i, j] * one * other == pytest.approx(stationary, rel=1e-10)


def test_the_interaction_of_nearly_equal_loops():
    (phi,) = {interaction(made_of([2.0, 2.0 + gap]), 5)[0][0, 1].real.round(6) for gap in (0.0, 1e-9)}
    assert phi == pytest.approx(4 / (5 * 2.0), rel=1e-6)  # the limit (L - 1) / (L lambda)


@pytest.mark.parametrize(
    ("values", "layers", "power"),
    [
        ([1.0, -1.0], 4, 4),
        ([1.0, -1.0], 3, 2),
        ([1j, -1j], 2, 2),
        ([np.exp(1j * np.pi / 3), np.exp(-1j * np.pi / 3)], 4, 3),
    ],
)
def test_exceptional_ratios_are_declined(values, layers, power):
    def decide():
        _, exact = interaction(made_of(values), layers)
        _, moved = interaction(made_of(values * np.array([1.0, 1.0 + 1e-13])), layers)
        margin(exact, [moved], 1e-13)

    with pytest.raises(NotGenericError, match=f"the difference of the powers {power} of two loops is zero up to"):
        decide()


@pytest.mark.parametrize(
    "sizes", [[4, 5, 3], [3, 4, 4, 5], [5, 2, 4, 4], [4, 3, 5, 2, 4], [2, 3, 2], [3, 1, 2, 3], [9, 4, 2], [8, 2, 5, 3]]
)
def test_the_stationary_form_is_that_of_the_dense_matrix(sizes):
    rng = np.random.default_rng(1)
    K, r, q, L = sizes[-1], sizes[0], min(sizes), len(sizes) - 1
    weights = [rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    inputs = np.linalg.qr(rng.normal(size=(r + 3, r)))[0]  # so that Sxx = 1
    targets = rng.normal(size=(r + 3, K))
    W = functools.reduce(np.matmul, weights).T
    left, singular, right = np.linalg.svd(W)
    right = right.T
    omega = left.T @ (W - targets.T @ inputs) @ right
    loops, _ = find_loops(singular[:q], omega)
    diagonal = left.T @ W @ right
    np.testing.assert_allclose(
        diagonal @ loops.forward, np.eye(K, q) @ eigenvectors(loops, q) * loops.values, atol=1e-10
    )
    values = np.linalg.eigvals(omega.T @ diagonal)
    values = values[np.argsort(-abs(values))][:q]
    np.testing.assert_allclose(np.sort_complex(loops.values), np.sort_complex(values.astype(complex)), rtol=1e-8)
    products = loops.backward.T @ diagonal @ omega.T
    np.testing.assert_allclose(products, loops.values[:, None] * loops.backward.T, atol=1e-9 * abs(products).max())

    phi, _ = interaction(loops, L)
    form = stationary_form(loops, phi, omega)
    assert len(form) == q * (min(r, K) + K - q)
    np.testing.assert_allclose(form, form.T, atol=1e-10 * abs(form).max())
    directions, k, a = tangent_coordinates(omega, q)
    functional, _, _ = hessians(weights, inputs, targets)
    J = jacobian(weights, left, right, q)
    for _ in range(5):
        dW = J @ rng.normal(size=J.shape[1])
        # V^T H_f V is stationary under J V = dW: H_f V = J^T mu
        system = np.block([[functional, J.T], [J, np.zeros((len(J), len(J)))]])
        solution, *_ = np.linalg.lstsq(system, np.concatenate([np.zeros(J.shape[1]), dW]), rcond=1e-12)
        V = solution[: J.shape[1]]
        np.testing.assert_allclose(J @ V, dW, atol=1e-8 * abs(dW).max())
        full = np.zeros((K, r))
        full[in_tangent_space(K, r, q)] = dW
        seen = (full @ directions)[k, a]
        assert V @ functional @ V == pytest.approx(seen @ form @ seen, rel=1e-6, abs=1e-8 * abs(form).max())
    assert (
        conjugate_signs(loops, phi)
        == np.sign(np.linalg.eigvalsh(form))[abs(np.linalg.eigvalsh(form)) > 1e-9 * abs(form).max()].sum()
    )


def eigenvectors(loops, q):
    """Return the u_i, dual to the v_i, (q, q): they have no entries but the first q."""
    return np.linalg.inv(loops.backward[:q].T)


def in_tangent_space(K, r, q):
    return (np.arange(K)[:, None] < q) | (np.arange(r) < q)


def jacobian(weights, left, right, q):
    """Return the derivative of the entries of left^T W right that the tangent space has, in all weights."""
    columns = []
    for layer, W in enumerate(weights):
        before = functools.reduce(np.matmul, weights[:layer], np.eye(len(weights[0])))
        after = functools.reduce(np.matmul, weights[layer + 1 :], np.eye(W.shape[1]))
        for i in range(W.shape[0]):
            for j in range(W.shape[1]):
                dW = np.outer(before[:, i], after[j]).T  # (K, r)
                columns.append(left.T @ dW @ right)
    seen = in_tangent_space(*columns[0].shape, q)
    return np.stack([dW[seen] for dW in columns], axis=1)

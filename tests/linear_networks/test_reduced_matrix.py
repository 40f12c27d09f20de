"""The reduced matrix: its size is the rank, its pieces are orthonormal, wide layers split off."""

import functools
import itertools

import numpy as np
import pytest

from closed_forms import linear_ranks, outer_rank
from linear_networks.reduced_matrix import compress, pieces, reduced_matrix

NETWORKS = {  # r, hidden widths, K
    "one layer": (4, [], 3),
    "plain": (5, [6, 7], 4),
    "fewer outputs": (6, [7, 8, 9], 2),
    "fewer inputs": (2, [5, 4], 6),
    "bottleneck first": (6, [2, 7, 6], 5),
    "bottleneck in the middle": (6, [7, 2, 5, 8], 5),
    "bottleneck last": (4, [6, 5, 1], 3),
    "two bottlenecks": (7, [3, 6, 2, 8, 4], 6),
}


def network(r, hidden, K, seed=0):
    rng = np.random.default_rng(seed)
    sizes = [r, *hidden, K]
    weights = [rng.normal(size=(m_out, m_in)) for m_in, m_out in itertools.pairwise(sizes)]
    return weights, rng.normal(size=(K, r))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_size_is_the_rank(name):
    r, hidden, K = NETWORKS[name]
    layers = pieces(*network(r, hidden, K))
    assert sum(piece.size for found in layers for piece in found) == linear_ranks(r, K, hidden).loss
    # of them, those that H_o sees are enough for its rank
    seen = [piece.size for found in layers for piece in found if piece.above is not None and piece.below is not None]
    assert sum(seen) >= outer_rank(r, K, hidden)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_pieces_of_a_layer_are_orthonormal(name):
    for found in pieces(*network(*NETWORKS[name])):
        basis = np.concatenate([np.kron(piece.left, piece.right) for piece in found], axis=1)
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-13)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_piece_carries(name):
    weights, omega = network(*NETWORKS[name])
    product = lambda factors, first: functools.reduce(lambda P, W: W @ P, factors, first)
    for layer, found in enumerate(pieces(weights, omega)):
        A = product(weights[layer + 1 :], np.eye(len(weights[layer])))
        B = product(weights[:layer], np.eye(omega.shape[1]))
        for piece in found:
            above, below = A @ piece.left, piece.right.T @ B
            scale = 1e-12 * max(np.linalg.norm(A), np.linalg.norm(B))
            np.testing.assert_allclose(above, 0 * above if piece.above is None else piece.above, atol=scale)
            np.testing.assert_allclose(below, 0 * below if piece.below is None else piece.below, atol=scale)


def test_the_terms_add_up():
    weights, omega = network(5, [6, 7], 4)
    S = np.diag(np.arange(1.0, 6.0))
    layers = pieces(weights, omega)
    total = reduced_matrix(layers, weights, omega, S)
    functional = reduced_matrix(layers, weights, omega, S, outer=False)
    outer = reduced_matrix(layers, weights, omega, S, functional=False)
    np.testing.assert_allclose(total, functional + outer, atol=1e-12 * abs(total).max())
    assert np.linalg.eigvalsh(outer).min() > -1e-12 * abs(outer).max()


@pytest.mark.parametrize(
    ("hidden", "narrower", "counts"),
    [
        ([9], [8], [1]),
        ([8], [8], []),
        ([30, 4], [9, 4], [21]),
        ([4, 30], [4, 7], [23]),
        ([40, 90, 6], [14, 9, 6], None),
    ],
)
def test_layers_wider_than_both_neighbours(hidden, narrower, counts):
    weights, omega = network(5, hidden, 3)
    fewer, copies = compress(weights, omega)
    found = [len(W) for W in fewer[:-1]]
    if counts is not None:
        assert found == narrower
        assert [part.count for part in copies] == counts
    # nothing is wide any more, and no unit is lost
    sizes = [5, *found, 3]
    assert all(m <= before + after for before, m, after in zip(sizes[:-2], sizes[1:-1], sizes[2:], strict=True))
    assert sum(found) + sum(part.count for part in copies) == sum(hidden)
    # the product of the weights stays, up to a rotation of nothing
    product = lambda factors: functools.reduce(lambda P, W: W @ P, factors)
    np.testing.assert_allclose(product(fewer), product(weights), rtol=1e-10, atol=1e-10)


def test_the_copies_of_two_layers_are_the_singular_values_of_omega():
    weights, omega = network(5, [50], 3)
    _, (copies,) = compress(weights, omega)
    np.testing.assert_allclose(copies.values, np.linalg.svd(omega, compute_uv=False), rtol=1e-12)
    assert copies.count == 42

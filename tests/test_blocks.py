"""Blocks of the Hessians by layers, with and without the matrices."""

import jax.numpy as jnp
import numpy as np
import pytest

from blocks import dense_blocks
from closed_forms import layer_ranks
from hessians import HessianTriple
from losses import get_loss
from matrix_free import sketched_blocks
from parts import layers, paths
from ranks import dense_ranks
from tests.oracles.plain_hessians import plain_hessians
from tests.problems import problem

WAYS = [dense_blocks, sketched_blocks]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("activation", "loss_name"), [("tanh", "mse"), ("relu", "cross")])
def test_blocks_are_those_of_the_whole_matrices(way, activation, loss_name):
    loss, apply_fn, params, inputs, targets = problem(activation, loss_name, bias=True)
    found = way(loss, apply_fn, params, [(inputs[:4], targets[:4]), (inputs[4:], targets[4:])])
    whole = plain_hessians(loss, apply_fn, params, inputs, targets)
    places = layers(params)
    assert found.loss.layers == tuple(places) == ("0", "1", "2")
    for blocks, matrix in zip(found, whole, strict=True):
        norms = [[np.linalg.norm(matrix[np.ix_(k, m)]) for m in places.values()] for k in places.values()]
        np.testing.assert_allclose(blocks.norms, norms, atol=1e-12 * np.linalg.norm(whole.loss))
        np.testing.assert_allclose((blocks.norms**2).sum(), np.linalg.norm(matrix) ** 2, rtol=1e-11)
        for where, rank, signs, size in zip(places.values(), blocks.ranks, blocks.signs, blocks.sizes, strict=True):
            eigenvalues = np.linalg.eigvalsh(matrix[np.ix_(where, where)])
            above = 1e-11 * np.linalg.norm(whole.loss)
            counts = (eigenvalues > above).sum(), (eigenvalues < -above).sum()
            assert (*counts, size - sum(counts)) == signs
            assert (rank.rank, rank.grade) == (sum(counts), "clear")
            largest = eigenvalues[np.argsort(-abs(eigenvalues))][: rank.rank]
            np.testing.assert_allclose(rank.spectrum[: rank.rank], largest, atol=10 * above)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loss_name", ["mse", "cross"])
def test_layers_of_a_linear_network_have_the_closed_form(way, loss_name):
    """rank(W_L .. W_{l+1}) rank(W_{l-1} .. W_1 X), from the weights themselves; the blocks of H_f are zero."""
    loss, apply_fn, params, inputs, targets = problem("linear", loss_name, units=(4, 2, 6))
    found = way(loss, apply_fn, params, (inputs, targets))
    K = 3 if loss_name == "mse" else 2
    expected = layer_ranks(5, 3, [4, 2, 6], loss_name)
    products = []
    for layer in range(len(params)):
        before = np.linalg.multi_dot([inputs, *params[:layer]]) if layer else inputs
        after = np.linalg.multi_dot([*params[layer + 1 :], np.eye(3)]) if layer + 1 < len(params) else np.eye(3)
        products.append(np.linalg.matrix_rank(before) * min(K, np.linalg.matrix_rank(after)))
    assert products == expected
    for blocks, ranks in zip(found, ([0] * 4, expected, expected), strict=True):
        assert [(rank.rank, rank.grade) for rank in blocks.ranks] == [(rank, "clear") for rank in ranks]


def test_a_block_is_the_hessian_of_its_layer_alone():
    loss, apply_fn, params, inputs, targets = problem("tanh", "cosh")
    found = dense_blocks(loss, apply_fn, params, (inputs, targets))
    alone = dense_ranks(loss, apply_fn, params, (inputs, targets), only=lambda path: path == "1")
    for blocks, rank in zip(found, alone, strict=True):
        np.testing.assert_allclose(blocks.ranks[1].spectrum, rank.spectrum, atol=1e-12 * abs(rank.spectrum[0]))
        assert blocks.ranks[1].rank == rank.rank


def test_a_layer_whose_rank_sinks_below_rounding_is_open():
    """Two inputs that differ by 1e-12: the first layer's rank is 2 * 3, of which H_L shows 3."""
    params = {"first": np.array([[1.0, 2, 3], [3, 1, 2]]), "last": np.eye(3)}
    inputs = np.array([[1.0, 1 + 1e-12], [2, 2], [3, 3]])
    found = dense_blocks(get_loss("mse"), lambda w, x: x @ w["first"] @ w["last"], params, (inputs, np.ones((3, 3))))
    assert (found.loss.ranks[0].rank, found.loss.ranks[0].grade) == (3, "open")
    assert "below rounding" in found.loss.ranks[0].reason


@pytest.mark.parametrize("way", WAYS)
def test_layers_by_a_name_of_ones_own_need_not_be_neighbours(way):
    loss, apply_fn, params, inputs, targets = problem("tanh", "mse", bias=True)
    kind = lambda path: "weights" if path.endswith("/0") else "biases"
    found = way(loss, apply_fn, params, (inputs, targets), layer=kind)
    assert found.loss.layers == ("weights", "biases")
    assert found.loss.sizes == (4 * 5 + 4 * 6 + 6 * 3, 4 + 6 + 3)
    whole = plain_hessians(loss, apply_fn, params, inputs, targets).loss
    where = layers(params, kind)["biases"]
    np.testing.assert_allclose(found.loss.norms[1, 1], np.linalg.norm(whole[np.ix_(where, where)]), rtol=1e-11)


def test_paths_and_layers_of_several_kinds_of_trees():
    tree = {"net": {"Dense_0": {"kernel": jnp.ones((2, 3)), "bias": jnp.ones(3)}}, "scale": jnp.ones(())}
    assert paths(tree) == ["net/Dense_0/bias", "net/Dense_0/kernel", "scale"]
    assert {name: list(where) for name, where in layers(tree).items()} == {
        "net/Dense_0": list(range(9)),
        "scale": [9],
    }
    assert list(layers({"0.weight": jnp.ones(2), "0.bias": jnp.ones(1), "1.weight": jnp.ones(1)})) == ["0", "1"]
    assert list(layers([jnp.ones(2), jnp.ones(3)])) == ["0", "1"]
    assert list(layers(HessianTriple(jnp.ones(1), [jnp.ones(1)] * 2, None))) == ["functional", "outer"]


def test_the_mean_scales_the_norms():
    loss, apply_fn, params, inputs, targets = problem("tanh", "mse")
    mean = lambda f, y: loss(f, y) / len(f)
    found = dense_blocks(mean, apply_fn, params, (inputs, targets), reduction="mean")
    norms = dense_blocks(loss, apply_fn, params, (inputs, targets)).loss.norms
    np.testing.assert_allclose(len(inputs) * found.loss.norms, norms, rtol=1e-12)
    assert found.loss.ranks[0].grade == "clear"

import itertools

import jax
import numpy as np
import pytest

from architectures import attention, convolutional, fully_connected, polynomial
from figures import order_by_channel, order_by_circuit, order_by_unit, ordered
from hessians import HessianTriple, dense_hessians
from initializers import get_init
from losses import get_loss

INIT = get_init("glorot")


def hessians(network, shape, seed=0):
    init_fn, apply_fn = network
    outputs, params = init_fn(jax.random.key(seed), (-1, *shape))
    generator = np.random.default_rng(seed)
    batch = generator.standard_normal((30, *shape)), generator.standard_normal((30, *outputs[1:]))
    return params, dense_hessians(get_loss("mse"), apply_fn, params, [batch])


def blocks(matrix, sizes):
    """Return the blocks as a dictionary, by pairs of places."""
    edges = [slice(first, last) for first, last in itertools.pairwise(np.cumsum([0, *sizes]))]
    return {
        (k, other): matrix[row, column] for (k, row), (other, column) in itertools.product(enumerate(edges), repeat=2)
    }


def is_permutation(order):
    return sorted(order.places) == list(range(len(order.places))) and sum(order.sizes) == len(order.places)


def test_a_permutation_of_rows_and_columns():
    matrix = np.arange(9.0).reshape(3, 3)
    order = order_by_unit([np.ones((1, 1)), np.ones((1, 2))])._replace(places=np.array([2, 0, 1]))
    moved = ordered(HessianTriple(matrix, matrix, matrix), order)
    assert moved.loss.tolist() == [[8, 6, 7], [2, 0, 1], [5, 3, 4]]


@pytest.mark.parametrize(
    ("network", "shape", "order_by"),
    [
        (fully_connected([4], 3, "tanh", INIT), (5,), order_by_unit),
        (polynomial([3], 2, 3, INIT), (4,), order_by_unit),
        (convolutional([4], [3], INIT, classes=3), (7, 2), order_by_channel),
        (convolutional([3], [(2, 3)], INIT, classes=2), (4, 5, 2), order_by_channel),
        (convolutional([3], [3], INIT, classes=2, padding="CIRCULAR"), (5, 1), order_by_channel),
    ],
)
def test_the_functional_hessian_is_block_diagonal(network, shape, order_by):
    params, matrices = hessians(network, shape)
    order = order_by(params)
    assert is_permutation(order)
    found = blocks(ordered(matrices, order).functional, order.sizes)
    largest = abs(matrices.functional).max()
    for (k, other), block in found.items():
        assert (abs(block).max() > 1e-3 * largest) == (k == other)


def test_channels_have_the_same_block():
    """H_f of a linear convolution with a head is I (x) a block Hankel matrix."""
    params, matrices = hessians(convolutional([4], [3], INIT, classes=3), (7, 2))
    order = order_by_channel(params)
    found = blocks(ordered(matrices, order).functional, order.sizes)
    for k in range(1, 4):
        np.testing.assert_allclose(found[k, k], found[0, 0], atol=1e-12 * abs(found[0, 0]).max())


@pytest.mark.parametrize("heads", [1, 2])
def test_circuits_have_the_same_block(heads):
    params, matrices = hessians(attention(2, 3, INIT, classes=4, heads=heads), (4, 3))
    order = order_by_circuit(params)
    assert is_permutation(order)
    assert order.sizes == heads * (2 * [6] + 3 * [7])
    found = blocks(ordered(matrices, order).functional, order.sizes)
    largest = abs(matrices.functional).max()
    for head in range(heads):
        same = range(5 * head, 5 * head + 2), range(5 * head + 2, 5 * head + 5)
        for k, other in itertools.chain(*(itertools.product(group, repeat=2) for group in same)):
            group = same[0] if k in same[0] else same[1]
            expected = found[group[0], group[0]] if k == other else np.zeros_like(found[k, other])
            np.testing.assert_allclose(found[k, other], expected, atol=1e-12 * largest)
    assert len(order.names) == len(set(order.names)) == len(order.sizes)

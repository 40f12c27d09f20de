import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import residual
from initializers import get_init
from tests.networks.test_activations import ACTIVATIONS


def product(x, W):
    return [sum(x[i] * W[i][j] for i in range(len(W))) for j in range(len(W[0]))]


def by_loops(params, x, sigma, has_layers):
    """Return f(x) for one sample, number by number."""
    x = product(x, params[0]) if has_layers else list(x)
    for block in params[1:-1] if has_layers else params:
        A = block[0] if isinstance(block, tuple) else block
        branch = [sigma(z) for z in product(x, A)]
        branch = product(branch, block[1]) if isinstance(block, tuple) else branch
        x = [a + b for a, b in zip(x, branch, strict=True)]
    return product(x, params[-1]) if has_layers else x


@pytest.mark.parametrize("width", [None, 4], ids=["blocks alone", "input and output layers"])
@pytest.mark.parametrize(
    ("branches", "activation"),
    [([2], "tanh"), ([None], "tanh"), *(([3, None, 1], activation) for activation in ACTIVATIONS)],
    ids=str,
)
def test_forward_pass(branches, width, activation):
    outer = {} if width is None else {"width": width, "classes": 2}
    init_fn, apply_fn = residual(branches, get_init("glorot"), activation=activation, **outer)
    shape, params = init_fn(jax.random.key(0), (-1, 5))
    rng = np.random.default_rng(0)
    params, inputs = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params), rng.normal(size=(3, 5))
    found = jax.jit(apply_fn)(params, inputs)
    assert found.shape == (3, shape[1])
    expected = [by_loops(params, x, ACTIVATIONS[activation], width is not None) for x in inputs]
    assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("branches", "outer", "outputs", "expected"),
    [
        ([2, None], {"width": 4, "classes": 3}, 3, [(5, 4), ((4, 2), (2, 4)), (4, 4), (4, 3)]),
        ([2, None], {}, 5, [((5, 2), (2, 5)), (5, 5)]),
        ((None, 7), {}, 5, [(5, 5), ((5, 7), (7, 5))]),
        (np.array([6, 1]), {"width": 1, "classes": 1}, 1, [(5, 1), ((1, 6), (6, 1)), ((1, 1), (1, 1)), (1, 1)]),
    ],
    ids=["layers", "blocks alone", "square first", "array"],
)
def test_shapes(branches, outer, outputs, expected):
    init_fn, _ = residual(branches, get_init("orthogonal"), **outer)
    shape, params = init_fn(jax.random.key(0), (-1, 5))
    assert shape == (-1, outputs)
    assert jax.tree.map(np.shape, params) == expected
    for W in jax.tree.leaves(params):
        assert_allclose(np.linalg.svd(W, compute_uv=False), np.ones(min(W.shape)), rtol=1e-13)


def test_branches_of_zeros_leave_what_comes_in():
    init_fn, apply_fn = residual([2, None], lambda key, shape, dtype: jax.numpy.zeros(shape, dtype))
    inputs = np.random.default_rng(0).normal(size=(3, 5))
    assert np.array_equal(apply_fn(init_fn(jax.random.key(0), (-1, 5))[1], inputs), inputs)


def test_networks_of_one_kind_share_one_function():
    build = lambda branches, **options: residual(branches, get_init("glorot"), **options)[1]
    apply_fn = build([2, None], activation="tanh")
    assert build([5], activation="tanh") is apply_fn
    assert build([2, None], activation="relu") is not apply_fn
    with_layers = build([2, None], width=4, classes=3, activation="tanh")
    assert with_layers is not apply_fn
    assert build([None], width=1, classes=1, activation="tanh") is with_layers


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"branches": []}, ValueError, r"branches is empty: name at least one block, for instance \[2, 2\]"),
        ({"branches": 2}, TypeError, "branches must be a list of widths of branches .* got 2 of type int"),
        ({"branches": None}, TypeError, "branches must be a list .* got None"),
        ({"branches": [None, 0]}, ValueError, r"branches\[1\] must be at least 1, got 0"),
        ({"branches": [2.0]}, TypeError, r"branches\[0\] must be an integer, got 2.0 of type float"),
        ({"branches": [True]}, TypeError, r"branches\[0\] must be an integer, got True"),
        ({"width": 4}, ValueError, "width and classes belong together, got width=4 and classes=None: give both"),
        ({"classes": 3}, ValueError, "width and classes belong together, got width=None and classes=3"),
        ({"width": 0, "classes": 3}, ValueError, "width must be at least 1, got 0"),
        ({"width": 4.0, "classes": 3}, TypeError, "width must be an integer, got 4.0"),
        ({"width": 4, "classes": True}, TypeError, "classes must be an integer, got True"),
        ({"activation": "swish"}, ValueError, "unknown activation 'swish'; choose one of 'linear', 'relu'"),
    ],
    ids=str,
)
def test_bad_arguments(changed, error, message):
    with pytest.raises(error, match=message):
        residual(**({"branches": [2], "init": get_init("glorot")} | changed))

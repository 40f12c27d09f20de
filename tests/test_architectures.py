import math

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

import architectures
from architectures import count_parameters, fully_connected
from initializers import get_init

# Each activation once more, in plain Python.
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: max(x, 0.0),
    "tanh": math.tanh,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
}


def network(activation="linear", bias=False, units=(4, 6), classes=3, init="glorot", dim=5):
    init_fn, apply_fn = fully_connected(list(units), classes, activation, get_init(init), bias=bias)
    shape, params = init_fn(jax.random.PRNGKey(0), (-1, dim))
    assert shape == (-1, classes)
    return params, apply_fn


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_forward_pass(activation, bias):
    params, apply_fn = network(activation, bias)
    inputs = np.random.default_rng(0).normal(size=(7, 5))
    x = inputs
    for layer, weights in enumerate(params):
        W, b = (np.asarray(part) for part in weights) if bias else (np.asarray(weights), 0.0)
        x = x @ W + b
        x = x if layer == len(params) - 1 else np.vectorize(ACTIVATIONS[activation])(x)
    assert_allclose(apply_fn(params, inputs), x, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_layer_uses_the_initializer_and_has_the_bias_asked_for(activation, bias):
    params, _ = network(activation, bias, init="orthogonal")
    assert len(params) == 3
    for weights, shape in zip(params, [(5, 4), (4, 6), (6, 3)], strict=True):
        W = weights[0] if bias else weights
        assert W.shape == shape
        assert W.dtype == np.float64
        assert_allclose(np.linalg.svd(W, compute_uv=False), np.ones(min(shape)), rtol=1e-13)
        if bias:
            assert weights[1].shape == (shape[1],)
            assert np.all(np.asarray(weights[1]) != 0)


def test_layers_are_drawn_independently():
    params, _ = network(units=(5, 5), classes=5)
    first, second, third = (np.asarray(W) for W in params)
    assert not np.any(first == second)
    assert not np.any(second == third)


@pytest.mark.parametrize("classes", [1, 2])
def test_as_many_outputs_as_classes(classes):
    params, apply_fn = network(classes=classes)
    assert apply_fn(params, np.ones((7, 5))).shape == (7, classes)


@pytest.mark.parametrize(
    ("units", "error", "message"),
    [
        ([], ValueError, "widths is empty: name at least one hidden layer"),
        ([5, 0], ValueError, r"widths\[1\] must be at least 1, got 0"),
        ([5, 10.0], TypeError, r"widths\[1\] must be an integer, got 10.0 of type float"),
        ([True], TypeError, r"widths\[0\] must be an integer, got True"),
        (5, TypeError, r"widths must be a list of hidden widths such as \[5, 10\], got 5"),
        ("510", TypeError, "widths must be a list of hidden widths"),
        (b"510", TypeError, "widths must be a list of hidden widths"),
        ((m for m in [5, 10]), TypeError, r"widths must be a list of hidden widths such as \[5, 10\], got <generator"),
        ({5, 10}, TypeError, r"widths must be a list of hidden widths .* got \{10, 5\} of type set"),
        ({5: 10}, TypeError, "widths must be a list of hidden widths .* of type dict"),
        (None, TypeError, "widths must be a list of hidden widths .* got None"),
        (np.array(5), TypeError, "widths must be a list of hidden widths"),
        ([[5, 10]], TypeError, r"widths\[0\] must be an integer, got \[5, 10\] of type list"),
        (10**5000, TypeError, "widths must be a list .* got a number of more than 4000 digits of type int"),
        ([-(10**5000)], ValueError, r"widths\[0\] must be at least 1, got a number of more than 4000 digits"),
        ([10**20], ValueError, rf"widths\[0\] must be below 2\^63 = {2**63}, got {10**20}"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bad_widths(units, error, message):
    with pytest.raises(error, match=message):
        fully_connected(units, 3, "linear", get_init("glorot"))


@pytest.mark.parametrize("units", [(4, 6), range(4, 7, 2), np.array([4, 6]), jax.numpy.array([4, 6])], ids=repr)
def test_widths_are_any_sequence(units):
    init_fn, _ = fully_connected(units, 3, "linear", get_init("glorot"))
    _, params = init_fn(jax.random.PRNGKey(0), (-1, 5))
    assert [W.shape for W in params] == [(5, 4), (4, 6), (6, 3)]
    assert count_parameters(5, units, 3) == 20 + 24 + 18


@pytest.mark.parametrize("bias", ["no", "False", [False], np.nan, 0.5, 0, 1, None], ids=repr)
def test_a_bias_that_is_neither_true_nor_false_is_refused(bias):
    for build in (
        lambda: fully_connected([4], 3, "linear", get_init("glorot"), bias=bias),
        lambda: count_parameters(5, [4], 3, bias),
    ):
        with pytest.raises(TypeError, match="bias must be True or False, got "):
            build()


def test_numpys_booleans_are_booleans():
    assert len(network(bias=np.True_)[0][0]) == 2
    assert network(bias=np.False_)[0][0].shape == (5, 4)


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
def test_parameters_are_counted_without_drawing_them(bias):
    params, _ = network(bias=bias)
    assert count_parameters(5, [4, 6], 3, bias) == sum(leaf.size for leaf in jax.tree.leaves(params))
    assert count_parameters(10**6, [10**9], 10**3) == 10**15 + 10**12


@pytest.mark.parametrize("units", [[10**6, 10**6], [2**62]], ids=repr)
def test_weights_that_do_not_fit_are_refused_before_they_are_drawn(units):
    init_fn, _ = fully_connected(units, 3, "linear", get_init("glorot"))
    with pytest.raises(MemoryError, match=r"the weights of p = \d+ parameters take .* Choose smaller widths"):
        init_fn(jax.random.PRNGKey(0), (-1, 5))


def test_shapes_alone_need_no_memory():
    init_fn, _ = fully_connected([10**6, 10**6], 3, "linear", get_init("glorot"))
    _, shapes = jax.eval_shape(lambda key: init_fn(key, (-1, 5)), jax.random.PRNGKey(0))
    assert [W.shape for W in shapes] == [(5, 10**6), (10**6, 10**6), (10**6, 3)]


def test_bad_names_and_shapes():
    assert set(architectures.ACTIVATIONS) == set(ACTIVATIONS)  # each has an oracle here
    known = ", ".join(map(repr, architectures.ACTIVATIONS))
    with pytest.raises(ValueError, match=f"unknown activation 'swish'; choose one of {known}"):
        fully_connected([4], 3, "swish", get_init("glorot"))
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        fully_connected([4], 0, "linear", get_init("glorot"))
    with pytest.raises(TypeError, match=r"init must be a function .* got 'glorot'; pass get_init\('glorot'\)"):
        fully_connected([4], 3, "linear", "glorot")
    params, apply_fn = network(dim=5)
    with pytest.raises(ValueError, match=r"inputs must have shape \(n, 5\) for this network, got \(2, 4\)"):
        apply_fn(params, np.ones((2, 4)))


def test_float32_mode_is_refused():
    with jax.enable_x64(False), pytest.raises(TypeError, match=r'jax.config.update\("jax_enable_x64", True\)'):
        network()

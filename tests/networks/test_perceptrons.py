import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

import architectures
from architectures import count_parameters, fully_connected, polynomial
from initializers import get_init
from tests.networks.test_activations import ACTIVATIONS


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


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
def test_networks_with_the_same_activation_share_one_function(bias):
    _, apply_fn = network("tanh", bias)
    assert network("tanh", bias, units=(2,), classes=1, dim=7)[1] is apply_fn
    assert network("tanh", not bias)[1] is not apply_fn
    assert network("elu", bias)[1] is not apply_fn


def power_network(degree, bias=False, units=(2, 3), classes=2, dim=3):
    """Return weights that are small integers, and the network."""
    init_fn, apply_fn = polynomial(list(units), classes, degree, get_init("glorot"), bias)
    shape, params = init_fn(jax.random.key(0), (-1, dim))
    assert shape == (-1, classes)
    rng = np.random.default_rng(degree)
    return jax.tree.map(lambda leaf: np.float64(rng.integers(-2, 3, size=leaf.shape)), params), apply_fn


def powers_of_sums(params, x, degree, bias):
    """Return f(x) for one sample. All numbers are Python's integers."""
    for number, layer in enumerate(params, start=1):
        W, b = layer if bias else (layer, np.zeros(layer.shape[1]))
        W, b = W.astype(int).tolist(), b.astype(int).tolist()
        z = [sum(x[i] * W[i][j] for i in range(len(W))) + b[j] for j in range(len(W[0]))]
        x = z if number == len(params) else [value**degree for value in z]
    return x


@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_a_polynomial_of_integers_is_exact(degree, bias):
    params, apply_fn = power_network(degree, bias)
    inputs = [[1, -2, 1], [2, 1, 0], [-1, -1, 2]]
    expected = [powers_of_sums(params, x, degree, bias) for x in inputs]
    assert np.abs(expected).max() > 1
    found = jax.jit(apply_fn)(params, np.float64(inputs))
    assert found.dtype == np.float64
    assert found.tolist() == expected


def test_one_hidden_layer_and_one_output_give_a_sum_of_powers():
    w, v, x = np.array([[1.0, 2.0], [-1.0, 3.0]]), np.array([[5.0], [-7.0]]), np.array([[2.0, 1.0]])
    _, apply_fn = polynomial([2], 1, 5, get_init("glorot"))
    assert apply_fn([w, v], x).tolist() == [[5.0 * (2 - 1) ** 5 - 7.0 * (2 * 2 + 3) ** 5]]


def test_polynomials_draw_the_weights_of_fully_connected_networks_and_share_one_function_for_each_degree():
    sizes = [4, 6], 3
    init_fn, apply_fn = polynomial(*sizes, 3, get_init("glorot"), bias=True)
    _, ours = init_fn(jax.random.PRNGKey(0), (-1, 5))
    assert all(map(np.array_equal, jax.tree.leaves(ours), jax.tree.leaves(network(bias=True)[0])))
    assert polynomial([2], 1, np.int64(3), get_init("uniform"), bias=np.True_)[1] is apply_fn
    assert polynomial(*sizes, 3, get_init("glorot"))[1] is not apply_fn
    assert polynomial(*sizes, 2, get_init("glorot"), bias=True)[1] is not apply_fn


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([4], 3, 0), ValueError, "degree must be at least 1, got 0"),
        (([4], 3, -2), ValueError, "degree must be at least 1, got -2"),
        (([4], 3, 2.0), TypeError, "degree must be an integer, got 2.0 of type float"),
        (([4], 3, True), TypeError, "degree must be an integer, got True"),
        (([4], 3, "tanh"), TypeError, "degree must be an integer, got 'tanh'"),
        (([], 3, 2), ValueError, "widths is empty"),
        (([4.0], 3, 2), TypeError, r"widths\[0\] must be an integer, got 4.0"),
        (([4], 0, 2), ValueError, "classes must be at least 1, got 0"),
    ],
    ids=str,
)
def test_bad_polynomials(arguments, error, message):
    with pytest.raises(error, match=message):
        polynomial(*arguments, get_init("glorot"))


def test_a_polynomial_s_bias_is_true_or_false():
    with pytest.raises(TypeError, match="bias must be True or False, got 1"):
        polynomial([4], 3, 2, get_init("glorot"), bias=1)

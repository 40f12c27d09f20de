"""Networks of flax beside the same networks written down with the same weights."""

import importlib.util
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax.flatten_util import ravel_pytree
from numpy.testing import assert_allclose, assert_array_equal

from adapters import flax_models
from adapters.flax_models import from_linen, from_nnx
from hessians import dense_hessians, num_params
from losses import get_loss

RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 2))
SINGLE = INPUTS.astype("float32")  # to make variables with
LOSS = get_loss("mse")
MEAN, VAR = RNG.standard_normal(4).astype("float32"), RNG.uniform(0.5, 2.0, 4).astype("float32")
SCALE, BIAS = RNG.standard_normal((2, 4)).astype("float32")


class Linen(linen.Module):
    norm: bool = False
    rate: float = 0.0

    @linen.compact
    def __call__(self, x, train=False):
        x = linen.Dense(4, name="first")(x)
        if self.norm:
            x = linen.BatchNorm(use_running_average=not train, name="norm")(x)
        x = linen.Dropout(self.rate, deterministic=not train)(jnp.tanh(x))
        return linen.Dense(2, name="last")(x)


class Nnx(nnx.Module):
    def __init__(self, norm=False, rate=0.0, dtype=jnp.float32):
        rngs = nnx.Rngs(0)
        self.first, self.last = nnx.Linear(3, 4, rngs=rngs), nnx.Linear(4, 2, rngs=rngs, param_dtype=dtype)
        self.parts = nnx.List([nnx.Dropout(rate, rngs=rngs)])
        self.norm = nnx.BatchNorm(4, rngs=rngs) if norm else None

    def __call__(self, x):
        x = self.first(x)
        x = x if self.norm is None else self.norm(x)
        return self.last(self.parts[0](jnp.tanh(x)))


def plain(params, x):
    """The network of `Linen` and `Nnx`, which gives its parameters the same names."""
    x = x @ params["first"]["kernel"] + params["first"]["bias"]
    if "norm" in params:
        x = (x - np.float64(MEAN)) / np.sqrt(np.float64(VAR) + 1e-5) * params["norm"]["scale"] + params["norm"]["bias"]
    return jnp.tanh(x) @ params["last"]["kernel"] + params["last"]["bias"]


def linen_variables(module):
    """Return variables in float32, with statistics that are not those of a new module."""
    variables = module.init(jax.random.key(0), SINGLE)
    if module.norm:
        variables["params"]["norm"] = {"scale": SCALE, "bias": BIAS}
        variables["batch_stats"] = {"norm": {"mean": MEAN, "var": VAR}}
    return variables


def nnx_model(**options):
    model = Nnx(**options)
    model.eval()
    if model.norm is not None:
        model.norm.scale[...], model.norm.bias[...] = SCALE, BIAS
        model.norm.mean[...], model.norm.var[...] = MEAN, VAR
    return model


def linen_pair(norm=False):
    module = Linen(norm, rate=0.5)
    return from_linen(module, linen_variables(module), train=False)


@pytest.mark.parametrize("pair", [linen_pair, lambda: from_nnx(nnx_model(rate=0.5))], ids=["linen", "nnx"])
def test_hessians_are_those_of_the_network_written_down(pair):
    apply_fn, params = pair()
    found = dense_hessians(LOSS, apply_fn, params, [(INPUTS, TARGETS)])
    for one, other in zip(found, dense_hessians(LOSS, plain, params, [(INPUTS, TARGETS)]), strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12 * abs(other).max())
    theta, unravel = ravel_pytree(params)
    direct = jax.hessian(lambda theta: LOSS(plain(unravel(theta), INPUTS), TARGETS))(theta)
    assert_allclose(found.loss, direct, rtol=1e-12, atol=1e-12 * abs(direct).max())


@pytest.mark.parametrize("pair", [linen_pair, lambda norm: from_nnx(nnx_model(norm=norm))], ids=["linen", "nnx"])
def test_batch_normalization_in_evaluation_mode(pair):
    apply_fn, params = pair(norm=True)
    assert_array_equal(params["norm"]["scale"], SCALE)
    assert sorted(params["norm"]) == ["bias", "scale"]  # and no running means
    assert_allclose(apply_fn(params, INPUTS), plain(params, INPUTS), rtol=1e-12)


def test_parameters_are_plain_dicts_of_float64_with_the_values_of_before():
    variables, model = linen_variables(Linen()), nnx_model()
    layers = {"first": model.first, "last": model.last}
    of_nnx = {name: {"kernel": layer.kernel[...], "bias": layer.bias[...]} for name, layer in layers.items()}
    for params, before in (from_linen(Linen(), variables)[1], variables["params"]), (from_nnx(model)[1], of_nnx):
        assert type(params) is type(params["first"]) is dict
        assert jax.tree.structure(params) == jax.tree.structure(before)
        for leaf, value in zip(jax.tree.leaves(params), jax.tree.leaves(before), strict=True):
            assert type(leaf) is np.ndarray
            assert (leaf.dtype, value.dtype) == (np.float64, np.float32)  # what was given is as it was
            assert_array_equal(leaf, value)


# --- inputs


class Several(linen.Module):
    @linen.compact
    def __call__(self, first, second):
        return linen.Dense(2)(first * second["scale"])


def test_a_tuple_is_several_arguments_and_a_dict_is_one():
    second = {"scale": 2 * np.ones((6, 1))}
    variables = Several().init(jax.random.key(0), SINGLE, {"scale": SINGLE[:, :1]})
    apply_fn, params = from_linen(Several(), variables)
    expected = 2 * INPUTS @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"]
    assert_allclose(apply_fn(params, (INPUTS, second)), expected, rtol=1e-12)
    assert_array_equal(apply_fn(params, (INPUTS, second)), Several().apply({"params": params}, INPUTS, second))
    one = linen.Sequential([lambda inputs: inputs["x"], linen.Dense(2)])
    apply_fn, params = from_linen(one, one.init(jax.random.key(0), {"x": SINGLE}))
    assert_array_equal(apply_fn(params, {"x": INPUTS}), one.apply({"params": params}, {"x": INPUTS}))


# --- nnx alone


class Layers(nnx.Module):
    """A list of layers. The last has the weights of the first, and there is a count of the calls."""

    def __init__(self):
        self.layers = nnx.List([nnx.Linear(3, 3, use_bias=False, rngs=nnx.Rngs(i)) for i in range(3)])
        self.layers[2].kernel = self.layers[0].kernel
        self.calls = nnx.Variable(jnp.array(1, int))

    def __call__(self, x, factor=1.0):
        self.calls[...] += 1
        for layer in self.layers:
            x = layer(x)
        return factor * x * self.calls[...].astype(float)


def test_tied_weights_in_a_list_count_once_and_calls_leave_no_trace():
    model = Layers()
    apply_fn, params = from_nnx(model)
    assert num_params(params) == 2 * 9
    first, second = params["layers"][0]["kernel"], params["layers"][1]["kernel"]
    for _ in range(2):
        assert_allclose(apply_fn(params, INPUTS), 2 * INPUTS @ first @ second @ first, rtol=1e-12)
        assert_allclose(jax.jit(apply_fn)(params, (INPUTS, 3.0)), 6 * INPUTS @ first @ second @ first, rtol=1e-12)
    assert model.calls[...] == 1
    assert model.layers[0].kernel.dtype == np.float32
    assert model.layers[0].kernel is model.layers[2].kernel
    gradient = jax.grad(lambda w: apply_fn(w, INPUTS).sum())(params)["layers"][0]["kernel"]
    ones = np.ones((6, 3))  # of both places
    expected = 2 * (INPUTS.T @ ones @ (second @ first).T + (INPUTS @ first @ second).T @ ones)
    assert_allclose(gradient, expected, rtol=1e-12)


def test_a_layer_that_promotes_to_float32_at_least():
    """Layer normalization computes in the longer of its input's dtype and float32, which strict promotion forbids."""
    module = linen.LayerNorm()
    pairs = [from_linen(module, module.init(jax.random.key(0), SINGLE)), from_nnx(nnx.LayerNorm(3, rngs=nnx.Rngs(0)))]
    centred = INPUTS - INPUTS.mean(axis=1, keepdims=True)
    for apply_fn, params in pairs:
        with jax.numpy_dtype_promotion("standard"):
            found = apply_fn(params, INPUTS)
        assert found.dtype == np.float64
        assert_allclose(found, centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-6), rtol=1e-12)


# --- what is refused


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Linen(norm=True), "it changes its state, .* depend on the other samples .* use_running_average=True"),
        (Linen(rate=0.5), "it asks for a random key, .* are then random, .* deterministic=True"),
    ],
    ids=["batch normalization", "dropout"],
)
def test_training_mode_of_linen_is_refused(module, message):
    apply_fn, params = from_linen(module, linen_variables(module), train=True)
    # Strict promotion does not even let flax compute the statistics of a float64 batch.
    with (
        jax.numpy_dtype_promotion("standard"),
        pytest.raises(ValueError, match=f"the module is in training mode: {message}"),
    ):
        dense_hessians(LOSS, apply_fn, params, [(INPUTS, TARGETS)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": True}, r"model\.norm, a BatchNorm, .* dependent on the other samples of a batch"),
        ({"rate": 0.5}, r"model\.parts\[0\], a Dropout, .* random"),
    ],
)
def test_training_mode_of_nnx_is_refused(options, message):
    with pytest.raises(ValueError, match=rf"{message}.*: call model\.eval\(\) first"):
        from_nnx(Nnx(**options))
    from_nnx(Nnx(rate=0.0))  # which drops nothing out


@pytest.mark.parametrize("option", ["rngs", "mutable"])
def test_options_of_training_mode_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must not be passed: .* train=False"):
        from_linen(Linen(), linen_variables(Linen()), **{option: True})


def test_variables_without_params_are_refused():
    with pytest.raises(ValueError, match=r"with 'params', got a dict with \['first', 'last'\]: pass all that module"):
        from_linen(Linen(), linen_variables(Linen())["params"])
    with pytest.raises(ValueError, match="with 'params', got list"):
        from_linen(Linen(), [np.eye(3)])


def changed(change):
    variables = linen_variables(Linen())
    variables["params"]["last"]["kernel"] = change(variables["params"]["last"]["kernel"])
    return lambda: from_linen(Linen(), variables)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (changed(lambda W: W.astype("bfloat16")), r"\['bias'\] is float32 and params\['last'\]\['kernel'\] is bfloat"),
        (lambda: from_nnx(Nnx(dtype=jnp.float16)), r"\['bias'\] is float32 and params\['last'\]\['bias'\] is float16"),
        (changed(lambda W: W.astype("complex64")), r"floating-point numbers, but params\['last'\]\['kernel'\] is comp"),
        (changed(lambda W: W.astype("int32")), r"floating-point numbers, but params\['last'\]\['kernel'\] is int32"),
    ],
    ids=["bfloat16 in linen", "float16 in nnx", "complex", "integers"],
)
def test_parameters_of_other_dtypes_are_refused_by_name(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_without_flax_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "flax", None)  # as if it were not there
    spec = importlib.util.spec_from_file_location("again", flax_models.__file__)
    with pytest.raises(ImportError, match=r"needs flax: pip install 'hessian-rank\[flax\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


class Narrow(linen.Module):
    """A recurrent network, which starts from float32, and a layer that computes in it."""

    @linen.compact
    def __call__(self, x):
        return linen.Dense(2, dtype=jnp.float32)(linen.RNN(linen.SimpleCell(3))(x)[:, -1])


def test_layers_compute_in_float64_whatever_their_dtype_says():
    x = RNG.normal(size=(5, 4, 2))
    module = Narrow()
    apply_fn, params = from_linen(module, module.init(jax.random.key(0), x.astype("float32")))
    cell, dense = params["SimpleCell_0"], params["Dense_0"]
    h = np.zeros((5, 3))
    for step in range(4):
        h = np.tanh(x[:, step] @ cell["i"]["kernel"] + cell["i"]["bias"] + h @ cell["h"]["kernel"])
    expected = h @ dense["kernel"] + dense["bias"]
    np.testing.assert_allclose(apply_fn(params, x), expected, atol=1e-14)

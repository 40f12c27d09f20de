"""Networks of equinox beside the same networks written down with the same weights."""

import importlib.util
import sys
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from numpy.testing import assert_allclose, assert_array_equal

from adapters import equinox_models
from adapters.equinox_models import from_equinox
from hessians import dense_hessians, num_params
from losses import get_loss

RNG = np.random.default_rng(0)
INPUTS, TARGETS = RNG.standard_normal((6, 3)), RNG.standard_normal((6, 2))
LOSS = get_loss("mse")


class Network(eqx.Module):
    """Two layers, and beside them what is no parameter: static fields, a function, a text, integers."""

    layers: list
    dropout: eqx.nn.Dropout
    activation: Callable
    order: jax.Array
    factor: int = eqx.field(static=True)
    title: str = "a network"

    def __init__(self, rate=0.0, dtypes=(jnp.float32, jnp.float32)):
        sizes = (3, 4), (4, 2)
        self.layers = [
            eqx.nn.Linear(*size, dtype=dtype, key=jax.random.key(i))
            for i, (size, dtype) in enumerate(zip(sizes, dtypes, strict=True))
        ]
        self.dropout, self.activation, self.order, self.factor = eqx.nn.Dropout(rate), jnp.tanh, jnp.array([1, 0]), 3

    def __call__(self, x):
        hidden = self.dropout(self.activation(self.layers[0](x)))
        return self.factor * self.layers[1](hidden)[self.order]


def plain(params, x):
    first, last = params.layers
    return 3 * (jnp.tanh(x @ first.weight.T + first.bias) @ last.weight.T + last.bias)[:, ::-1]


def test_hessians_are_those_of_the_network_written_down():
    apply_fn, params = from_equinox(eqx.nn.inference_mode(Network(rate=0.5)))
    found = dense_hessians(LOSS, apply_fn, params, [(INPUTS, TARGETS)])
    for one, other in zip(found, dense_hessians(LOSS, plain, params, [(INPUTS, TARGETS)]), strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12 * abs(other).max())
    theta, unravel = ravel_pytree(params)
    direct = jax.hessian(lambda theta: LOSS(plain(unravel(theta), INPUTS), TARGETS))(theta)
    assert_allclose(found.loss, direct, rtol=1e-12, atol=1e-12 * abs(direct).max())


def test_parameters_are_float64_with_the_values_of_before_and_nothing_else():
    model = Network()
    _, params = from_equinox(model)
    assert num_params(params) == 3 * 4 + 4 + 4 * 2 + 2
    assert params.order is None
    for leaf, value in zip(jax.tree.leaves(params), jax.tree.leaves(model.layers), strict=True):
        assert type(leaf) is np.ndarray
        assert (leaf.dtype, value.dtype) == (np.float64, np.float32)  # what was given is as it was
        assert_array_equal(leaf, value)


class Several(eqx.Module):
    linear: eqx.nn.Linear

    def __call__(self, x, other):
        return self.linear(x) * other["scale"]


def test_a_tuple_is_several_arguments_and_a_dict_is_one():
    scale = RNG.standard_normal((6, 1))
    linear = eqx.nn.Linear(3, 2, key=jax.random.key(0))
    apply_fn, params = from_equinox(Several(linear))
    once = INPUTS @ params.linear.weight.T + params.linear.bias
    assert_allclose(apply_fn(params, (INPUTS, {"scale": scale})), scale * once, rtol=1e-12)
    apply_fn, params = from_equinox(eqx.nn.Sequential([eqx.nn.Lambda(lambda inputs: inputs["x"]), linear]))
    assert_allclose(apply_fn(params, {"x": INPUTS}), once, rtol=1e-12)


class Tied(eqx.Module):
    shared: eqx.nn.Shared

    def __init__(self):
        pair = [eqx.nn.Linear(3, 3, use_bias=False, key=jax.random.key(i)) for i in range(2)]
        self.shared = eqx.nn.Shared(pair, lambda pair: pair[1].weight, lambda pair: pair[0].weight)

    def __call__(self, x):
        first, second = self.shared()
        return second(first(x))


def test_shared_weights_count_once():
    apply_fn, params = from_equinox(Tied())
    assert num_params(params) == 9
    W = params.shared.pytree[0].weight
    assert_allclose(apply_fn(params, INPUTS), INPUTS @ W.T @ W.T, rtol=1e-12)
    gradient = jax.tree.leaves(jax.grad(lambda w: apply_fn(w, INPUTS).sum())(params))[0]
    ones = np.ones((6, 3))  # of both places
    assert_allclose(gradient, (INPUTS.T @ ones @ W).T + ones.T @ INPUTS @ W.T, rtol=1e-12)


# --- state


class Normalized(eqx.Module):
    """Batch normalization between two layers, and a count of the calls that is a factor of the output."""

    linear: eqx.nn.Linear
    norm: eqx.nn.BatchNorm
    calls: eqx.nn.StateIndex

    def __init__(self):
        self.linear = eqx.nn.Linear(3, 4, key=jax.random.key(0), dtype=jnp.float32)
        self.norm = eqx.nn.BatchNorm(4, axis_name="batch", mode="ema", dtype=jnp.float32)
        self.calls = eqx.nn.StateIndex(jnp.array(1.0, jnp.float32))

    def __call__(self, x, state):
        x, state = self.norm(self.linear(x), state)
        state = state.set(self.calls, state.get(self.calls) + 1)
        return state.get(self.calls) * x, state


def test_batch_normalization_in_inference_mode():
    model, state = eqx.nn.make_with_state(Normalized)()
    mean, var = RNG.standard_normal(4).astype("float32"), RNG.uniform(0.5, 2.0, 4).astype("float32")
    state = state.set(model.norm.ema_state_index, (mean, var))
    apply_fn, params = from_equinox(eqx.nn.inference_mode(model), state)
    assert num_params(params) == 3 * 4 + 4 + 2 * 4
    params = jax.tree.map(lambda leaf: leaf + RNG.standard_normal(leaf.shape), params)
    mean, var = np.float64(mean), np.float64(var)
    hidden = (INPUTS @ params.linear.weight.T + params.linear.bias - mean) / np.sqrt(var + 1e-5)
    for _ in range(2):  # the second call has the same state
        found = apply_fn(params, INPUTS)
        assert_allclose(found, 2 * (hidden * params.norm.weight + params.norm.bias), rtol=1e-12)
    assert state.get(model.calls) == 1
    assert state.get(model.norm.ema_state_index)[0].dtype == np.float32


def test_initial_values_of_a_state_are_no_parameters():
    model = eqx.nn.inference_mode(Normalized())
    apply_fn, params = from_equinox(model, eqx.nn.State(model))
    assert num_params(params) == 3 * 4 + 4 + 2 * 4
    assert apply_fn(params, INPUTS).shape == (6, 4)
    with pytest.raises(ValueError, match=r"state at model\.norm\.ema_first_time_index, .*make_with_state\(Model\)"):
        from_equinox(model)


# --- what is refused


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: Network(rate=0.5), r"model\.dropout, a Dropout, .* random"),
        (lambda: [Normalized().linear, Normalized()], r"model\[1\]\.norm, a BatchNorm, .* dependent on the other samp"),
    ],
    ids=["dropout", "batch normalization"],
)
def test_training_mode_is_refused(model, message):
    with pytest.raises(ValueError, match=rf"{message}.*: pass eqx\.nn\.inference_mode\(model\)"):
        from_equinox(model())
    from_equinox(Network(rate=0.0))  # which drops nothing out


@pytest.mark.parametrize(
    ("dtypes", "message"),
    [
        ((jnp.float32, jnp.bfloat16), r"layers\[0\]\.weight is float32 and model\.layers\[1\]\.weight is bfloat16"),
        (
            (jnp.float32, jnp.complex64),
            r"must be real floating-point numbers, but model\.layers\[1\]\.weight is complex64",
        ),
    ],
    ids=["mixed", "complex"],
)
def test_parameters_of_other_dtypes_are_refused_by_name(dtypes, message):
    with pytest.raises(TypeError, match=message):
        from_equinox(Network(dtypes=dtypes))


def test_without_equinox_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "equinox", None)  # as if it were not there
    spec = importlib.util.spec_from_file_location("again", equinox_models.__file__)
    with pytest.raises(ImportError, match=r"needs equinox: pip install 'hessian-rank\[equinox\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))

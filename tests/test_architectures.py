"""What all networks have in common. Their formulas are tested in `tests/networks/`, one file for each module."""

import inspect
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import architectures
from architectures import attention, convolutional, fully_connected, polynomial, recurrent, residual, tied, transformer
from initializers import get_init

# For each kind: how it is built with an initializer, shape of one input, shape of one output, and p by hand.
KINDS = {
    "fully connected": (lambda init: fully_connected([4, 2], 3, "tanh", init), (5,), (3,), 20 + 8 + 6),
    "with biases": (lambda init: fully_connected([4], 3, "relu", init, bias=True), (5,), (3,), 24 + 15),
    "polynomial": (lambda init: polynomial([4], 3, 2, init), (5,), (3,), 20 + 12),
    "residual": (lambda init: residual([2, None], init, width=4, classes=3), (5,), (3,), 20 + 16 + 16 + 12),
    "blocks alone": (lambda init: residual([2, None], init, activation="gelu"), (5,), (5,), 20 + 25),
    "attention": (lambda init: attention(2, 3, init, classes=4, heads=2), (6, 5), (6, 4), 2 * (10 + 10 + 15 + 12)),
    "softmax": (lambda init: attention(2, 3, init, softmax=True, causal=True), (6, 5), (6, 3), 10 + 10 + 15),
    "sequences": (lambda init: convolutional([4, 3], [3, 2], init), (7, 2), (4, 3), 24 + 24),
    "images": (lambda init: convolutional([4], [(3, 2)], init, classes=3), (7, 5, 2), (3,), 48 + 20 * 4 * 3),
    "tied": (lambda init: tied(3, init), (5,), (5,), 15),
    "recurrent": (lambda init: recurrent(3, init), (5,), (5,), 25),
}
BY_NAME = pytest.mark.parametrize("kind", KINDS)
# The same, so large that they fit nowhere.
HUGE = {
    "fully connected": (fully_connected([10**6, 10**6], 3, "relu", get_init("glorot")), (5,), 10**12 + 8 * 10**6),
    "with biases": (
        fully_connected([10**6, 10**6], 3, "relu", get_init("glorot"), bias=True),
        (5,),
        10**12 + 10**7 + 3,
    ),
    "polynomial": (polynomial([10**7], 10**6, 2, get_init("glorot")), (5,), 10**13 + 5 * 10**7),
    "residual": (residual([10**6], get_init("glorot"), width=10**6, classes=3), (5,), 2 * 10**12 + 8 * 10**6),
    "blocks alone": (residual([None], get_init("glorot")), (10**6,), 10**12),
    "attention": (attention(10**6, 1, get_init("glorot"), heads=3), (7, 10**6), 6 * 10**12 + 3 * 10**6),
    "softmax": (attention(1, 10**6, get_init("glorot"), classes=10**6, softmax=True), (7, 5), 10**12 + 5 * 10**6 + 10),
    "sequences": (convolutional([10**6, 10**6], [3, 3], get_init("glorot")), (9, 1), 3 * 10**12 + 3 * 10**6),
    "images": (convolutional([1], [(1, 1)], get_init("glorot"), classes=10), (10**6, 10**6, 1), 10**13 + 1),
    "tied": (tied(10**6, get_init("glorot")), (10**6,), 10**12),
    "recurrent": (recurrent(2, get_init("glorot")), (10**6,), 10**12),
}


def network(kind, init="glorot", seed=0):
    build, shape, _, _ = KINDS[kind]
    init_fn, apply_fn = build(get_init(init))
    return apply_fn, init_fn(jax.random.key(seed), (-1, *shape))[1]


def values(params):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(params)])


def test_every_network_is_tested_here():
    exported = [getattr(architectures, name) for name in architectures.__all__]
    networks = {thing for thing in exported if callable(thing) and "init" in inspect.signature(thing).parameters}
    # A transformer has gains, which begin as ones: tests/networks/test_transformers.py
    networks.remove(transformer)
    assert networks == {fully_connected, polynomial, residual, attention, convolutional, tied, recurrent}
    assert set(HUGE) == set(KINDS)


@BY_NAME
def test_shapes_and_dtypes(kind):
    build, shape, outputs, p = KINDS[kind]
    init_fn, apply_fn = build(get_init("glorot"))
    found, params = init_fn(jax.random.key(0), (-1, *shape))
    assert found == (-1, *outputs)
    leaves = jax.tree.leaves(params)
    assert all(leaf.dtype == np.float64 for leaf in leaves)
    assert sum(leaf.size for leaf in leaves) == p
    assert len(np.unique(values(params))) == p  # every weight is drawn, none twice
    for n in (1, 7):
        predictions = apply_fn(params, np.random.default_rng(n).normal(size=(n, *shape)))
        assert predictions.shape == (n, *outputs)
        assert predictions.dtype == np.float64
        assert np.all(np.isfinite(predictions))
    assert init_fn(jax.random.key(0), [7, *shape])[0] == (7, *outputs)  # as the shape of an array


@BY_NAME
def test_every_sample_has_an_output_of_its_own(kind):
    apply_fn, params = network(kind)
    inputs = np.random.default_rng(0).normal(size=(4, *KINDS[kind][1]))
    together = jax.jit(apply_fn)(params, inputs)
    one_by_one = [np.asarray(apply_fn(params, inputs[i : i + 1]))[0] for i in range(4)]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-12, atol=1e-14)
    assert np.all(np.any(np.diff(np.reshape(together, (4, -1)), axis=0), axis=1))


@BY_NAME
def test_the_key_decides_the_weights(kind):
    first, again, other = (values(network(kind, seed=seed)[1]) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.any(first == other)


@BY_NAME
def test_the_weights_are_the_initializer_s(kind):
    constant = lambda key, shape, dtype: jnp.full(shape, 7.0, dtype)
    build, shape, _, p = KINDS[kind]
    params = values(build(constant)[0](jax.random.key(0), (-1, *shape))[1])
    biases = 4 + 3 if kind == "with biases" else 0
    assert np.sum(params == 7.0) == p - biases


@BY_NAME
@pytest.mark.parametrize("init", ["glorot", None, 3], ids=repr)
def test_an_initializer_is_a_function(kind, init):
    with pytest.raises(TypeError, match=rf"init must be a function .* got {init!r}; pass get_init\('glorot'\)"):
        KINDS[kind][0](init)


@BY_NAME
def test_networks_built_again_have_the_same_function(kind):
    assert network(kind)[0] is network(kind, init="uniform")[0]


@BY_NAME
def test_input_shapes_of_another_kind_are_refused(kind):
    build, shape, _, _ = KINDS[kind]
    init_fn, _ = build(get_init("glorot"))
    refused = lambda error, message: pytest.raises(error, match=message)
    for wrong in [(), shape, (-1,), (-1, *shape[1:]), (-1, *shape, 1)]:  # without n, and too few or too many axes
        with refused(ValueError, r"the input shape must be \(-1, .*\) for this network, got \("):
            init_fn(jax.random.key(0), wrong)
    for wrong in (5, None, "15"):
        with refused(TypeError, rf"the input shape must be \(-1, .*\), got {wrong!r} of type"):
            init_fn(jax.random.key(0), wrong)
    for axis in range(len(shape)):
        replaced = lambda size, axis=axis: (-1, *shape[:axis], size, *shape[axis + 1 :])
        for size in (5.0, True, None, "5"):
            with refused(TypeError, rf"\w of the input shape must be an integer, got {size!r}"):
                init_fn(jax.random.key(0), replaced(size))
        for size in (0, -1):
            with refused(ValueError, rf"\w of the input shape must be at least 1, got {size}"):
                init_fn(jax.random.key(0), replaced(size))


@BY_NAME
def test_inputs_of_another_shape_are_refused(kind):
    apply_fn, params = network(kind)
    shape = KINDS[kind][1]
    for wrong in [shape, (3, *shape[:-1], shape[-1] + 1), (3, *shape, 1), (3,), ()]:
        with pytest.raises(ValueError, match=r"inputs must have shape \(n, .*\) for this network, got \("):
            apply_fn(params, np.ones(wrong))


@BY_NAME
def test_weights_that_do_not_fit_are_refused_before_they_are_drawn(kind):
    (init_fn, _), shape, p = HUGE[kind]
    with pytest.raises(MemoryError, match=rf"the weights of p = {p} parameters take .* GB are free. Choose smaller"):
        init_fn(jax.random.key(0), (-1, *shape))


@BY_NAME
def test_shapes_alone_need_no_memory(kind):
    (init_fn, _), shape, p = HUGE[kind]
    shapes = jax.eval_shape(lambda key: init_fn(key, (-1, *shape))[1], jax.random.key(0))
    assert sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes)) == p
    assert {leaf.dtype for leaf in jax.tree.leaves(shapes)} == {np.dtype(np.float64)}


@BY_NAME
def test_float32_mode_is_refused(kind):
    with jax.enable_x64(False), pytest.raises(TypeError, match=r'jax.config.update\("jax_enable_x64", True\)'):
        network(kind)

"""A transformer, beside loops over samples, tokens and heads, and beside what it must not see."""

import math

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import transformer
from hessians import num_params
from initializers import get_init
from parts import layers


def drawn(width=6, heads=3, depth=2, hidden=7, classes=4, tokens=5, dim=3, n=2):
    """Return normal weights of a transformer's shapes, its function and normal inputs."""
    init_fn, apply_fn = transformer(width, heads, depth, hidden, get_init("glorot"), classes)
    _, params = init_fn(jax.random.key(0), (-1, tokens, dim))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params), apply_fn, rng.normal(size=(n, tokens, dim))


def norm(x, gain):
    return gain * (x - x.mean()) / math.sqrt(x.var() + 1e-5)


def gelu(z):
    return z * (1 + math.erf(z / math.sqrt(2))) / 2


def by_loops(params, X, heads, depth):
    """Return the outputs for one sample, token by token and head by head."""
    x = [token @ params["embed"] + place for token, place in zip(X, params["positions"], strict=True)]
    size = len(x[0]) // heads
    for i in range(1, depth + 1):
        block = {name.partition("/")[2]: W for name, W in params.items() if name.startswith(f"block_{i}/")}
        seen = [norm(token, block["gain_1"]) for token in x]
        for h in range(heads):
            own = slice(h * size, (h + 1) * size)
            queries, keys, values = ([s @ block[name][:, own] for s in seen] for name in ("queries", "keys", "values"))
            for t, query in enumerate(queries):
                powers = [math.exp(query @ key / math.sqrt(size)) for key in keys]
                mixed = sum(power * value for power, value in zip(powers, values, strict=True)) / sum(powers)
                x[t] = x[t] + mixed @ block["output"][own]
        for t, token in enumerate(x):
            units = norm(token, block["gain_2"]) @ block["up"]
            x[t] = token + np.array([gelu(z) for z in units]) @ block["down"]
    return np.mean([norm(token, params["gain"]) for token in x], axis=0) @ params["head"]


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("depth", [1, 2])
def test_forward_pass(heads, depth):
    params, apply_fn, inputs = drawn(heads=heads, depth=depth)
    found = jax.jit(apply_fn)(params, inputs)
    assert found.shape == (2, 4)
    assert_allclose(found, [by_loops(params, X, heads, depth) for X in inputs], rtol=1e-12, atol=1e-12)


def test_only_positions_tell_the_tokens_apart():
    params, apply_fn, inputs = drawn()
    order = [3, 0, 4, 1, 2]
    assert abs(apply_fn(params, inputs[:, order]) - apply_fn(params, inputs)).max() > 1e-3
    moved = params | {"positions": params["positions"][np.array(order)]}
    assert_allclose(apply_fn(moved, inputs[:, order]), apply_fn(params, inputs), rtol=1e-12, atol=1e-12)


def test_a_larger_stream_is_normalized_away():
    """Without what the blocks add, the output depends on the tokens' directions only."""
    params, apply_fn, inputs = drawn(depth=1)
    quiet = params | {name: 0 * params[name] for name in ("block_1/output", "block_1/down")}
    larger = quiet | {name: 1e3 * quiet[name] for name in ("embed", "positions")}
    assert_allclose(apply_fn(larger, inputs), apply_fn(quiet, inputs), rtol=1e-4, atol=1e-4)


def test_shapes_and_layers():
    init_fn, _ = transformer(64, 4, 2, 256, get_init("orthogonal"), 10)
    shape, params = init_fn(jax.random.key(0), (-1, 8, 8))
    assert shape == (-1, 10)
    block = 4 * 64 * 64 + 2 * 64 * 256 + 2 * 64
    assert {name: len(places) for name, places in layers(params).items()} == {
        "block_1": block, "block_2": block, "embed": 512, "gain": 64, "head": 640, "positions": 512,
    }  # fmt: skip
    assert num_params(params) == 100_288
    for name, W in params.items():
        expected = np.ones(64) if "gain" in name else np.linalg.svd(W, compute_uv=False)
        assert_allclose(W if "gain" in name else np.ones(min(W.shape)), expected, rtol=1e-13)


def test_transformers_of_one_shape_share_one_function():
    first, second, other = (transformer(w, h, 2, 5, get_init("glorot"), 3)[1] for w, h in ((4, 2), (6, 2), (6, 3)))
    assert first is second
    assert first is not other


def test_so_many_blocks_are_refused_before_they_are_listed():
    init_fn, _ = transformer(1, 1, 10**12, 1, get_init("glorot"), 1)
    with pytest.raises(MemoryError, match=rf"the weights of p = {6 * 10**12} parameters take 48000.0 GB"):
        init_fn(jax.random.key(0), (-1, 1, 1))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"width": 0}, ValueError, "width must be at least 1, got 0"),
        ({"heads": 3}, ValueError, "heads must divide the width, got heads=3 and width=4: every head"),
        ({"heads": 2.0}, TypeError, "heads must be an integer, got 2.0 of type float"),
        ({"depth": 0}, ValueError, "depth must be at least 1, got 0"),
        ({"hidden": -1}, ValueError, "hidden must be at least 1, got -1"),
        ({"classes": True}, TypeError, "classes must be an integer, got True of type bool"),
        ({"init": "glorot"}, TypeError, "init must be a function .* got 'glorot'; pass get_init"),
    ],
    ids=str,
)
def test_bad_arguments(changed, error, message):
    with pytest.raises(error, match=message):
        transformer(
            **({"width": 4, "heads": 2, "depth": 1, "hidden": 3, "init": get_init("glorot"), "classes": 2} | changed)
        )


def test_bad_inputs():
    params, apply_fn, inputs = drawn()
    with pytest.raises(ValueError, match=r"inputs must have shape \(n, 5, 3\) for this network, got \(2, 4, 3\)"):
        apply_fn(params, inputs[:, :4])
    init_fn, _ = transformer(4, 2, 1, 3, get_init("glorot"), 2)
    with pytest.raises(ValueError, match=r"the input shape must be \(-1, t, d\) for this network, got \(-1, 5\)"):
        init_fn(jax.random.key(0), (-1, 5))

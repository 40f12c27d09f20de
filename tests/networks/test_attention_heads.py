import itertools
import math

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from architectures import Head, attention
from initializers import get_init

TRUTHS = [False, True]


def drawn(dim, tokens, n, *arguments, **options):
    """Return normal weights of an attention layer's shapes, its function and normal inputs."""
    init_fn, apply_fn = attention(*arguments, get_init("glorot"), **options)
    _, params = init_fn(jax.random.key(0), (-1, tokens, dim))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params), apply_fn, rng.normal(size=(n, tokens, dim))


def weighted_sum(weights, rows):
    return [sum(w * row[c] for w, row in zip(weights, rows, strict=True)) for c in range(len(rows[0]))]


def by_loops(head, X, softmax, causal):
    """Return the outputs of one head for one sample, number by number."""
    queries, keys, values = ([weighted_sum(x, W) for x in X] for W in head[:3])
    outputs = []
    for t, query in enumerate(queries):
        seen = range(t + 1) if causal else range(len(X))
        scores = [sum(q * k for q, k in zip(query, keys[s], strict=True)) for s in seen]
        if softmax:
            powers = [math.exp(score / math.sqrt(len(query))) for score in scores]
            scores = [power / sum(powers) for power in powers]
        outputs.append(weighted_sum(scores, [values[s] for s in seen]))
    return outputs if head.W_O is None else [weighted_sum(row, head.W_O) for row in outputs]


@pytest.mark.parametrize("softmax", TRUTHS, ids=["linear", "softmax"])
@pytest.mark.parametrize("causal", TRUTHS, ids=["all tokens", "causal"])
@pytest.mark.parametrize("classes", [None, 4], ids=["no projection", "projection"])
@pytest.mark.parametrize("heads", [1, 3])
def test_forward_pass(heads, classes, causal, softmax):
    params, apply_fn, inputs = drawn(4, 5, 2, 2, 3, classes=classes, heads=heads, softmax=softmax, causal=causal)
    found = jax.jit(apply_fn)(params, inputs)
    each = np.array([[by_loops(head, X, softmax, causal) for X in inputs] for head in params])
    assert found.shape == (2, 5, 4 if classes else 3 * heads)
    assert_allclose(found, each.sum(axis=0) if classes else np.concatenate(each, axis=-1), rtol=1e-12, atol=1e-12)


def test_linear_attention_is_the_product_of_six_matrices():
    params, apply_fn, (X,) = drawn(4, 5, 1, 2, 3, classes=4, heads=2)
    expected = sum(X @ W_Q @ W_K.T @ X.T @ X @ W_V @ W_O for W_Q, W_K, W_V, W_O in params)
    assert_allclose(apply_fn(params, X[None])[0], expected, rtol=1e-12, atol=1e-12)


def test_one_projection_for_all_heads_has_its_rows_in_turn():
    params, apply_fn, inputs = drawn(4, 5, 2, 2, 3, classes=4, heads=2)
    bare, beside = [head._replace(W_O=None) for head in params], attention(2, 3, get_init("glorot"), heads=2)[1]
    W_O = np.concatenate([head.W_O for head in params])
    assert W_O.shape == (6, 4)
    assert_allclose(apply_fn(params, inputs), beside(bare, inputs) @ W_O, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("softmax", TRUTHS, ids=["linear", "softmax"])
def test_causal_tokens_see_what_was_before(softmax):
    params, apply_fn, inputs = drawn(4, 5, 2, 2, 3, softmax=softmax, causal=True)
    changed = np.concatenate([inputs[:, :3], 1.0 + inputs[:, 3:]], axis=1)
    before, after = (np.asarray(apply_fn(params, x)) for x in (inputs, changed))
    assert_allclose(before[:, :3], after[:, :3], rtol=1e-12)
    assert np.all(abs(before[:, 3:] - after[:, 3:]) > 1e-6)


@pytest.mark.parametrize("classes", [None, 4])
def test_shapes(classes):
    init_fn, _ = attention(2, 3, get_init("orthogonal"), classes=classes, heads=2)
    shape, params = init_fn(jax.random.key(0), (-1, 6, 5))
    assert shape == (-1, 6, 4 if classes else 6)
    assert [type(head) for head in params] == [Head, Head]
    expected = [(5, 2), (5, 2), (5, 3), (3, 4) if classes else None]
    for head in params:
        assert [W if W is None else W.shape for W in head] == expected
        for W in head[: 4 if classes else 3]:
            assert_allclose(np.linalg.svd(W, compute_uv=False), np.ones(min(W.shape)), rtol=1e-13)


def test_layers_of_one_kind_share_one_function():
    kinds = itertools.product(TRUTHS, TRUTHS)
    functions = [attention(2, 3, get_init("glorot"), softmax=s, causal=c)[1] for s, c in kinds]
    assert len(set(functions)) == 4
    for function, (s, c) in zip(functions, itertools.product(np.array(TRUTHS), np.array(TRUTHS)), strict=True):
        assert attention(5, 1, get_init("uniform"), classes=7, heads=3, softmax=s, causal=c)[1] is function


def test_so_many_heads_are_refused_before_they_are_listed():
    init_fn, _ = attention(1, 1, get_init("glorot"), classes=1, heads=10**12)
    with pytest.raises(MemoryError, match=rf"the weights of p = {4 * 10**12} parameters take 32000.0 GB"):
        init_fn(jax.random.key(0), (-1, 1, 1))


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"keys": 0}, ValueError, "keys must be at least 1, got 0"),
        ({"keys": 2.0}, TypeError, "keys must be an integer, got 2.0 of type float"),
        ({"values": True}, TypeError, "values must be an integer, got True of type bool"),
        ({"values": -1}, ValueError, "values must be at least 1, got -1"),
        ({"classes": 0}, ValueError, "classes must be at least 1, got 0"),
        ({"classes": "4"}, TypeError, "classes must be an integer, got '4'"),
        ({"heads": 0}, ValueError, "heads must be at least 1, got 0"),
        ({"heads": None}, TypeError, "heads must be an integer, got None"),
        ({"softmax": 1}, TypeError, "softmax must be True or False, got 1 of type int"),
        ({"causal": "no"}, TypeError, "causal must be True or False, got 'no'"),
    ],
    ids=str,
)
def test_bad_arguments(changed, error, message):
    with pytest.raises(error, match=message):
        attention(**({"keys": 2, "values": 3, "init": get_init("glorot")} | changed))

"""A reader's own network: any trees of data, any outputs, any loss. The oracle is `jax.hessian`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from closed_forms import linear_ranks
from exact import exact_ranks
from hessians import WithPenalty, dense_hessians
from losses import get_loss, huber, squared
from matrix_free import loss_operator, sketched_ranks
from ranks import dense_ranks
from tests.oracles.plain_hessians import assert_equal_hessians, plain_hessians

RNG = np.random.default_rng(5)
X = RNG.normal(size=(8, 4))
Y = RNG.normal(size=(8, 3))
W = {"first": RNG.normal(size=(4, 3)), "last": RNG.normal(size=(3, 3))}
TOKENS = RNG.integers(0, 5, size=(6, 4))
IMAGES = RNG.integers(0, 256, size=(5, 4, 4, 1)).astype(np.uint8)
EMBEDDED = {"table": RNG.normal(size=(5, 3)), "out": RNG.normal(size=(3, 5))}
FILTERS = {"one": RNG.normal(size=(3, 3, 1, 2)), "two": RNG.normal(size=(1, 1, 2, 3))}
GRAPH = {"nodes": RNG.normal(size=(5, 4, 2)), "edges": RNG.integers(0, 4, size=(5, 6, 2))}


def mlp(w, x):
    return jnp.tanh(x @ w["first"]) @ w["last"]


def tokens(w, x):
    """Per token: logits of the next one, from its own embedding and the mean of all."""
    h = w["table"][x]
    return jnp.tanh(h + h.mean(axis=1, keepdims=True)) @ w["out"]


def pixels(w, x):
    """Per pixel: a convolution of bytes, and a linear map of its channels."""
    x = jnp.asarray(x, float) / 255
    for name in ("one", "two"):
        x = jax.lax.conv_general_dilated(x, w[name], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jnp.tanh(x)
    return x


def messages(w, x):
    """A graph network: every node adds up the messages along the edges that point to it."""
    per_graph = lambda nodes, edges: jnp.zeros((4, 3)).at[edges[:, 1]].add(jnp.tanh(nodes @ w["in"])[edges[:, 0]])
    return jax.vmap(per_graph)(x["nodes"], x["edges"]).sum(axis=1) @ w["last"]


def masked(predictions, targets):
    """Return a squared loss of the samples that a mask keeps."""
    return jnp.sum(targets["mask"] * (predictions - targets["values"]) ** 2)


def energy(predictions, targets):
    """Return a loss that needs no targets."""
    del targets
    return jnp.sum(jnp.cos(predictions))


def two_heads(w, x):
    h = jnp.tanh(x @ w["first"])
    return {"mean": h @ w["last"], "scale": h.sum(axis=1)}


def of_two_heads(predictions, targets):
    squares = (predictions["mean"] - targets) ** 2 * jnp.exp(-predictions["scale"])[:, None]
    return jnp.sum(squares) + jnp.sum(predictions["scale"])


CASES = {
    "integer labels": (get_loss("nll"), mlp, W, X, RNG.integers(0, 3, size=8)),
    "padded labels": (get_loss("nll"), tokens, EMBEDDED, TOKENS, np.where(TOKENS == 2, -100, TOKENS)),
    "token ids": (get_loss("nll"), tokens, EMBEDDED, TOKENS, np.roll(TOKENS, 1, axis=1)),
    "bytes as 4-D images, outputs per pixel": (squared, pixels, FILTERS, IMAGES, RNG.normal(size=(5, 4, 4, 3))),
    "dictionary inputs, indices of edges": (squared, messages, {"in": RNG.normal(size=(2, 3)), **W}, GRAPH, Y[:5]),
    "one number for each sample": (squared, lambda w, x: mlp(w, x).sum(axis=1), W, X, Y[:, 0]),
    "float32 data": (squared, mlp, W, X.astype(np.float32), Y.astype(np.float32)),
    "PyTorch tensors": (squared, mlp, W, torch.from_numpy(X), torch.from_numpy(Y)),
    "binary cross-entropy": (get_loss("bce"), lambda w, x: mlp(w, x)[:, :1], W, X, RNG.integers(0, 2, size=(8, 1))),
    "Huber": (get_loss("huber"), mlp, W, X, Y),
    "Gaussian": (get_loss("gaussian"), lambda w, x: mlp(w, x)[:, :2], W, X, Y[:, :1]),
    "a tree of outputs": (of_two_heads, two_heads, W, X, Y),
    "a tree of targets": (masked, mlp, W, X, {"values": Y, "mask": RNG.integers(0, 2, size=(8, 1)).astype(float)}),
    "no targets": (energy, mlp, W, X, None),
    "tied weights": (get_loss("nll"), lambda w, x: w[x] @ w.T, EMBEDDED["table"], TOKENS, np.roll(TOKENS, 1, axis=1)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_hessians_are_those_of_the_definition(name):
    loss, apply_fn, params, inputs, targets = CASES[name]
    data = (inputs, targets)
    arrays = jax.tree.map(np.asarray, data)
    arrays = jax.tree.map(lambda x: x.astype(float) if x.dtype == np.float32 else x, arrays)
    found = dense_hessians(loss, apply_fn, params, data)
    assert_equal_hessians(found, plain_hessians(loss, apply_fn, params, *arrays))


@pytest.mark.parametrize("name", ["token ids", "bytes as 4-D images, outputs per pixel", "a tree of outputs"])
def test_both_ways_find_the_same_ranks_and_trust_them(name):
    loss, apply_fn, params, inputs, targets = CASES[name]
    dense, sketched = (ranks(loss, apply_fn, params, (inputs, targets)) for ranks in (dense_ranks, sketched_ranks))
    expected = plain_hessians(loss, apply_fn, params, inputs, targets)
    for one, other, matrix in zip(dense, sketched, expected, strict=True):
        assert one.rank == other.rank == np.linalg.matrix_rank(matrix, tol=1e-11 * np.linalg.norm(matrix))
        assert one.grade == other.grade == "clear"


def test_batches_of_trees_add_up():
    loss, apply_fn, params, inputs, targets = CASES["dictionary inputs, indices of edges"]
    parts = [
        (jax.tree.map(lambda leaf, rows=rows: leaf[rows], inputs), targets[rows]) for rows in (slice(2), slice(2, 5))
    ]
    whole, summed = (dense_hessians(loss, apply_fn, params, each) for each in ((inputs, targets), parts))
    assert_equal_hessians(summed, whole)


def test_a_mean_over_samples_of_a_tree():
    loss, apply_fn, params, inputs, targets = CASES["a tree of outputs"]
    mean = lambda f, y: of_two_heads(f, y) / len(y)
    found = dense_hessians(mean, apply_fn, params, [(inputs[:3], targets[:3]), (inputs[3:], targets[3:])], "mean")
    expected = dense_hessians(loss, apply_fn, params, (inputs, targets))
    assert_equal_hessians(found, type(expected)(*(matrix / 8 for matrix in expected)))


# --- a term of the parameters alone


def decay(w):
    return 0.05 * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(w))


def test_weight_decay_counts_once_and_is_reported_apart():
    batches = [(X[:3], Y[:3]), (X[3:], Y[3:])]
    found = dense_hessians(squared, mlp, W, batches, penalty=decay)
    expected = plain_hessians(squared, mlp, W, X, Y)
    assert isinstance(found, WithPenalty)
    assert_equal_hessians((found.functional, found.outer, found.without), expected)
    np.testing.assert_allclose(found.penalty, 0.1 * np.eye(21), atol=1e-15)
    np.testing.assert_allclose(found.loss, expected.loss + 0.1 * np.eye(21), atol=1e-12)
    vectors = RNG.normal(size=(2, 21))
    np.testing.assert_allclose(
        loss_operator(squared, mlp, W, batches, penalty=decay)(vectors), vectors @ found.loss, atol=1e-11
    )


@pytest.mark.parametrize("ranks", [dense_ranks, sketched_ranks])
def test_a_penalty_of_some_parameters_and_the_rank_without_it(ranks):
    """The network has six parameters, and three that it does not use. The penalty acts on two of these."""
    penalty = lambda w: jnp.sum(w["unused"][:2] ** 2)
    linear = lambda w, x: x @ w["used"]
    found = ranks(squared, linear, {"unused": np.ones(3), "used": W["first"][:2]}, (X[:, :2], Y), penalty=penalty)
    assert [rank.rank for rank in found] == [0, 6, 8, 2, 6]
    assert {rank.grade for rank in found} == {"clear"}


def test_a_penalty_with_a_kink_is_refused_at_it():
    with pytest.raises(ValueError, match="kink"):
        dense_ranks(squared, mlp, {**W, "last": 0 * W["last"]}, (X, Y), penalty=lambda w: jnp.sum(jnp.abs(w["last"])))
    with pytest.raises(ValueError, match="the loss must be one number, but it returns an array of shape"):
        dense_ranks(squared, mlp, W, (X, Y), penalty=lambda w: w["last"] ** 2)


# --- some of the parameters


@pytest.mark.parametrize(
    "only",
    [lambda path: path == "last", {"first": False, "last": True}, {"first": np.zeros((4, 3), bool), "last": True}],
    ids=["a predicate", "a mask", "a mask of entries"],
)
def test_with_a_frozen_first_layer(only):
    found = dense_hessians(squared, mlp, W, (X, Y), only=only)
    features = np.tanh(X @ W["first"])
    np.testing.assert_allclose(found.loss, np.kron(features.T @ features, np.eye(3)), atol=1e-12)
    np.testing.assert_allclose(found.functional, 0, atol=1e-14)


def test_a_mask_of_entries_takes_rows_and_columns_of_the_matrices():
    mask = {"first": RNG.random((4, 3)) < 0.5, "last": False}
    found = dense_hessians(squared, mlp, W, (X, Y), only=mask)
    where = np.flatnonzero(mask["first"])
    whole = plain_hessians(squared, mlp, W, X, Y)
    assert_equal_hessians(found, type(whole)(*(matrix[np.ix_(where, where)] for matrix in whole)))


def test_low_rank_factors_on_frozen_weights():
    """LoRA: W + A B with A B of rank one. At B = 0 only B's gradient lives, so that H_o has rank 3 at most in B."""
    params = {"W": W["first"], "A": RNG.normal(size=(4, 1)), "B": RNG.normal(size=(1, 3))}
    apply_fn = lambda w, x: x @ (w["W"] + w["A"] @ w["B"])
    free = lambda path: path in ("A", "B")
    found = dense_hessians(squared, apply_fn, params, (X, Y), only=free)
    adapted = {name: params[name] for name in "AB"}
    expected = plain_hessians(squared, lambda w, x: apply_fn({**w, "W": params["W"]}, x), adapted, X, Y)
    assert_equal_hessians(found, expected)
    ranks = dense_ranks(squared, apply_fn, params, (X, Y), only=free)
    assert [rank.rank for rank in ranks] == [6, 6, 7]  # as the linear network 4-1-3: q = 1, M = 1, r = 4, K = 3
    assert {rank.grade for rank in ranks} == {"clear"}


def test_what_is_frozen_can_be_of_any_dtype():
    params = {"W": W["first"].astype(np.float32), "A": W["last"], "order": np.array([2, 0, 1])}
    apply_fn = lambda w, x: (x @ w["W"])[:, w["order"]] @ w["A"]
    found = dense_hessians(squared, apply_fn, params, (X, Y), only={"W": False, "A": True, "order": False})
    features = (X @ params["W"].astype(float))[:, params["order"]]
    np.testing.assert_allclose(found.loss, np.kron(features.T @ features, np.eye(3)), atol=1e-12)


def test_exact_ranks_of_tokens():
    """Per token, a bilinear function of the embedding: rational, so that residues decide."""
    apply_fn = lambda w, x: w["table"][x["tokens"]] @ w["out"]
    batch = {"tokens": TOKENS}, RNG.normal(size=(6, 4, 5))
    found, exact = (ranks(squared, apply_fn, EMBEDDED, batch) for ranks in (dense_ranks, exact_ranks))
    assert [rank.rank for rank in found] == [rank.rank for rank in exact] == list(linear_ranks(5, 5, [3]))
    assert {rank.grade for rank in found} == {"clear"}


def test_a_frozen_weight_that_changes_is_seen():
    only = lambda path: path == "last"
    for scale in (1.0, 2.0):
        params = {**W, "first": scale * W["first"]}
        features = np.tanh(X @ params["first"])
        found = dense_hessians(squared, mlp, params, (X, Y), only=only).loss
        np.testing.assert_allclose(found, np.kron(features.T @ features, np.eye(3)), atol=1e-12)


# --- what is refused


@pytest.mark.parametrize(
    ("loss", "apply_fn", "params", "batches", "error", "message"),
    [
        (squared, mlp, {**W, "last": W["last"].astype(np.float32)}, (X, Y), TypeError, r"params\['last'\] again in"),
        (squared, lambda w, x: mlp(w, x).astype("float32"), W, (X, Y), TypeError, "outputs must be float64, got float"),
        (
            squared,
            lambda w, x: jnp.tanh((x @ w["first"]).astype("float32")).astype(float) @ w["last"],
            W,
            (X, Y),
            ValueError,
            r"rounds numbers to float32, at tests/test_own_networks\.py:\d+",
        ),
        (squared, mlp, W, [X, Y, X], TypeError, r"each batch must be a pair .* got a ndarray of shape \(8, 4\)"),
        (squared, mlp, W, [(X, Y, X)], TypeError, "each batch must be a pair .* got a tuple of length 3"),
        (squared, mlp, W, (X, Y[1:]), ValueError, "inputs has 8 samples and targets has 7"),
        (squared, messages, W, ({"nodes": X, "edges": TOKENS}, Y), ValueError, r"edges'\] has 6 .*nodes'\] has 8"),
        (squared, mlp, W, (np.float64(3.0), Y), ValueError, "inputs is a single number, without a sample axis"),
        (squared, mlp, W, (np.array(["a", "b"]), Y[:2]), TypeError, "arrays of numbers, .* such as token ids"),
        (
            lambda f, y: (f - y) ** 2,
            mlp,
            W,
            (X, Y),
            ValueError,
            r"one number, but it returns an array of shape \(8, 3\)",
        ),
        (lambda f, y: jnp.sum((f - y) ** 2), mlp, W, (X[:3], Y[:3, 0]), ValueError, "may spread by mistake"),
        (get_loss("nll"), mlp, W, (X, Y), TypeError, "needs the numbers of classes as targets, integers, got float64"),
        (get_loss("nll"), mlp, W, (X, np.ones((8, 3), int)), ValueError, "without the last axis"),
        (get_loss("nll"), mlp, W, (X, np.full(8, 3)), ValueError, "must be finite"),
        (get_loss("gaussian"), mlp, W, (X, Y), ValueError, "two outputs for every target"),
        (squared, mlp, W, (X, np.ones(8, int)), ValueError, r"predictions have shape \(8, 3\) .* take the loss 'nll'"),
    ],
    ids=lambda value: value.split(",")[0][:30] if isinstance(value, str) else "",
)
def test_what_is_refused_by_name(loss, apply_fn, params, batches, error, message):
    with pytest.raises(error, match=message):
        dense_ranks(loss, apply_fn, params, batches)


@pytest.mark.parametrize(
    ("only", "error", "message"),
    [
        (lambda path: path == "middle", ValueError, "only chooses no parameter; the paths are 'first', 'last'"),
        (lambda path: path, TypeError, "only must say True or False of every parameter, got 'first'"),
        ({"first": True}, TypeError, "only must be a function of a parameter's path, or a pytree"),
        ({"first": True, "last": np.ones(2, bool)}, ValueError, r"mask of 'last' has shape \(2,\) and the parameter"),
    ],
)
def test_masks_that_choose_nothing_or_do_not_fit(only, error, message):
    with pytest.raises(error, match=message):
        dense_hessians(squared, mlp, W, (X, Y), only=only)


def test_huber_is_quadratic_inside_and_linear_outside():
    f = jnp.array([0.5, -3.0])
    assert float(huber(f, jnp.zeros(2))) == 0.125 + 2.5
    assert jax.grad(huber)(f, jnp.zeros(2)).tolist() == [0.5, -1.0]
    assert jax.hessian(huber)(f, jnp.zeros(2)).tolist() == [[1.0, 0.0], [0.0, 0.0]]
